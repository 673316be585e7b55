"""Where a channel was heard to speak: what the guards hold a recogniser's words against."""

from pipeline.timebase import TICK, Span, seconds, ticks

KEPT = ticks(600.0)
"""Ticks remembered, a byte each: words are never so late."""


class Voiced:
    """Speech of one channel, tick by tick, from the first tick that was taken."""

    def __init__(self) -> None:
        self._ticks = bytearray()
        self._first: int | None = None

    def take(self, start: int, *, speech: bool) -> None:
        """The next tick, which begins at this sample."""
        if self._first is None:
            self._first = start // TICK
        self._ticks.append(speech)
        if len(self._ticks) > 2 * KEPT:
            del self._ticks[:KEPT]
            self._first += KEPT

    def seconds(self, span: Span) -> float | None:
        """Seconds of speech in the ticks that a span touches; None where it reaches back beyond what is known."""
        begin, end = span.start // TICK, -(-span.end // TICK)
        if self._first is None or begin < self._first:
            return None
        return seconds(TICK * sum(self._ticks[begin - self._first : end - self._first]))
