"""The life of an alert, and how often an agent may be told something.

One table holds every legal step; anything else is refused.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.events import Severity
from pipeline.settings import Alerts
from pipeline.timebase import samples


class State(StrEnum):
    QUIET = "quiet"
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"


class Reason(StrEnum):
    """Why a step is taken. All but RAISE and ACKNOWLEDGE clear the alert.

    DONE: the agent did what was advised.
    """

    RAISE = "raise"
    ACKNOWLEDGE = "acknowledge"
    OVER = "over"
    FADED = "faded"
    DISMISSED = "dismissed"
    REVISED = "revised"
    DONE = "done"
    SNOOZED = "snoozed"
    ENDED = "call ended"


CLEARING = (Reason.OVER, Reason.FADED, Reason.DISMISSED, Reason.REVISED, Reason.DONE, Reason.SNOOZED, Reason.ENDED)

TRANSITIONS: dict[tuple[State, Reason], State] = {
    (State.QUIET, Reason.RAISE): State.RAISED,
    (State.RAISED, Reason.ACKNOWLEDGE): State.ACKNOWLEDGED,
    **{(State.RAISED, reason): State.QUIET for reason in CLEARING},
    **{(State.ACKNOWLEDGED, reason): State.QUIET for reason in CLEARING},
}


class IllegalStepError(Exception):
    """The table has no such step."""


def after(state: State, reason: Reason) -> State:
    """The state that follows. Raises IllegalStepError."""
    try:
        return TRANSITIONS[state, reason]
    except KeyError:
        raise IllegalStepError(f"an alert that is {state} takes no step {reason}") from None


@dataclass(slots=True)
class Budget:
    """When another alert may be raised. All times in samples of the call. what: the technique that is advised."""

    settings: Alerts
    _raised: deque[int] = field(default_factory=deque)
    _told: dict[str, int] = field(default_factory=dict)

    def allows(self, what: str, severity: Severity, now: int) -> bool:
        """A cool-down for each technique, a gap between any two unless critical, and so many a minute in all."""
        last = self._told.get(what)
        if last is not None and now - last < samples(self.settings.repeat_s):
            return False
        if severity != "critical" and self._raised and now - self._raised[-1] < samples(self.settings.gap_s):
            return False
        return sum(now - each < samples(60.0) for each in self._raised) < self.settings.per_minute

    def give_back(self, what: str, at: int) -> None:
        """The alert about it that was raised at ``at`` should not have been: it counts nowhere."""
        if at in self._raised:
            self._raised.remove(at)
            self._told.pop(what, None)

    def spend(self, what: str, now: int) -> None:
        """An alert about it was raised."""
        self._told[what] = now
        self._raised.append(now)
        while len(self._raised) > self.settings.per_minute:
            self._raised.popleft()
