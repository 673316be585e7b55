"""The door for Genesys AudioHook v2: a conversation's two voices, forked to us while it goes on.

Genesys connects, opens and closes. A request whose signature does not fit gets ``disconnect`` after a constant delay,
whatever is wrong with it; a server without keys refuses before the upgrade.
"""

import asyncio
import json
import time
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Depends, WebSocket, WebSocketException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk
from api.doors.audiohook_intake import Intake, call_info
from api.doors.audiohook_session import Ending, Opening, Reason, Session, choose
from api.doors.audiohook_wire import CLOSE_WITHIN_S, Wire
from api.doors.limits import Refused
from api.doors.line import RESTART, Line, opened
from api.doors.mulaw import RATE
from api.doors.settings import AudioHook
from api.doors.signature import Requests, Unauthorized
from api.doors.transcripts import Offsets, entity, without_tokens
from api.hub import TooSlow
from api.routes.deps import TheDesk
from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput, CalmlineError, EngineFault
from pipeline.live import LiveCall
from pipeline.placing import Placing

router = APIRouter()

NAME = "audiohook"
OPEN_WITHIN_S = 10.0
"""Seconds a client may take to say open."""
REFUSE_AFTER_S = 2.0
"""Seconds until a client that is not believed is told so, whatever is wrong: it learns nothing from the time."""
LAST_WORDS_S = 4.0
"""Seconds that ``closed`` waits for the last words, where they are sent back; the client waits 10 s."""

_log = structlog.get_logger("calmline.doors")


def configured(connection: HTTPConnection) -> None:
    """A dependency: the door has keys. 403 before the upgrade otherwise, and a line in the log."""
    settings: AudioHook = connection.app.state.doors.audiohook
    if not settings.keys and not settings.unsigned:
        _log.warning("door refused", door=NAME, because="set doors.audiohook.keys to open this door")
        raise WebSocketException(1008)


@router.websocket("/doors/audiohook")
async def audiohook(socket: WebSocket, desk: TheDesk, keys: Annotated[None, Depends(configured)]) -> None:
    """One connection, one session, one call. A client that vanishes ends its call; what came is kept.

    Whoever is not believed takes no room from calls: strangers have a bound of their own.
    """
    await socket.accept()
    wire = Wire(socket, desk.guard(), Session(socket.headers.get("audiohook-session-id", "")))
    with desk.leaving.guest(), suppress(WebSocketDisconnect):
        try:
            await _session(socket, desk, wire)
        except CalmlineError as error:
            await _part(wire, error)


async def _session(socket: WebSocket, desk: Desk, wire: Wire) -> None:
    settings: AudioHook = socket.app.state.doors.audiohook
    begun = asyncio.get_running_loop().time()
    try:
        _check_signature(socket, settings)
        await _believed(socket, desk, wire, settings)
    except Unauthorized as why:
        _log.warning("door refused", door=NAME, because=str(why))
        requests: Requests = socket.app.state.audiohook_requests
        with requests.stranger() as few:
            if few:
                await _turn_away(wire, begun)
        await wire.close(1008)


async def _believed(socket: WebSocket, desk: Desk, wire: Wire, settings: AudioHook) -> None:
    """Raises Refused when there is no room, Unauthorized when ``open`` is another organization's."""
    seat = desk.admission.connect()
    try:
        await _serve(socket, desk, wire, settings)
    finally:
        seat.leave()


async def _serve(socket: WebSocket, desk: Desk, wire: Wire, settings: AudioHook) -> None:
    opening = await _opening(wire)
    _check_organization(socket, settings, opening)
    media = choose(opening.open.media)
    if media is None and not opening.open.probe:
        raise BadInput(f"open: expected PCMU at {RATE} Hz among the media offered")
    wire.session.opened(media)
    await wire.flush()
    if opening.open.probe:
        _log.info("probe", door=NAME)
        await _until_closed(wire)
    else:
        await _call(desk, wire, settings, opening)


