"""What a window of a person's speech says of the manner of speaking: some eighty numbers, each named and of one part.

Training, evaluation and the live call go through ``frames`` and ``describe`` and nothing else, so a figure means the
same everywhere. A window is the last 3 s or so of one person's speech, or a whole clip in training. Line gain differs
per call: nothing here but ``level`` changes with it, and ``level`` is only ever compared with the same speaker on the
same line.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.descriptors import LLDS, ROWS_A_SECOND, Rows, frames
from models.errors import ModelError
from models.timbre import CEPSTRUM

__all__ = ["FEATURES", "LLDS", "PART", "describe", "frames"]

REACH = 30.0
"""dB under a window's loud rows (their 95th percentile) at which a row is a pause."""
LEAST, LEAST_VOICED = 31, 8
"""Rows of speech (0.5 s) below which a window says nothing, and of voice (128 ms) below which it says nothing of F0."""
SMOOTH = 5
"""Rows (80 ms) over which the level is averaged before its peaks are counted: about one a syllable."""
STEP, PEAK = 3, 0.5
"""A peak is so many dB above the smooth level so many rows (48 ms) before and after."""
JUMP = 2.0
"""Semitones from row to row beyond which a step is an octave error or a new syllable, and no movement."""
BALANCE = ("alpha", "hammarberg", "slope_low", "slope_high", "centroid", "flux")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "pitch": ("f0_median", "f0_low", "f0_high"),
    "melody": ("f0_range", "f0_spread", "f0_movement", "f0_rise", "f0_fall", "f0_with_level"),
    "loudness": ("level", "level_range", "level_top", "level_spread", "level_rise", "level_fall", "level_voiced"),
    "timbre": (
        "alpha_with_level",
        "alpha_with_f0",
        *(f"{name}_{how}" for name in BALANCE for how in ("mean", "spread", "loud")),
        *(f"{name}_{how}" for name in CEPSTRUM for how in ("mean", "spread", "movement")),
    ),
    "voice quality": ("harmonicity_mean", "harmonicity_spread", "voicing_mean", "jitter", "shimmer"),
    "rhythm": ("voiced_share", "voiced_length", "voiced_rate", "pause_share", "peak_rate", "peak_height"),
}
"""The features of each part that a person understands. f0_*: semitones (a second), the median over 27.5 Hz. level: dB
re a full-scale sine, the power mean of speech; level_*: dB (a second) within the window, so free of gain. mean, spread:
over voiced rows; loud: mean over the loudest third of them; movement: mean absolute step from row to row. x_with_y:
correlation, -1 to 1, over voiced rows: whose pitch follows effort, and how. voiced_length: s. *_rate: a second.
*_share: 0-1. jitter: semitones, shimmer: dB, of what neighbouring voiced rows depart from a straight line."""
FEATURES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
PART: Mapping[str, str] = {name: part for part, names in GROUPS.items() for name in names}

_AT = {name: place for place, name in enumerate(LLDS)}
_TIMBRE = [_AT[name] for name in (*BALANCE, *CEPSTRUM)]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """rows: float64 (n, len(LLDS)). spoken, voiced: bool (n,), what is no pause, and what of it has F0."""

    rows: Floats
    spoken: Mask
    voiced: Mask

    def of(self, name: str) -> Floats:
        column: Floats = self.rows[:, _AT[name]]
        return column

    @property
    def has_voice(self) -> bool:
        return int(self.voiced.sum()) >= LEAST_VOICED


def describe(rows: Rows) -> Rows | None:
    """The features of one window, float32 (len(FEATURES),), NaN where one does not exist; None under 0.5 s of speech.

    rows: float32 (n, len(LLDS)), from ``frames``, stretches one after the other. What is 30 dB under the loud rows is a
    pause and counts for the rhythm only. Without 128 ms of voice the features that need it are NaN. Raises ModelError
    for another shape. About 0.35 ms.
    """
    if rows.ndim != 2 or rows.shape[1] != len(LLDS):
        raise ModelError(f"a window is (n, {len(LLDS)}) descriptors, got {rows.shape}")
    spoken = _spoken(rows)
    if spoken.sum() < LEAST:
        return None
    window = _Window(rows.astype(np.float64), spoken, spoken & np.isfinite(rows[:, _AT["f0"]]))
    parts = (_pitch(window), _loudness(window), _timbre(window), _quality(window), _rhythm(window))
    return np.concatenate(parts).astype(np.float32)


def _spoken(rows: Rows) -> Mask:
    """Rows that are no pause. Loud ones are sought near the loudest: silence around speech moves nothing."""
    level = rows[:, _AT["level"]]
    alive: Mask = np.isfinite(rows[:, _AT["alpha"]])
    if not alive.any():
        return alive
    (loudest,) = _percentiles(level[alive & (level >= level.max() - REACH)], 95)
    loud: Mask = level >= loudest - REACH
    return alive & loud


