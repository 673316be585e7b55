"""What is usual for a speaker, as a call would know it: from what the same person said before, blind to labels."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.training.chance import seeded
from models.training.table import Index, Names

Floats = NDArray[np.float32]
Seconds = NDArray[np.float64]


def earlier(numbers: Floats, seconds: Seconds, who: Names, seed: int) -> tuple[Floats, Seconds]:
    """Of each clip: the mean of the speaker's own earlier clips, weighted by seconds, and how many seconds they are.

    numbers: float32 (n, d). Returns float32 (n, d), NaN where nothing was known before, and float64 (n,). Each
    speaker's clips come in a random order that depends on the seed and nothing else, so the angry ones are anywhere,
    the first included. No label is asked for, and no later clip is used.
    """
    means, heard = np.full(numbers.shape, np.nan, np.float32), np.zeros(len(numbers))
    for rows in _in_order(who, seed):
        own, weight = numbers[rows].astype(np.float64), seconds[rows][:, None]
        total = np.cumsum(np.nan_to_num(own) * weight, axis=0)[:-1]
        known = np.cumsum(np.isfinite(own) * weight, axis=0)[:-1]
        means[rows[1:]] = np.where(known > 0, total / np.maximum(known, 1e-9), np.nan)
        heard[rows[1:]] = np.cumsum(weight)[:-1]
    return means, heard


def _in_order(who: Names, seed: int) -> Iterator[Index]:
    for speaker in sorted(set(who.tolist())):
        rows = np.flatnonzero(who == speaker)
        yield rows[seeded(seed, "order", speaker).permutation(len(rows))]
