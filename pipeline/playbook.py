"""The playbook: practices of patient service, the cues that show them, and the advice for each moment.

Data, not code: ``playbook.toml`` and the files of cues hold all of it; this module reads and checks it.
"""

import hashlib
import tomllib
from functools import cached_property, lru_cache
from importlib.resources import files

from pydantic import Field, ValidationError, model_validator

from models.protocols import Identity
from pipeline.conditions import Condition, Said
from pipeline.cuebook import CueBook, load_cues
from pipeline.cues import Finder
from pipeline.errors import BadInput
from pipeline.events import Party, Severity
from pipeline.settings import Cues, Section
from pipeline.triggers import OnCue, OnMonologue, OnPace, OnRepeated, OnScore, OnSilence, Trigger

MOST_WORDS = 6
"""Words that an agent can take in while listening, in one glance (the playbook's rule)."""
OFFER = "{offer}"
"""Stands for one of the setting ``alerts.may_offer``."""
OFFERED = "one two three"
"""As many words as such an offer may have."""


class Practice(Section):
    """One practice of the guides. sees: how the monitor recognises it. report: what is told after the call."""

    number: int = Field(ge=1)
    title: str
    sees: str
    report: str


class Wording(Section):
    """text: what the agent reads, at most six words. why: one line more."""

    text: str = Field(min_length=1)
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _short(self) -> "Wording":
        words = self.text.replace(OFFER, OFFERED).split()
        if len(words) > MOST_WORDS:
            raise ValueError(f"{self.text!r} is longer than six words")
        return self


class Advice(Section):
    """One row of the table: which technique, when, and unless what.

    kind: of the alert that carries it. technique: what the agent should do. to: whom the alert calls. when: the moment
    or state that calls for it. given: one of these must hold, where there are any. unless: none of these may hold: the
    agent does it already, or has just done it. patience_s: seconds in which the agent may do it unasked, before it is
    advised. say: wordings, taken in turn, so that the same words do not nag. write: those of a written conversation,
    which has no voice and no listening; without any, ``say``.
    """

    kind: str
    technique: str
    practice: int
    severity: Severity
    to: tuple[Party, ...] = ("agent",)
    when: Trigger
    given: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    patience_s: float = Field(default=0.0, ge=0, le=30)
    say: tuple[Wording, ...] = Field(min_length=1)
    write: tuple[Wording, ...] = ()

    @model_validator(mode="after")
    def _sensible(self) -> "Advice":
        if self.severity == "critical" and "supervisor" not in self.to:
            raise ValueError(
                f'advice {self.kind!r} is critical; a supervisor must hear of it: to = ["agent", "supervisor"]'
            )
        if self.patience_s and isinstance(self.when, OnScore | OnPace | OnSilence | OnMonologue):
            raise ValueError(f"advice {self.kind!r} waits for a state, not a moment; give it for_s, not patience_s")
        return self

    def wording(self, count: int, *, written: bool) -> Wording:
        """The words of the alert that is raised for the ``count``-th time in a call, from 0."""
        words = (self.write if written else ()) or self.say
        return words[count % len(words)]

    @property
    def names(self) -> set[str]:
        """Cues that it speaks of."""
        conditions = (name for each in (*self.given, *self.unless) if isinstance(each, Said) for name in each.cue)
        return {*self.awaited, *conditions}

    @property
    def awaited(self) -> tuple[str, ...]:
        """Cues that its moment is about."""
        match self.when:
            case OnCue():
                return self.when.cues
            case OnRepeated():
                return (self.when.cue,)
        return ()


class Playbook(Section):
    practice: tuple[Practice, ...]
    advice: tuple[Advice, ...]
    cues: CueBook
    seeking: Cues
    sha256: str

    @cached_property
    def finder(self) -> Finder:
        """Looks for the cues; shared by every call."""
        return Finder(self.cues, self.seeking)

    @property
    def identity(self) -> Identity:
        return Identity("playbook", "1", self.sha256)

    @model_validator(mode="after")
    def _whole(self) -> "Playbook":
        kinds = [advice.kind for advice in self.advice]
        cues = self.cues.names
        practices = {practice.number for practice in self.practice}
        if len(set(kinds)) != len(kinds):
            raise ValueError("two pieces of advice have the same kind")
        for advice in self.advice:
            if advice.practice not in practices:
                raise ValueError(f"advice {advice.kind!r} names no practice {advice.practice}")
            own = advice.awaited if isinstance(advice.when, OnCue) and advice.when.optional else ()
            unknown = sorted(advice.names.difference(cues, own))
            if unknown:
                raise ValueError(f"advice {advice.kind!r} speaks of unknown cue {unknown[0]!r}")
        return self


def load_playbook(text: str | None = None, cues: Cues = Cues()) -> Playbook:  # noqa: B008 (frozen)
    """The shipped playbook, or one given as TOML, with the cues that are shipped and the deployment's.

    Raises BadInput, naming what is wrong.
    """
    return _loaded(text or files("pipeline").joinpath("playbook.toml").read_text(encoding="utf-8"), cues)


@lru_cache(maxsize=4)
def _loaded(text: str, seeking: Cues) -> Playbook:
    cues = load_cues(seeking)
    digest = hashlib.sha256(f"{text}\0{cues.sha256}".encode()).hexdigest()
    try:
        return Playbook(**tomllib.loads(text), cues=cues, seeking=seeking, sha256=digest)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        detail = _told(error) if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"the playbook cannot be used: {detail}") from None


def _told(error: ValidationError) -> str:
    """The first problem, and where it is."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
