"""Turn-taking: turns with their floor-transfer offsets, overlaps with their judgement, silences on both sides.

Definitions follow Heldner and Edlund (2010), "Pauses, gaps and overlaps in conversations": a gap or an overlap is the
floor-transfer offset between two parties, a pause lies inside one party's turn. Raw overlap is neutral;
what makes it an interruption is its length (from ``interruption_s``) or that the incumbent gives way (a cut).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.channel import Channel
from pipeline.events import Overlap, OverlapKind, OverlapRevised, Silence, SpeechEnded, SpeechStarted, Turn
from pipeline.inputs import Close
from pipeline.session import Activity, Tick
from pipeline.settings import Turns
from pipeline.timebase import Span, samples


class TurnsNode:
    """Three independent followers of the same speech activity."""

    def __init__(self, channels: Sequence[Channel], settings: Turns) -> None:
        self._floor = _Floor(settings)
        self._overlaps = _Overlaps(settings, self._floor) if len(channels) == 2 else None
        self._silence = _Silences(settings)

    def step(self, tick: Tick) -> None:
        if self._overlaps is not None:
            self._overlaps.step(tick)
        self._floor.step(tick)
        self._silence.step(tick)


@dataclass(slots=True)
class _Held:
    """A turn in progress. last: end of the holder's last known speech."""

    channel: Channel
    start: int
    last: int
    talk: int
    fto: int | None


class _Floor:
    """Who holds the floor: it passes when the holder is silent and the other one speaks."""

    def __init__(self, settings: Turns) -> None:
        self._longest_pause = samples(settings.silence_s)
        self._held: _Held | None = None
        self._ended: dict[Channel, int] = {}

    def held_since(self, channel: Channel) -> int | None:
        """First sample of this channel's turn, None when it has none."""
        return self._held.start if self._held is not None and self._held.channel is channel else None

    def step(self, tick: Tick) -> None:
        for entry in tick.events:
            if isinstance(entry.item, SpeechStarted):
                self._started(tick, entry.item.channel, entry.item.span.start)
            elif isinstance(entry.item, SpeechEnded):
                self._stopped(tick, entry.item)
        held = self._held
        if held is None or tick.activity[held.channel].speaking:
            return
        if tick.closing or tick.end - held.last >= self._longest_pause:
            self._give_up(tick)

    def _started(self, tick: Tick, channel: Channel, start: int) -> None:
        held = self._held
        if held is None:
            self._take(channel, start)
        elif held.channel is not channel and not tick.activity[held.channel].speaking:
            self._give_up(tick)
            self._take(channel, start)

    def _stopped(self, tick: Tick, ended: SpeechEnded) -> None:
        held = self._held
        if held is None or held.channel is not ended.channel:
            return
        held.last = ended.span.end
        held.talk += ended.span.length
        other = next((c for c in tick.channels if c is not ended.channel), None)
        if other is not None and tick.activity[other].speaking:
            self._give_up(tick)
            self._take(other, tick.activity[other].start)

    def _take(self, channel: Channel, start: int) -> None:
        ends = [end for other, end in self._ended.items() if other is not channel]
        self._held = _Held(channel, start, start, 0, start - max(ends) if ends else None)

    def _give_up(self, tick: Tick) -> None:
        held, self._held = self._held, None
        if held is None or held.last <= held.start:
            return
        self._ended[held.channel] = held.last
        span = Span(held.start, held.last)
        tick.emit(Turn(span=span, at=tick.end, channel=held.channel, talk=held.talk, fto=held.fto))


@dataclass(slots=True)
class _Run:
    """One stretch in which both speak. n: number of its Overlap event, 0 before it is shown."""

    start: int
    end: int
    interrupter: Channel | None
    incumbent: Channel | None
    eligible: bool
    n: int = 0
    kind: OverlapKind = "overlap"
    over: bool = False


