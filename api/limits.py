"""How large a request may be, counted as it arrives: a stated length can lie."""

from collections.abc import Callable

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI: 413 for a body beyond ``limit(scope)`` bytes. refused: told of each."""

    def __init__(self, app: ASGIApp, limit: Callable[[Scope], int], refused: Callable[[], None]) -> None:
        self._app = app
        self._limit = limit
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, read = self._limit(scope), 0
        stated = Headers(scope=scope).get("content-length", "0")
        if not stated.isdecimal() or int(stated) > limit:
            self._refused()
            await JSONResponse({"detail": _too_large(limit)}, 413)(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                self._refused()
                raise HTTPException(413, _too_large(limit))
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int) -> str:
    return f"the request is larger than {limit / 1e6:g} MB; for recordings see server.upload_mb"
