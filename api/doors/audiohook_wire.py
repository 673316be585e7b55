"""A session's socket: messages in and out, one at a time and in order."""

import asyncio
from contextlib import suppress

import numpy as np
from fastapi import WebSocket
from numpy.typing import NDArray
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from api.doors.audiohook_session import Happening, Session
from api.doors.limits import Guard
from pipeline.errors import BadInput

CLOSE_WITHIN_S = 10.0
"""Seconds that the close handshake may take; then the connection is closed all the same."""

Audio = NDArray[np.int16]


class Wire:
    def __init__(self, socket: WebSocket, guard: Guard, session: Session) -> None:
        self.session = session
        self.guard = guard
        self._socket = socket
        self._sending = asyncio.Lock()

    async def hear(self) -> Happening | Audio:
        """What happened next; what it must be answered is sent. Raises BadInput, Refused, WebSocketDisconnect."""
        return await self._take(await self.guard.receive(self._socket))

    async def hear_calmly(self) -> Happening | Audio:
        """The same, of a client that we leave within seconds: its faults and our limits are of no interest any more.

        One that sent too much is still sending when it is told. Raises WebSocketDisconnect.
        """
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        try:
            return await self._take(message)
        except BadInput:
            return None

    async def _take(self, message: Message) -> Happening | Audio:
        data = message.get("bytes")
        happened = self.session.take(message["text"]) if data is None else self.session.audio(data)
        await self.flush()
        return happened

    async def flush(self) -> None:
        """Send what lies in the outbox: two tasks may, the numbers stay in order."""
        async with self._sending:
            while self.session.outbox:
                await self._socket.send_text(self.session.outbox.pop(0))

    async def drop(self) -> None:
        """Hear nothing more, until cancelled or the client is gone."""
        while True:
            await self.hear_calmly()

    async def gone(self) -> None:
        """After ``closed`` the client closes the connection; one that does not in time is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                while (await self._socket.receive())["type"] != "websocket.disconnect":
                    pass
                raise WebSocketDisconnect(1000)
        await self.close(1000)

    async def close(self, code: int) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
            await self._socket.close(code)
