"""The truth on disk: append-only JSON lines. Line 0 is the header, line n is entry n.

    {"n":0,"schema":1,"call":{...},"settings":{...},"engines":[...],"started":"..."}
    {"n":7,"at":81920,"in":{"type":"engine_result",...}}
    {"n":8,"at":81920,"ev":{"type":"words",...}}

Lines are written whole and handed to the system at once, so a killed process loses none of them; a torn last line is
left out by the reader.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from pydantic import Field, TypeAdapter, ValidationError

from models.protocols import Identity
from pipeline.errors import BadInput, StorageFault
from pipeline.events import Event
from pipeline.inputs import Input
from pipeline.session import CallInfo, Entry
from pipeline.settings import Settings

SCHEMA = 1

EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
INPUT: TypeAdapter[Input] = TypeAdapter(Annotated[Input, Field(discriminator="type")])
_INPUT_TYPES = tuple(cast(Any, Input).__args__)


@dataclass(frozen=True, slots=True)
class Header:
    """What a call needs to be stepped again. started: ISO 8601 time of day, for people only. version: calmline's."""

    call: CallInfo
    settings: Settings
    engines: tuple[Identity, ...] = ()
    started: str = ""
    version: str = ""
    schema: int = SCHEMA
    n: int = field(default=0)


_HEADER: TypeAdapter[Header] = TypeAdapter(Header)


@dataclass(frozen=True, slots=True)
class CallFolder:
    """The files of one call."""

    path: Path

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def audio(self) -> Path:
        return self.path / "audio.flac"

    @property
    def notes(self) -> Path:
        return self.path / "notes.jsonl"


def encode(entry: Entry) -> bytes:
    """One journal line, without its end."""
    if isinstance(entry.item, _INPUT_TYPES):
        key, body = b"in", INPUT.dump_json(cast(Input, entry.item))
    else:
        key, body = b"ev", EVENT.dump_json(cast(Event, entry.item))
    return b'{"n":%d,"at":%d,"%b":%b}' % (entry.n, entry.at, key, body)


def decode(line: bytes | str) -> Entry:
    """Raises ValueError (pydantic's is one) when the line is no entry."""
    raw = json.loads(line)
    if not isinstance(raw, dict) or not {"n", "at"} <= raw.keys() or not {"in", "ev"} & raw.keys():
        raise ValueError("no journal entry")
    item = INPUT.validate_python(raw["in"]) if "in" in raw else EVENT.validate_python(raw["ev"])
    return Entry(raw["n"], raw["at"], item)


def is_event(entry: Entry) -> bool:
    return not isinstance(entry.item, _INPUT_TYPES)


class Journal:
    """Writes one call's journal. Raises StorageFault when the disk refuses."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("xb", buffering=0)
        except FileExistsError:
            raise StorageFault(f"{path} exists already; a journal is never overwritten") from None
        except OSError as error:
            raise _refused(path, error) from error
        self._put(_HEADER.dump_json(header) + b"\n")

    def write(self, entries: Iterable[Entry]) -> None:
        """Append entries and hand them to the system."""
        data = b"".join(encode(entry) + b"\n" for entry in entries)
        if data:
            self._put(data)

    def close(self) -> None:
        self._file.close()

    def _put(self, data: bytes) -> None:
        left, whole = memoryview(data), self._file.tell()
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with suppress(OSError):  # half a line must not stay: should the disk recover, a Fault follows it
                self._file.seek(whole)
                self._file.truncate()
            raise _refused(self.path, error) from error


def _refused(path: Path, error: OSError) -> StorageFault:
    return StorageFault(f"cannot write {path}: {error.strerror or error}; free some space or set storage.folder")


def read_header(path: Path) -> Header:
    """Raises BadInput when the file is missing or its first line is no header."""
    try:
        with path.open("rb") as file:
            return _HEADER.validate_json(file.readline())
    except FileNotFoundError:
        raise BadInput(f"no journal at {path}") from None
    except ValidationError as error:
        raise BadInput(f"{path} does not begin with a journal header ({error.error_count()} problems)") from None


def read_entries(path: Path) -> Iterator[Entry]:
    """Every whole entry, in order. Raises BadInput, naming the line, when one in the middle is damaged."""
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield decode(line)
            except ValueError as error:
                raise BadInput(f"{path}, line {number} is damaged: {str(error).splitlines()[0]}") from None
