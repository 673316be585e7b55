"""Overlaps: both parties speak at once, and what that is.

Raw overlap is neutral: about two of five speaker changes overlap, most of them for less than half a second. It is
shown from ``overlap_s`` on. It is an interruption from ``interruption_s`` on, or at a cut: the incumbent stops and the
interrupter goes on. The interrupter is the later starter; the incumbent must have held the floor for ``floor_s``;
two who start within ``dual_start_s`` interrupt nobody; and who says no more than a backchannel while the incumbent
goes on has not interrupted either. (Heldner and Edlund 2010; the bounds are those of docs/design.md.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.channel import Channel
from pipeline.events import Leak, Overlap, OverlapKind, OverlapRevised
from pipeline.session import Activity, Floor, Tick
from pipeline.settings import Turns
from pipeline.timebase import TICK, Span, samples


@dataclass(slots=True)
class _Run:
    """A stretch in which both speak, pauses shorter than ``cut_s`` of either included.

    since: where the two began to speak at once again, None in a pause of one. before: samples of joint speech until
    that pause. doubted: samples in which one of the two may have been no speech of that party. n: number of its
    Overlap event, 0 before it is shown.
    """

    start: int
    end: int
    since: int | None
    interrupter: Channel | None
    incumbent: Channel | None
    kind: OverlapKind
    eligible: bool
    before: int = 0
    doubted: int = 0
    n: int = 0

    @property
    def joint(self) -> int:
        """Samples in which both spoke."""
        return self.before + (0 if self.since is None else self.end - self.since)


class OverlapsNode:
    """Emits Overlap when it is shown, OverlapRevised by length, by a cut and at its end. Two channels only."""

    def __init__(self, channels: Sequence[Channel], settings: Turns) -> None:
        self._settings = settings
        self._two = tuple(channels)
        self._floor: Floor | None = None
        self._run: _Run | None = None
        self._leaks: set[Channel] = set()

    def step(self, tick: Tick) -> None:
        if len(self._two) != 2:
            return
        first, second = (tick.activity[channel] for channel in self._two)
        if self._run is None and first.speaking and second.speaking:
            self._run = self._begin(first, second)
        self._doubt_all(tick)
        if self._run is not None:
            self._follow(tick, self._run, first, second)
        self._floor = tick.floor

    def _doubt_all(self, tick: Tick) -> None:
        """A leak that is first heard of now was there all along."""
        for entry in tick.events:
            if isinstance(entry.item, Leak):
                if entry.item.channel not in self._leaks and self._run is not None:
                    self._run.doubted = self._run.joint
                self._leaks.add(entry.item.channel)
                if entry.item.state == "gone":
                    self._leaks.remove(entry.item.channel)

    def _begin(self, first: Activity, second: Activity) -> _Run:
        start, apart = max(first.start, second.start), first.start - second.start
        if abs(apart) < samples(self._settings.dual_start_s):
            return _Run(start, start, start, None, None, "dual_start", eligible=False)
        interrupter, incumbent = self._two if apart > 0 else self._two[::-1]
        since = min(first.start, second.start)
        if self._floor is not None and self._floor.holder is incumbent:
            since = min(since, self._floor.since)
        eligible = start - since >= samples(self._settings.floor_s)
        return _Run(start, start, start, interrupter, incumbent, "overlap", eligible)

    def _follow(self, tick: Tick, run: _Run, first: Activity, second: Activity) -> None:
        self._measure(tick, run, first, second)
        if run.n == 0 and run.since is None:
            self._run = None  # too short to be shown; the next one is another
            return
        if run.n == 0 and run.joint >= samples(self._settings.overlap_s) and _sure(run):
            span = Span(run.start, run.end)
            run.n = tick.emit(Overlap(span=span, at=tick.end, kind=run.kind, interrupter=run.interrupter))
        long = run.joint >= samples(self._settings.interruption_s)
        if run.n and long and run.kind != "interruption" and self._counts(run):
            self._revise(tick, run, "interruption", cut=False, because="length")
        if run.n:
            self._conclude(tick, run)

    def _measure(self, tick: Tick, run: _Run, first: Activity, second: Activity) -> None:
        both = first.speaking and second.speaking
        if both and run.since is None:
            run.since = run.end = max(first.start, second.start)
        if run.since is not None:
            run.end = max(run.end, min(first.last, second.last))
            run.doubted += TICK if tick.doubt.intersection(self._two) else 0
        if not both and run.since is not None:
            run.before, run.since = run.joint, None

    def _conclude(self, tick: Tick, run: _Run) -> None:
        """One of them has been silent for ``cut_s``: who stopped, and did the other go on?"""
        quiet = samples(self._settings.cut_s)
        last = {channel: tick.activity[channel].last for channel in self._two}
        if tick.end - min(last.values()) < quiet:
            return
        interrupter, incumbent = run.interrupter, run.incumbent
        if interrupter is None or incumbent is None:
            self._finish(tick, run, run.kind, cut=False, because="ended")
        elif last[interrupter] - last[incumbent] >= quiet:
            kind: OverlapKind = "interruption" if self._counts(run) else run.kind
            self._finish(tick, run, kind, cut=True, because="cut")
        elif tick.end - last[interrupter] >= quiet:
            self._finish(tick, run, self._yielded(run, last), cut=False, because="ended")

    def _yielded(self, run: _Run, last: dict[Channel, int]) -> OverlapKind:
        """The judgement when the later starter stopped first, or both at once."""
        if run.kind != "overlap" or run.interrupter is None or run.incumbent is None:
            return run.kind
        short = last[run.interrupter] - run.start <= samples(self._settings.backchannel_s)
        goes_on = last[run.incumbent] > last[run.interrupter]
        return "backchannel" if short and goes_on else run.kind

    def _counts(self, run: _Run) -> bool:
        """Whether this can be an interruption."""
        return run.eligible and _sure(run)

    def _finish(self, tick: Tick, run: _Run, kind: OverlapKind, *, cut: bool, because: str) -> None:
        self._revise(tick, run, kind, cut=cut, because=because)
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


def _sure(run: _Run) -> bool:
    """Whether most of it is surely both parties' own speech."""
    return 2 * run.doubted < run.joint
