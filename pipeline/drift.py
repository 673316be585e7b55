"""Two devices have two clocks: one track is stretched so that it keeps step with the other."""

import numpy as np
import soxr

from pipeline.resample import Floats

_LIMIT = 0.005
"""Largest correction of a clock, as a share of its rate. Crystals differ by 0.0002; 0.005 is 0.09 semitones."""
_AVERAGE_S = 5.0
"""Seconds over which a track's lead is averaged: packets arrive up to tens of ms early or late."""
_REMEDY_S = 20.0
"""Seconds in which a lead is worked off. Four times the average, so that the loop is critically damped."""


class Clock:
    """Stretches a track by parts per million so that it keeps step with the reference track.

    Each packet says by how much its track leads. The lead, averaged over 5 s, sets the ratio of a variable-rate
    resampler so that it is gone in 20 s. At a constant difference of clocks this leaves difference x 20 s:
    4 ms at 200 ppm. Corrected samples are at the nominal rate, so nothing behind this class knows of drift.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._stream = soxr.ResampleStream(rate * (1 + _LIMIT), rate, 1, dtype="float32", quality="HQ", vr=True)
        self._lead = 0.0
        self.held = 0.0
        """Corrected samples that soxr holds back: it looks 240 samples ahead."""

    def correct(self, pcm: Floats, lead: float) -> Floats:
        """pcm, stretched. lead: seconds."""
        self._lead += (lead - self._lead) * min(1.0, len(pcm) / self._rate / _AVERAGE_S)
        ratio = 1 + min(max(self._lead / _REMEDY_S, -_LIMIT), _LIMIT)
        self._stream.set_io_ratio(self._rate * ratio, self._rate)
        out: Floats = self._stream.resample_chunk(pcm)
        self.held += len(pcm) / ratio - len(out)
        return out

    def flush(self) -> Floats:
        """What is held; the next packet starts afresh."""
        out: Floats = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream.clear()
        self.held = 0.0
        return out
