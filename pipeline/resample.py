"""Audio of any rate to the 16 kHz of the pipeline."""

from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.timebase import RATE

Floats = NDArray[np.float32]

TELEPHONE = RATE // 2
SIDE = 32
"""Samples at 8 kHz on either side of a new one from which it is made: 4 ms."""
SHAPE = 8.0
"""Of the Kaiser window: 80 dB down. With SIDE, a band to 3.65 kHz is kept, and its mirror from 4.35 kHz on is not."""


class Resampler(Protocol):
    """float32 at a source's rate → int16 at 16 kHz; sample 0 in is sample 0 out. Any chunking gives the same bits."""

    def feed(self, pcm: Floats) -> NDArray[np.int16]: ...

    def flush(self) -> NDArray[np.int16]:
        """What is held at the end."""
        ...


def resampler(rate: int) -> Resampler:
    """rate: Hz."""
    if rate == RATE:
        return _Plain()
    return _Doubler() if rate == TELEPHONE else _Soxr(rate)


class _Plain:
    def feed(self, pcm: Floats) -> NDArray[np.int16]:
        return quantise(pcm)

    def flush(self) -> NDArray[np.int16]:
        return np.zeros(0, np.int16)


class _Doubler:
    """8 kHz, the rate of telephone lines: a windowed sinc between every two samples, 4 ms behind.

    soxr would do, but it works in blocks and holds back 115 ms, a delay of everything that is told of a live call.
    """

    def __init__(self) -> None:
        self._held = np.zeros(SIDE - 1, np.float32)  # before the first sample lies silence

    def feed(self, pcm: Floats) -> NDArray[np.int16]:
        heard = np.concatenate([self._held, pcm])
        count = max(0, len(heard) - 2 * SIDE + 1)
        self._held = heard[count:]
        doubled = np.empty((count, 2), np.float32)
        doubled[:, 0] = heard[SIDE - 1 : SIDE - 1 + count]
        if count:
            doubled[:, 1] = np.correlate(heard, KERNEL)[:count]
        return quantise(doubled.reshape(-1))

    def flush(self) -> NDArray[np.int16]:
        return self.feed(np.zeros(SIDE, np.float32))


class _Soxr:
    """Any other rate; at 48 kHz 37 ms are held back.

    It is fed blocks of 20 ms whatever arrives: libsoxr does not promise that other blocks give the same bits.
    """

    def __init__(self, rate: int) -> None:
        self._stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
        self._block = rate // 50
        self._rest = np.zeros(0, np.float32)

    def feed(self, pcm: Floats) -> NDArray[np.int16]:
        if len(self._rest):
            pcm = np.concatenate([self._rest, pcm])
        whole = len(pcm) // self._block * self._block
        self._rest = pcm[whole:].copy()
        blocks = [self._stream.resample_chunk(block) for block in pcm[:whole].reshape(-1, self._block)]
        return quantise(np.concatenate([np.zeros(0, np.float32), *blocks]))

    def flush(self) -> NDArray[np.int16]:
        return quantise(self._stream.resample_chunk(self._rest, last=True))


def _kernel() -> Floats:
    """Weights of 2 SIDE neighbours for the point in their middle; they sum to 1, so that a level stays what it is."""
    away = np.arange(-SIDE, SIDE) + 0.5
    weights = np.sinc(away) * np.i0(SHAPE * np.sqrt(1 - (away / SIDE) ** 2)) / float(np.i0(SHAPE))
    return np.asarray(weights / weights.sum(), np.float32)


KERNEL = _kernel()


def quantise(pcm: Floats) -> NDArray[np.int16]:
    """Full scale 1.0 → int16, rounded and clipped; the exact inverse for what was int16."""
    scaled = pcm * np.float32(32768)
    np.rint(scaled, out=scaled)
    np.minimum(scaled, 32767, out=scaled)
    np.maximum(scaled, -32768, out=scaled)
    return scaled.astype(np.int16)
