"""How much audio a sound card lost when it says that it lost some: it never says how much.

Every block arrives a little after its last sample was spoken, by tens of milliseconds and never by less than none. The
least such lag of the last seconds is what is usual; what comes later than that after an overrun was not delayed but
lost.
"""

from collections import deque

SECONDS = 10
"""Seconds whose least lags are remembered: longer than any jitter, too short for clocks to drift apart by 2 ms."""
LEAST_S = 0.001
"""Seconds that an overrun lost at least, so that it is seen."""


class Overruns:
    """Of one device. rate: Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._count = 0
        self._least: deque[tuple[int, float]] = deque(maxlen=SECONDS)

    def took(self, count: int, elapsed: float, *, overrun: bool) -> int:
        """Samples lost right before this block of ``count``. elapsed: seconds at which its last sample was there."""
        lag = elapsed - (self._count + count) / self._rate
        lost = 0
        if overrun and self._least:
            usual = min(least for _, least in self._least)
            lost = round(max(lag - usual, LEAST_S) * self._rate)
        self._count += count + lost
        self._remember(elapsed, lag - lost / self._rate)
        return lost

    def _remember(self, elapsed: float, lag: float) -> None:
        second = int(elapsed)
        if self._least and self._least[-1][0] == second:
            lag = min(lag, self._least.pop()[1])
        self._least.append((second, lag))
