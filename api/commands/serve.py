"""``serve``: models first, then the port; a signal ends every call with its last words."""

import asyncio
import socket

import uvicorn

from api import logs
from api.app import create_app
from api.commands.console import note
from api.commands.context import load_engines, say_policy
from api.commands.server import address, check_tls, interrupts, reserve, serving
from api.config import Config
from api.outgoing.endpoint import check as check_webhooks
from api.security import check_doors, check_exposure, check_tokens
from pipeline.graph import Engines


def run(config: Config) -> int:
    """0 after a signal. Raises CalmlineError for whatever keeps it from starting."""
    server = config.server
    check_exposure(server)
    check_tokens(server)
    check_doors(server, config.doors)
    check_tls(server)
    if config.webhooks.url:
        check_webhooks(config.webhooks)
    with reserve(server.host, server.port) as listener:
        say_policy(config)
        engines = load_engines(config)
        logs.configure()
        # uvloop where uvicorn finds it: with many calls the loop is a third of what they cost beside their words
        with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
            runner.run(_serve(config, engines, listener))
    return 0


async def _serve(config: Config, engines: Engines, listener: socket.socket) -> None:
    url = address(listener, config.server)
    with interrupts() as stop:
        async with serving(create_app(config, engines), listener, config.server):
            note(f"listening on {url} · policy {config.settings.policy.name} · {url}/overlay · Ctrl-C stops")
            note(f"calls are kept in {config.calls_folder}")
            if config.webhooks.url:
                note(f"events go to {config.webhooks.url.partition('?')[0]}")
            await stop.wait()
            note("stopping: calls in progress get their last words")
    note("stopped")
