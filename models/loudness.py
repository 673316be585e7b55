"""Level of a block of samples."""

import math

import numpy as np

from models.errors import ModelError
from models.protocols import Samples

FLOOR_DBFS = -96.0
"""The lowest level reported: about 20 log10(2**-16), half a step of 16-bit audio. Digital silence has this level."""


def level_dbfs(samples: Samples) -> float:
    """RMS level in dB re full scale: ``20 log10(sqrt(mean(x**2)))``, never under ``FLOOR_DBFS``.

    samples: float32 (n,), full scale 1.0. A full-scale sine has -3.01 dBFS, a full-scale square wave 0.
    Line gain differs per call: compare a speaker with the same speaker only. Raises ModelError for no samples.
    """
    return levels_dbfs(samples[None])[0]


def levels_dbfs(rows: Samples) -> list[float]:
    """``level_dbfs`` of each row, to the bit, at less cost. rows: float32 (rows, n). Raises as that does."""
    count = rows.shape[1]
    if count == 0:
        raise ModelError("the level of no samples is undefined")
    wide = rows.astype(np.float64)
    squares: list[float] = (wide[:, None, :] @ wide[:, :, None]).ravel().tolist()
    return [_dbfs(square / count) for square in squares]


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0.0 else FLOOR_DBFS
