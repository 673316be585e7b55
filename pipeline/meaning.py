"""How near two sentences are in meaning. The network behind it is loaded when it is first asked (0.2 s)."""

from collections.abc import Sequence

from models import sentences
from models.errors import ModelError
from models.sentences import Vectors
from pipeline.errors import EngineFault

__all__ = ["Vectors", "halfway", "vectors"]


def vectors(texts: Sequence[str]) -> Vectors:
    """float32 (n, 384), each of length 1: products are cosines. Raises EngineFault."""
    try:
        return sentences.vectors(texts)
    except ModelError as error:
        raise EngineFault(str(error)) from error


def halfway(texts: Sequence[str]) -> Vectors:
    """float32 (n, 384), of any length: what the network knows at its fourth of six layers. Raises EngineFault."""
    try:
        return sentences.halfway(texts)
    except ModelError as error:
        raise EngineFault(str(error)) from error
