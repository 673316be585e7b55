"""A server that plays what a test tells it to: the built pages, and one scripted ``/live/agent/{id}``."""

import asyncio
import json
import queue
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.hub import draft_message
from api.routes.pages import PAGES
from pipeline.channel import Channel
from pipeline.drafts import Draft
from pipeline.timebase import samples
from pipeline.view import VIEW, View

STATIC = Path(__file__).parents[2] / "api" / "static"
CSP = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
"""As strict as a server could be: the pages must live with it."""
WAIT_S = 5.0
ME = {"role": "supervisor", "name": "local", "policy": "standard"}


class Stage:
    """Sends frames to the newest page, and to each page that connects the latest of them."""

    def __init__(self) -> None:
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        """What pages sent."""
        self.agents: queue.Queue[str] = queue.Queue()
        """Whose call each connection asked for."""
        self.answers: dict[str, Any] = {}
        """What it answers to GET, by path."""
        self._frame: str | None = None
        self._close_with: int | None = None
        self._refuse = False
        self._socket: WebSocket | None = None
        self.reset()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(self._app(), ws="websockets-sansio", log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="stage", daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Back to a server that accepts and has nothing to say."""
        self._frame, self._close_with, self._refuse = None, None, False
        self.received, self.agents = queue.Queue(), queue.Queue()
        self.answers = {"calls": {"calls": [], "total": 0}, "me": ME}

    def idle(self) -> None:
        self.send({"type": "idle"})

    def show(self, view: View) -> None:
        self.send({"type": "view", "view": VIEW.dump_python(view, mode="json")})

    def send(self, frame: dict[str, Any]) -> None:
        self._frame = json.dumps(frame)
        self._do(self._push())

    def say(self, frame: dict[str, Any]) -> None:
        """What no later page gets."""
        assert self._socket is not None
        self._do(self._socket.send_text(json.dumps(frame)))

    def draft(self, channel: Channel, start_s: float, at_s: float, stable: str, rest: str = "") -> None:
        draft = Draft(channel=channel, start=samples(start_s), at=samples(at_s), stable=stable, rest=rest)
        self.say(json.loads(draft_message(draft)))

    def behind(self, seconds: float, *, drafts: bool = False) -> None:
        self.say({"type": "words_behind", "seconds": seconds, "drafts": drafts})

    def drop(self, code: int = 1012) -> None:
        """Close the newest connection."""
        self._do(self._drop(code))

    def forbid(self, code: int) -> None:
        """Close each new connection with this code."""
        self._close_with = code

    def refuse(self) -> None:
        """Refuse each new connection before it is one."""
        self._refuse = True

    def allow(self) -> None:
        self._close_with, self._refuse = None, False

    def answer(self) -> dict[str, Any]:
        """The next thing a page said."""
        return self.received.get(timeout=WAIT_S)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(WAIT_S)
        self._listener.close()

    def _app(self) -> Starlette:
        routes = [
            Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
            WebSocketRoute("/live/agent/{agent}", self._live),
            WebSocketRoute("/live/wall", self._live),
            Route("/{path:path}", self._answer),
        ]
        return Starlette(routes=routes)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve(sockets=[self._listener]))
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _push(self) -> None:
        if self._socket is not None and self._frame is not None:
            await self._socket.send_text(self._frame)

    async def _drop(self, code: int) -> None:
        if self._socket is not None:
            page, self._socket = self._socket, None
            await page.close(code)

    async def _live(self, page: WebSocket) -> None:
        self.agents.put(page.path_params.get("agent", ""))
        if self._refuse:
            await page.close()
            return
        await page.accept()
        if self._close_with is not None:
            await page.close(self._close_with)
            return
        self._socket = page
        try:
            await self._push()
            while True:
                self.received.put(await page.receive_json())
        except WebSocketDisconnect:
            pass
        finally:
            if self._socket is page:
                self._socket = None

    async def _answer(self, request: Request) -> Response:
        """A page, or what ``answers`` has for this path."""
        path = request.path_params["path"]
        if path in PAGES:
            return FileResponse(STATIC / f"{path}.html", headers={"Content-Security-Policy": CSP})
        known = self.answers.get(path)
        return JSONResponse(known) if known is not None else JSONResponse({"detail": f"no {path} here"}, 404)
