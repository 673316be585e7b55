"""Where a line is really heard: the edges and inner pauses of its audio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOW_MS = 10
FLOOR_DB = -45.0
"""A window is silent below this, against the line's peak sample."""
PAUSE_MS = 250
"""A silence longer than this splits the line."""


def _loud(samples: NDArray[np.float64], rate: int) -> NDArray[np.bool_]:
    size = rate * WINDOW_MS // 1000
    windows = samples[: len(samples) // size * size].reshape(-1, size)
    floor = np.max(np.abs(samples)) * 10 ** (FLOOR_DB / 20)
    return np.asarray(np.sqrt(np.mean(windows**2, axis=1)) > floor)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def pieces(samples: NDArray[np.float64], rate: int) -> list[tuple[int, int]]:
    """Half-open spans in ms where the line is heard, split at pauses longer than `PAUSE_MS`."""
    spans: list[tuple[int, int]] = []
    for begin, end in ((a * WINDOW_MS, b * WINDOW_MS) for a, b in _runs(_loud(samples, rate))):
        if spans and begin - spans[-1][1] <= PAUSE_MS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return [span for span in spans if span[1] - span[0] > 2 * WINDOW_MS]
