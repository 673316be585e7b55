"""Advice: watches for the playbook's moments and raises, acknowledges and clears alerts.

A state (a score, a pace, a silence) holds its alert until it is over; a moment (an interruption, a cue) gives
an alert that fades by itself. Nothing is advised while the agent does it already, and what is advised is taken off the
screen once it is done. One alert of a kind at a time; the budget says whether another may be raised. A moment that the
budget does not let through waits a little while it still holds, a mere note does not. A moment may also have patience:
the agent is given time to do it unasked.
While an agent has asked for quiet, what is not critical is neither shown nor raised.
"""

from dataclasses import dataclass

from pipeline.alerts import Budget, Reason, State, after
from pipeline.conditions import Said
from pipeline.events import Alert, Severity, Snoozed
from pipeline.inputs import Close, Command
from pipeline.lately import Lately
from pipeline.playbook import OFFER, Advice, Playbook, Wording
from pipeline.session import Tick
from pipeline.settings import Alerts
from pipeline.timebase import Span, samples
from pipeline.watchers import Signal, Watcher, watcher

RANK: dict[Severity, int] = {"critical": 0, "coach": 1, "note": 2}


class AdviceNode:
    """written: the conversation has no voice, so advice speaks of none."""

    def __init__(self, settings: Alerts, playbook: Playbook, *, written: bool = False) -> None:
        self._settings = settings
        self._stale = samples(settings.stale_s)
        self._snooze = samples(settings.snooze_s)
        self._quiet_until = 0
        self._budget = Budget(settings)
        self._lately = Lately()
        offered = [advice for advice in playbook.advice if settings.may_offer or not _offers(advice)]
        self._lives = [_Life(advice, watcher(advice), settings.may_offer, written) for advice in offered]
        self._awake: list[_Life] = []

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            if isinstance(entry.item, Command):
                self._command(tick, entry.item)
        self._lately.see(tick)
        lives = self._lives if tick.events or tick.inputs else self._awake
        signals = [(life, life.watcher.look(tick)) for life in lives]
        for life, signal in signals:
            if life.concerned(signal):
                self._lower(tick, life, signal)
                self._wish(tick, life, signal)
        if not tick.closing:
            self._raise(tick, signals)
        self._forget(tick, lives)
        if any(isinstance(entry.item, Close) for entry in tick.inputs):
            self._end(tick)
        self._awake = [life for life in lives if life.awake]

    def _command(self, tick: Tick, command: Command) -> None:
        if command.kind in ("snooze", "wake"):
            self._hush(tick, command)
            return
        reasons = {"acknowledge": Reason.ACKNOWLEDGE, "dismiss": Reason.DISMISSED}
        reason = reasons.get(command.kind)
        for life in self._lives:
            if reason is not None and command.alert == life.n and life.takes(reason):
                life.move(tick, reason)

    def _hush(self, tick: Tick, command: Command) -> None:
        """From now on, or no longer; what stands and is not critical is taken off the screen."""
        self._quiet_until = tick.end + (self._snooze if command.kind == "snooze" else 0)
        here = Span(tick.end, tick.end)
        tick.emit(Snoozed(span=here, at=tick.end, until=self._quiet_until, by=command.by))
        for life in self._lives:
            if not self._may_show(tick, life.advice) and life.state is not State.QUIET:
                life.move(tick, Reason.SNOOZED)

    def _may_show(self, tick: Tick, advice: Advice) -> bool:
        """An agent's quiet is no supervisor's."""
        return advice.severity == "critical" or "agent" not in advice.to or tick.end >= self._quiet_until

    def _lower(self, tick: Tick, life: "_Life", signal: Signal) -> None:
        if life.state is State.QUIET:
            return
        if signal.ends is Reason.REVISED and not set(signal.evidence) & set(life.evidence):
            return
        if signal.ends is not None:
            life.move(tick, signal.ends)
            if signal.ends is Reason.REVISED:
                self._budget.give_back(life.advice.technique, life.raised)
        elif self._done(life):
            life.move(tick, Reason.DONE)
        elif life.watcher.moment and tick.end - life.raised >= self._stale:
            life.move(tick, Reason.FADED)

    def _done(self, life: "_Life") -> bool:
        """Whether the agent has said, since the advice, what it asks for."""
        asked = (each for each in life.advice.unless if isinstance(each, Said))
        return any(self._lately.last_said(said) > life.raised for said in asked)

    def _wish(self, tick: Tick, life: "_Life", signal: Signal) -> None:
        """What would be said now, if the budget lets it. A moment is remembered, a state is as it is."""
        if not life.watcher.moment:
            life.wish = _Wish(signal, tick.end) if signal.begins else None
        elif signal.begins:
            life.wish = _Wish(signal, tick.end)
        elif life.wish and signal.ends is Reason.REVISED and set(signal.evidence) & set(life.wish.signal.evidence):
            life.wish = None
        if life.wish and not self._fits(tick, life.advice):
            life.wish = None

    def _fits(self, tick: Tick, advice: Advice) -> bool:
        """Whether the advice is given for this, and the agent does not do it already."""
        given = not advice.given or any(self._lately.holds(each, tick.end) for each in advice.given)
        return given and not any(self._lately.holds(each, tick.end) for each in advice.unless)

    def _raise(self, tick: Tick, signals: "list[tuple[_Life, Signal]]") -> None:
        """One at a time: the gravest that the budget allows, in the playbook's order."""
        ripe = [life for life, _ in signals if life.state is State.QUIET and life.ripe(tick.end)]
        for life in sorted(ripe, key=lambda life: RANK[life.advice.severity]):
            advice = life.advice
            if self._may_show(tick, advice) and self._budget.allows(advice.technique, advice.severity, tick.end):
                self._budget.spend(advice.technique, tick.end)
                life.begin(tick)
                return

    def _forget(self, tick: Tick, lives: "list[_Life]") -> None:
        """A note that finds no room now is not worth waiting for; coaching is, for a while."""
        for life in lives:
            if life.wish is None:
                continue
            waits = 0.0 if life.advice.severity == "note" else self._settings.wait_s
            last = samples(life.advice.patience_s + waits)
            if life.state is not State.QUIET or tick.end - life.wish.since >= last:
                life.wish = None

    def _end(self, tick: Tick) -> None:
        for life in self._lives:
            if life.state is not State.QUIET:
                life.move(tick, Reason.ENDED)


