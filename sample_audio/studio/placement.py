"""When each take starts, and the two channels that result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_audio.studio import telephone
from sample_audio.studio.script import CHANNELS, Channel, Script
from sample_audio.studio.take import Take


@dataclass(frozen=True, slots=True)
class Placed:
    """A take at its place in the call."""

    take: Take
    begin_ms: int

    @property
    def who(self) -> Channel:
        """The channel it is on."""
        return self.take.line.who

    @property
    def end_ms(self) -> int:
        """End in ms of the call."""
        return self.begin_ms + self.take.ms

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Heard spans in ms of the call."""
        return [(self.begin_ms + a, self.begin_ms + b) for a, b in self.take.pieces]


def _start(take: Take, before: list[Placed]) -> int:
    line, shift = take.line, round(take.line.seconds * 1000)
    if line.rule == "at":
        return shift
    if line.rule == "gap":
        return max((placed.end_ms for placed in before), default=0) + shift
    other = next(placed for placed in reversed(before) if placed.who != line.who)
    return other.begin_ms + shift if line.rule == "into" else other.end_ms - shift


def place(takes: list[Take]) -> list[Placed]:
    """Give every take its start. Raises ValueError if two lines of one channel would overlap."""
    done: list[Placed] = []
    for take in takes:
        placed = Placed(take, _start(take, done))
        if any(placed.begin_ms < old.end_ms for old in done if old.who == placed.who):
            raise ValueError(f"{placed.who} would overlap itself at {placed.begin_ms} ms: {take.line.text!r}")
        done.append(placed)
    return done


def duration_ms(script: Script, placed: list[Placed]) -> int:
    """Length of the call in ms: its last word and the tail."""
    return max(item.end_ms for item in placed) + round(script.tail_s * 1000)


def mix(script: Script, placed: list[Placed]) -> NDArray[np.int16]:
    """The call as int16 (n, 2) at 8 kHz, agent first. Nothing of one channel is on the other."""
    per_ms = telephone.RATE // 1000
    count = duration_ms(script, placed) * per_ms
    rng = np.random.default_rng(script.seed)
    channels = {who: telephone.noise(count, rng) for who in CHANNELS}
    for item in placed:
        begin = item.begin_ms * per_ms
        channels[item.who][begin : begin + len(item.take.samples)] += item.take.samples
    return np.stack([telephone.mu_law(channels[who]) for who in CHANNELS], axis=1)
