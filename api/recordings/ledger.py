"""Which recordings were analysed, as which call: so that a second run does only what is left.

A recording is known by its content (SHA-256), whatever its name; a file that has the same place, size and time as
before is not read again. One JSON line each, appended:

    {"digest":"…","call_id":"file-…","state":"begun"}
    {"digest":"…","call_id":"file-…","state":"done","files":[["/in/a.wav",4800044,1767607200000000000]]}

What was begun and is not done was interrupted: its call is half a call, and is made anew. ``done`` counts as long as
the call is stored; delete the call, and its recording is analysed again.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Literal, Self

from filelock import FileLock, Timeout

from pipeline.archive import Archive
from pipeline.errors import Conflict, StorageFault

NAME = ".recordings.jsonl"
"""In the calls' folder; no call id begins with a dot."""
Stamp = tuple[tuple[str, int, int], ...]
"""Of each file of a call: path, bytes, time of its last change in ns."""


def stamp(files: Sequence[Path]) -> Stamp:
    """Raises OSError."""
    facts = [(file, file.stat()) for file in files]
    return tuple((str(file.absolute()), fact.st_size, fact.st_mtime_ns) for file, fact in facts)


def digest(files: Sequence[Path]) -> str:
    """Of the content, agent's file first. Reads all of it. Raises OSError."""
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


class Ledger:
    """Of one archive; a context, in which no other process has it. Methods may be called from any thread.

    Entering raises Conflict when another run has it, StorageFault when it cannot be written.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._path = archive.root / NAME
        self._held = FileLock(archive.root / ".recordings.lock", thread_local=False)
        self._lock = Lock()
        self._calls: dict[str, tuple[str, str]] = {}
        self._stamps: dict[Stamp, str] = {}
        self._file: BinaryIO

    def __enter__(self) -> Self:
        try:
            self._archive.root.mkdir(parents=True, exist_ok=True)
            self._held.acquire(blocking=False)
            self._read()
            self._file = self._path.open("ab", buffering=0)
        except Timeout:
            raise Conflict(
                "another calmline analyze or watch works on a folder already; wait for it, or stop it"
            ) from None
        except OSError as error:
            raise _refused(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._held.release()

    def same(self, files: Stamp) -> str | None:
        """The call that was made of these files, unchanged since; None when there is none."""
        with self._lock:
            found = self._stamps.get(files)
            return self._done(found) if found else None

    def known(self, content: str, files: Stamp) -> str | None:
        """The call that was made of this content, whatever its name; these files are known from now on."""
        with self._lock:
            call_id = self._done(content)
            if call_id is not None and self._stamps.get(files) != content:
                self._write(content, call_id, "done", files)
            return call_id

    def begin(self, content: str, call_id: str) -> None:
        """A call is made of it now; what an interrupted run left of it is deleted. Raises StorageFault."""
        with self._lock:
            before, state = self._calls.get(content, ("", ""))
            if state == "begun" and before and self._archive.exists(before):
                self._archive.delete(before)
            self._write(content, call_id, "begun")

    def finish(self, content: str, call_id: str, files: Stamp) -> None:
        """All of it was analysed. Raises StorageFault."""
        with self._lock:
            self._write(content, call_id, "done", files)

    def half(self, call_id: str) -> bool:
        """Whether that call is what an interrupted run left."""
        with self._lock:
            return (call_id, "begun") in self._calls.values()

    def _done(self, content: str) -> str | None:
        call_id, state = self._calls.get(content, ("", ""))
        return call_id if state == "done" and self._archive.exists(call_id) else None

    def _read(self) -> None:
        if self._path.exists():
            for line in self._path.read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):  # a torn last line
                    self._note(**json.loads(line))

    def _note(self, digest: str, call_id: str, state: str, files: Sequence[Any] = ()) -> None:
        self._calls[digest] = (call_id, state)
        if files:
            self._stamps[tuple((path, size, time) for path, size, time in files)] = digest

    def _write(self, content: str, call_id: str, state: Literal["begun", "done"], files: Stamp = ()) -> None:
        fields = {"digest": content, "call_id": call_id, "state": state} | ({"files": files} if files else {})
        try:
            self._file.write(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise _refused(self._path, error) from error
        self._note(**fields)  # type: ignore[arg-type]


def _refused(path: Path, error: OSError) -> StorageFault:
    return StorageFault(f"cannot write {path}: {error.strerror or error}")
