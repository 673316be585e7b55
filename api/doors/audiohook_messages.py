"""What the client of AudioHook v2 (Genesys Cloud) says. Facts: the provider's public protocol reference.

Fields that are not known are ignored, and so are types that are not: a change of the format must not break the door.
"""

import json
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.doors.mulaw import RATE
from api.problems import first_problem
from pipeline.errors import BadInput

LONGEST = 65_535
"""Bytes of a text message, either way."""
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The id of a conversation that is none: the connection probe."""
SIDES = ("external", "internal")

_LARGEST = 2**53


def _iso(value: object) -> object:
    """Only ISO 8601, like PT1.5S: pydantic would take numbers and clock times too."""
    if not isinstance(value, str) or not value.startswith("P") or len(value) > 40:
        raise ValueError("expected a duration like PT1.5S")
    return value


Duration = Annotated[timedelta, BeforeValidator(_iso), Field(ge=timedelta(0), le=timedelta(days=7))]
_ZERO = timedelta(0)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Media(_Part):
    """One offer. channels: in the order of the bytes."""

    type: str
    format: str
    channels: tuple[str, ...] = Field(min_length=1, max_length=8)
    rate: int

    @property
    def usable(self) -> bool:
        named = len(set(self.channels)) == len(self.channels) and set(self.channels) <= set(SIDES)
        return self.type == "audio" and self.format == "PCMU" and self.rate == RATE and named


class Participant(_Part):
    id: str = Field(default="", max_length=100)


Offer = Annotated[Media | Any, Field(union_mode="left_to_right")]
"""One of a form that is not known may stand beside one that can be taken."""


class Open(_Part):
    organization: str = Field(max_length=100, validation_alias="organizationId")
    conversation: str = Field(max_length=100, validation_alias="conversationId")
    participant: Participant = Participant()
    media: tuple[Offer, ...] = Field(default=(), max_length=20)

    @property
    def probe(self) -> bool:
        """Sent when the integration is switched on: nobody is speaking."""
        return self.conversation == NOBODY and self.participant.id == NOBODY


class Discarded(_Part):
    """Of ``resumed`` and ``discarded``. start: where in the streamed audio. lost: how much was not streamed."""

    start: Duration = _ZERO
    lost: Duration = Field(default=_ZERO, validation_alias="discarded")


class Trouble(_Part):
    code: int | str = Field(default="")


class Close(_Part):
    reason: str = Field(default="end", max_length=100)


Said = Open | Discarded | Trouble | Close | None
_MODELS: dict[str, type[Open | Discarded | Trouble | Close]] = {
    "open": Open,
    "resumed": Discarded,
    "discarded": Discarded,
    "error": Trouble,
    "close": Close,
}


class Message(_Part):
    """position: of the audio streamed so far. about: the parameters as they came. said: those we read."""

    version: Literal["2"]
    id: str = Field(max_length=100)
    type: str = Field(max_length=100)
    seq: int = Field(ge=1, le=_LARGEST)
    serverseq: int = Field(ge=0, le=_LARGEST)
    position: Duration
    about: dict[str, Any] = Field(default={}, validation_alias="parameters")
    said: Said = None


def parse(text: str) -> Message:
    """One message. Raises BadInput, without what was sent: that may be private."""
    if len(text.encode(errors="replace")) > LONGEST:
        raise BadInput(f"a text message of more than {LONGEST} bytes")
    try:
        message = Message.model_validate(json.loads(text))
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None
    except (ValueError, RecursionError):
        raise BadInput("expected a JSON object") from None
    model = _MODELS.get(message.type)
    try:
        return message if model is None else message.model_copy(update={"said": model.model_validate(message.about)})
    except ValidationError as error:
        raise BadInput(f"{message.type}: {first_problem(error)}") from None


def iso(seconds: float) -> str:
    """A duration as the protocol has it, in whole milliseconds."""
    return f"PT{seconds:.3f}".rstrip("0").rstrip(".") + "S"
