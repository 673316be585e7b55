"""A speaker's own centre: what is usual for this voice on this line, so that movement can be told from nature."""

from bisect import insort
from dataclasses import dataclass, field


@dataclass(slots=True)
class Baseline:
    """Median of a speaker's own first seconds, held back by where people's centres lie at all.

    low, high: range of ordinary people's centres. A centre outside is drawn to the nearer edge with weight
    ``prior / (prior + seconds heard)``: who shouts from the first word must not become normal, and who speaks within
    the range, as most do, is not disturbed. prior: seconds. full: seconds after which the centre stands.
    least: seconds before there is one.
    """

    low: float
    high: float
    prior: float
    full: float
    least: float = 2.0
    seconds: float = 0.0
    _values: list[float] = field(default_factory=list)

    def learn(self, value: float, seconds: float) -> None:
        """Take in one block of calm speech; passed over once ``full`` seconds are known."""
        if self.seconds < self.full:
            insort(self._values, value)
            self.seconds += seconds

    def reset(self) -> None:
        """Forget: another person speaks now."""
        self._values.clear()
        self.seconds = 0.0

    @property
    def centre(self) -> float | None:
        if self.seconds < self.least:
            return None
        own = _median(self._values)
        usual = min(max(own, self.low), self.high)
        weight = self.prior / (self.prior + self.seconds)
        return own + weight * (usual - own)


def _median(ordered: list[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