def _offers(advice: Advice) -> bool:
    return any(OFFER in wording.text for wording in advice.say)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a watcher found and nobody has been told yet. since: when."""

    signal: Signal
    since: int


@dataclass(slots=True)
class _Life:
    """One kind of alert in one call. n: the event that raised the present one. count: how often one was raised."""

    advice: Advice
    watcher: Watcher
    may_offer: tuple[str, ...]
    written: bool
    wish: _Wish | None = None
    count: int = 0
    state: State = State.QUIET
    n: int | None = None
    raised: int = 0
    evidence: tuple[int, ...] = ()

    @property
    def awake(self) -> bool:
        """Whether time alone may raise or clear it; the others are looked at when something happens."""
        return self.state is not State.QUIET or self.watcher.waits or self.wish is not None

    def concerned(self, signal: Signal) -> bool:
        """Whether there is anything to lower or to wish for."""
        return signal.begins or self.wish is not None or self.state is not State.QUIET

    def ripe(self, now: int) -> bool:
        """Whether something is to be said, and the agent has had the time to do it unasked."""
        return self.wish is not None and now - self.wish.since >= samples(self.advice.patience_s)

    def takes(self, reason: Reason) -> bool:
        return self.state is State.RAISED or (self.state is State.ACKNOWLEDGED and reason is not Reason.ACKNOWLEDGE)

    def begin(self, tick: Tick) -> None:
        assert self.wish is not None
        signal, self.wish = self.wish.signal, None
        self.state = after(self.state, Reason.RAISE)
        self.raised, self.evidence, self.count = tick.end, signal.evidence, self.count + 1
        self.n = tick.emit(self._event(tick, "raised", signal.because, None))

    def move(self, tick: Tick, reason: Reason) -> None:
        self.state = after(self.state, reason)
        state = "acknowledged" if self.state is State.ACKNOWLEDGED else "cleared"
        tick.emit(self._event(tick, state, reason.value, self.n))
        if self.state is State.QUIET:
            self.n = None

    @property
    def wording(self) -> Wording:
        """That of the present alert, or the last one; an offer in its place."""
        before = max(0, self.count - 1)
        said = self.advice.wording(before, written=self.written)
        if OFFER not in said.text:
            return said
        return Wording(text=said.text.replace(OFFER, self.may_offer[before % len(self.may_offer)]), why=said.why)

    def _event(self, tick: Tick, state: str, reason: str, of: int | None) -> Alert:
        return Alert(
            span=Span(min(self.raised, tick.end), tick.end),
            at=tick.end,
            kind=self.advice.kind,
            state=state,  # type: ignore[arg-type]
            severity=self.advice.severity,
            reason=reason,
            advice=self.wording.text,
            detail=self.wording.why,
            practice=self.advice.practice,
            evidence=self.evidence,
            of=of,
            to=self.advice.to,
        )
