"""When advice is given: the moments and states that a playbook may wait for. ``watchers`` looks for them."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.channel import Channel
from pipeline.events import ScoreKind
from pipeline.settings import Section


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


class OnMonologue(Section):
    """A party has the floor for ``for_s`` seconds."""

    on: Literal["monologue"]
    by: Channel
    for_s: float = Field(gt=0)


class OnCue(Section):
    """One of these cues was heard, the ``least``-th within ``within_s`` seconds.

    optional: the cue is a deployment's own (a list of jargon); where there is none, nothing is waited for.
    """

    on: Literal["cue"]
    cue: str | tuple[str, ...]
    least: int = Field(default=1, ge=1)
    within_s: float = Field(default=120.0, gt=0)
    optional: bool = False

    @property
    def cues(self) -> tuple[str, ...]:
        return (self.cue,) if isinstance(self.cue, str) else self.cue


class OnRepeated(Section):
    """The sentence that shows a cue is said again, word for word."""

    on: Literal["repeated"]
    cue: str


class OnUnnamed(Section):
    """The customer gave a name, and for ``for_s`` seconds the agent has not used it."""

    on: Literal["unnamed"]
    for_s: float = Field(gt=0)


class OnRelief(Section):
    """A score that had reached ``above`` has fallen under ``below``."""

    on: Literal["relief"]
    score: ScoreKind
    above: float = Field(ge=0, le=1)
    below: float = Field(ge=0, le=1)


Trigger = Annotated[
    OnScore | OnPace | OnInterruption | OnSilence | OnMonologue | OnCue | OnRepeated | OnUnnamed | OnRelief,
    Field(discriminator="on"),
]
