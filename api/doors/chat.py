"""The door for written conversations: a WebSocket that takes the lines of a chat as they are written.

    → {"type":"start","call_id":"a1","agent_id":"7"}
    ← {"type":"started","call_id":"a1"}
    → {"type":"line","role":"customer","text":"My parcel has not come.","time":12.5}
    → {"type":"mark","kind":"transfer"}
    → {"type":"stop"}
    ← {"type":"ended","call_id":"a1","duration_s":60.2}      then close 1000

A line that cannot be used is answered with {"type":"error","message":one line}, and the chat goes on without it.
Anything else that cannot be used ends it the same way, with close 1008 (1011: our fault).
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk, new_id
from api.doors.contacts import Visit
from api.doors.limits import Guard, Refused, Room
from api.doors.line import listened
from api.doors.pcm_messages import Ended, Marked, Stop
from api.metadata import Metadata
from api.metrics import Metrics
from api.problems import first_problem
from api.routes.deps import Bringer, TheDesk
from api.sockets import until_one_ends
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput, CalmlineError, Conflict, NotFound
from pipeline.inputs import ChatLine, Frame, Mark
from pipeline.live import LiveCall
from pipeline.session import CallInfo
from pipeline.sources.chat import typed
from pipeline.timebase import TICK, samples, seconds

router = APIRouter()

NAME = "chat"
IDLE_S = 3600.0
"""Seconds without any message after which a chat counts as left: people think, and go for a coffee."""
BEAT_S = 0.25
"""Seconds between two looks at the clock: advice that waits for a while is that exact."""
JUMP_S = 3600.0
"""Seconds that a line's time may lie ahead of the chat; more is another chat, or a broken sender."""
_DONE, _BAD, _OURS, _RESTART = 1000, 1008, 1011, 1012


class Start(Metadata):
    """The first message of a chat."""

    type: Literal["start"]
    call_id: str = ""

    @property
    def info(self) -> CallInfo:
        return replace(self.call(self.call_id or new_id(), TWO_CHANNEL, source="door chat"), attribution="written")


class Line(BaseModel):
    """One line. time: seconds since the chat began at which it was written; None: now."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["line"]
    role: Literal["agent", "customer"]
    text: str
    time: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Started(BaseModel):
    type: Literal["started"] = "started"
    call_id: str


Later = Line | Marked | Stop
_LATER: TypeAdapter[Later] = TypeAdapter(Annotated[Later, Field(discriminator="type")])


class Chat:
    """One conversation on its way in. Its clock is ours, in silent frames; a line's time may push it on.

    clock: seconds, steady.
    """

    def __init__(self, live: LiveCall, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._live = live
        self._metrics = metrics
        self._clock = clock
        self._began = clock()
        self._heard = 0
        self._last = 0.0
        self._turn = asyncio.Lock()  # the clock and the sender feed the same call
        self._silence = np.zeros((len(TWO_CHANNEL), TICK), np.int16)

    @property
    def heard_s(self) -> float:
        return round(seconds(self._heard), 3)

    async def keep_time(self) -> None:
        """While nobody writes, time goes on: somebody may be waiting. Raises Conflict after the end."""
        while True:
            await asyncio.sleep(BEAT_S)
            async with self._turn:
                await self._go_on(self._clock() - self._began)

    async def listen(self, visit: Visit, guard: Guard) -> str:
        """Until ``stop``; returns why it ended.

        Raises BadInput for what is no text, Refused over a limit, WebSocketDisconnect, Conflict after the end.
        """
        while True:
            message = await guard.receive(visit.socket)
            if message.get("text") is None:
                raise BadInput("expected text frames with JSON, got a binary one")
            guard.heard(self.heard_s)
            try:
                said = _later(message["text"])
                if isinstance(said, Stop):
                    return "end of chat"
                async with self._turn:
                    await self._obey(said)
            except BadInput as error:
                await visit.socket.send_json({"type": "error", "message": " ".join(str(error).split())})

    async def finish(self, reason: str) -> None:
        await self._live.close(reason, self._heard)

    async def _obey(self, said: Line | Marked) -> None:
        """One tick follows each, in which it takes effect."""
        if isinstance(said, Marked):
            await self._live.feed([Mark(kind=said.kind, channel=said.channel, by=NAME, note=said.note)])
        else:
            line = ChatLine(channel=Channel(said.role), text=typed(said.text))
            await self._place(said.time)
            await self._live.feed([line])
            self._metrics.received(NAME, len(said.text.encode()))
        await self._go_on(self.heard_s + seconds(TICK))

    async def _place(self, time: float | None) -> None:
        """Go on to where the line was written. Raises BadInput for a time that cannot be."""
        time = self._clock() - self._began if time is None else time
        if time < self._last:
            late = self._last - time
            raise BadInput(
                f"time: {late:g} s before that of the line above; send lines in their order, or leave it out"
            )
        if time > self.heard_s + JUMP_S:
            raise BadInput(f"time: more than {JUMP_S:g} s ahead of the chat; give seconds since it began")
        self._last = time
        await self._go_on(time)

    async def _go_on(self, second: float) -> None:
        while self._heard < samples(second):
            frame = Frame(self._heard, self._silence)
            self._heard = frame.end
            await self._live.feed([frame])
            self._metrics.took(1)


@router.websocket("/doors/chat")
async def chat(socket: WebSocket, desk: TheDesk, who: Bringer, seat: Room) -> None:
    """One connection, one chat. A sender that vanishes ends it; what came is kept."""
    await socket.accept()
    limits = desk.limits.model_copy(update={"idle_s": IDLE_S})
    guard = Guard(limits, desk.metrics.refused)
    visit = Visit(socket, guard, seat)
    try:
        await _chat(visit, guard, desk)
    except WebSocketDisconnect:
        return
    except Refused as error:
        await visit.refuse(str(error), error.code)
    except (BadInput, Conflict, NotFound) as error:
        await visit.refuse(str(error), _BAD)
    except CalmlineError as error:
        await visit.refuse(str(error), _OURS)
    finally:
        visit.leave()


async def _chat(visit: Visit, guard: Guard, desk: Desk) -> None:
    async with desk.open((await _start(visit, guard)).info) as live:
        talk = Chat(live, desk.metrics, asyncio.get_running_loop().time)
        await visit.say(Started(call_id=live.call_id))
        stopped = await listened(live, lambda: _listen(talk, visit, guard), talk.finish)
    if stopped:
        await visit.say(Ended(call_id=live.call_id, duration_s=talk.heard_s))
        await visit.socket.close(_DONE)
    else:
        view = json.loads(await asyncio.to_thread(live.snapshot))
        faults = [fault["message"] for fault in view["faults"] if fault["fatal"]]
        await visit.refuse(f"chat {live.call_id} ended: {(faults or [view['ended_because']])[-1]}", _RESTART)


async def _start(visit: Visit, guard: Guard) -> Start:
    message = await guard.receive(visit.socket)
    try:
        return Start.model_validate_json(message.get("text") or "")
    except ValidationError as error:
        raise BadInput(f'the first message must be {{"type":"start",…}}: {first_problem(error)}') from None


async def _listen(talk: Chat, visit: Visit, guard: Guard) -> str:
    """Lines and the clock, side by side, until ``stop``."""
    reason = ""

    async def lines() -> None:
        nonlocal reason
        reason = await talk.listen(visit, guard)

    await until_one_ends(lines, talk.keep_time)
    return reason


def _later(text: str) -> Later:
    try:
        return _LATER.validate_json(text)
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None
