"""Recordings: one stereo file, a pair of mono files, or one mono file → blocks for the door.

Read through libsndfile (WAV, FLAC, Ogg Vorbis and Opus, MP3, A-law and µ-law) in blocks, so memory is bounded.
A file that ends before its header says is read as far as it goes, with a line in ``warnings``.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.placing import check_rate

Block = NDArray[np.float32]

BLOCKS_PER_S = 10
"""Blocks read a second: shorter than the door's skew bound, so that the files of a pair are never out of step."""

_STREAMED = 0x7FFF_F000
"""From this size on a WAV header means that the writer did not know the length, not that audio is missing."""

_UNKNOWN = 1 << 40
"""libsndfile gives a count beyond any recording for a FLAC file that was never finished."""


@dataclass(frozen=True, slots=True)
class _File:
    """What is known of a file before its audio is read. frames: samples per channel, as the header says."""

    path: Path
    rate: int
    channels: int
    frames: int
    size: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file read from start to end, without the seek that soundfile puts after every read.

    An MP3 frame needs the bits of the frames before it: after a seek libsndfile decodes noise.
    """

    def seekable(self) -> bool:
        return False


class Recording:
    """One recorded call. ``frames`` may be run more than once; ``heard`` and ``warnings`` are those of the last run.

    channels: agent and customer, or one unknown speaker. rates: Hz, one a file. rate: the highest of them.
    seconds: of the longest file, as its header says. heard: samples at 16 kHz, exact once ``frames`` is exhausted.
    warnings: one line each, for people; complete once ``frames`` is exhausted.
    """

    def __init__(self, files: Sequence[_File], channels: tuple[Channel, ...], *, mirrored: bool = False) -> None:
        self.channels = channels
        self.rates = tuple(file.rate for file in files)
        self.rate = max(self.rates)
        self.seconds = max(file.seconds for file in files)
        self.heard = 0
        self.warnings: list[str] = []
        self._files = files
        self._mirrored = mirrored

    def frames(self) -> Iterator[Frame | Loss]:
        """The call through the door. Raises BadInput for NaN, for damage, and for a file that changes meanwhile."""
        self.warnings = [line for file in self._files if (line := _promise(file))]
        door = Door(self.channels, self.rates if len(self.rates) > 1 else self.rate)
        for items in self._pushed(door):
            yield from items
        yield from door.finish()
        self.heard = door.heard

    def _pushed(self, door: Door) -> Iterator[list[Frame | Loss]]:
        for blocks in zip_longest(*(self._blocks(file) for file in self._files)):
            for file, channel, block in zip(self._files, self.channels, blocks, strict=False):
                if block is not None:
                    with _about(file):
                        yield self._push(door, channel, block)

    def _push(self, door: Door, channel: Channel, block: Block) -> list[Frame | Loss]:
        if len(self._files) > 1:
            return door.push_track(channel, block[:, 0])
        return door.push(block[:, ::-1] if self._mirrored else block)

    def _blocks(self, file: _File) -> Iterator[Block]:
        """float32 (n, channels), 100 ms each. Blocks end at the same times whatever the rate."""
        done = 0
        with _about(file), _open(file.path) as sound:
            if _facts(file.path, sound) != file:
                raise BadInput("the file changed after it was opened; start again once nothing writes to it")
            for index in count(1):
                block = sound.read(index * file.rate // BLOCKS_PER_S - done, dtype="float32", always_2d=True)
                if not len(block):
                    break
                done += len(block)
                yield block
            if done < file.frames:
                self._end_early(file, done)

    def _end_early(self, file: _File, done: int) -> None:
        if file.path.stat().st_size != file.size:
            raise BadInput("the file changed while it was read; start again once nothing writes to it")
        self.warnings.append(_short(file, done / file.rate, file.seconds))


def open_recording(paths: Sequence[Path], *, agent_channel: Literal["left", "right"] = "left") -> Recording:
    """A stereo file (the agent on ``agent_channel``), two mono files (the agent's first) or one mono file.

    Raises BadInput, one line that says what is wrong and what to do.
    """
    files = [_look(Path(path)) for path in paths]
    match [file.channels for file in files]:
        case [1]:
            return Recording(files, MONO)
        case [2]:
            return Recording(files, TWO_CHANNEL, mirrored=agent_channel == "right")
        case [1, 1]:
            return Recording(files, TWO_CHANNEL)
        case [found]:
            raise BadInput(f"{paths[0]}: has {found} channels; give one or two: ffmpeg -i IN -ac 2 OUT.wav")
        case [_, _]:
            raise BadInput("a pair is two mono files, the agent's first; for a stereo file give that file alone")
        case _:
            raise BadInput(f"expected one file, or two mono files of one call, got {len(files)}")


def falls_short(path: Path) -> bool:
    """Whether it holds less than its header says, or no audio that can be read: it may still be written."""
    try:
        return _promise(_look(path)) is not None
    except BadInput:
        return True


def _look(path: Path) -> _File:
    with _about(path), _open(path) as sound:
        file = _facts(path, sound)
        if file.frames == 0:
            raise BadInput("holds no audio: 0 samples; check how it was recorded or exported")
        if file.frames > _UNKNOWN:
            raise BadInput("its header names no length, so it was never finished; convert it: ffmpeg -i IN OUT.wav")
        check_rate(file.rate)
    return file


def _facts(path: Path, sound: soundfile.SoundFile) -> _File:
    return _File(path, sound.samplerate, sound.channels, sound.frames, path.stat().st_size)


def _open(path: Path) -> soundfile.SoundFile:
    if path.is_dir():
        raise BadInput("is a folder; give the audio file itself")
    with path.open("rb") as file:
        if not file.read(1):
            raise BadInput("is empty (0 bytes); check how it was copied or exported")
    try:
        return _Forward(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a headerless file, by its name
        raise BadInput("is not WAV, FLAC, Ogg or MP3 audio; convert it: ffmpeg -i IN OUT.wav") from error


@contextmanager
def _about(subject: Path | _File) -> Iterator[None]:
    """Put the file's name before whatever goes wrong with it."""
    path = subject.path if isinstance(subject, _File) else subject
    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; check the name") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip(". ").removeprefix("Error : ")
        raise BadInput(f"{path}: is damaged, or changed while it was read ({reason}); copy it again") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _short(file: _File, there: float, promised: float) -> str:
    return f"{file.path}: ends at {there:.1f} s although its header promises {promised:.1f} s; is the copy complete?"


def _promise(file: _File) -> str | None:
    """A warning when a WAV header promises more than the file holds; libsndfile clamps that silently."""
    with _about(file), file.path.open("rb") as raw:
        if (header := raw.read(12))[:4] != b"RIFF" or header[8:] != b"WAVE":
            return None
        bytes_per_s = 0
        while len(head := raw.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                missing = raw.tell() + size > file.size and size < _STREAMED and bytes_per_s
                return _short(file, file.seconds, size / bytes_per_s) if missing else None
            after = raw.tell() + size + size % 2
            if name == b"fmt ":
                bytes_per_s = int.from_bytes(raw.read(12)[8:], "little")
            raw.seek(after)
    return None
