"""The server's side of one AudioHook session, without its socket.

Messages and audio go in, what happened comes out, and what must be answered lies in ``outbox``. Each side numbers its
messages from 1; the client opens and closes, always.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from api.doors.audiohook_messages import LONGEST, SIDES, Close, Discarded, Media, Message, Open, Trouble, parse
from api.doors.mulaw import decode
from pipeline.errors import BadInput


@dataclass(frozen=True, slots=True)
class Opening:
    """The client wants a session. about: its parameters as they came."""

    open: Open
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paused:
    """No audio comes until it is resumed: what is said is not for us."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Audio that was not streamed, in seconds. resumed: a pause is over."""

    seconds: float
    resumed: bool


@dataclass(frozen=True, slots=True)
class Troubled:
    """The client says that something went wrong with it."""

    code: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The client closes the session; answer with ``closed``."""

    reason: str


Happening = Opening | Paused | Lost | Troubled | Ending | None


class State(Enum):
    WAITING = auto()
    OPEN = auto()
    PAUSED = auto()
    LEAVING = auto()
    """We said disconnect; only close is heard."""
    CLOSING = auto()
    CLOSED = auto()


Reason = Literal["completed", "unauthorized", "error"]


class Session:
    """id: of the session as the request's header has it; empty takes the first message's."""

    def __init__(self, id: str) -> None:
        self.outbox: list[str] = []
        self.state = State.WAITING
        self.streamed = 0
        """Samples of each channel that came."""
        self.id = id
        self._heard = 0
        self._said = 0
        self.channels: tuple[str, ...] = ()

    def take(self, text: str) -> Happening:
        """One message of the client. Raises BadInput for what does not follow the protocol."""
        message = parse(text)
        if self.state is not State.LEAVING:  # whoever is asked to go may have lost count
            self._check(message)
        if isinstance(message.said, Close):
            self.state = State.CLOSING
            return Ending(message.said.reason)
        if self.state in (State.LEAVING, State.CLOSING, State.CLOSED):
            return None
        if isinstance(message.said, Open):
            return self._open(message, message.said)
        if self.state is State.WAITING and not isinstance(message.said, Trouble):
            raise BadInput("expected open before anything else")
        return self._go_on(message)

    def audio(self, data: bytes) -> NDArray[np.int16] | None:
        """int16 (n, channels), in the order of ``channels``; None for what comes while nobody may listen."""
        if self.state is State.WAITING:
            raise BadInput("audio before open")
        if self.state is not State.OPEN:
            return None
        if not self.channels:
            raise BadInput("audio, though no media was taken")
        count, rest = divmod(len(data), len(self.channels))
        if rest:
            raise BadInput(f"a binary frame of {len(data)} bytes: expected a byte of each channel, over and over")
        self.streamed += count
        return decode(data).reshape(count, len(self.channels))

    def opened(self, media: Media | None) -> None:
        """Accept, with one of the media offered."""
        self.state = State.OPEN
        self.channels = media.channels if media else ()
        self._say("opened", startPaused=False, media=[media.model_dump(mode="json")] if media else [])

    def event(self, entity: dict[str, Any]) -> None:
        """Tell the agent's desktop. Raises ValueError for one that is too large."""
        if self.state in (State.OPEN, State.PAUSED, State.CLOSING):
            self._say("event", entities=[entity])

    def reconnect(self) -> None:
        """Ask the client to come again, elsewhere."""
        self._say("reconnect")

    def disconnect(self, reason: Reason, info: str) -> None:
        """Ask the client to close."""
        self.state = State.LEAVING
        self._say("disconnect", reason=reason, info=info)

    def closed(self) -> None:
        """Answer close."""
        self.state = State.CLOSED
        self._say("closed")

    def _check(self, message: Message) -> None:
        self.id = self.id or message.id
        if message.id != self.id:
            raise BadInput("id: this connection carries another session")
        if message.seq != self._heard + 1:
            raise BadInput(f"seq: expected {self._heard + 1}, got {message.seq}")
        if message.serverseq > self._said:
            raise BadInput(f"serverseq: {message.serverseq}, but only {self._said} were sent")
        self._heard = message.seq

    def _open(self, message: Message, open: Open) -> Happening:
        if self.state is not State.WAITING:
            raise BadInput("open: this session is open already")
        self.state = State.PAUSED  # nothing is heard until it is opened
        return Opening(open, message.about)

    def _go_on(self, message: Message) -> Happening:
        match message.type, message.said:
            case "ping", _:
                self._say("pong")
            case "update", _:
                self._say("updated")
            case "paused", _:
                self.state = State.PAUSED
                return Paused()
            case "resumed", Discarded(lost=lost):
                self.state = State.OPEN
                return Lost(lost.total_seconds(), resumed=True)
            case _, Discarded(lost=lost):
                return Lost(lost.total_seconds(), resumed=False)
            case _, Trouble(code=code):
                return Troubled(str(code)[:20])
            case _:
                pass
        return None

    def _say(self, type: str, **parameters: Any) -> None:
        message = {
            "version": "2",
            "id": self.id,
            "type": type,
            "seq": self._said + 1,
            "clientseq": self._heard,
            "parameters": parameters,
        }
        text = json.dumps(message)
        if len(text.encode()) > LONGEST:
            raise ValueError(f"a {type} of more than {LONGEST} bytes")
        self._said += 1
        self.outbox.append(text)


def choose(offers: Sequence[Any]) -> Media | None:
    """Both parties' voices if they are offered, else the first one that can be used."""
    usable = [offer for offer in offers if isinstance(offer, Media) and offer.usable]
    return next((offer for offer in usable if len(offer.channels) == len(SIDES)), usable[0] if usable else None)
