"""A live call at a door: what a door's audio and marks go through, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

import structlog
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk
from api.doors.limits import Guard, Refused
from api.sockets import until_one_ends
from pipeline.channel import Channel
from pipeline.errors import BadInput, Conflict
from pipeline.framing import Sound
from pipeline.inputs import Mark, MarkKind
from pipeline.live import LiveCall
from pipeline.placing import Placing
from pipeline.session import CallInfo
from pipeline.timebase import seconds

RESTART = 1012
"""How a server that goes down closes its sockets."""

ENDED_BY: dict[str, str] = {
    "frame_size": "message too large",
    "message_rate": "too many messages",
    "idle": "connection lost",
    "call_length": "longest call reached",
}
"""Why a call ended that was over a limit."""
GONE_BY = {RESTART: "server stopped", 1009: ENDED_BY["frame_size"]}
"""Why a call ended by the close code of its connection, where that says more than that it is lost."""

_log = structlog.get_logger("calmline.doors")


@asynccontextmanager
async def opened(desk: Desk, info: CallInfo, again: str) -> AsyncIterator[LiveCall]:
    """The call by its phone system's id; with ``again`` behind it where a call of that id is there already.

    A phone system streams one call several times: stopped and begun again, or once for each agent. Raises as
    ``Desk.open`` does.
    """
    async with AsyncExitStack() as stack:
        try:
            live = await stack.enter_async_context(desk.open(info))
        except Conflict:
            other = replace(info, call_id=f"{info.call_id}.{again}")
            live = await stack.enter_async_context(desk.open(other))
        yield live


class Line:
    """name: of the door, for its metric and its marks."""

    def __init__(self, live: LiveCall, desk: Desk, name: str, door: Placing, guard: Guard) -> None:
        self.live = live
        self.door = door
        self._guard = guard
        self._metrics = desk.metrics
        self._name = name

    def received(self, size: int) -> None:
        """Bytes of audio came. Raises Refused when the call goes on for too long."""
        self._guard.heard(seconds(self.door.heard))
        self._metrics.received(self._name, size)

    async def feed(self, sound: Sound) -> None:
        """Hand over what the door gave. Raises Conflict when the call is over."""
        ticks = sound.ticks  # it may be joined to others
        await self.live.feed([sound])
        self._metrics.took(ticks)

    async def mark(self, kind: MarkKind) -> None:
        await self.live.feed([Mark(kind=kind, by=self._name)])

    def trouble(self, code: str) -> None:
        """The phone system says that something went wrong with it. code: of its own, not its text."""
        _log.warning("trouble at the sender", door=self._name, call_id=self.live.call_id, code=code)

    async def run(self, listen: Callable[[], Awaitable[str]]) -> bool:
        """Listen to the end of the audio, then close the call; False when the call was over by itself before.

        listen: until there is no more; returns why.
        """
        return await listened(self.live, listen, self._finish)

    async def failed(self) -> bool:
        """Whether the call ended with a fault."""
        view = json.loads(await asyncio.to_thread(self.live.snapshot))
        return any(fault["fatal"] for fault in view["faults"])

    async def _finish(self, reason: str) -> None:
        with suppress(Conflict):  # the call has ended already
            await self.feed(self.door.finish())
        await self.live.close(reason, self.door.heard)


async def listened(
    live: LiveCall,
    listen: Callable[[], Awaitable[str]],
    finish: Callable[[str], Awaitable[None]],
    leaving: asyncio.Event | None = None,
) -> bool:
    """Listen until there is no more, then finish for that reason; False when the call was over by itself before.

    leaving: set when the server goes down, whatever a connection that breaks then is closed with.
    """
    reason = ""

    async def listening() -> None:
        nonlocal reason
        with suppress(Conflict):  # the call ends while it is fed: so it is over first
            reason = await listen()

    try:
        await until_one_ends(listening, live.wait)
    except WebSocketDisconnect as gone:
        code = RESTART if leaving is not None and leaving.is_set() else gone.code
        reason = GONE_BY.get(code, "connection lost")
        raise
    except BadInput:
        reason = "malformed message"
        raise
    except Refused as refused:
        reason = ENDED_BY[refused.reason]
        raise
    finally:
        await finish(reason or "end of audio")
    return bool(reason)


def without(info: CallInfo, missing: Channel) -> CallInfo:
    """A call of which one party's voice is not sent."""
    because = f"the {missing}'s voice is not sent"
    measures = ("talk_over", "anger" if missing == Channel.CUSTOMER else "tension")
    return replace(info, unavailable=info.unavailable | dict.fromkeys(measures, because))
