import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import structlog
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray
from starlette.testclient import TestClient, WebSocketTestSession
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from api.app import create_app
from api.calls import Desk
from api.config import Config, Limits, Server
from api.doors.settings import Doors
from pipeline.graph import Engines
from pipeline.settings import Storage, Words
from tests.fakes import fake_engines

HOME = "http://127.0.0.1"


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command sets the logs up for its own process; here that would be the next tests', on a closed stderr."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class LocalClient(TestClient):
    """Calls the app 127.0.0.1 on sockets too."""

    def __init__(self, app: FastAPI, base_url: str = HOME, *, raises: bool = True) -> None:
        super().__init__(app, base_url=base_url, raise_server_exceptions=raises)

    def websocket_connect(self, url: str, *args: Any, **options: Any) -> WebSocketTestSession:
        return super().websocket_connect(f"ws://127.0.0.1{url}", *args, **options)


@pytest.fixture
def calls_folder(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def configured(calls_folder: Path) -> Callable[..., Config]:
    """A config of this test's folder; keyword arguments go to [server] unless they name a section."""

    def make(
        policy: Any = "standard",
        storage: dict[str, Any] | None = None,
        words: Words | None = None,
        limits: Limits | None = None,
        doors: Doors | None = None,
        **server: Any,
    ) -> Config:
        return Config(
            storage=Storage(folder=str(calls_folder), **(storage or {})),
            words=words or Words(),
            limits=limits or Limits(),
            policy=policy,
            doors=doors or Doors(),
            server=Server(**server),
        )

    return make


@pytest.fixture
def config(configured: Callable[..., Config]) -> Config:
    return configured()


@pytest.fixture
def engines() -> Engines:
    return fake_engines()


@pytest.fixture
def client(config: Config, engines: Engines) -> Iterator[LocalClient]:
    """The app in process, started."""
    with LocalClient(create_app(config, engines)) as client:
        yield client


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@dataclass
class Served:
    """A server on a free port. ``http``: a client of it."""

    app: FastAPI
    port: int
    http: httpx.Client
    stop: Callable[[], None]

    @property
    def desk(self) -> Desk:
        desk: Desk = self.app.state.desk
        return desk

    def ws(self, path: str, **options: Any) -> ClientConnection:
        """max_queue: None reads whatever comes, so that closing never waits for what was not taken."""
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **{"max_queue": None} | options)


@contextmanager
def serving(app: FastAPI, **options: Any) -> Iterator[Served]:
    """Real sockets: uvicorn in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, **{"log_level": "warning", "timeout_graceful_shutdown": 20} | options))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})

    def stop() -> None:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()

    thread.start()
    try:
        assert server.up.wait(20)
        port = listener.getsockname()[1]
        with httpx.Client(base_url=f"{HOME}:{port}", timeout=30, trust_env=False) as http:
            yield Served(app, port, http, stop)
    finally:
        stop()
        listener.close()


@pytest.fixture
def serve(config: Config, engines: Engines) -> Callable[..., AbstractContextManager[Served]]:
    def start(config: Config = config, engines: Engines = engines, **options: Any) -> AbstractContextManager[Served]:
        return serving(create_app(config, engines), **options)

    return start


@pytest.fixture
def server(serve: Callable[..., AbstractContextManager[Served]]) -> Iterator[Served]:
    with serve() as served:
        yield served


START = {"type": "start", "rate": 16000, "format": "s16le", "channels": ["agent", "customer"]}


def said(socket: ClientConnection) -> Any:
    """The next text frame."""
    return json.loads(socket.recv(timeout=30))


def say(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


@contextmanager
def calling(served: Served, call_id: str = "c1", **start: Any) -> Iterator[ClientConnection]:
    """A call through the door, started."""
    with served.ws("/doors/pcm") as socket:
        say(socket, **START | {"call_id": call_id} | start)
        started = said(socket)
        assert (started["type"], started["call_id"]) == ("started", call_id)
        yield socket


def stop(socket: ClientConnection) -> dict[str, Any]:
    """Hang up; returns the door's last word once the connection is closed."""
    say(socket, type="stop")
    ended: dict[str, Any] = said(socket)
    assert closed(socket).code == 1000
    return ended


def rest(socket: ClientConnection) -> tuple[list[Any], Close]:
    """Every text frame until the other side closes, and how it did."""
    messages, end = [], None
    try:
        while True:
            messages.append(said(socket))
    except ConnectionClosed as error:
        end = error.rcvd
    assert end is not None
    return messages, end


def closed(socket: ClientConnection) -> Close:
    """How the other side closed."""
    return rest(socket)[1]


def wav(pcm: NDArray[np.int16], rate: int = 16000) -> bytes:
    """A file of int16 (n,) or (n, channels)."""
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def upload(http: Any, *files: bytes, **fields: str) -> Any:
    return http.post("/calls", files=[("file", (f"{n}.wav", data)) for n, data in enumerate(files)], data=fields)


def follow(served: Served, call_id: str, after: int = 0) -> list[Any]:
    """Every message until the call has ended."""
    with served.ws(f"/live/{call_id}?after={after}") as socket:
        messages, end = rest(socket)
    assert end.code == 1000
    return messages
