"""Packets in the order of their numbers, though they came in another."""

from typing import Generic, TypeVar

T = TypeVar("T")

RESTART = 50
"""Numbers back at which a track has begun to count anew; less is a packet that comes too late, or twice."""


class Reorder(Generic[T]):
    """One track's packets. room: how much may wait for one that is missing, in the unit of ``size``.

    Overflow: the missing one is given up, and what waits goes on.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._next: int | None = None
        self._waiting: dict[int, tuple[int, T]] = {}

    def put(self, number: int, size: int, item: T) -> list[T]:
        """What can go on now, in order. A number that is past is dropped."""
        if self._next is None:
            self._next = 1 if number <= RESTART else number
        if number < self._next - RESTART:
            held = self.rest()
            self._next = number
            return [*held, *self.put(number, size, item)]
        if number >= self._next:
            self._waiting.setdefault(number, (size, item))
        return self._ready()

    def rest(self) -> list[T]:
        """Everything that waits: nothing follows."""
        held = [self._waiting[number][1] for number in sorted(self._waiting)]
        self._waiting.clear()
        return held

    def _ready(self) -> list[T]:
        ready: list[T] = []
        while self._waiting:
            assert self._next is not None
            if self._next not in self._waiting:
                if sum(size for size, _ in self._waiting.values()) <= self._room:
                    break
                self._next = min(self._waiting)
            ready.append(self._waiting.pop(self._next)[1])
            self._next += 1
        return ready
