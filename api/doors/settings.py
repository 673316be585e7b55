"""What the doors of phone systems need to know: whom to believe, who is who, and where a call's facts stand."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from api.metadata import FIELDS, FieldName
from pipeline.settings import Section


class Told(Section):
    """Where the facts of a call stand in what the phone system says at its start.

    Each is a path of names joined by dots, into the start message; with ``=`` before it, it is the text itself.
    """

    agent_id: str = ""
    """Where the agent's id stands; the overlay of that agent then follows the call. Empty: nowhere."""
    queue: str = ""
    """Where the queue's name stands."""
    team: str = ""
    """Where the team's name stands."""
    direction: str = ""
    """Where "inbound" or "outbound" stands."""
    notice_given: str = ""
    """Where it stands how the customer was told; "=announcement" where every caller hears one."""
    fields: dict[FieldName, str] = Field(default={}, max_length=FIELDS)
    """Further fields of the call: name to where it stands."""


class Twilio(Told):
    """Twilio Media Streams at ``/doors/twilio``, and senders that speak like it. Closed until it has tokens."""

    public_url: str = ""
    """The very address in ``<Stream url>``, wss and all: Twilio signs it, and a proxy may change what arrives."""
    auth_tokens: tuple[SecretStr, ...] = ()
    """Auth tokens of the accounts that may send; two while one is being changed."""
    unsigned: bool = False
    """Believe senders without a signature (Telnyx, a test): only where the server binds to a loopback address."""
    customer: Literal["inbound", "outbound"] = "inbound"
    """The track with the customer's voice: inbound is what the leg that was streamed says, so it depends on the leg."""
    agent_id: str = "customParameters.agent_id"
    """Where the agent's id stands in ``start``; ``<Parameter name="agent_id">`` sets this one."""
    queue: str = "customParameters.queue"
    """Where the queue's name stands."""
    team: str = "customParameters.team"
    """Where the team's name stands."""
    direction: str = "customParameters.direction"
    """Where "inbound" or "outbound" stands."""
    notice_given: str = "customParameters.notice_given"
    """Where it stands how the customer was told; "=announcement" where every caller hears one."""

    @field_validator("public_url")
    @classmethod
    def _whole(cls, url: str) -> str:
        return _socket_url(url)


class AudioHook(Told):
    """Genesys AudioHook v2 at ``/doors/audiohook``. Closed until it has keys."""

    keys: dict[str, SecretStr] = {}
    """API key to client secret (base64), as typed into the integration's credentials."""
    public_url: str = ""
    """The integration's connection URI, where a proxy changes path or Host on the way; empty: as they arrive."""
    unsigned: bool = False
    """Believe senders without a signature (a test client): only where the server binds to a loopback address."""
    customer: Literal["external", "internal"] = "external"
    """The channel with the customer's voice."""
    transcripts: bool = False
    """Send what was said back to the agent desktop, as transcript events."""
    agent_id: str = "customConfig.agent_id"
    """Where the agent's id stands in the parameters of ``open``."""
    queue: str = "customConfig.queue"
    """Where the queue's name stands."""
    team: str = "customConfig.team"
    """Where the team's name stands."""
    direction: str = "customConfig.direction"
    """Where "inbound" or "outbound" stands."""
    notice_given: str = "customConfig.notice_given"
    """Where it stands how the customer was told; "=announcement" where every caller hears one."""

    @field_validator("public_url")
    @classmethod
    def _whole(cls, url: str) -> str:
        return _socket_url(url)


class Doors(Section):
    """Doors for phone systems, each in a section of its own."""

    twilio: Twilio = Twilio()
    """See [doors.twilio]."""
    audiohook: AudioHook = AudioHook()
    """See [doors.audiohook]."""

    @property
    def unsigned(self) -> tuple[str, ...]:
        """Names of the doors that believe anybody."""
        return tuple(name for name in ("twilio", "audiohook") if getattr(self, name).unsigned)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Public addresses, where given."""
        return tuple(url for url in (self.twilio.public_url, self.audiohook.public_url) if url)


def _socket_url(url: str) -> str:
    if url and not url.startswith(("wss://", "ws://")):
        raise ValueError("expected the public address of the door, like wss://calls.example.com/doors/...")
    return url
