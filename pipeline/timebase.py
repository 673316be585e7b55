"""One clock: the sample index since the start of the call, at 16 kHz, shared by all channels."""

from dataclasses import dataclass

RATE = 16_000
"""Samples per second."""

TICK = 512
"""Samples per tick: 32 ms, one Silero window."""


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open stretch of audio ``[start, end)``, in samples since the start of the call."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"span [{self.start}, {self.end}) is not ordered")

    @property
    def length(self) -> int:
        """Samples."""
        return self.end - self.start

    @property
    def seconds(self) -> float:
        return self.length / RATE

    def overlap(self, other: "Span") -> int:
        """Samples that both spans cover."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


def samples(seconds: float) -> int:
    """Seconds to the nearest sample."""
    return round(seconds * RATE)


def seconds(count: int) -> float:
    """Samples to seconds."""
    return count / RATE


def ms(count: int) -> int:
    """Samples to the nearest millisecond."""
    return round(count * 1000 / RATE)


def ticks(seconds_: float) -> int:
    """Seconds to whole ticks, at least one."""
    return max(1, round(seconds_ * RATE / TICK))