async def _opening(wire: Wire) -> Opening:
    """Raises BadInput when there is none in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(OPEN_WITHIN_S):
            while not isinstance(happened := await wire.hear(), Opening):
                if isinstance(happened, Ending):
                    raise BadInput("closed before it was opened")
            return happened
    raise BadInput(f"no open within {OPEN_WITHIN_S:g} s")


async def _call(desk: Desk, wire: Wire, settings: AudioHook, opening: Opening) -> None:
    async with opened(desk, call_info(settings, opening), again=wire.session.id[:8]) as live:
        line = Line(live, desk, NAME, Placing(TWO_CHANNEL, RATE), wire.guard)
        offsets = Offsets()
        intake = Intake(wire, line, settings, offsets)
        telling = asyncio.create_task(_tell(desk, wire, settings, live, offsets))
        try:
            stopped = await line.run(lambda: intake.listen(desk.leaving))
            await asyncio.wait([telling], timeout=LAST_WORDS_S)
        except CalmlineError as error:
            await _part(wire, error)
            return
        finally:
            telling.cancel()
        if stopped:
            await _say_closed(wire)
        elif await line.failed():
            await _part(wire, EngineFault("the call ended with a fault"))
        else:
            await _leave(wire, "completed", "the call was ended here")
            await wire.close(RESTART)


async def _tell(desk: Desk, wire: Wire, settings: AudioHook, live: LiveCall, offsets: Offsets) -> None:
    """What was said goes back to the agent's desktop, where that is wanted, to the last word."""
    if not settings.transcripts:
        return
    sides = wire.session.channels
    customer = sides.index(settings.customer) if settings.customer in sides else -1
    channels = {"customer": customer, "agent": len(sides) - 1 - customer if len(sides) == 2 else 0}
    with suppress(WebSocketDisconnect, RuntimeError, TooSlow):  # gone, or slower than the talk: its call goes on
        async for text in desk.hub.follow(desk.archive.folder(live.call_id), 0):
            event = json.loads(desk.mask.message(text))["event"]
            if event["type"] == "words":
                found = entity(event, live.call_id, channels, offsets)
                try:
                    wire.session.event(found)
                except ValueError:
                    wire.session.event(without_tokens(found))
                await wire.flush()


def _check_signature(socket: WebSocket, settings: AudioHook) -> None:
    """Raises Unauthorized."""
    if settings.unsigned:
        return
    requests: Requests = socket.app.state.audiohook_requests
    if settings.public_url:
        url = urlsplit(settings.public_url)
        target, authority = url.path or "/", url.netloc
        query = url.query
    else:
        target, authority = socket.scope.get("raw_path", b"").decode("latin1"), socket.headers.get("host", "")
        query = socket.scope["query_string"].decode("latin1")
    headers = {name: ", ".join(socket.headers.getlist(name)) for name in socket.headers}
    requests.check(f"{target}?{query}" if query else target, authority, headers, time.time())


def _check_organization(socket: WebSocket, settings: AudioHook, opening: Opening) -> None:
    said = socket.headers.get("audiohook-organization-id", "")
    if not settings.unsigned and said != opening.open.organization:
        raise Unauthorized("open names another organization than the request")


async def _turn_away(wire: Wire, begun: float) -> None:
    """Disconnect at the same moment whatever was wrong."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(begun + REFUSE_AFTER_S):
            await wire.drop()
    await _leave(wire, "unauthorized", "unauthorized")


async def _part(wire: Wire, error: CalmlineError) -> None:
    """Disconnect for what cannot go on, and say why."""
    await _leave(wire, "error", str(error))
    await wire.close(error.code if isinstance(error, Refused) else 1008)


async def _leave(wire: Wire, reason: Reason, info: str) -> None:
    """Disconnect, and what the client answers: close."""
    line = " ".join(info.split())
    if reason == "error":
        _log.warning("connection refused", door=NAME, because=line)
    wire.session.disconnect(reason, line)
    await wire.flush()
    await _until_closed(wire)


async def _until_closed(wire: Wire) -> None:
    """The close handshake; a client that does not close in time is closed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN_S):
            while not isinstance(await wire.hear_calmly(), Ending):
                pass
            await _say_closed(wire)


async def _say_closed(wire: Wire) -> None:
    wire.session.closed()
    await wire.flush()
    await wire.gone()
