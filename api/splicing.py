"""Clips of another speaker put into one channel of a call: same line, same loudness, and where each of them lies.

Pure: arrays in, arrays out. Audio is float64 in [-1, 1), a call (n, 2), a clip (n,).
"""

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from models.training.lines import LEVEL_DBFS, active_power
from sample_audio.studio.telephone import RATE as TELEPHONE
from sample_audio.studio.telephone import through

Floats = NDArray[np.float64]
Stretch = tuple[int, int]
"""First sample and the one after the last."""

NOMINAL_DBFS = LEVEL_DBFS
"""Where a channel has no speech to be compared with."""
FADE_S = 0.005
"""Each end of a clip fades so long, so that a cut edge does not click."""
LOUDEST = 0.99


def active_dbfs(audio: Floats) -> float | None:
    """Level of the speech alone, pauses left out; None when there is none (under -70 dBFS)."""
    power = active_power(audio.astype(np.float32))
    return float(10 * np.log10(power)) if power > 10 ** (-70 / 10) else None


def fitted(clip: Floats, clip_rate: int, rate: int, dbfs: float) -> Floats:
    """A clip as this line would carry it: its rate and, at 8 kHz, the telephone band; active level ``dbfs``.

    A clip without a sound comes back as it is. One that would be louder than full scale stays just under it.
    """
    audio = through(clip, clip_rate, 0.0) if rate == TELEPHONE else soxr.resample(clip, clip_rate, rate, quality="VHQ")
    level = active_dbfs(audio)
    if level is None:
        return np.asarray(audio)
    audio = audio * 10 ** ((dbfs - level) / 20)
    audio *= min(1.0, LOUDEST / float(np.max(np.abs(audio))))
    edge = np.linspace(0.0, 1.0, min(len(audio) // 2, round(FADE_S * rate)))
    audio[: len(edge)] *= edge
    audio[len(audio) - len(edge) :] *= edge[::-1]
    return np.asarray(audio)


def splice(
    call: Floats, column: int, clips: Sequence[Floats], start: int, gap: int, floor_dbfs: float
) -> tuple[Floats, list[Stretch]]:
    """The call with the clips in one channel, one after the other from ``start``, and where each lies.

    What was said there is gone, to the end of the last clip; the pauses hold white noise at ``floor_dbfs``, as a line
    does. gap: samples between two clips. A clip that would outlast the call, and all after it, are left out.
    """
    stretches: list[Stretch] = []
    at = start
    for clip in clips:
        if at + len(clip) > len(call):
            break
        stretches.append((at, at + len(clip)))
        at += len(clip) + gap
    if not stretches:
        return call.copy(), []
    spliced, end = call.copy(), stretches[-1][1]
    noise = np.random.default_rng(0).standard_normal(end - start) * 10 ** (floor_dbfs / 20)
    spliced[start:end, column] = noise
    for (begin, stop), clip in zip(stretches, clips, strict=False):
        spliced[begin:stop, column] += clip
    return spliced, stretches


def floor_dbfs(audio: Floats) -> float:
    """Level of a channel's quiet moments (10th percentile of windows), between -90 and -45 dBFS."""
    size = 256
    windows = audio[: len(audio) // size * size].reshape(-1, size)
    quiet = np.percentile(np.mean(windows**2, axis=1), 10) if len(windows) else 0.0
    return float(np.clip(10 * np.log10(quiet + 1e-12), -90.0, -45.0))
