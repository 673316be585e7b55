"""A receiver of webhooks, and a clock that goes as far as somebody waits."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from api.config import Webhooks as Settings
from api.outgoing.endpoint import Endpoint
from api.outgoing.message import Message, of_test
from api.outgoing.outbox import DeadLetters, Outbox
from api.outgoing.webhooks import Clock, Webhooks

SECRET = "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo="
URL = "https://crm.example/hooks"


def settings(**changes: Any) -> Settings:
    return Settings(**{"url": URL, "secret": SecretStr(SECRET), "types": ("alert.raised", "call.ended")} | changes)


def news(call_id: str, n: int) -> Message:
    """The nth event of a call."""
    body = of_test("x", "/calmline").body
    return Message(f"{call_id}/{n}", "alert.raised", call_id, body)


class FakeClock:
    """Seconds pass when everybody waits for them. chance is always a half."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.waiting: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.waiting.append((self.time + seconds, woken))
        await woken.wait()

    def tick(self) -> None:
        """Go on to the next moment for which somebody waits."""
        self.waiting.sort(key=lambda each: each[0])
        due, woken = self.waiting.pop(0)
        self.time = max(self.time, due)
        woken.set()

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep, lambda: 0.5)


@dataclass
class Receiver:
    """answer: status (or an error, raised) of each request. got: when, and the headers and bodies of all requests."""

    clock: FakeClock
    answer: Callable[[httpx.Request], int | Exception | httpx.Response] = lambda _: 204
    got: list[tuple[float, httpx.Request]] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.got.append((self.clock.time, request))
        answer = self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(answer)

    def ids(self, call_id: str = "") -> list[str]:
        """Of all requests, in their order."""
        names = [request.headers["webhook-id"] for _, request in self.got]
        return [name for name in names if name.startswith(f"{call_id}/") or not call_id]


@dataclass
class Rig:
    """One life of a sender on a folder."""

    folder: Path
    clock: FakeClock
    receiver: Receiver
    webhooks: Webhooks
    fates: list[str]

    @property
    def dead(self) -> list[dict[str, Any]]:
        path = self.folder / ".webhooks" / "dead.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def kept(self) -> int:
        """Events on disk that wait."""
        return len(list((self.folder / ".webhooks" / "waiting").glob("*.json")))

    async def idle(self) -> None:
        """Until every call with something to send waits for the clock."""
        while len(self.clock.waiting) < len(self.webhooks._tasks):
            await asyncio.sleep(0)

    async def run(self, until: float = float("inf")) -> None:
        """Let time pass while anything waits, up to a moment."""
        while True:
            await self.idle()
            if not self.clock.waiting or min(due for due, _ in self.clock.waiting) > until:
                return
            self.clock.tick()
            await asyncio.sleep(0)


@asynccontextmanager
async def rig(
    folder: Path, answer: Any = lambda _: 204, clock: FakeClock | None = None, **changes: Any
) -> AsyncIterator[Rig]:
    """Started; killed at the end, as by a power cut: nothing is said good-bye to."""
    clock, chosen, fates = clock or FakeClock(), settings(**changes), list[str]()
    receiver = Receiver(clock, answer)
    endpoint = Endpoint(chosen, httpx.MockTransport(receiver), lambda: clock.time)
    outbox, dead = Outbox(folder), DeadLetters(folder, round(chosen.dead_mb * 1e6))
    webhooks = Webhooks(chosen, outbox, dead, endpoint, fates.append, clock.clock)
    await webhooks.start()
    try:
        yield Rig(folder, clock, receiver, webhooks, fates)
    finally:
        for task in list(webhooks._tasks):
            task.cancel()
        await asyncio.gather(*webhooks._tasks, return_exceptions=True)
        await endpoint.close()
        outbox.close()
