"""What must hold, or must not, for advice to be given: what a party did within the last seconds (see ``lately``)."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.channel import Channel
from pipeline.events import ScoreKind
from pipeline.settings import Section

LONGEST_S = 600.0
"""Seconds that a condition may look back."""


class Said(Section):
    """One of these cues was heard of a party."""

    did: Literal["said"]
    cue: tuple[str, ...] = Field(min_length=1)
    by: Channel = Channel.AGENT
    within_s: float = Field(gt=0, le=LONGEST_S)


class Paced(Section):
    """A party's last pace, against the own baseline, was ``below`` this (ratio)."""

    did: Literal["paced"]
    by: Channel = Channel.AGENT
    below: float = Field(gt=0)
    within_s: float = Field(gt=0, le=LONGEST_S)


class Yielded(Section):
    """A party is silent, for ``for_s`` seconds already."""

    did: Literal["yielded"]
    by: Channel = Channel.AGENT
    for_s: float = Field(default=0.0, ge=0, le=LONGEST_S)


class Interrupted(Section):
    """A party interrupted the other, as is judged now."""

    did: Literal["interrupted"]
    by: Channel = Channel.AGENT
    within_s: float = Field(gt=0, le=LONGEST_S)


class Felt(Section):
    """A score reached ``above``."""

    did: Literal["felt"]
    score: ScoreKind
    above: float = Field(ge=0, le=1)
    within_s: float = Field(gt=0, le=LONGEST_S)


Condition = Annotated[Said | Paced | Yielded | Interrupted | Felt, Field(discriminator="did")]
