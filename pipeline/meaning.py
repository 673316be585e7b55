"""How near two sentences are in meaning: the mean of their words' vectors, by WordLlama (MIT, 256 values, on a CPU).

The weights come along in its package; nothing is fetched. It is imported when it is first asked (0.1 s).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EngineFault

Vectors = NDArray[np.float32]


class _Model(Protocol):
    def embed(self, texts: list[str], norm: bool) -> Vectors: ...


@cache
def _model() -> _Model:
    """Raises EngineFault when the package is missing or not whole."""
    try:
        import wordllama

        folder = Path(wordllama.__file__).parent
        return cast(_Model, wordllama.WordLlama.load(cache_dir=folder, disable_download=True))
    except (ImportError, OSError, ValueError) as error:
        raise EngineFault(
            f"the meaning of sentences cannot be told: {error}; reinstall the package wordllama"
        ) from error


def vectors(texts: Sequence[str]) -> Vectors:
    """float32 (n, 256), each of length 1 (zeros for an empty text): products are cosines. Raises EngineFault."""
    if not texts:
        return np.zeros((0, 256), np.float32)
    found = np.asarray(_model().embed(list(texts), norm=False), np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return (found / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
