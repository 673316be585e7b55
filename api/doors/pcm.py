"""The plain door: a WebSocket that takes 16-bit PCM.

    → {"type":"start","rate":16000,"format":"s16le","channels":["agent","customer"],"call_id":"a1"}
    ← {"type":"started","call_id":"a1"}
    → binary frames, interleaved s16le, of any even size
    → {"type":"position","position":48000}     the next sample is source sample 48000: what is missing never comes
    → {"type":"mark","kind":"hold"}
    → {"type":"stop"}
    ← {"type":"ended","call_id":"a1","duration_s":12.5}      then close 1000

What cannot be used is answered with {"type":"error","message":one line} and close 1008 (1011: our fault).
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Literal, Self

import numpy as np
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk, new_id
from api.doors.limits import Guard, Refused, Room
from api.metadata import Metadata
from api.metrics import Metrics
from api.problems import first_problem
from api.routes.deps import Bringer, TheDesk
from api.sockets import until_one_ends
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.door import HIGHEST, LOWEST, Door
from pipeline.errors import BadInput, CalmlineError, Conflict, NotFound
from pipeline.inputs import Frame, Loss, Mark, MarkKind
from pipeline.live import LiveCall
from pipeline.session import CallInfo
from pipeline.timebase import seconds

router = APIRouter()

START_WITHIN_S = 10.0
"""Seconds a sender may take to say start."""

NAME = "pcm"
_BAD, _OURS, _RESTART = 1008, 1011, 1012


ENDED_BY: dict[str, str] = {
    "frame_size": "message too large",
    "message_rate": "too many messages",
    "idle": "connection idle",
    "call_length": "longest call reached",
}
"""Why a call ended that was over a limit."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Start(Metadata):
    """rate: Hz. channels: in the order of the samples. position: of the first sample, in source samples."""

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


class Position(_Said):
    type: Literal["position"]
    position: int = Field(ge=0)


class Marked(_Said):
    type: Literal["mark"]
    kind: MarkKind
    channel: Channel | None = None
    note: str = Field(default="", max_length=500)


class Stop(_Said):
    type: Literal["stop"]


Later = Position | Marked | Stop
_LATER: TypeAdapter[Later] = TypeAdapter(Annotated[Later, Field(discriminator="type")])


class Intake:
    """One connection's audio on its way to its call."""

    def __init__(self, start: Start, live: LiveCall, metrics: Metrics, guard: Guard) -> None:
        self._live = live
        self._metrics = metrics
        self._guard = guard
        self._order = [start.channels.index(channel) for channel in TWO_CHANNEL] if len(start.channels) == 2 else [0]
        self._door = Door(live.info.channels, start.rate)
        self._rest = b""
        self._position = start.position or None

    @property
    def heard_s(self) -> float:
        return round(seconds(self._door.heard), 3)

    async def listen(self, socket: WebSocket) -> None:
        """Until ``stop``.

        Raises BadInput for what cannot be used, Refused over a limit, WebSocketDisconnect, Conflict after the end.
        """
        while True:
            message = await self._guard.receive(socket)
            self._guard.heard(self.heard_s)
            data = message.get("bytes")
            if data is not None:
                await self._audio(data)
            elif not await self._obey(_parse(message.get("text") or "")):
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

    async def _feed(self, items: Sequence[Frame | Loss]) -> None:
        await self._live.feed(items)
        self._metrics.took(sum(isinstance(item, Frame) for item in items))


@router.websocket("/doors/pcm")
async def pcm(socket: WebSocket, desk: TheDesk, who: Bringer, room: Room) -> None:
    """One connection, one call. A sender that vanishes ends its call; what came is kept."""
    await socket.accept()
    try:
        await _call(socket, desk, await _start(socket))
    except WebSocketDisconnect:
        return
    except Refused as error:
        await _refuse(socket, str(error), error.code)
    except (BadInput, Conflict, NotFound) as error:
        await _refuse(socket, str(error), _BAD)
    except CalmlineError as error:
        await _refuse(socket, str(error), _OURS)


async def _start(socket: WebSocket) -> Start:
    try:
        async with asyncio.timeout(START_WITHIN_S):
            message = await socket.receive()
    except TimeoutError:
        raise BadInput(f"no start within {START_WITHIN_S:g} s") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1005)
    if message.get("text") is None:
        raise BadInput('the first frame must be text: {"type":"start",...}')
    try:
        return Start.model_validate_json(message["text"])
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None


async def _call(socket: WebSocket, desk: Desk, start: Start) -> None:
    async with desk.open(start.info) as live:
        await socket.send_json({"type": "started", "call_id": live.call_id})
        intake = Intake(start, live, desk.metrics, desk.guard())
        stopped = await _take_in(socket, live, intake)
    if stopped:
        await socket.send_json({"type": "ended", "call_id": live.call_id, "duration_s": intake.heard_s})
        await socket.close(1000)
    else:
        await _broke_off(socket, desk, live)


async def _take_in(socket: WebSocket, live: LiveCall, intake: Intake) -> bool:
    """Listen until ``stop``; False when the call ended by itself before."""
    reason = "end of audio"
    try:
        return await _unless_over(live, intake, socket)
    except WebSocketDisconnect as gone:
        reason = "server stopped" if gone.code == _RESTART else "connection lost"
        raise
    except BadInput:
        reason = "malformed message"
        raise
    except Refused as refused:
        reason = ENDED_BY[refused.reason]
        raise
    finally:
        await intake.finish(reason)


async def _unless_over(live: LiveCall, intake: Intake, socket: WebSocket) -> bool:
    """Listen until ``stop``; False when the call was over first."""
    stopped = False

    async def listen() -> None:
        nonlocal stopped
        with suppress(Conflict):  # the call ends while it is fed: so it is over first
            await intake.listen(socket)
            stopped = True

    await until_one_ends(listen, live.wait)
    return stopped


async def _broke_off(socket: WebSocket, desk: Desk, live: LiveCall) -> None:
    view = json.loads(await asyncio.to_thread(live.snapshot))
    if any(fault["fatal"] for fault in view["faults"]):
        await _refuse(socket, f"call {live.call_id} ended with a fault: {view['faults'][-1]['message']}", _OURS)
    else:
        await _refuse(socket, f"call {live.call_id} ended: {view['ended_because']}", _RESTART)


async def _refuse(socket: WebSocket, message: str, code: int) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
        await socket.send_json({"type": "error", "message": " ".join(message.split())})
        await socket.close(code)


def _parse(text: str) -> Later:
    try:
        return _LATER.validate_json(text)
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None
