"""Waiting for the next message, for so long at most."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """What ``asyncio.timeout`` does, for one wait after another in one task at a time.

    That one sets a timer for every wait and takes it away again, a tenth of what a packet costs a busy door. This one
    has a single timer, which looks how long the wait in progress takes when it goes off.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._since = 0.0
        self._over = False

    async def wait(self, message: Awaitable[T]) -> T:
        """What ``message`` gives. Raises TimeoutError."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        self._task, self._since, self._over = task, loop.time(), False
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop)
        try:
            return await message
        except asyncio.CancelledError:
            if self._over and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._task = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None:
            return
        left = self._since + self._seconds - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._look, loop)
        else:
            self._over = True
            self._task.cancel()
