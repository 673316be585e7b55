"""What a call was given and has not been stepped with yet, in order."""

import asyncio
from collections import deque

from pipeline.framing import Sound
from pipeline.inputs import ChatLine, Frame, Loss, Mark

Item = Sound | Frame | Loss | Mark | ChatLine
"""Whatever keeps its place in the audio of a call."""


class Waiting:
    """most: ticks of audio that may wait; whatever has none counts as one. For the event loop alone.

    Overflow: who brings more waits until some was taken. Sounds that wait side by side are joined, so that a busy
    server does its sums once for many packets.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[Item | None] = deque()
        self._ticks = 0
        self._came = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, item: Item | None) -> None:
        """Behind everything else. None: nothing follows."""
        while self._ticks >= self._most:
            self._room.clear()
            await self._room.wait()
        self._ticks += _ticks(item)
        last = self._items[-1] if self._items else None
        if not (isinstance(last, Sound) and isinstance(item, Sound) and last.join(item)):
            self._items.append(item)
        self._came.set()

    async def take(self, ticks: int) -> list[Item | None]:
        """Wait for something; then so many ticks of what there is, rounded up to whole items, or up to the end."""
        while not self._items:
            self._came.clear()
            await self._came.wait()
        taken, size = [self._items.popleft()], 0
        while self._items and taken[-1] is not None and (size := size + _ticks(taken[-1])) < ticks:
            taken.append(self._items.popleft())
        self._free(sum(map(_ticks, taken)))
        return taken

    def clear(self) -> None:
        """Drop everything: whoever waits for room has it."""
        self._items.clear()
        self._free(self._ticks)

    def _free(self, ticks: int) -> None:
        self._ticks -= ticks
        self._room.set()


def _ticks(item: Item | None) -> int:
    return item.ticks if isinstance(item, Sound) else 1
