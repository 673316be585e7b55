"""The door for Twilio Media Streams: a phone call's two tracks, forked to us while it goes on.

Twilio connects and sends JSON; nothing is ever sent back. A handshake that is not signed by one of the configured auth
tokens is refused with 403 before the upgrade.
"""

import asyncio
from contextlib import suppress
from typing import Annotated

import numpy as np
import structlog
from fastapi import APIRouter, Depends, WebSocket, WebSocketException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk, new_id
from api.doors.limits import Guard, Refused, Room
from api.doors.line import RESTART, Line, opened, without
from api.doors.mulaw import LEVELS, RATE, SILENCE
from api.doors.settings import Twilio
from api.doors.signature import Unauthorized, check_address
from api.doors.told import metadata
from api.doors.twilio_messages import Started
from api.doors.twilio_stream import TRACKS, Audio, Stream
from api.routes.deps import TheDesk
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput, CalmlineError, Conflict
from pipeline.framing import Sound
from pipeline.placing import Placing
from pipeline.session import CallInfo

router = APIRouter()

START_WITHIN_S = 10.0
"""Seconds a sender may take to say start."""

NAME = "twilio"
_BAD, _OURS = 1008, 1011
_REASON = 120
"""Bytes of a close reason (RFC 6455 allows 123)."""

_log = structlog.get_logger("calmline.doors")


def signed(connection: HTTPConnection) -> None:
    """A dependency: the handshake is signed. 403 before the upgrade otherwise, and a line in the log."""
    settings: Twilio = connection.app.state.doors.twilio
    if settings.unsigned:
        return
    try:
        if not settings.auth_tokens or not settings.public_url:
            raise Unauthorized("set doors.twilio.auth_tokens and doors.twilio.public_url to open this door")
        check_address(connection.headers.get("x-twilio-signature", ""), settings.public_url, settings.auth_tokens)
    except Unauthorized as why:
        _log.warning("door refused", door=NAME, because=str(why))
        raise WebSocketException(_BAD) from None


@router.websocket("/doors/twilio")
async def twilio(socket: WebSocket, desk: TheDesk, who: Annotated[None, Depends(signed)], room: Room) -> None:
    """One connection, one call. A sender that vanishes ends its call; what came is kept."""
    await socket.accept()
    try:
        await _call(socket, desk, socket.app.state.doors.twilio)
    except WebSocketDisconnect:
        return
    except Refused as error:
        await _close(socket, error.code, str(error))
    except BadInput as error:
        await _close(socket, _BAD, str(error))
    except CalmlineError as error:
        await _close(socket, _BAD if isinstance(error, Conflict) else _OURS, str(error))


async def _call(socket: WebSocket, desk: Desk, settings: Twilio) -> None:
    stream, guard = Stream(), desk.guard()
    started = await _start(socket, guard, stream)
    async with opened(desk, call_info(settings, started), again=started.stream[-8:] or "2") as live:
        line = Line(live, desk, NAME, Placing(TWO_CHANNEL, RATE, levels=LEVELS), guard)
        intake = Intake(stream, started, line, settings)
        stopped = await line.run(lambda: intake.listen(socket, guard))
    if stopped:
        await _close(socket, 1000, "")
    elif await line.failed():
        await _close(socket, _OURS, "the call ended with a fault")
    else:
        await _close(socket, RESTART, "the call was ended here")


async def _start(socket: WebSocket, guard: Guard, stream: Stream) -> Started:
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while stream.started is None:
                stream.take(await _text(socket, guard))
    except TimeoutError:
        raise BadInput(f"no start within {START_WITHIN_S:g} s") from None
    return stream.started


class Intake:
    """One stream's audio on its way to its call."""

    def __init__(self, stream: Stream, started: Started, line: Line, settings: Twilio) -> None:
        self._stream = stream
        self._line = line
        self._roles = roles(settings)
        self._alone = alone(started)

    async def listen(self, socket: WebSocket, guard: Guard) -> str:
        """Until ``stop``; why it ended. Raises BadInput, Refused, WebSocketDisconnect, Conflict after the end."""
        try:
            while not self._stream.over:
                await self._feed(self._stream.take(await _text(socket, guard)))
        except WebSocketDisconnect:
            await self._feed(self._stream.rest())
            raise
        return "end of audio"

    async def _feed(self, packets: list[Audio]) -> None:
        for packet in packets:
            self._line.received(len(packet.codes))
            await self._line.feed(self._push(packet))

    def _push(self, packet: Audio) -> Sound:
        channel, door = self._roles[packet.track], self._line.door
        if self._alone is None:
            return door.push_track(channel, packet.codes, position=packet.position)
        both = np.full((len(packet.codes), 2), SILENCE, np.uint8)
        both[:, TWO_CHANNEL.index(channel)] = packet.codes
        return door.push(both, position=packet.position)


def roles(settings: Twilio) -> dict[str, Channel]:
    """Who is on which track."""
    return {track: Channel.CUSTOMER if track == settings.customer else Channel.AGENT for track in TRACKS}


def alone(started: Started) -> str | None:
    """The only track, where the stream has one; then nobody waits for the other."""
    sent = [track for track in TRACKS if any(name.startswith(track) for name in started.start.tracks)]
    return sent[0] if len(sent) == 1 else None


def call_info(settings: Twilio, started: Started) -> CallInfo:
    about, warnings = metadata(settings, started.about)
    info = about.call(started.start.call or new_id(), TWO_CHANNEL, source="door twilio", warnings=warnings)
    only = alone(started)
    return info if only is None else without(info, TWO_CHANNEL[1 - TWO_CHANNEL.index(roles(settings)[only])])


async def _text(socket: WebSocket, guard: Guard) -> str:
    """The next message. Raises BadInput for a binary one, Refused, WebSocketDisconnect."""
    message = await guard.receive(socket)
    if message.get("text") is None:
        raise BadInput("expected text frames with JSON, got a binary one")
    text: str = message["text"]
    return text


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    line = " ".join(reason.split())
    if code not in (1000, RESTART):
        _log.warning("connection refused", door=NAME, because=line)
    with suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
        await socket.close(code, line.encode()[:_REASON].decode(errors="ignore"))
