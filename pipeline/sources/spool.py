"""Between a sound card's callback and the call: a bounded queue of captured blocks.

It holds 2 s. When the reader falls behind, the oldest block goes and is counted, so that the reader can say
exactly what is missing and where.
"""

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOLD_S = 2.0
"""Seconds of audio held for each device."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """device: which of the devices, from 0. pcm: int16 (n, channels). elapsed: seconds on the host's steady clock
    at which the last sample was there. missed: samples that the sound card lost right before it."""

    device: int
    pcm: NDArray[np.int16]
    elapsed: float
    missed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """lost: samples of each device that were dropped right before its next block; they come before ``block``."""

    block: Block
    lost: tuple[int, ...]


class Spool:
    """put from the callbacks, take from one reader; end from anyone. rates: Hz of each device."""

    def __init__(self, rates: tuple[int, ...]) -> None:
        self._rates = rates
        self._blocks: deque[Block] = deque()
        self._held = [0] * len(rates)
        self._lost = [0] * len(rates)
        self._changed = Condition()
        self._ended = False

    @property
    def over(self) -> bool:
        """It has ended and is empty."""
        with self._changed:
            return self._ended and not self._blocks

    def put(self, device: int, pcm: NDArray[Any], elapsed: float, missed: int = 0) -> None:
        """Queue a copy; the caller's buffer belongs to the sound card."""
        with self._changed:
            if self._ended:
                return
            self._blocks.append(Block(device, pcm.copy(), elapsed, missed))
            self._held[device] += len(pcm)
            while self._held[device] > HOLD_S * self._rates[device]:
                self._drop(device)
            self._changed.notify()

    def take(self, timeout: float) -> Taken | None:
        """The next block; None when none came for ``timeout`` seconds, and once the spool is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._ended, timeout)
            return self._pop() if self._blocks else None

    def end(self) -> None:
        """Accept nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _pop(self) -> Taken:
        block = self._blocks.popleft()
        self._held[block.device] -= len(block.pcm)
        lost, self._lost = self._lost, [0] * len(self._lost)
        return Taken(block, tuple(lost))

    def _drop(self, device: int) -> None:
        oldest = next(block for block in self._blocks if block.device == device)
        self._blocks.remove(oldest)
        self._held[device] -= len(oldest.pcm)
        self._lost[device] += len(oldest.pcm) + oldest.missed
