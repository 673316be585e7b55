"""The sums of a door: audio in its place → int16 frames at 16 kHz. ``placing`` says where, and is done by then.

They are for the thread in which calls are stepped, not for the one that takes packets: numpy's operations let the other
one have Python, and two threads that do little sums by turns spent a fifth of their time in handing it over. What came
in several packets is reckoned in one go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.inputs import Frame, Loss
from pipeline.resample import Floats, resampler
from pipeline.timebase import TICK

Piece = NDArray[Any] | int
"""Samples of one track, int16, float32 or uint8 codes (n,), or so many zeros."""


@dataclass(slots=True)
class Sound:
    """What came of a call at one moment, on its way into it. Its ``frames`` are to be made once, each in its turn.

    pieces: of each track. losses: known with it. ticks: by how many it brings the call on.
    whole: no loss stays open behind it. over: nothing follows.
    """

    framing: "Framing"
    pieces: list[list[Piece]]
    losses: list[Loss]
    ticks: int
    whole: bool = False
    over: bool = False

    def frames(self) -> list[Frame | Loss]:
        """In the order of admission: see ``pipeline.door``."""
        return self.framing.frames(self)

    def join(self, other: "Sound") -> bool:
        """Take in what follows, where that changes no frame, no loss and no order; False where it would."""
        if self.whole or other.whole or other.losses:
            return False
        for mine, more in zip(self.pieces, other.pieces, strict=True):
            mine += more
        self.ticks += other.ticks
        return True


class Framing:
    """One call's tracks, behind its door. rates: of the tracks, in Hz. levels: as in ``Placing``."""

    def __init__(self, rates: Sequence[int], levels: Floats | None = None) -> None:
        self._tracks = [_Track(rate, levels) for rate in rates]
        self._losses: list[Loss] = []
        self._position = 0

    def frames(self, sound: Sound) -> list[Frame | Loss]:
        """The frames that are whole now, and before each the losses that start in it."""
        self._losses = sorted([*self._losses, *sound.losses], key=lambda loss: loss.span.start)
        for track, pieces in zip(self._tracks, sound.pieces, strict=True):
            track.feed(pieces)
            if sound.over:
                track.flush()
        items: list[Frame | Loss] = []
        for frame in self._cut():
            while self._losses and self._losses[0].span.start < frame.end:
                items.append(self._losses.pop(0))
            items.append(frame)
        if sound.whole:
            items += self._losses
            self._losses.clear()
        return items

    def _cut(self) -> list[Frame]:
        count = min(track.ready for track in self._tracks) // TICK
        if count == 0:
            return []
        pcm = np.stack([track.take(count * TICK) for track in self._tracks])
        blocks = np.ascontiguousarray(pcm.reshape(len(pcm), count, TICK).transpose(1, 0, 2))
        start = self._position
        self._position += count * TICK
        return [Frame(start + index * TICK, block) for index, block in enumerate(blocks)]


class _Track:
    """ready: samples at 16 kHz that wait to be taken."""

    def __init__(self, rate: int, levels: Floats | None) -> None:
        self._rate = rate
        self._levels = levels
        self._resampler = resampler(rate)
        self._out: list[NDArray[np.int16]] = []
        self.ready = 0

    def feed(self, pieces: Sequence[Piece]) -> None:
        """Zeros a second at a time, so that an hour's gap needs no hour's floats."""
        for kind, run in groupby(pieces, lambda piece: int if isinstance(piece, int) else piece.dtype):
            if kind is int:
                self._silence(sum(cast(Iterator[int], run)))
            else:
                samples = [*cast(Iterator[NDArray[Any]], run)]
                self._resample(samples[0] if len(samples) == 1 else np.concatenate(samples))

    def flush(self) -> None:
        self._keep(self._resampler.flush())

    def take(self, count: int) -> NDArray[np.int16]:
        """The next samples; there must be as many as ``ready`` says."""
        whole = np.concatenate(self._out)
        self._out = [whole[count:].copy()]
        self.ready -= count
        return whole[:count]

    def _silence(self, count: int) -> None:
        for begin in range(0, count, self._rate):
            self._resample(np.zeros(min(count - begin, self._rate), np.float32))

    def _resample(self, pcm: NDArray[Any]) -> None:
        heard = floats(pcm) if pcm.dtype != np.uint8 or self._levels is None else self._levels[pcm]
        self._keep(self._resampler.feed(heard))

    def _keep(self, pcm: NDArray[np.int16]) -> None:
        self._out.append(pcm)
        self.ready += len(pcm)


def floats(pcm: NDArray[Any]) -> Floats:
    """int16 → float32, full scale 1.0; float32 as it is."""
    if pcm.dtype == np.float32:
        return pcm
    scaled: Floats = np.multiply(pcm, np.float32(1 / 32768), dtype=np.float32)
    return scaled
