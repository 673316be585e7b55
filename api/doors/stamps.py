"""Gaps, as the timestamps of a stream reveal them: if they can be believed.

The clock of a call is the audio that came. A timestamp may show that some never came, no more: one real client's
advance by 20 ms for 40 ms of audio. So they are measured first, and a jump counts once the packet after it agrees.
"""

from collections import deque
from statistics import median

ENOUGH = 5
"""Steps from one packet to the next before timestamps are believed: 100 ms."""
_STEPS = 50
_FIT = 0.25
"""Of a step: how far it may be from the usual one. Timestamps are whole milliseconds, some with a jitter of a few."""
_PLAIN = 0.1
"""Timestamps this near to the speed of the audio run at it, and are rounded."""


class Pace:
    """How fast a sender's timestamps run: 1 as they should, 0.5 at half speed. One for all tracks of a stream."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self.speed: float | None = None
        """None while most steps differ: then timestamps say nothing."""

    def measure(self, step: float) -> None:
        """step: what the timestamp advanced by from one packet to the next, over the length of that packet."""
        leaves = self._steps[0] if len(self._steps) == _STEPS else None
        self._steps.append(step)
        if step != leaves:  # else they are the same steps, at most packets of a call
            self.speed = self._usual()

    def _usual(self) -> float | None:
        if len(self._steps) < ENOUGH:
            return None
        usual = median(self._steps)
        fitting = sum(abs(step - usual) <= _FIT * usual for step in self._steps)
        if usual <= 0 or 2 * fitting < len(self._steps):
            return None
        return 1.0 if abs(usual - 1) < _PLAIN else usual


class Stamps:
    """The timestamps of one track, in samples."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._last: tuple[int, int] | None = None
        self._jump = 0.0

    def lost(self, stamp: int, count: int) -> int:
        """Samples missing before this packet, as is known with it. stamp: its timestamp. count: its samples."""
        before, self._last = self._last, (stamp, count)
        if before is None or not before[1]:
            return 0
        advance, length = stamp - before[0], before[1]
        self._pace.measure(advance / length)
        if self._pace.speed is None:
            self._jump = 0.0
            return 0
        return self._agreed(advance / self._pace.speed - length, length * (1 + _FIT) / 2)

    def _agreed(self, excess: float, slack: float) -> int:
        """The jump of the packet before, when this one goes on from there. A glitch goes back instead."""
        jump, self._jump = self._jump, 0.0
        if abs(excess) <= slack:
            return max(0, round(jump))
        self._jump = jump + excess if abs(jump + excess) > slack else 0.0
        return 0

    def since(self, stamp: int) -> float | None:
        """Samples from the beginning of the latest packet to a timestamp; None when it cannot be told."""
        speed = self._pace.speed
        return None if self._last is None or speed is None else (stamp - self._last[0]) / speed
