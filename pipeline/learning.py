"""Weights for ``pipeline.learnt`` from labelled lines: the same lines in the same order give the same weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.labelled import Labelled
from pipeline.learnt import BUCKETS, FORMAT, SHARE, WIDTH, buckets, from_middle, meanings
from pipeline.tokens import tokens

RIDGE = 0.3
"""How much is smoothed: the best of 0.1, 0.3, 0.6 and 1 when each line was left out once."""
Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[np.generic]]


def train(lines: Sequence[Labelled]) -> Arrays:
    """What is stored, by name. Raises BadInput when there is nothing to learn, EngineFault."""
    found: Arrays = {"format": np.array(FORMAT)}
    for role in Channel:
        own = [line for line in lines if line.role is role]
        if any(line.labels for line in own):
            found |= {f"{role}.{name}": value for name, value in _role(own).items()}
    if len(found) == 1:
        raise BadInput("there is nothing to learn: no line has a label")
    return found


def save(arrays: Arrays, path: Path) -> None:
    """Raises BadInput when it cannot be written."""
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from None


def _role(lines: Sequence[Labelled]) -> Arrays:
    said = [tokens(line.text.split()) for line in lines]
    names = sorted({name for line in lines for name in line.labels})
    wanted = np.array([[1.0 if name in line.labels else -1.0 for name in names] for line in lines])
    found = meanings(said)
    middle = found.mean(axis=0)
    vectors = from_middle(found, middle)
    shared = [buckets(each) for each in said]
    bias = wanted.mean(axis=0)
    weights = np.linalg.solve(_nearness(vectors, shared) + RIDGE * np.eye(len(lines)), wanted - bias)
    return {
        "names": np.array(names),
        "middle": middle,
        "vectors": vectors.astype(np.float16),
        "weights": weights.astype(np.float32),
        "words": _words(shared, weights).astype(np.float16),
        "bias": bias.astype(np.float32),
    }


def _nearness(vectors: NDArray[np.float32], shared: Sequence[NDArray[np.int64]]) -> Floats:
    """(n, n): of each line to each other."""
    near: Floats = np.exp(WIDTH * (vectors.astype(np.float64) @ vectors.T - 1.0))
    here: dict[int, list[int]] = {}
    for at, found in enumerate(shared):
        for bucket in found.tolist():
            here.setdefault(bucket, []).append(at)
    lengths = np.array([np.sqrt(len(found)) for found in shared])
    for lines in here.values():
        near[np.ix_(lines, lines)] += SHARE / np.outer(lengths[lines], lengths[lines])
    return near


def _words(shared: Sequence[NDArray[np.int64]], weights: Floats) -> Floats:
    """(BUCKETS, k): each line's weight, spread over its features."""
    words = np.zeros((BUCKETS, weights.shape[1]))
    for found, weight in zip(shared, weights, strict=True):
        words[found] += weight / np.sqrt(len(found))
    return words
