"""``listen``: a call as it is spoken into this machine's sound devices, with the overlay up."""

import asyncio
import socket
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

from api import logs
from api.app import create_app
from api.calls import Desk
from api.commands.console import note, out
from api.commands.context import load_engines, new_id, say_policy
from api.commands.live import conclude, follow
from api.commands.server import address, check_tls, interrupts, reserve, serving
from api.config import Config
from api.metadata import Metadata
from api.outgoing.endpoint import check as check_webhooks
from api.security import check_exposure
from pipeline.archive import Archive
from pipeline.graph import Engines
from pipeline.live import LiveCall
from pipeline.session import CallInfo
from pipeline.sources.microphone import Microphone

QUIET = 40
"""Log level: errors only, for the terminal belongs to the call."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """seconds: None until somebody stops it. page: whether the overlay is served."""

    device: str | None = None
    loopback: str | None = None
    agent_channel: Literal["left", "right"] = "left"
    call_id: str = ""
    about: Metadata = field(default_factory=lambda: Metadata(agent_id="me"))
    seconds: float | None = None
    page: bool = True


def run(config: Config, wanted: Wanted) -> int:
    """0 once the call has its last words, also after Ctrl-C."""
    server = config.server
    if config.webhooks.url:
        check_webhooks(config.webhooks)
    if wanted.page:
        check_exposure(server)
        check_tls(server)
    if wanted.call_id:  # before the models are loaded: they take seconds
        Archive(config.calls_folder, config.settings.storage.max_gb).check_free(wanted.call_id)
    microphone = Microphone(wanted.device, wanted.loopback, agent_channel=wanted.agent_channel, say=note)
    with reserve(server.host, server.port) if wanted.page else nullcontext() as listener:
        say_policy(config)
        engines = load_engines(config)
        logs.configure(level=QUIET)
        asyncio.run(_listen(config, engines, microphone, wanted, listener))
    return 0


async def _listen(
    config: Config, engines: Engines, microphone: Microphone, wanted: Wanted, listener: socket.socket | None
) -> None:
    app, info = create_app(config, engines), _info(microphone, wanted)
    desk: Desk = app.state.desk
    with interrupts() as stop:
        async with serving(app, listener, config.server):
            if listener is not None:
                out.print(f"overlay: {address(listener, config.server)}/overlay?agent={info.agent_id}", soft_wrap=True)
            note(f"listening to {info.source} as call {info.call_id}; Ctrl-C ends the call")
            await _call(desk, info, microphone, stop, wanted.seconds)
            await conclude(desk, desk.archive.folder(info.call_id))


def _info(microphone: Microphone, wanted: Wanted) -> CallInfo:
    source = " + ".join(device.name for device in microphone.devices)
    return wanted.about.call(wanted.call_id or new_id("mic"), microphone.channels, source=source)


async def _call(desk: Desk, info: CallInfo, microphone: Microphone, stop: asyncio.Event, limit: float | None) -> None:
    reader = None
    try:
        async with desk.open(info) as live:
            reader = asyncio.create_task(follow(desk, desk.archive.folder(info.call_id)))
            await _capture(microphone, live, stop, limit)
    finally:
        if reader is not None:
            await reader


async def _capture(microphone: Microphone, live: LiveCall, stop: asyncio.Event, limit: float | None) -> None:
    """Until ``stop`` or ``limit`` seconds. Raises BadInput when a device goes away."""
    work = asyncio.create_task(asyncio.to_thread(_pump, microphone, live, asyncio.get_running_loop()))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((work, stopped), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    microphone.stop()
    await work
    await live.close("hung up", microphone.heard)


def _pump(microphone: Microphone, live: LiveCall, loop: asyncio.AbstractEventLoop) -> None:
    for item in microphone.frames():
        asyncio.run_coroutine_threadsafe(live.feed([item]), loop).result()
