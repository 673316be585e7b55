"""Stretches that are not conversation, as the phone system marks them: hold, mute, pause for card data."""

from dataclasses import dataclass

from pipeline.channel import Channel
from pipeline.events import Region, RegionKind
from pipeline.inputs import Close, Mark, MarkKind
from pipeline.session import Tick
from pipeline.timebase import Span

_OPENS: dict[MarkKind, RegionKind] = {"hold": "hold", "mute": "mute", "pause": "pause"}
_CLOSES: dict[MarkKind, tuple[RegionKind, ...]] = {"resume": ("hold", "pause"), "unmute": ("mute",)}


@dataclass(frozen=True, slots=True)
class _Open:
    n: int
    start: int
    channel: Channel | None


class RegionsNode:
    """A mark opens a region at its tick; its counterpart, or the end of the call, closes it."""

    def __init__(self) -> None:
        self._open: dict[RegionKind, _Open] = {}

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            if isinstance(entry.item, Mark):
                self._mark(tick, entry.item)
            elif isinstance(entry.item, Close):
                self._shut(tick, tuple(self._open))

    def _mark(self, tick: Tick, mark: Mark) -> None:
        kind = _OPENS.get(mark.kind)
        if kind is not None and kind not in self._open:
            region = Region(span=Span(tick.start, tick.end), at=tick.end, kind=kind, channel=mark.channel, open=True)
            self._open[kind] = _Open(tick.emit(region), tick.start, mark.channel)
        self._shut(tick, _CLOSES.get(mark.kind, ()))

    def _shut(self, tick: Tick, kinds: tuple[RegionKind, ...]) -> None:
        for kind in kinds:
            opened = self._open.pop(kind, None)
            if opened is not None:
                tick.emit(
                    Region(
                        span=Span(opened.start, tick.start),
                        at=tick.end,
                        kind=kind,
                        channel=opened.channel,
                        open=False,
                        of=opened.n,
                    )
                )
