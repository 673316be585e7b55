"""Non-talk time: hold, and every silence of both parties over the bound, redacted stretches left out."""

from dataclasses import dataclass, field

from pipeline.events import RegionKind
from pipeline.timebase import Span


@dataclass(slots=True)
class NonTalk:
    """Adds up as regions and silences become known. A silence on hold counts once, one in a redacted pause not at all.

    A call has few silences over 3 s and few holds, so they are kept and joined anew each time.
    """

    _hold: list[Span] = field(default_factory=list)
    _pause: list[Span] = field(default_factory=list)
    _open: dict[int, tuple[RegionKind, int]] = field(default_factory=dict)
    _silences: list[Span] = field(default_factory=list)

    def silence(self, span: Span) -> None:
        """A silence of both parties that is over."""
        self._silences.append(span)

    def region(self, n: int, kind: RegionKind, span: Span, *, open: bool) -> None:
        """A hold or a pause, of one channel or both; any other is passed over. n: of the event that opened it."""
        if kind not in ("hold", "pause"):
            return
        if open:
            self._open[n] = (kind, span.start)
        else:
            self._open.pop(n, None)
            (self._hold if kind == "hold" else self._pause).append(span)

    def hold(self, now: int) -> int:
        """Samples on hold until ``now``."""
        return _length(_union(self._known(now, "hold")))

    def total(self, now: int) -> int:
        """Samples of non-talk time until ``now``."""
        counted = _union([*self._known(now, "hold"), *self._silences])
        redacted = _union(self._known(now, "pause"))
        return _length(counted) - sum(one.overlap(other) for one in counted for other in redacted)

    def _known(self, now: int, kind: RegionKind) -> list[Span]:
        closed = self._hold if kind == "hold" else self._pause
        running = [Span(start, max(start, now)) for each, start in self._open.values() if each == kind]
        return [*closed, *running]


def _union(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _length(spans: list[Span]) -> int:
    return sum(span.length for span in spans)
