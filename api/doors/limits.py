"""What the doors take: so many calls at once, and of one connection so much, so fast, for so long.

Whatever is over a limit is refused with one line that names the setting, and counted by its reason. A desk has one
``Admission`` for all doors, every connection a ``Guard`` of its own.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import Depends, WebSocket
from starlette.requests import HTTPConnection
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from api.config import Limits
from api.doors.patience import Patience
from pipeline.errors import CalmlineError

Reason = Literal["calls", "frame_size", "message_rate", "idle", "call_length", "upload_size"]

PER_CORE = 10
"""Calls with words that a core carries: 20 are at the edge of two (docs/performance.md)."""
ONE_THREAD = 24
"""Calls that one thread steps with everything on: 0.035 core each (docs/performance.md), and some room."""
BURST_S = 2.0
"""Seconds' worth of messages that may come at once: what a network held back comes in one go."""


class Refused(CalmlineError):
    """Over a limit. reason: what it is counted under. code: what a WebSocket is closed with, once it is open."""

    status = 429

    def __init__(self, reason: Reason, code: int, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code


class Admission:
    """Calls and door connections at once. Both have one bound: a connection is a call, or about to be one.

    A call that waits for its sender to come back has no connection, so that there is room for that one.
    count: told the reason of every refusal.
    """

    def __init__(self, limits: Limits, count: Callable[[Reason], None]) -> None:
        self.most = limits.calls or carried()
        self._count = count
        self._calls = 0
        self._connections = 0

    def connect(self) -> "Seat":
        """Room for a connection, from before its upgrade until it leaves. Raises Refused."""
        self._check(self._connections)
        self._connections += 1
        return Seat(self._disconnected)

    def _disconnected(self) -> None:
        self._connections -= 1

    @contextmanager
    def call(self) -> Iterator[None]:
        """A live call from its beginning to its last words. Raises Refused."""
        self._check(self._calls)
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def _check(self, taken: int) -> None:
        if taken >= self.most:
            self._count("calls")
            raise Refused("calls", 1013, f"{self.most} calls are in progress, no more are taken (limits.calls)")


def carried() -> int:
    """Calls at once that this machine is taken to carry."""
    ours = hasattr(os, "sched_getaffinity")  # not on macOS
    return min(PER_CORE * (len(os.sched_getaffinity(0)) if ours else os.cpu_count() or 1), ONE_THREAD)


class Seat:
    """The room of one connection, given back once."""

    def __init__(self, left: Callable[[], None]) -> None:
        self._left: Callable[[], None] | None = left

    def leave(self) -> None:
        left, self._left = self._left, None
        if left is not None:
            left()


async def room(connection: HTTPConnection) -> AsyncIterator[Seat]:
    """A dependency of a door's route: there is room for the connection, else 429 before the upgrade."""
    admission: Admission = connection.app.state.desk.admission
    seat = admission.connect()
    try:
        yield seat
    finally:
        seat.leave()


Room = Annotated[Seat, Depends(room)]


class Guard:
    """One connection's limits: ``receive`` in place of the socket's own, ``heard`` as its call grows.

    clock: seconds, steady.
    """

    def __init__(self, limits: Limits, count: Callable[[Reason], None], clock: Callable[[], float] = time.monotonic):
        self._limits = limits
        self._count = count
        self._clock = clock
        self._patience = Patience(limits.idle_s)
        self._began = self._refilled = clock()
        self._tokens = BURST_S * limits.messages_per_s

    async def receive(self, socket: WebSocket) -> Message:
        """The next message, which is no disconnect. Raises Refused, WebSocketDisconnect."""
        try:
            message = await self._patience.wait(socket.receive())
        except TimeoutError:
            raise self._over("idle", 1008, f"nothing came for {self._limits.idle_s:g} s (limits.idle_s)") from None
        if message["type"] == "websocket.disconnect":
            raise self._gone(message.get("code") or 1005)
        self._check_size(len(message.get("bytes") or message.get("text") or ""))
        self._check_rate()
        return message

    def heard(self, seconds: float) -> None:
        """So much audio of the call has come, over all its connections. Raises Refused when it goes on for too long."""
        longest = self._limits.longest_s
        if max(seconds, self._clock() - self._began) > longest:
            raise self._over("call_length", 1008, f"the call goes on for more than {longest:g} s (limits.longest_s)")

    def _check_size(self, size: int) -> None:
        most = self._limits.frame_kb
        if size > 1024 * most:
            message = f"a message of {size / 1024:.0f} KB, more than {most} (limits.frame_kb); send smaller ones"
            raise self._over("frame_size", 1009, message)

    def _check_rate(self) -> None:
        """A token bucket (Turner, 1986): it fills at the rate allowed and holds BURST_S of it."""
        rate, now = self._limits.messages_per_s, self._clock()
        self._tokens = min(BURST_S * rate, self._tokens + (now - self._refilled) * rate)
        self._refilled = now
        if self._tokens < 1.0:
            message = f"more than {rate} messages a second (limits.messages_per_s); send larger ones"
            raise self._over("message_rate", 1008, message)
        self._tokens -= 1.0

    def _gone(self, code: int) -> WebSocketDisconnect:
        """The server itself closes with 1009 on what is larger still (see ``api.commands.server``)."""
        if code == 1009:
            self._count("frame_size")
        return WebSocketDisconnect(code)

    def _over(self, reason: Reason, code: int, message: str) -> Refused:
        self._count(reason)
        return Refused(reason, code, message)
