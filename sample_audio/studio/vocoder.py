"""Pace, pitch and pitch range of a spoken line, changed with the WORLD vocoder (M. Morise et al., 2016)."""

from __future__ import annotations

import sys
from importlib.metadata import version
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

RATE = 16_000
FRAME_MS = 5.0
F0_FLOOR, F0_CEIL = 60.0, 420.0
Floats = NDArray[np.float64]


def _world() -> Any:
    """Import pyworld, which asks `pkg_resources` for its own version; newer installers no longer bring that module."""
    if "pyworld" not in sys.modules and "pkg_resources" not in sys.modules:
        stand_in: Any = ModuleType("pkg_resources")
        stand_in.get_distribution = lambda name: SimpleNamespace(version=version(name))
        sys.modules["pkg_resources"] = stand_in
    import pyworld  # type: ignore[import-untyped]

    return pyworld


def track(samples: Floats, rate: int) -> Floats:
    """F0 in Hz each 5 ms, 0 where unvoiced."""
    f0, _ = _world().harvest(samples, rate, f0_floor=F0_FLOOR, f0_ceil=F0_CEIL, frame_period=FRAME_MS)
    return np.asarray(f0, dtype=np.float64)


def median_hz(contour: Floats) -> float:
    """Median F0 of the voiced frames; 0.0 if nothing is voiced."""
    voiced = contour[contour > 0]
    return float(np.median(voiced)) if len(voiced) else 0.0


def _move(f0: Floats, shift_st: float, spread: float) -> Floats:
    """Shift a contour and stretch it around its median, both on the semitone scale."""
    voiced = f0 > 0
    if not np.any(voiced):
        return f0
    logs = np.log2(f0[voiced])
    centre = np.median(logs)
    moved = f0.copy()
    moved[voiced] = 2.0 ** (centre + spread * (logs - centre) + shift_st / 12.0)
    return moved


def _hasten(frames: NDArray[Any], pace: float) -> NDArray[Any]:
    """Pick frames so that the line is `pace` times as fast (nearest frame: no voiced/unvoiced blends)."""
    at = np.arange(0, len(frames), pace)
    return np.ascontiguousarray(frames[np.minimum(np.rint(at).astype(int), len(frames) - 1)])


def reshape(samples: Floats, rate: int, pace: float, shift_st: float, spread: float) -> tuple[Floats, Floats]:
    """The line at 16 kHz and its new F0 each 5 ms: faster by `pace`, `shift_st` semitones up, range times `spread`."""
    world = _world()
    audio = np.ascontiguousarray(soxr.resample(samples, rate, RATE, quality="VHQ"))
    f0 = track(audio, RATE)
    times = np.arange(len(f0)) * FRAME_MS / 1000
    envelope = world.cheaptrick(audio, f0, times, RATE)
    noisiness = world.d4c(audio, f0, times, RATE)
    contour = _hasten(_move(f0, shift_st, spread), pace)
    spoken = world.synthesize(contour, _hasten(envelope, pace), _hasten(noisiness, pace), RATE, FRAME_MS)
    return np.asarray(spoken, dtype=np.float64), contour
