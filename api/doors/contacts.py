"""Connections that break and are taken up again.

The endpoint in which a call began keeps it to its end. A sender that comes back has a new connection, and its endpoint
lends that to the keeper until it is done with. Who has not the call's secret token gets nothing of it.
"""

import asyncio
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fastapi import WebSocket
from pydantic import BaseModel
from starlette.websockets import WebSocketDisconnect

from api.doors.limits import Guard, Seat
from api.policy import Who
from api.sockets import until_one_ends
from pipeline.errors import Conflict, NotFound

TAKEN_OVER = 1008
"""What a connection is closed with when another one of the same sender has its call."""


class Visit:
    """One connection. position: where it says that its audio goes on, in source samples."""

    def __init__(self, socket: WebSocket, guard: Guard, seat: Seat) -> None:
        self.socket = socket
        self.guard = guard
        self.position: int | None = None
        self._seat = seat
        self._over = asyncio.Event()

    def leave(self) -> None:
        """Done with; there is room for another one."""
        self._seat.leave()
        self._over.set()

    async def left(self) -> None:
        await self._over.wait()

    async def say(self, message: BaseModel) -> None:
        """Raises WebSocketDisconnect."""
        await self.socket.send_text(message.model_dump_json())

    async def refuse(self, message: str, code: int) -> None:
        """Say what was wrong, and close. It may be gone already."""
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_json({"type": "error", "message": " ".join(message.split())})
            await self.socket.close(code)


class Contact:
    """A sender's connections in one call, one by one. visit: the present one, or the last while there is none."""

    def __init__(self, visit: Visit, who: Who) -> None:
        self.visit = visit
        self.token = secrets.token_urlsafe(16)
        self._who = who
        self._coming: asyncio.Queue[Visit] = asyncio.Queue(1)

    def belongs(self, who: Who, token: str) -> bool:
        return who == self._who and hmac.compare_digest(self.token.encode(), token.encode())

    async def lend(self, visit: Visit) -> None:
        """Take the call up on another connection; returns when that is done with. The present one is closed.

        Raises Conflict when somebody else does so at this moment, or the call has ended meanwhile.
        """
        try:
            self._coming.put_nowait(visit)
        except asyncio.QueueFull:
            raise Conflict("the call is being taken up by another connection") from None
        await self.visit.refuse("the call is taken up by another connection", TAKEN_OVER)
        await visit.left()
        if visit is not self.visit:
            raise Conflict("the call has ended")

    async def taken_up(self, within_s: float, leaving: asyncio.Event) -> bool:
        """Wait for another connection. leaving: set when waiting has no sense any more."""
        self.visit.leave()
        found: list[Visit] = []

        async def coming() -> None:
            found.append(await self._coming.get())

        async def gone() -> None:
            await leaving.wait()

        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await until_one_ends(coming, gone)
        self.visit = found[0] if found else self.visit
        return bool(found)

    def close(self) -> None:
        """The call is over: nobody can take it up any more."""
        while not self._coming.empty():
            self._coming.get_nowait().leave()


class Contacts:
    """The calls that can be taken up again, by id. closing: set when the server goes down."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self._open: dict[str, Contact] = {}

    def close(self) -> None:
        """The server goes down: no call waits for its sender any more."""
        self.closing.set()

    @contextmanager
    def keep(self, call_id: str, contact: Contact) -> Iterator[None]:
        """While the block runs, the call can be taken up."""
        self._open[call_id] = contact
        try:
            yield
        finally:
            del self._open[call_id]
            contact.close()

    def find(self, call_id: str, who: Who, token: str) -> Contact:
        """Raises NotFound, whatever of the three is wrong."""
        contact = self._open.get(call_id)
        if contact is None or not contact.belongs(who, token):
            raise NotFound("no such call can be taken up: it has ended, or the token is not its own; start another one")
        return contact
