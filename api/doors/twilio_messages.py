"""What Twilio Media Streams and its like say, message by message. Facts: the provider's public reference.

Numbers come as texts; names in camel case, or in snake case from Telnyx; fields that are not known are ignored, and so
are events that are not. The digit of a ``dtmf`` event is not even read: it may be part of a card's number.
"""

import base64
import binascii
import json
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from api.problems import first_problem
from pipeline.errors import BadInput

MULAW = frozenset({"audio/x-mulaw", "audio/pcmu", "pcmu", "mulaw", "ulaw"})
"""Names of G.711 µ-law, in small letters."""


def _either(camel: str, snake: str) -> AliasChoices:
    return AliasChoices(camel, snake)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MediaFormat(_Part):
    encoding: str = Field(max_length=100)
    sample_rate: int = Field(validation_alias=_either("sampleRate", "sample_rate"))
    channels: int = 1


class Start(_Part):
    """tracks: those that are sent; empty where the sender does not say. about: all of it, for ``told.metadata``."""

    call: str = Field(
        default="", max_length=100, validation_alias=AliasChoices("callSid", "call_sid", "call_control_id")
    )
    tracks: tuple[str, ...] = Field(default=(), max_length=8)
    format: MediaFormat = Field(validation_alias=_either("mediaFormat", "media_format"))


class Started(_Part):
    """stream: its id, empty where the sender has none."""

    stream: str = Field(default="", max_length=100, validation_alias=_either("streamSid", "stream_id"))
    start: Start
    about: dict[str, Any] = Field(validation_alias=AliasChoices("start"))


class Media(_Part):
    """chunk: counts a track's packets. timestamp: ms, of the first sample. payload: µ-law, base64."""

    track: str = Field(default="inbound", max_length=100)
    chunk: int | None = Field(default=None, ge=0, le=2**53)
    timestamp: int | None = Field(default=None, ge=0, le=2**53)
    payload: str

    @property
    def audio(self) -> bytes:
        """Raises BadInput when it is no base64."""
        try:
            return base64.b64decode(self.payload, validate=True)
        except (binascii.Error, ValueError):
            raise BadInput("media.payload: expected base64") from None


class Packet(_Part):
    stream: str = Field(default="", max_length=100, validation_alias=_either("streamSid", "stream_id"))
    media: Media


class Other(_Part):
    """connected, mark, dtmf, or what is not known: nothing to do."""

    event: str


class Stop(_Part):
    stream: str = Field(default="", max_length=100, validation_alias=_either("streamSid", "stream_id"))


Message = Started | Packet | Stop | Other
_MODELS: dict[str, type[Started | Packet | Stop]] = {"start": Started, "media": Packet, "stop": Stop}


def parse(text: str) -> Message:
    """One message. Raises BadInput, without what was sent: that may be private."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput("expected a JSON object") from None
    event = said.get("event") if isinstance(said, dict) else None
    if not isinstance(event, str):
        raise BadInput('expected a JSON object with an "event"')
    model = _MODELS.get(event)
    if model is None:
        return Other(event=event[:100])
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise BadInput(f"{event}: {first_problem(error)}") from None
