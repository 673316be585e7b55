"""``webhooks``: try whether the receiver takes an event, see what was given up, send that again."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from api.commands.console import note, out, trouble
from api.config import Config
from api.outgoing.endpoint import Endpoint
from api.outgoing.message import of_test
from api.outgoing.outbox import DeadLetters, Letter, letter
from pipeline.errors import BadInput


def test(config: Config) -> int:
    """1 when the receiver did not take it."""
    _check(config)
    message = of_test(secrets.token_hex(4), config.webhooks.source)
    left = asyncio.run(_send(config, [letter(message, time.time())]))
    if left:
        trouble(f"not delivered: {left[0].why}")
        return 1
    out.print("delivered")
    return 0


def dead(config: Config, *, as_json: bool) -> int:
    found = list(_dead(config))
    for each in found:
        line = each.line().decode().rstrip("\n")
        out.print(line if as_json else f"{each.id:40} {each.kind:20} {each.why}", soft_wrap=True)
    if not found:
        note("no event was given up")
    return 0


def retry(config: Config) -> int:
    """1 when some were not taken."""
    _check(config)
    kept = _dead(config)
    letters = kept.take()
    left: Sequence[Letter] = letters
    try:
        left = asyncio.run(_send(config, letters))
    finally:
        kept.settle(left)
    out.print(f"{len(letters) - len(left)} delivered, {len(left)} not")
    if left:
        trouble(f"the first of them: {left[0].why}; the others wait in {kept.path}")
    return int(bool(left))


def _check(config: Config) -> None:
    if not config.webhooks.url:
        raise BadInput("webhooks.url is not set; put it under [webhooks] in calmline.toml, with a secret")


def _dead(config: Config) -> DeadLetters:
    return DeadLetters(config.calls_folder, round(config.webhooks.dead_mb * 1e6))


async def _send(config: Config, letters: Sequence[Letter]) -> list[Letter]:
    """One attempt each, until the receiver fails; what it did not take. One that it refuses holds up no other."""
    endpoint, left = Endpoint(config.webhooks), list[Letter]()
    try:
        for index, each in enumerate(letters):
            answer = await endpoint.post(each)
            if answer.result != "delivered":
                left.append(replace(each, why=answer.why))
            if answer.result == "failed":
                return [*left, *letters[index + 1 :]]
    finally:
        await endpoint.close()
    return left
