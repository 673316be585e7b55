"""Advice: watches for the playbook's moments and raises, acknowledges and clears alerts.

A state (a score, a pace, a silence) holds its alert until it is over; a moment (an interruption, a cue) gives
an alert that fades by itself. One alert of a kind at a time; the budget says whether another may be raised.
While an agent has asked for quiet, what is not critical is neither shown nor raised.
"""

from dataclasses import dataclass

from pipeline.alerts import Budget, Reason, State, after
from pipeline.events import Alert, Severity, Snoozed
from pipeline.inputs import Close, Command
from pipeline.playbook import Advice, Playbook
from pipeline.session import Tick
from pipeline.settings import Alerts
from pipeline.timebase import Span, samples
from pipeline.watchers import Signal, Watcher, watcher

RANK: dict[Severity, int] = {"critical": 0, "coach": 1, "note": 2}


class AdviceNode:
    def __init__(self, settings: Alerts, playbook: Playbook) -> None:
        self._stale = samples(settings.stale_s)
        self._snooze = samples(settings.snooze_s)
        self._quiet_until = 0
        self._budget = Budget(settings)
        self._lives = [_Life(advice, watcher(advice)) for advice in playbook.advice]
        self._awake: list[_Life] = []

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            if isinstance(entry.item, Command):
                self._command(tick, entry.item)
        lives = self._lives if tick.events or tick.inputs else self._awake
        signals = [(life, life.watcher.look(tick)) for life in lives]
        for life, signal in signals:
            self._lower(tick, life, signal)
        if not tick.closing:
            self._raise(tick, signals)
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
                self._budget.give_back(life.advice.kind, life.raised)
        elif life.watcher.moment and tick.end - life.raised >= self._stale:
            life.move(tick, Reason.FADED)

    def _raise(self, tick: Tick, signals: "list[tuple[_Life, Signal]]") -> None:
        """One at a time: the gravest that the budget allows, in the playbook's order."""
        for life, signal in sorted(signals, key=lambda pair: RANK[pair[0].advice.severity]):
            advice = life.advice
            wanted = signal.begins and life.state is State.QUIET and self._may_show(tick, advice)
            if wanted and self._budget.allows(advice.kind, advice.severity, tick.end):
                self._budget.spend(advice.kind, tick.end)
                life.begin(tick, signal)
                return

    def _end(self, tick: Tick) -> None:
        for life in self._lives:
            if life.state is not State.QUIET:
                life.move(tick, Reason.ENDED)


@dataclass(slots=True)
class _Life:
    """One kind of alert in one call. n: the event that raised the present one."""

    advice: Advice
    watcher: Watcher
    state: State = State.QUIET
    n: int | None = None
    raised: int = 0
    evidence: tuple[int, ...] = ()

    @property
    def awake(self) -> bool:
        """Whether time alone may raise or clear it; the others are looked at when something happens."""
        return self.state is not State.QUIET or self.watcher.waits

    def takes(self, reason: Reason) -> bool:
        return self.state is State.RAISED or (self.state is State.ACKNOWLEDGED and reason is not Reason.ACKNOWLEDGE)

    def begin(self, tick: Tick, signal: Signal) -> None:
        self.state = after(self.state, Reason.RAISE)
        self.raised, self.evidence = tick.end, signal.evidence
        self.n = tick.emit(self._event(tick, "raised", signal.because, None))

    def move(self, tick: Tick, reason: Reason) -> None:
        self.state = after(self.state, reason)
        state = "acknowledged" if self.state is State.ACKNOWLEDGED else "cleared"
        tick.emit(self._event(tick, state, reason.value, self.n))
        if self.state is State.QUIET:
            self.n = None

    def _event(self, tick: Tick, state: str, reason: str, of: int | None) -> Alert:
        return Alert(
            span=Span(min(self.raised, tick.end), tick.end),
            at=tick.end,
            kind=self.advice.kind,
            state=state,  # type: ignore[arg-type]
            severity=self.advice.severity,
            reason=reason,
            advice=self.advice.text,
            detail=self.advice.detail,
            practice=self.advice.practice,
            evidence=self.evidence,
            of=of,
            to=self.advice.to,
        )
