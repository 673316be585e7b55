"""``demo``: a sample call through the real door, the real server and the real page, as if it were happening now."""

import asyncio
import json
import secrets
import socket
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import soundfile
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api import logs
from api.app import create_app
from api.calls import Desk
from api.commands.console import note, out
from api.commands.context import load_engines, new_id
from api.commands.live import conclude, follow
from api.commands.server import address, interrupts, reserve, serving
from api.config import Config, Server, Webhooks
from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput, EngineFault
from pipeline.graph import Engines
from pipeline.journal import CallFolder

AGENT = "demo"
INTERRUPTED = 130
"""Exit code when the call was not played to its end."""
BLOCK_S = 0.1
"""Seconds of audio in one message."""
QUIET = 40
"""Log level: errors only, for the terminal belongs to the call."""


@dataclass(frozen=True, slots=True)
class Sample:
    """speed: times real time. file: two channels, the agent's first."""

    file: Path
    speed: float


def run(config: Config, *, file: Path, speed: float, once: bool) -> int:
    """file: of the sample call."""
    sample = Sample(file, speed)
    server, key = _local(config.server)
    with _listener(server) as listener:
        config = config.model_copy(update={"server": server, "webhooks": Webhooks()})  # nobody's CRM hears of it
        engines = load_engines(config)
        logs.configure(level=QUIET)
        return asyncio.run(_demo(config, engines, listener, key, sample, once))


def _local(server: Server) -> tuple[Server, str]:
    """This machine only, and a key for our own client where the settings ask everybody for one."""
    locked = bool(server.supervisor_tokens or server.agent_tokens or server.door_tokens)
    key = secrets.token_urlsafe() if locked else ""
    doors = server.door_tokens | ({"demo": SecretStr(key)} if locked else {})
    return server.model_copy(update={"host": "127.0.0.1", "tls_cert": "", "tls_key": "", "door_tokens": doors}), key


def _listener(server: Server) -> socket.socket:
    try:
        return reserve(server.host, server.port)
    except BadInput:
        if "port" in server.model_fields_set:  # somebody chose it
            raise
        note(f"port {server.port} is in use; taking a free one")
        return reserve(server.host, 0)


async def _demo(config: Config, engines: Engines, listener: socket.socket, key: str, sample: Sample, once: bool) -> int:
    app, url, call_id = create_app(config, engines), address(listener, config.server), new_id("demo")
    desk: Desk = app.state.desk
    done = False
    with interrupts() as stop:
        async with serving(app, listener, config.server):
            out.print(f"overlay: {url}/overlay?agent={AGENT}", soft_wrap=True)
            note(f"playing {sample.file.stem} at {sample.speed:g} x real time as call {call_id}; Ctrl-C stops")
            done = await _unless(stop, _play(desk, url, key, sample, call_id))
            if done:
                await _look_around(desk, desk.archive.folder(call_id), stop, once)
    if not done and desk.archive.exists(call_id):  # the server has gone, so the call has its last words
        await conclude(desk, desk.archive.folder(call_id))
    return 0 if done else INTERRUPTED


async def _look_around(desk: Desk, folder: CallFolder, stop: asyncio.Event, once: bool) -> None:
    await conclude(desk, folder)
    if not once:
        note("the server stays up so that you can look around; Ctrl-C ends it")
        await stop.wait()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work; False when we were asked to stop before it was done."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        task.result()
        return True
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def _play(desk: Desk, url: str, key: str, sample: Sample, call_id: str) -> None:
    """Raises EngineFault when the server ends the call before its audio does."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    there = f"ws://{urlsplit(url).netloc}/doors/pcm"
    # No proxy, for it is our own server; no ping, for its answer would stand behind the audio that waits.
    async with connect(there, additional_headers=headers, proxy=None, ping_interval=None) as door:
        try:
            await _start(door, sample, call_id)
            await _heard(desk, door, sample, call_id)
        except ConnectionClosed:
            raise EngineFault(f"the server ended the demo call: {await _why(door)}") from None


async def _heard(desk: Desk, door: ClientConnection, sample: Sample, call_id: str) -> None:
    reader = asyncio.create_task(follow(desk, desk.archive.folder(call_id)))
    try:
        await _stream(door, sample)
        await reader
    finally:
        reader.cancel()


async def _why(door: ClientConnection) -> str:
    """The server's last message, sent before it closed the connection."""
    try:
        return str(json.loads(await door.recv())["message"])
    except ConnectionClosed as closed:
        return str(closed)


async def _start(door: ClientConnection, sample: Sample, call_id: str) -> None:
    start = {
        "type": "start",
        "rate": soundfile.info(sample.file).samplerate,
        "format": "s16le",
        "channels": list(TWO_CHANNEL),
        "call_id": call_id,
        "agent_id": AGENT,
        "notice_given": "sample recording",
    }
    await door.send(json.dumps(start))
    await _expect(door, "started")


async def _stream(door: ClientConnection, sample: Sample) -> None:
    """Each message when its last sample would have been spoken; where the server is slower, as it takes them."""
    begun, sent_s = time.monotonic(), 0.0
    for block in _blocks(sample.file):
        sent_s += BLOCK_S
        await asyncio.sleep(begun + sent_s / sample.speed - time.monotonic())
        await door.send(block)
    await door.send('{"type":"stop"}')
    await _expect(door, "ended")


async def _expect(door: ClientConnection, kind: str) -> None:
    answer = json.loads(await door.recv())
    if answer["type"] != kind:
        raise EngineFault(f"the server refused the demo call: {answer.get('message', answer)}")


def _blocks(file: Path) -> Iterator[bytes]:
    with soundfile.SoundFile(file) as sound:
        for block in sound.blocks(round(BLOCK_S * sound.samplerate), dtype="int16", always_2d=True):
            yield np.ascontiguousarray(block, "<i2").tobytes()
