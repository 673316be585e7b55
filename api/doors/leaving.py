"""A server that goes away: doors whose protocol has a goodbye say it before their sockets are closed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Leaving:
    """Made on the event loop's side of an app; everything runs there."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._guests = 0

    @contextmanager
    def guest(self) -> Iterator[None]:
        """A connection that wants to say goodbye when ``begun`` is set."""
        self._guests += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._guests -= 1
            if not self._guests:
                self._empty.set()

    async def say(self, patience: float) -> None:
        """Tell them, and wait until all are gone, for ``patience`` seconds at most."""
        self.begun.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._empty.wait()
