"""Where one channel holds music: what a singer sings is not asked for, and refused where it was."""

from pipeline.events import Region
from pipeline.timebase import Span, samples


class Music:
    """Music of one channel: the region that is open, and the last one that was closed."""

    SHARE = 0.8
    """Of an utterance, from which it is the music's own."""
    BLIP = samples(0.6)
    """An utterance no longer than this, its padding included, may be the music's own beginning, before it was told."""
    BEFORE = samples(1.0)

    def __init__(self) -> None:
        self._since: int | None = None
        self._last = Span(0, 0)

    def take(self, region: Region) -> None:
        self._since = region.span.start if region.open else None
        self._last = self._last if region.open else region.span

    def covers(self, span: Span) -> bool:
        """Whether an utterance of this span is the music's for the most part."""
        early = self.BEFORE if span.length <= self.BLIP else 0
        running = 0 if self._since is None else span.overlap(_from(self._since - early, span.end))
        return running + _from(self._last.start - early, self._last.end).overlap(span) >= self.SHARE * span.length


def _from(start: int, end: int) -> Span:
    start = max(0, start)
    return Span(start, max(start, end))