class _Overlaps:
    """Shows an overlap at ``overlap_s``, then revises its judgement: by length, by a cut, at its end."""

    def __init__(self, settings: Turns, floor: _Floor) -> None:
        self._settings = settings
        self._floor = floor
        self._run: _Run | None = None

    def step(self, tick: Tick) -> None:
        first, second = (tick.activity[channel] for channel in tick.channels)
        run = self._run
        if run is not None and run.over:
            self._await_cut(tick, run)
            run = self._run
        if first.speaking and second.speaking and (run is None or run.over):
            run = self._run = self._begin(tick, first, second)
        if run is not None and not run.over:
            self._follow(tick, run)

    def _begin(self, tick: Tick, first: Activity, second: Activity) -> _Run:
        apart = first.start - second.start
        start = max(first.start, second.start)
        if abs(apart) < samples(self._settings.dual_start_s):
            return _Run(start, start, None, None, False, kind="dual_start")
        interrupter, incumbent = tick.channels if apart > 0 else tick.channels[::-1]
        since = self._floor.held_since(incumbent)
        held = start - (tick.activity[incumbent].start if since is None else since)
        return _Run(start, start, interrupter, incumbent, held >= samples(self._settings.floor_s))

    def _follow(self, tick: Tick, run: _Run) -> None:
        activities = [tick.activity[channel] for channel in tick.channels]
        ended = [e.item.span.end for e in tick.events if isinstance(e.item, SpeechEnded)]
        run.end = max(run.start, min([activity.last for activity in activities] + ended))
        length = run.end - run.start
        if run.n == 0 and length >= samples(self._settings.overlap_s):
            span = Span(run.start, run.end)
            run.n = tick.emit(Overlap(span=span, at=tick.end, kind=run.kind, interrupter=run.interrupter))
        long = length >= samples(self._settings.interruption_s)
        if run.n and run.eligible and long and run.kind != "interruption":
            self._revise(tick, run, "interruption", cut=False, because="length")
        if not all(activity.speaking for activity in activities):
            self._finish(tick, run)

    def _finish(self, tick: Tick, run: _Run) -> None:
        """One of them, or both, stopped."""
        if run.n == 0:
            self._run = None
        elif run.interrupter is not None and tick.activity[run.interrupter].speaking:
            run.over = True  # the incumbent gave way; a cut if the interrupter goes on
            self._await_cut(tick, run)
        else:
            self._revise(tick, run, self._yielded(tick, run), cut=False, because="ended")
            self._run = None

    def _yielded(self, tick: Tick, run: _Run) -> OverlapKind:
        """The judgement when the later starter stopped first (or both at once)."""
        if run.kind == "interruption" or run.interrupter is None or run.incumbent is None:
            return run.kind
        contribution = tick.activity[run.interrupter]
        short = contribution.last - contribution.start <= samples(self._settings.backchannel_s)
        return "backchannel" if short and tick.activity[run.incumbent].speaking else run.kind

    def _await_cut(self, tick: Tick, run: _Run) -> None:
        assert run.interrupter is not None
        assert run.incumbent is not None
        interrupter, incumbent = tick.activity[run.interrupter], tick.activity[run.incumbent]
        if interrupter.last - run.end >= samples(self._settings.cut_s):
            kind: OverlapKind = "interruption" if run.eligible else run.kind
            self._revise(tick, run, kind, cut=True, because="cut")
            self._run = None
        elif incumbent.speaking or not interrupter.speaking:
            self._revise(tick, run, run.kind, cut=False, because="ended")
            self._run = None

    def _revise(self, tick: Tick, run: _Run, kind: OverlapKind, *, cut: bool, because: str) -> None:
        run.kind = kind
        tick.emit(
            OverlapRevised(
                span=Span(run.start, run.end),
                at=tick.end,
                of=run.n,
                kind=kind,
                interrupter=run.interrupter,
                cut=cut,
                because=because,  # type: ignore[arg-type]
            )
        )


class _Silences:
    """Non-talk time: nobody speaks for more than ``silence_s``."""

    def __init__(self, settings: Turns) -> None:
        self._least = samples(settings.silence_s)
        self._since = 0
        self._n: int | None = None

    def step(self, tick: Tick) -> None:
        starts = [activity.start for activity in tick.activity.values() if activity.speaking]
        close = next((e.item for e in tick.inputs if isinstance(e.item, Close)), None)
        if starts or close is not None:
            end = min(starts) if starts else tick.start if close is None else close.end
            self._shut(tick, max(end, self._since))
            self._since = max([self._since, *(activity.last for activity in tick.activity.values())])
        elif self._n is None and not tick.closing and tick.end - self._since > self._least:
            self._n = tick.emit(Silence(span=Span(self._since, tick.end), at=tick.end, open=True))

    def _shut(self, tick: Tick, end: int) -> None:
        if self._n is not None:
            tick.emit(Silence(span=Span(self._since, end), at=tick.end, open=False, of=self._n))
            self._n = None
