"""The last seconds of one person's own speech, as descriptors, whatever the stretches it came in."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from models.protocols import PitchTrack, Samples
from models.voice import describe, frames

Rows = NDArray[np.float32]


class Window:
    """Takes the blocks of stretches of speech in turn; ``features`` describes its last ``size`` rows.

    size: rows of 16 ms. F0 is known 160 ms after its audio, so the audio is kept until then: a row and its F0 always
    belong together. Rows of a block that may not be measured, and of the one after it, which are partly the same
    audio, are left out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: deque[Rows] = deque()
        self._owed: Samples = np.zeros(0, np.float32)
        self._spoilt = False

    def begin(self) -> None:
        """Another stretch of speech: its audio does not follow the last one's."""
        self._owed, self._spoilt = np.zeros(0, np.float32), False

    def forget(self) -> None:
        """Another person speaks now."""
        self._rows.clear()

    def take(self, audio: Samples, track: PitchTrack, *, doubted: bool) -> Rows | None:
        """The next block of a stretch and the F0 estimates that became certain with it; the features now.

        None where the block may not be measured, or where too little was said yet.
        """
        audio = np.concatenate((self._owed, audio))
        self._owed = audio[len(track.f0) * track.hop :]
        spoilt, self._spoilt = doubted or self._spoilt, doubted
        if spoilt:
            return None
        self._rows.append(frames(audio, track))
        while len(self._rows) > 1 and sum(map(len, self._rows)) - len(self._rows[0]) >= self._size:
            self._rows.popleft()
        return describe(np.concatenate(self._rows)[-self._size :])