def _pitch(window: _Window) -> Floats:
    """Pitch and melody."""
    if not window.has_voice:
        return np.full(len(GROUPS["pitch"]) + len(GROUPS["melody"]), np.nan)
    own = window.of("f0")[window.voiced]
    lowest, low, middle, high, highest = _percentiles(own, 5, 20, 50, 80, 95)
    steps = _steps(window.of("f0"), window.voiced)
    steps = steps[np.abs(steps) < JUMP] * ROWS_A_SECOND
    movement = (
        (np.abs(steps).mean(), np.maximum(steps, 0).mean(), np.maximum(-steps, 0).mean()) if len(steps) else (0,) * 3
    )
    together = _alike(own, window.of("level")[window.voiced])
    return np.array((middle, low, high, highest - lowest, own.std(), *movement, together))


def _loudness(window: _Window) -> Floats:
    own = window.of("level")[window.spoken]
    mean = 10 * np.log10(np.mean(10 ** (own / 10)))
    low, middle, top = _percentiles(own, 20, 50, 95)
    steps = _steps(window.of("level"), window.spoken) * ROWS_A_SECOND
    voiced = window.of("level")[window.voiced].std() if window.has_voice else np.nan
    rise, fall = np.maximum(steps, 0).mean(), np.maximum(-steps, 0).mean()
    return np.array((mean, top - low, top - middle, own.std(), rise, fall, voiced))


def _timbre(window: _Window) -> Floats:
    """Balance and cepstrum of voiced rows, of all spoken ones where hardly any is voiced."""
    used = window.voiced if window.has_voice else window.spoken
    values = window.rows[:, _TIMBRE]
    own, level = values[used], window.of("level")[used]
    mean, spread, loud = own.mean(axis=0), own.std(axis=0), own[level >= _percentiles(level, 67)[0]].mean(axis=0)
    movement = np.abs(_steps(values, used)).mean(axis=0) if (used[1:] & used[:-1]).any() else np.full(len(mean), np.nan)
    split = len(BALANCE)
    balance = np.column_stack((mean, spread, loud))[:split]
    cepstrum = np.column_stack((mean, spread, movement))[split:]
    alpha = own[:, 0]
    follows = _alike(alpha, level), _alike(alpha, window.of("f0")[used]) if window.has_voice else np.nan
    return np.concatenate((follows, balance.ravel(), cepstrum.ravel()))


def _quality(window: _Window) -> Floats:
    if not window.has_voice:
        return np.full(len(GROUPS["voice quality"]), np.nan)
    harmonicity = window.of("harmonicity")[window.voiced]
    run = window.voiced[2:] & window.voiced[1:-1] & window.voiced[:-2]
    bends = np.abs(np.diff(window.rows[:, [_AT["f0"], _AT["level"]]], n=2, axis=0))[run]
    jitter, shimmer = np.median(bends, axis=0) if len(bends) else (np.nan, np.nan)
    voicing = window.of("voicing")[window.spoken].mean()
    return np.array((harmonicity.mean(), harmonicity.std(), voicing, jitter, shimmer))


def _rhythm(window: _Window) -> Floats:
    seconds = len(window.rows) / ROWS_A_SECOND
    voiced = int(window.voiced.sum())
    runs = int(window.voiced[0]) + int((window.voiced[1:] & ~window.voiced[:-1]).sum())
    peaks, height = _peaks(window)
    length = voiced / max(1, runs) / ROWS_A_SECOND
    pause = 1 - window.spoken.mean()
    return np.array((voiced / window.spoken.sum(), length, runs / seconds, pause, peaks / seconds, height))


def _peaks(window: _Window) -> tuple[int, float]:
    """How many peaks the smooth level has, and how far (dB) they stand over its mean. A pause is a flat floor."""
    level = window.of("level")
    level = np.maximum(level, level[window.spoken].max() - REACH)
    smooth = np.convolve(level, np.full(SMOOTH, 1 / SMOOTH), mode="valid")
    middle, around = smooth[STEP:-STEP], np.maximum(smooth[: -2 * STEP], smooth[2 * STEP :])
    before, after = smooth[STEP - 1 : -STEP - 1], smooth[STEP + 1 : len(smooth) - STEP + 1]
    inside = window.spoken[SMOOTH // 2 + STEP : -(SMOOTH // 2) - STEP]
    peak = inside & (middle >= before) & (middle > after) & (middle > around + PEAK)
    return int(peak.sum()), float(middle[peak].mean() - smooth.mean()) if peak.any() else 0.0


def _steps(values: Floats, used: Mask) -> Floats:
    """What each used row differs by from the row before, where that is used too."""
    steps: Floats = values[1:][used[1:] & used[:-1]] - values[:-1][used[1:] & used[:-1]]
    return steps


def _alike(one: Floats, other: Floats) -> float:
    """Correlation, NaN where either hardly varies."""
    one, other = one - one.mean(), other - other.mean()
    spread, others = np.sqrt(one @ one), np.sqrt(other @ other)
    if min(spread, others) < 1e-3 * len(one) ** 0.5:
        return np.nan
    return float(np.clip(one @ other / (spread * others), -1, 1))


def _percentiles(values: Floats, *shares: float) -> list[float]:
    """As ``np.percentile`` finds them, to the bit, at a fifth of its cost for a few hundred values."""
    ordered = np.sort(values)
    found = []
    for share in shares:
        place = share / 100 * (len(ordered) - 1)
        below = int(place)
        part, low, high = place - below, float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
        found.append(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)
    return found
