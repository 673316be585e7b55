"""Claims: which supervisor looks after the call, so that two do not. Who may take it from whom is decided before."""

from pipeline.events import Claimed, Released
from pipeline.inputs import Command
from pipeline.session import Tick
from pipeline.timebase import Span


class ClaimsNode:
    def __init__(self) -> None:
        self._by = ""

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            match entry.item:
                case Command(kind="claim", by=by) if by != self._by:
                    tick.emit(Claimed(span=_here(tick), at=tick.end, by=by, taken_from=self._by))
                    self._by = by
                case Command(kind="release", by=by) if by == self._by:
                    tick.emit(Released(span=_here(tick), at=tick.end, by=by))
                    self._by = ""
                case _:
                    pass


def _here(tick: Tick) -> Span:
    return Span(tick.start, tick.start)
