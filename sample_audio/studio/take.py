"""One finished take: a script line as audio at 8 kHz, trimmed to what is heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_audio.studio import active, telephone, tts, vocoder
from sample_audio.studio.script import CUT_MARK, ScriptLine, Voice

NORMAL_DBFS = -28.0
"""RMS of the heard parts of a calm line."""
FADE_MS = 12


@dataclass(frozen=True, slots=True)
class Take:
    """A line ready to be placed."""

    line: ScriptLine
    samples: NDArray[np.float64]
    """8 kHz, begins and ends with what is heard."""
    pieces: tuple[tuple[int, int], ...]
    """Heard spans in ms from the start of `samples`."""
    f0_median_hz: float

    @property
    def ms(self) -> int:
        """Length in ms."""
        return self.pieces[-1][1]


def _fade(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    count = min(len(samples), rate * FADE_MS // 1000)
    samples[-count:] *= np.cos(np.linspace(0, np.pi / 2, count)) ** 2
    return samples


def _shaped(line: ScriptLine, voice: Voice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The line through the vocoder at 16 kHz, broken off at its cut, and its F0 each 5 ms."""
    spoken = tts.say(line.spoken, voice)
    pace = voice.pace * line.rate
    audio, f0 = vocoder.reshape(spoken.samples, spoken.rate, pace, line.pitch_st, line.spread)
    if CUT_MARK not in line.text:
        return audio, f0
    end_s = tts.cut_second(line.spoken, line.complete, voice) / pace
    cut = _fade(audio[: round(end_s * vocoder.RATE)].copy(), vocoder.RATE)
    return cut, f0[: round(end_s * 1000 / vocoder.FRAME_MS)]


def make(line: ScriptLine, voice: Voice) -> Take:
    """Say, shape, band-limit, trim and level one line."""
    audio, f0 = _shaped(line, voice)
    phone = telephone.through(audio, vocoder.RATE, line.treble_db)
    spans = active.pieces(phone, telephone.RATE)
    per_ms = telephone.RATE // 1000
    heard = np.concatenate([phone[a * per_ms : b * per_ms] for a, b in spans])
    gain = 10 ** ((NORMAL_DBFS + line.level_db) / 20) / np.sqrt(np.mean(heard**2))
    begin, end = spans[0][0], spans[-1][1]
    return Take(
        line=line,
        samples=phone[begin * per_ms : end * per_ms] * gain,
        pieces=tuple((a - begin, b - begin) for a, b in spans),
        f0_median_hz=vocoder.median_hz(f0),
    )
