"""The one thread in which every live call is stepped.

Calls share it by turns: whatever was asked for while it was busy goes next, all in one go and side by side (see
``together``). So the more calls there are, the more of each is stepped at a time, and what a turn costs by itself (a
hop to another thread and back, the way into a model, caches that the recogniser has filled with its own) is paid once
for all of them.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pipeline.strain import IDLE_S, Shed, Strain
from pipeline.together import Asking, Outcome, together

T = TypeVar("T")

PACE_S = 0.04
"""Seconds between the beginnings of two turns, at least: what comes meanwhile is stepped together."""

SWITCH_S = 0.001
"""Seconds for which a thread keeps Python to itself while others wait; Python's own 5 ms are too long for an event loop
that gives way at every packet."""

Work = Callable[[], Any]


class Lane:
    """``run`` from the event loop alone. A turn's works begin as they came; one that fails harms no other.

    strain: how long they wait. shed: told what is left out for it, whenever that changes.
    """

    def __init__(self, pace_s: float = PACE_S, shed: Callable[[Shed], None] = lambda _: None) -> None:
        self.strain = Strain()
        self._shed = shed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lane")
        self._pace = pace_s
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._asked = 0.0  # when the first of those that wait was
        self._began = -pace_s
        self._busy = False
        sys.setswitchinterval(SWITCH_S)

    def rest(self) -> None:
        """Nothing is stepped any more, though words may be waited for: nothing is left out for it."""
        before = self.strain.shed
        self.strain.rest(asyncio.get_running_loop().time())
        if before:
            self._shed(self.strain.shed)

    async def run(self, work: Callable[[], T | Asking[T]]) -> T:
        """What ``work`` returns, or raises, in the lane; where that asks, what it returns in the end."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._asked = asyncio.get_running_loop().time()
        self._waiting.append((work, answer))
        if not self._busy:
            self._busy = True
            self._next()
        return await answer

    def close(self) -> None:
        """Wait for the turn in progress; nothing may be asked for any more."""
        self._thread.shutdown(wait=True)

    def _next(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._began + self._pace - loop.time()), self._turn)

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        turn, self._waiting = self._waiting, []
        works = [work for work, _ in turn]
        answers, asked = [answer for _, answer in turn], self._asked
        self._thread.submit(together, works).add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._told, answers, done.result(), asked)
        )

    def _told(self, answers: list[asyncio.Future[Any]], results: list[Outcome], asked: float) -> None:
        self._feel(asked)
        for answer, (result, error) in zip(answers, results, strict=True):
            if answer.cancelled():
                continue
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)
        self._busy = bool(self._waiting)
        if self.strain.shed:
            loop, turns = asyncio.get_running_loop(), self.strain.turns
            loop.call_later(IDLE_S, lambda: self.rest() if self.strain.turns == turns else None)
        if self._busy:
            self._next()

    def _feel(self, asked: float) -> None:
        before, now = self.strain.shed, asyncio.get_running_loop().time()
        if self.strain.feel(now - asked, now) is not before:
            self._shed(self.strain.shed)
