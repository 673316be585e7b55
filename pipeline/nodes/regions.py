"""Stretches that are not conversation, as the phone system marks them: hold, mute, pause for card data, conference."""

from dataclasses import dataclass

from pipeline.channel import Channel
from pipeline.events import Region, RegionKind
from pipeline.inputs import Close, Mark, MarkKind
from pipeline.session import Tick
from pipeline.timebase import Span

Key = tuple[RegionKind, Channel | None]

_OPENS: dict[MarkKind, RegionKind] = {"hold": "hold", "mute": "mute", "pause": "pause", "conference": "conference"}
_CLOSES: dict[MarkKind, tuple[RegionKind, ...]] = {
    "resume": ("hold", "pause", "conference"),
    "unmute": ("mute",),
    "transfer": ("hold", "conference"),
}
UNHEARD: tuple[RegionKind, ...] = ("hold", "mute", "pause")
"""The parties do not hear each other then: what is said is said to somebody else, and is not listened to."""


@dataclass(frozen=True, slots=True)
class _Open:
    n: int
    start: int


class RegionsNode:
    """A mark opens a region at its tick; its counterpart, or the end of the call, closes it.

    On hold, mute and pause the channel (both, where the mark names none) is silent to every later node. In a conference
    a third person may speak on the channel (the customer's, where the mark names none): it is in doubt, so nobody is
    judged by it.
    """

    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            if isinstance(entry.item, Mark):
                self._mark(tick, entry.item)
            elif isinstance(entry.item, Close):
                self._shut(tick, list(self._open))
        for kind, channel in self._open:
            if kind in UNHEARD:
                _silence(tick, channel)
            else:
                tick.doubt.add(channel or Channel.CUSTOMER)

    def _mark(self, tick: Tick, mark: Mark) -> None:
        kind = _OPENS.get(mark.kind)
        if kind is not None and (kind, mark.channel) not in self._open:
            region = Region(span=Span(tick.start, tick.end), at=tick.end, kind=kind, channel=mark.channel, open=True)
            self._open[kind, mark.channel] = _Open(tick.emit(region), tick.start)
        closes = _CLOSES.get(mark.kind, ())
        self._shut(tick, [key for key in self._open if key[0] in closes and _meant(mark.channel, key[1])])

    def _shut(self, tick: Tick, keys: list[Key]) -> None:
        for kind, channel in keys:
            opened = self._open.pop((kind, channel))
            span = Span(opened.start, tick.start)
            tick.emit(Region(span=span, at=tick.end, kind=kind, channel=channel, open=False, of=opened.n))


def _meant(mark: Channel | None, region: Channel | None) -> bool:
    """A mark that names no channel is about both, and so is a region that names none."""
    return mark is None or region is None or mark is region


def _silence(tick: Tick, channel: Channel | None) -> None:
    for row, each in enumerate(tick.channels):
        if channel in (None, each):
            tick.samples[row] = 0.0
