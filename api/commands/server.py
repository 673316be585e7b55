"""The server inside a command: a port held before the models load, opened after, and left without losing a word."""

import asyncio
import gc
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.calls import DRAIN_S
from api.config import Limits, Server
from pipeline.errors import BadInput

GOODBYE_S = 5.0
"""Seconds for doors whose protocol has a goodbye, before their sockets are closed."""

PING_S = 20.0
"""Seconds between two pings of a WebSocket."""
PONG_S = 120.0
"""Seconds without an answer after which a peer counts as gone. A sender that runs ahead of us answers late: its pong
stands behind the audio that waits for us."""


def reserve(host: str, port: int) -> socket.socket:
    """A port that is ours but deaf: nobody can connect until ``serving``. Raises BadInput when it is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        return listener
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from None


def _taken(host: str, port: int, error: OSError) -> BadInput:
    reason = (error.strerror or str(error)).lower()
    return BadInput(f"cannot listen on {host}:{port}: {reason}; choose another with --port (0 takes a free one)")


def check_tls(server: Server) -> None:
    """Raises BadInput for half a pair, and for files that are no certificate and its key."""
    if not server.tls_cert and not server.tls_key:
        return
    if not (server.tls_cert and server.tls_key):
        raise BadInput("a certificate and its key go together: give both --tls-cert and --tls-key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(server.tls_cert, server.tls_key)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot use {server.tls_cert} with {server.tls_key}: {reason}") from None


def address(listener: socket.socket, server: Server) -> str:
    """The URL of the server, without a slash at its end."""
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if server.tls_cert else 'http'}://{name}:{port}"


@asynccontextmanager
async def serving(app: FastAPI, listener: socket.socket | None, server: Server) -> AsyncIterator[None]:
    """The app with its desk open and, given a listener, its port too. Leaving ends every call with its last words.

    Raises what the app raises at its start, and BadInput when somebody was faster on the port.
    """
    async with app.router.lifespan_context(app):
        _leave_out_of_collections()
        if listener is None:
            yield
            return
        async with _listening(app, listener, server):
            yield


def _leave_out_of_collections() -> None:
    """Python's collector, which stops every thread while it looks, shall not look at what is loaded by now.

    That is some 170,000 objects that stay, 80 ms each time: with twenty calls it was most of what came late.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _listening(app: FastAPI, listener: socket.socket, server: Server) -> AsyncIterator[None]:
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(2048)
    except OSError as error:
        raise _taken(host, port, error) from None
    machine = _Uvicorn(_configured(app, server))
    task = asyncio.create_task(machine.serve(sockets=[listener]), name="uvicorn")
    await machine.up.wait()
    try:
        yield
    finally:
        await app.state.desk.leaving.say(GOODBYE_S)
        app.state.desk.contacts.close()
        machine.should_exit = True
        await task


def _configured(app: FastAPI, server: Server) -> uvicorn.Config:
    limits: Limits = app.state.desk.limits
    tls: dict[str, Any] = {"ssl_certfile": server.tls_cert, "ssl_keyfile": server.tls_key} if server.tls_cert else {}
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=2048
        * limits.frame_kb,  # a door explains what is over its limit; this bounds what is held till then
        ws_ping_interval=PING_S,
        ws_ping_timeout=PONG_S,
        timeout_graceful_shutdown=round(DRAIN_S),
        **tls,
    )


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it is up, and leaves the signals to us."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def interrupts() -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one does what it always does."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def first(*_: object) -> None:
        restore()
        loop.call_soon_threadsafe(stop.set)

    for number in before:
        signal.signal(number, first)
    try:
        yield stop
    finally:
        restore()
