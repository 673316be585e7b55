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

from pipeline.errors import BadInput

HOLD_S = 2.0
"""Seconds of audio held for each device."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """device: which of the devices, from 0. pcm: int16 (n, channels). elapsed: seconds on the host's steady clock
    at which the last sample was there."""

    device: int
    pcm: NDArray[np.int16]
    elapsed: float


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
        self._fault = ""

    def put(self, device: int, pcm: NDArray[Any], elapsed: float) -> None:
        """Queue a copy; the caller's buffer belongs to the sound card."""
        with self._changed:
            if self._ended:
                return
            self._blocks.append(Block(device, pcm.copy(), elapsed))
            self._held[device] += len(pcm)
            while self._held[device] > HOLD_S * self._rates[device]:
                self._drop(device)
            self._changed.notify()

    def take(self, timeout: float) -> Taken | None:
        """The next block; None once the spool has ended and is empty.

        Raises BadInput when a device failed, or gave nothing for ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._blocks or self._ended, timeout):
                raise BadInput(f"the sound device gave no audio for {timeout:g} s; check that it is connected")
            if self._blocks:
                return self._pop()
            if self._fault:
                raise BadInput(self._fault)
            return None

    def end(self, fault: str = "") -> None:
        """Accept nothing more. fault: why, in a line, when nobody asked for it. The first end counts."""
        with self._changed:
            if not self._ended:
                self._ended, self._fault = True, fault
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
        self._lost[device] += len(oldest.pcm)
