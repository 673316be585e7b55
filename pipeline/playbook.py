"""The playbook: practices of patient service, the cues that show them, and the advice for each moment.

Data, not code: ``playbook.toml`` and the files of cues hold all of it; this module reads and checks it.
"""

import hashlib
import tomllib
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from models.protocols import Identity
from pipeline.channel import Channel
from pipeline.cuebook import CueBook, load_cues
from pipeline.cues import Finder
from pipeline.errors import BadInput
from pipeline.events import Party, ScoreKind, Severity
from pipeline.settings import Cues, Section


class Practice(Section):
    """One practice of the guides. sees: how the monitor recognises it. report: what is told after the call."""

    number: int = Field(ge=1)
    title: str
    sees: str
    report: str


class OnScore(Section):
    """A score holds above ``above`` for ``for_s`` seconds; it is over under ``below`` (hysteresis)."""

    on: Literal["score"]
    score: ScoreKind
    above: float = Field(ge=0, le=1)
    below: float = Field(ge=0, le=1)
    for_s: float = Field(default=0.0, ge=0)


class OnPace(Section):
    """A speaker's pace against the own baseline (ratio)."""

    on: Literal["pace"]
    channel: Channel
    above: float = Field(gt=1)
    below: float = Field(gt=0)


class OnInterruption(Section):
    """A party interrupts the other: ``least`` times within ``within_s`` seconds."""

    on: Literal["interruption"]
    by: Channel
    least: int = Field(default=1, ge=1)
    within_s: float = Field(default=60.0, gt=0)


class OnSilence(Section):
    """Both are silent for ``for_s`` seconds after this party's turn."""

    on: Literal["silence"]
    after: Channel
    for_s: float = Field(default=3.0, gt=0)


class OnCue(Section):
    """Something was said."""

    on: Literal["cue"]
    cue: str


class OnRelief(Section):
    """A score that had reached ``above`` has fallen under ``below``."""

    on: Literal["relief"]
    score: ScoreKind
    above: float = Field(ge=0, le=1)
    below: float = Field(ge=0, le=1)


Trigger = Annotated[
    OnScore | OnPace | OnInterruption | OnSilence | OnCue | OnRelief,
    Field(discriminator="on"),
]


class Advice(Section):
    """What the agent reads, for which evidence. kind: of the alert that carries it. text: at most six words.

    to: whom the alert calls.
    """

    kind: str
    practice: int
    severity: Severity
    text: str
    detail: str
    when: Trigger
    to: tuple[Party, ...] = ("agent",)

    @model_validator(mode="after")
    def _short(self) -> "Advice":
        if len(self.text.split()) > 6:
            raise ValueError(f"advice {self.kind!r}: {self.text!r} is longer than six words")
        if self.severity == "critical" and "supervisor" not in self.to:
            raise ValueError(
                f'advice {self.kind!r} is critical; a supervisor must hear of it: to = ["agent", "supervisor"]'
            )
        return self


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
            if isinstance(advice.when, OnCue) and advice.when.cue not in cues:
                raise ValueError(f"advice {advice.kind!r} waits for unknown cue {advice.when.cue!r}")
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
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"the playbook cannot be used: {detail}") from None
