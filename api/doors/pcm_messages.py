"""What is said at the plain door, both ways. ``docs/asyncapi.yaml`` is made from these."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from api.calls import new_id
from api.metadata import Metadata
from api.problems import first_problem
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.inputs import MarkKind
from pipeline.placing import HIGHEST, LOWEST
from pipeline.session import CallInfo

T = TypeVar("T")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Start(Metadata):
    """The first message of a call.

    rate: Hz. channels: in the order of the samples. position: of the first sample, in source samples.
    """

    type: Literal["start"]
    rate: int = Field(ge=LOWEST, le=HIGHEST)
    format: Literal["s16le"]
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=2)
    call_id: str = ""
    position: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _names(self) -> Self:
        if len(self.channels) == 2 and set(self.channels) != set(TWO_CHANNEL):
            raise ValueError('two channels are "agent" and "customer", in the order of the samples')
        return self

    @property
    def info(self) -> CallInfo:
        """One channel is one unknown speaker, whatever it is called: who speaks on it cannot be told apart."""
        channels = TWO_CHANNEL if len(self.channels) == 2 else MONO
        return self.call(self.call_id or new_id(), channels, source="door pcm")


class Resume(_Said):
    """The first message of a further connection of a call.

    token: what ``started`` said. position: of the next sample, in source samples; None: as ``resumed`` says.
    """

    type: Literal["resume"]
    call_id: str
    token: str
    position: int | None = Field(default=None, ge=0)


class Position(_Said):
    """The next sample is source sample ``position`` of the call; what lies between never comes."""

    type: Literal["position"]
    position: int = Field(ge=0)


class Marked(_Said):
    """What happens at the phone. ``pause`` withholds audio and words until ``resume``."""

    type: Literal["mark"]
    kind: MarkKind
    channel: Channel | None = None
    note: str = Field(default="", max_length=500)


class Stop(_Said):
    """The call is over."""

    type: Literal["stop"]


class Started(_Said):
    """token: with it, and only with it, the call can be taken up again after the connection broke.

    resume_within_s: seconds for which it waits then; 0: it ends at once.
    """

    type: Literal["started"] = "started"
    call_id: str
    token: str
    resume_within_s: float


class Resumed(_Said):
    """position: source samples that have come. Send from there what was kept, or say from where you go on."""

    type: Literal["resumed"] = "resumed"
    call_id: str
    position: int


class Ended(_Said):
    """The call has its last words; close 1000 follows."""

    type: Literal["ended"] = "ended"
    call_id: str
    duration_s: float


class Failed(_Said):
    """What was wrong, in one line; the connection is closed then."""

    type: Literal["error"] = "error"
    message: str


First = Start | Resume
Later = Position | Marked | Stop
_FIRST: TypeAdapter[First] = TypeAdapter(Annotated[First, Field(discriminator="type")])
_LATER: TypeAdapter[Later] = TypeAdapter(Annotated[Later, Field(discriminator="type")])


def first(text: str) -> First:
    """Raises BadInput."""
    return _read(_FIRST, text)


def later(text: str) -> Later:
    """Raises BadInput."""
    return _read(_LATER, text)


def _read(kind: TypeAdapter[T], text: str) -> T:
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None
