"""What words and turn-taking say of a person's state, in nats, set by hand; and how it fades.

No labelled calls were at hand, so these are judgements and no measurements: a clear sign (an insult, a threat) moves a
score about as much as a voice that is plainly angry for a moment, a weak one (a complaint) hardly. Several add up to
``MOST`` and no more, so that words alone never say what the voice does not.
"""

from dataclasses import dataclass, field
from math import exp

from pipeline.events import ScoreKind

CUES: dict[ScoreKind, dict[str, float]] = {
    "anger": {
        "complaint": 0.3,
        "repeat_contact": 0.3,
        "urgency": 0.3,
        "not_heard": 0.7,
        "supervisor_request": 0.8,
        "threat": 1.2,
        "insult": 1.5,
        "relief": -1.0,
    },
    "tension": {"refusal": 0.3, "defensive": 0.7, "blame": 0.8, "empathy": -0.4},
}
"""Nats of a cue. A negative one calms."""
INTERRUPTION: dict[ScoreKind, float] = {"anger": 0.4, "tension": 0.5}
"""Nats of cutting in on the other: tense agents talk over people more than angry customers do (ours)."""
CUT_OFF: dict[ScoreKind, float] = {"anger": 0.3, "tension": 0.2}
"""Nats of being cut in on."""
MOST, LEAST = 2.0, -1.5
"""Nats of all cues, or of all interruptions, at most and at least."""
PACE_FROM, PACE_TO, PACE = 1.10, 1.40, 0.5
"""Talk speed over the own usual, where it begins to count and where it counts in full; nats."""


def pace(relative: float) -> float:
    """Nats of a talk speed. relative: 1 is as usual."""
    return PACE * min(1.0, max(0.0, (relative - PACE_FROM) / (PACE_TO - PACE_FROM)))


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing that happened. name: of its kind. number: of its event. at: the sample it became known."""

    name: str
    nats: float
    number: int
    at: int


@dataclass(slots=True)
class Hints:
    """Things of one part that happened to one person; each fades by e in ``fade`` samples and is then forgotten."""

    fade: int
    _all: list[Hint] = field(default_factory=list)

    def add(self, hint: Hint) -> None:
        self._all.append(hint)

    def take_back(self, number: int) -> None:
        """It was judged to be something else."""
        self._all = [hint for hint in self._all if hint.number != number]

    def nats(self, now: int) -> float:
        self._all = [hint for hint in self._all if now - hint.at < 4 * self.fade]
        total = sum(hint.nats * exp(-max(0, now - hint.at) / self.fade) for hint in self._all)
        return min(MOST, max(LEAST, total))

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind still counts."""
        counts: dict[str, int] = {}
        for hint in self._all:
            counts[hint.name] = counts.get(hint.name, 0) + 1
        return counts

    @property
    def evidence(self) -> list[int]:
        return [hint.number for hint in self._all]
