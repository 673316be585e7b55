"""The plain door: a WebSocket that takes 16-bit PCM.

    → {"type":"start","rate":16000,"format":"s16le","channels":["agent","customer"],"call_id":"a1"}
    ← {"type":"started","call_id":"a1","token":"…","resume_within_s":30}
    → binary frames, interleaved s16le, of any even size
    → {"type":"position","position":48000}     the next sample is source sample 48000: what is missing never comes
    → {"type":"mark","kind":"hold"}
    → {"type":"stop"}
    ← {"type":"ended","call_id":"a1","duration_s":12.5}      then close 1000

When the connection breaks, the call waits. On another one:

    → {"type":"resume","call_id":"a1","token":"…"}
    ← {"type":"resumed","call_id":"a1","position":32000}     so much has come; go on from there, or say from where

What cannot be used is answered with {"type":"error","message":one line} and close 1008 (1011: our fault).
"""

import asyncio
import json
from contextlib import suppress

import numpy as np
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk
from api.doors.contacts import Contact, Visit
from api.doors.limits import Refused, Room
from api.doors.line import RESTART, listened
from api.doors.pcm_messages import Ended, Later, Marked, Position, Resume, Resumed, Start, Started, Stop, first, later
from api.metrics import Metrics
from api.policy import Role, Who
from api.routes.deps import OwnBringer, TheDesk
from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput, CalmlineError, Conflict, NotFound
from pipeline.framing import Sound
from pipeline.inputs import Mark
from pipeline.live import LiveCall
from pipeline.placing import Placing
from pipeline.timebase import seconds

router = APIRouter()

START_WITHIN_S = 10.0
"""Seconds a sender may take to say start."""

NAME = "pcm"
_DONE, _BAD, _OURS = 1000, 1008, 1011

FINAL = frozenset({_DONE, 1002, 1003, 1007, 1009, RESTART})
"""Close codes after which no sender comes back: it hung up, what it sent was no WebSocket, or the server goes down."""


class Intake:
    """The audio of one call on its way in, whatever connection it comes by."""

    def __init__(self, start: Start, live: LiveCall, metrics: Metrics) -> None:
        self._live = live
        self._metrics = metrics
        self._order = [start.channels.index(channel) for channel in TWO_CHANNEL] if len(start.channels) == 2 else [0]
        self._door = Placing(live.info.channels, start.rate, slack_s=0.0)
        self._rest = b""
        self._position = start.position or None

    @property
    def heard_s(self) -> float:
        return round(seconds(self._door.heard), 3)

    @property
    def head(self) -> int:
        """The source sample that comes next."""
        return self._door.head if self._position is None else self._position

    def go_on(self, position: int | None) -> None:
        """After a connection broke: where its sender goes on, None where it was. Half a sample is no sample."""
        self._rest = b""
        self._position = self._position if position is None else position

    async def listen(self, visit: Visit) -> None:
        """Until ``stop``.

        Raises BadInput for what cannot be used, Refused over a limit, WebSocketDisconnect, Conflict after the end.
        """
        while True:
            message = await visit.guard.receive(visit.socket)
            visit.guard.heard(self.heard_s)
            data = message.get("bytes")
            if data is not None:
                await self._audio(data)
            elif not await self._obey(later(message.get("text") or "")):
                return

    async def finish(self, reason: str) -> None:
        """What the door still holds, then the end."""
        with suppress(Conflict):  # the call has ended already
            await self._feed(self._door.finish())
        await self._live.close(reason, self._door.heard)

    async def _audio(self, data: bytes) -> None:
        if len(data) % 2:
            raise BadInput(f"a binary frame of {len(data)} bytes: s16le samples have two bytes each")
        self._metrics.received(NAME, len(data))
        data = self._rest + data
        width = 2 * len(self._order)
        whole = len(data) // width * width
        self._rest = data[whole:]
        if whole:
            pcm = np.frombuffer(data[:whole], "<i2").astype(np.int16).reshape(-1, len(self._order))
            position, self._position = self._position, None
            await self._feed(self._door.push(pcm[:, self._order], position=position))

    async def _obey(self, said: Later) -> bool:
        """False at the end."""
        match said:
            case Position():
                self._rest, self._position = b"", said.position
            case Marked():
                await self._live.feed([Mark(kind=said.kind, channel=said.channel, by=NAME, note=said.note)])
            case Stop():
                return False
        return True

    async def _feed(self, sound: Sound) -> None:
        ticks = sound.ticks  # it may be joined to others
        await self._live.feed([sound])
        self._metrics.took(ticks)


