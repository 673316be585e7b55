"""Strain: tells of the stretches in which a busy server leaves the voice out, so that talk-over is told in time."""

from pipeline.events import Region
from pipeline.inputs import Close, Strained
from pipeline.session import Tick
from pipeline.timebase import Span


class StrainNode:
    """Marks such a stretch as a region "busy"; it begins and ends with a Strained, or ends with the call."""

    def __init__(self) -> None:
        self._open: tuple[int, int] | None = None  # number of the event that opened it, and its first sample

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            if isinstance(entry.item, Strained):
                self._turn(tick, on=entry.item.on)
            elif isinstance(entry.item, Close):
                self._turn(tick, on=False)
        tick.strained = self._open is not None

    def _turn(self, tick: Tick, *, on: bool) -> None:
        if on and self._open is None:
            region = Region(span=Span(tick.start, tick.end), at=tick.end, kind="busy", channel=None, open=True)
            self._open = tick.emit(region), tick.start
        elif not on and self._open is not None:
            (of, start), self._open = self._open, None
            span = Span(start, tick.start)
            tick.emit(Region(span=span, at=tick.end, kind="busy", channel=None, open=False, of=of))
