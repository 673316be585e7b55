"""Who may see and do what: one table of roles, and one rule about whose call it is.

What may be *computed* is ``pipeline.settings.Policy``: under ``eu-workplace`` an agent's tension does not exist, so
nobody can be shown it. Where it does exist it belongs to its call: whoever sees the call sees it, the agent above all.
"""

from dataclasses import dataclass
from enum import StrEnum, auto


class Role(StrEnum):
    SUPERVISOR = auto()
    AGENT = auto()
    DOOR = auto()
    """A program that brings calls in."""


class May(StrEnum):
    SEE = auto()
    """List, read and follow calls."""
    ANSWER = auto()
    """Acknowledge and dismiss alerts, set marks."""
    DELETE = auto()
    MEND = auto()
    """Exchange the parties of a stored call."""
    JUDGE = auto()
    """Say that a call was reviewed, and what is heard in it."""
    CLAIM = auto()
    """Look after a live call."""
    BRING = auto()
    """Open a door, upload a recording."""
    BRING_OWN = auto()
    """Open the plain door for a call of one's own: an agent's browser shares microphone and softphone."""
    MEASURE = auto()
    """Read the metrics."""


TABLE: dict[Role, frozenset[May]] = {
    Role.SUPERVISOR: frozenset(May),
    Role.AGENT: frozenset({May.SEE, May.ANSWER, May.BRING_OWN}),
    Role.DOOR: frozenset({May.BRING, May.BRING_OWN}),
}


@dataclass(frozen=True, slots=True)
class Who:
    """name: the agent's id, or what the settings call the supervisor or the sender."""

    role: Role
    name: str

    def may(self, what: May) -> bool:
        return what in TABLE[self.role]

    def sees(self, agent_id: str) -> bool:
        """Whether a call of this agent is theirs to see, its agent's tension included."""
        match self.role:
            case Role.SUPERVISOR:
                return True
            case Role.AGENT:
                return agent_id == self.name
            case Role.DOOR:
                return False

    def brings(self, agent_id: str) -> bool:
        """Whether they may bring a call of this agent in."""
        return self.role is not Role.AGENT or agent_id == self.name

    @property
    def only_agent(self) -> str | None:
        """The one agent whose calls they may see; None for all."""
        return self.name if self.role is Role.AGENT else None


def allowed(what: May) -> list[Role]:
    """Who may do it."""
    return [role for role in Role if what in TABLE[role]]


LOCAL = Who(Role.SUPERVISOR, "local")
"""Everybody on this machine while no credentials are configured."""
