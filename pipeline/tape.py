"""The audio of a call on disk: FLAC, int16, 16 kHz, written as it comes and readable after a kill.

A FLAC file names its length in its header, which the encoder fills in only at the end. We stamp the length
of what is safely encoded as we go, so that a file whose writer was killed opens like any other.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipeline.errors import BadInput, StorageFault
from pipeline.inputs import Frame
from pipeline.timebase import RATE, TICK

_BLOCK = 4096
"""Samples in a FLAC block. The encoder emits one when the first sample of the next has come, and until then a block is
no safer with it than with us: so it is given whole blocks."""

_LENGTH_AT = 18
"""Offset of the 64 bits in STREAMINFO whose lower 36 are the number of samples (RFC 9639, 8.2)."""


class Tape:
    """Writes frames. Raises StorageFault when the disk refuses.

    What was encoded is handed to the system at once, so a killed process loses no more than two blocks (0.5 s); nothing
    is synced to the device, for that would hold up every call of a server while one disk is slow.
    """

    def __init__(self, path: Path, channels: int) -> None:
        self.path = path
        self._waiting: list[NDArray[np.int16]] = []
        self._samples = 0
        self._stamped = 0
        self._broken = False
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = soundfile.SoundFile(self._fd, "w", RATE, channels, "PCM_16", format="FLAC", closefd=False)
        except (OSError, soundfile.LibsndfileError) as error:
            raise StorageFault(f"cannot write {path}: {error}") from error

    def write(self, frame: Frame) -> None:
        """Append one frame, int16 (channels, 512)."""
        self._waiting.append(frame.pcm)
        if len(self._waiting) * TICK >= _BLOCK:
            try:
                self._encode()
                self._stamp((self._samples - 1) // _BLOCK * _BLOCK)
            except (OSError, soundfile.LibsndfileError) as error:
                self._broken = True
                raise StorageFault(f"cannot write {self.path}: {_why(self.path, error)}") from error

    def close(self) -> None:
        """Finish the file; safe to call twice. After a failed write it ends with what was safely encoded."""
        if self._fd < 0:
            return
        try:
            try:
                self._encode()
            finally:
                self._file.close()
        except (OSError, soundfile.LibsndfileError) as error:
            self._broken = True
            raise StorageFault(f"cannot finish {self.path}: {_why(self.path, error)}") from error
        finally:
            if self._broken:
                with suppress(OSError):  # the disk may be gone altogether
                    self._stamp(self._stamped)
            os.close(self._fd)
            self._fd = -1

    def _encode(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._broken:
            self._file.write(np.concatenate(waiting, axis=1).T)
            self._samples += TICK * len(waiting)

    def _stamp(self, length: int) -> None:
        head = int.from_bytes(os.pread(self._fd, 8, _LENGTH_AT), "big")
        os.pwrite(self._fd, (head >> 36 << 36 | length).to_bytes(8, "big"), _LENGTH_AT)
        self._stamped = length


def _why(path: Path, error: Exception) -> str:
    """libsndfile says "System error" for every refusal of the system; a full disk is told apart by looking."""
    full = shutil.disk_usage(path.parent).free < 1_000_000
    return f"{'no space left on device' if full else error}; free some space or set storage.folder"


def frames(path: Path) -> Iterator[Frame]:
    """The stored frames, in order. Raises BadInput when there is no readable audio."""
    try:
        with soundfile.SoundFile(path) as file:
            for index, block in enumerate(file.blocks(TICK, dtype="int16", always_2d=True)):
                if len(block) == TICK:
                    yield Frame(index * TICK, np.ascontiguousarray(block.T))
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadInput(f"cannot read the stored audio {path}: {error}") from error


def length(path: Path) -> int:
    """Samples stored."""
    try:
        return int(soundfile.info(path).frames)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadInput(f"cannot read the stored audio {path}: {error}") from error


def read(path: Path) -> NDArray[np.int16]:
    """All samples, int16 (n, channels)."""
    data: NDArray[np.int16] = soundfile.read(path, dtype="int16", always_2d=True)[0]
    return data
