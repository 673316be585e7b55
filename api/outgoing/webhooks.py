"""Webhooks: events to one receiver, in order per call, again and again until it has them.

Each call with something to tell has a task of its own, so a call whose event fails waits alone; at most ``AT_ONCE``
requests run at a time. Every event lies on disk from the moment it is known until it is delivered.
Overflow: when ``webhooks.waiting`` events wait, the next one goes to the dead letters at once.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import structlog

from api.config import Webhooks as Settings
from api.outgoing.endpoint import Answer
from api.outgoing.message import Message
from api.outgoing.outbox import DeadLetters, Letter, Outbox, letter

AT_ONCE = 8
"""Requests at a time: what a small receiver stands."""
FLUSH_S = 3.0
"""Seconds that a stopping server goes on delivering; what is left is sent at its next start."""

Fate = Literal["delivered", "retried", "dead", "lost"]
"""retried: an attempt failed. dead: given up, kept in the dead letters. lost: no room there, or the disk refused."""

_log = structlog.get_logger("calmline.webhooks")


class Receiver(Protocol):
    async def post(self, letter: Letter) -> Answer: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Clock:
    """now: seconds since 1970. chance: 0-1."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class Webhooks:
    """``start`` before the first event, ``stop`` at the end; ``send`` from the event loop.

    count: told what became of each event.
    """

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        dead: DeadLetters,
        receiver: Receiver,
        count: Callable[[Fate], None],
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._dead = dead
        self._receiver = receiver
        self._count = count
        self._clock = clock or Clock()
        self._queues: dict[str, deque[Letter]] = {}
        self._failing: set[str] = set()
        self._failing_since: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)

    @property
    def waiting(self) -> int:
        """Events not yet delivered."""
        return sum(map(len, self._queues.values()))

    @property
    def failing(self) -> int:
        """Calls whose next event was not taken and is sent again."""
        return len(self._failing)

    async def start(self) -> bool:
        """Take over what an earlier process left; False when another one does. Raises OSError when it has no place."""
        for each in await asyncio.to_thread(self._outbox.open):
            self._enqueue(each)
        return self._outbox.owned

    def send(self, message: Message) -> None:
        """Deliver it after the earlier ones of its call; it is on disk when this returns."""
        if message.kind not in self._settings.types:
            return
        each = letter(message, self._clock.now())
        if self.waiting >= self._settings.waiting:
            self._bury(replace(each, why=f"{self._settings.waiting} events waited already"))
            return
        try:
            each = self._outbox.keep(each)
        except OSError as error:  # it may still be delivered, unless the server goes first
            _log.error("webhook not written", call_id=each.call_id, error=type(error).__name__)
        self._enqueue(each)

    async def settled(self) -> None:
        """Until nothing waits."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self.settled()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            _log.warning("webhooks undelivered; they are sent at the next start", count=self.waiting)
        await self._receiver.close()
        self._outbox.close()

    def _enqueue(self, each: Letter) -> None:
        queue = self._queues.get(each.call_id)
        if queue is not None:
            queue.append(each)
            return
        self._queues[each.call_id] = deque([each])
        task = asyncio.create_task(self._deliver_all(each.call_id), name=f"webhooks {each.call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_all(self, call_id: str) -> None:
        queue = self._queues[call_id]
        while queue:
            await self._deliver(queue[0])
            queue.popleft()
        del self._queues[call_id]

    async def _deliver(self, each: Letter) -> None:
        """Until it is delivered or given up."""
        attempt = 0
        while (answer := await self._attempt(each)).result != "delivered":
            if answer.result == "refused" or self._clock.now() - each.since >= self._settings.give_up_h * 3600:
                self._bury(replace(each, why=answer.why))
                return
            self._failed(each, answer.why)
            await self._clock.sleep(max(self._wait(attempt), min(answer.wait_s, self._settings.longest_wait_s)))
            attempt += 1
        self._delivered(each)

    def _failed(self, each: Letter, why: str) -> None:
        """Told once for all calls, for an outage has many attempts."""
        self._count("retried")
        self._failing.add(each.call_id)
        if self._failing_since is None:
            self._failing_since = self._clock.now()
            _log.warning("webhooks fail; they are sent again and again", call_id=each.call_id, kind=each.kind, why=why)

    def _delivered(self, each: Letter) -> None:
        self._count("delivered")
        self._outbox.drop(each)
        self._failing.discard(each.call_id)
        if self._failing_since is not None and not self._failing:
            lasted, self._failing_since = self._clock.now() - self._failing_since, None
            _log.info("webhooks are taken again", after_s=round(lasted), waiting=self.waiting - 1)

    async def _attempt(self, each: Letter) -> Answer:
        async with self._slots:
            return await self._receiver.post(each)

    def _wait(self, attempt: int) -> float:
        """Seconds before the next attempt: doubled each time, and half of it by chance, so that calls spread out."""
        longest = min(self._settings.first_wait_s * 2.0 ** min(attempt, 30), self._settings.longest_wait_s)
        return longest * (0.5 + 0.5 * self._clock.chance())

    def _bury(self, each: Letter) -> None:
        fate: Fate = "lost"
        with suppress(OSError):
            fate = "dead" if self._dead.add([each]) else "lost"
        self._failing.discard(each.call_id)
        _log.error("webhook given up", call_id=each.call_id, kind=each.kind, why=each.why, fate=fate)
        self._count(fate)
        self._outbox.drop(each)