@router.websocket("/doors/pcm")
async def pcm(socket: WebSocket, desk: TheDesk, who: OwnBringer, seat: Room) -> None:
    """A call, or a further connection of one. A sender that does not come back ends its call; what came is kept."""
    await socket.accept()
    contact = Contact(Visit(socket, desk.guard(), seat), who)
    try:
        said = await _first(socket)
        if isinstance(said, Resume):
            contact.visit.position = said.position
            await desk.contacts.find(said.call_id, who, said.token).lend(contact.visit)
        else:
            await _call(contact, desk, _own(said, who))
    except WebSocketDisconnect:
        return
    except Refused as error:
        await contact.visit.refuse(str(error), error.code)
    except (BadInput, Conflict, NotFound) as error:
        await contact.visit.refuse(str(error), _BAD)
    except CalmlineError as error:
        await contact.visit.refuse(str(error), _OURS)
    finally:
        contact.visit.leave()


async def _first(socket: WebSocket) -> Start | Resume:
    try:
        async with asyncio.timeout(START_WITHIN_S):
            message = await socket.receive()
    except TimeoutError:
        raise BadInput(f"no start within {START_WITHIN_S:g} s") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1005)
    if message.get("text") is None:
        raise BadInput('the first frame must be text: {"type":"start",...}')
    return first(message["text"])


def _own(start: Start, who: Who) -> Start:
    """An agent brings own calls, need not say whose they are, and names none: ids tell of others' calls.

    Raises BadInput.
    """
    if who.role is Role.AGENT:
        start = start.model_copy(update={"agent_id": start.agent_id or who.name})
        if start.call_id:
            raise BadInput("an agent's call is given its id; leave call_id out")
    if not who.brings(start.agent_id):
        raise BadInput(f"agent {who.name!r} brings own calls only; leave agent_id out")
    return start


async def _call(contact: Contact, desk: Desk, start: Start) -> None:
    async with desk.open(start.info) as live:
        intake = Intake(start, live, desk.metrics)
        with desk.contacts.keep(live.call_id, contact):
            leaving = desk.contacts.closing
            stopped = await listened(live, lambda: _listen(contact, desk, live, intake), intake.finish, leaving)
    if stopped:
        await contact.visit.say(Ended(call_id=live.call_id, duration_s=intake.heard_s))
        await contact.visit.socket.close(_DONE)
    else:
        await _broke_off(contact.visit, live)


async def _listen(contact: Contact, desk: Desk, live: LiveCall, intake: Intake) -> str:
    """Until ``stop``, over as many connections as it takes; why it ended. Raises what the last one broke by."""
    greeting: Started | Resumed = Started(
        call_id=live.call_id, token=contact.token, resume_within_s=desk.limits.resume_s
    )
    while True:
        try:
            await contact.visit.say(greeting)
            await intake.listen(contact.visit)
            return "end of audio"
        except (WebSocketDisconnect, Refused) as broken:
            if not await _taken_up(contact, desk, live, broken):
                raise
        intake.go_on(contact.visit.position)
        greeting = Resumed(call_id=live.call_id, position=intake.head)


async def _taken_up(contact: Contact, desk: Desk, live: LiveCall, broken: WebSocketDisconnect | Refused) -> bool:
    """Whether the sender came back in time. One that hung up, or did what it may not, is not waited for."""
    if isinstance(broken, Refused):
        if broken.reason != "idle":
            return False
        await contact.visit.refuse(str(broken), broken.code)
    elif broken.code in FINAL:
        return False
    desk.hub.line(live, lost=True)
    try:
        return await contact.taken_up(desk.limits.resume_s, desk.contacts.closing)
    finally:
        desk.hub.line(live, lost=False)


async def _broke_off(visit: Visit, live: LiveCall) -> None:
    view = json.loads(await asyncio.to_thread(live.snapshot))
    if any(fault["fatal"] for fault in view["faults"]):
        await visit.refuse(f"call {live.call_id} ended with a fault: {view['faults'][-1]['message']}", _OURS)
    else:
        await visit.refuse(f"call {live.call_id} ended: {view['ended_because']}", RESTART)
