"""Webhook events on disk until they are delivered: one small file each, and one file of those that were given up.

    CALLS/.webhooks/waiting/000000000042-3f9a1c.json     not yet delivered: sent again when the server starts
    CALLS/.webhooks/dead.jsonl                           given up: ``calmline webhooks retry`` sends them

A file is whole or not there (written aside, then renamed). Only one process takes over what an earlier one left: the
one that holds ``owner.lock``; a second one on the same folder (``calmline listen`` beside a server) sends its own.
"""

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from api.outgoing.message import Message

FOLDER = ".webhooks"
"""In the calls' folder; no call id begins with a dot."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An event on its way. since: seconds since 1970 at which it was first to be sent. why: it was given up.

    path: its file; None where the disk refused it.
    """

    id: str
    kind: str
    call_id: str
    body: str
    since: float
    why: str = ""
    path: Path | None = None

    def line(self) -> bytes:
        """As JSON, without where it lies."""
        fields = asdict(self)
        del fields["path"]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def letter(message: Message, since: float) -> Letter:
    return Letter(message.id, message.kind, message.call_id, message.body.decode(), since)


def read(line: bytes) -> Letter:
    """Raises ValueError or TypeError when the line is none."""
    return Letter(**json.loads(line))


class Outbox:
    """Those that wait. Methods block for about a tenth of a millisecond; what the disk refuses raises OSError."""

    def __init__(self, calls: Path) -> None:
        self._waiting = calls / FOLDER / "waiting"
        self._owner = FileLock(calls / FOLDER / "owner.lock", thread_local=False)  # taken in a thread
        self._next = 1

    @property
    def owned(self) -> bool:
        """Whether this process takes over what an earlier one left."""
        return bool(self._owner.is_locked)

    def open(self) -> list[Letter]:
        """Make the folder; returns what an earlier process left, oldest first, unless another process has it."""
        self._waiting.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in self._waiting.glob("*.json"))
        self._next = 1 + max((int(name.split("-")[0]) for name in names), default=0)
        try:
            self._owner.acquire(blocking=False)
        except Timeout:
            return []
        return [found for name in names if (found := _found(self._waiting / name)) is not None]

    def keep(self, each: Letter) -> Letter:
        """Write it down."""
        path = self._waiting / f"{self._next:012d}-{secrets.token_hex(3)}.json"
        self._next += 1
        aside = path.with_suffix(".new")
        aside.write_bytes(each.line())
        aside.replace(path)
        return replace(each, path=path)

    def drop(self, each: Letter) -> None:
        """It was delivered, or lies elsewhere now."""
        if each.path is not None:
            with suppress(OSError):  # at worst it is sent once more
                each.path.unlink(missing_ok=True)

    def close(self) -> None:
        self._owner.release()


def _found(path: Path) -> Letter | None:
    """None for a file that is damaged: it is put aside under another name, for people."""
    try:
        return replace(read(path.read_bytes()), path=path)
    except (ValueError, TypeError, OSError):
        with suppress(OSError):
            path.rename(path.with_suffix(".damaged"))
        return None


class DeadLetters:
    """Events that were given up, in a file of JSON lines that is bounded: when it is full, no more are kept.

    The oldest stay, for they say when the trouble began; all of them are in the calls' journals too.
    """

    def __init__(self, calls: Path, limit: int) -> None:
        self._folder = calls / FOLDER
        self._limit = limit
        self.path = self._folder / "dead.jsonl"
        self._taken = self._folder / "retrying.jsonl"
        self._lock = FileLock(self._folder / "dead.lock")

    def add(self, letters: Sequence[Letter]) -> int:
        """How many of them there was room for. Raises OSError when the disk refuses."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("ab") as file:
            for count, each in enumerate(letters):
                line = each.line()
                if file.tell() + len(line) > self._limit:
                    return count
                file.write(line)
            return len(letters)

    def __iter__(self) -> Iterator[Letter]:
        """All of them, oldest first; a line that is damaged is passed over."""
        for path in (self._taken, self.path):
            yield from _lines(path)

    def take(self) -> list[Letter]:
        """Set all of them aside to be sent; ``settle`` says which could not be. What a killed retry took comes too."""
        with self._lock:
            taken = list(self)
            self._folder.mkdir(parents=True, exist_ok=True)
            aside = self._taken.with_suffix(".new")
            aside.write_bytes(b"".join(each.line() for each in taken))
            os.replace(aside, self._taken)
            self.path.unlink(missing_ok=True)
        return taken

    def settle(self, left: Sequence[Letter]) -> None:
        """The retry is over; these were not delivered and are kept, before what came meanwhile."""
        with self._lock:
            since = list(_lines(self.path))
            aside = self.path.with_suffix(".new")
            aside.write_bytes(b"".join(each.line() for each in (*left, *since)))
            os.replace(aside, self.path)
            self._taken.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[Letter]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        with suppress(ValueError, TypeError):
            yield read(line)
