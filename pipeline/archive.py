"""The folder of stored calls: one folder a call, made before its first sample, deleted whole."""

import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from models.protocols import Identity
from pipeline.call import Call
from pipeline.errors import BadInput, Conflict, NotFound, StorageFault
from pipeline.journal import CallFolder, Header, Journal
from pipeline.session import Session
from pipeline.settings import Settings
from pipeline.tape import Tape

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Archive:
    """root: the folder of ``storage.folder``; made when it is missing."""

    def __init__(self, root: Path, max_gb: float) -> None:
        self.root = root
        self._max_bytes = max_gb * 1e9

    def folder(self, call_id: str) -> CallFolder:
        """Raises BadInput when the id cannot name a folder, NotFound when there is no such call."""
        folder = self._place(call_id)
        if not folder.journal.exists():
            raise NotFound(f"no stored call {call_id}")
        return folder

    def exists(self, call_id: str) -> bool:
        return self._place(call_id).path.exists()

    def check_free(self, call_id: str) -> None:
        """Raises BadInput when the id cannot name a folder, Conflict when it is taken."""
        if self.exists(call_id):
            raise _taken(call_id)

    def ids(self) -> Iterator[str]:
        """Every stored call, in the order of their names."""
        if self.root.is_dir():
            yield from sorted(path.parent.name for path in self.root.glob("*/journal.jsonl"))

    def size(self) -> int:
        """Bytes of all stored calls."""
        return sum(path.stat().st_size for path in self.root.glob("*/*") if path.is_file())

    def delete(self, call_id: str) -> None:
        """Remove every file of a call. Raises NotFound."""
        try:
            shutil.rmtree(self.folder(call_id).path)
        except OSError as error:
            raise StorageFault(f"cannot delete {call_id}: {error.strerror or error}") from error

    def record(
        self,
        session: Session,
        settings: Settings,
        engines: tuple[Identity, ...] = (),
        *,
        live: bool = False,
        started: str = "",
    ) -> Call:
        """A Call that is written down here. started: ISO 8601 time of day, for people.

        Raises Conflict when the id is taken, StorageFault when the disk is full or ``storage.max_gb`` is reached.
        """
        folder = self._place(session.info.call_id)
        self._check_room()
        try:
            folder.path.mkdir(parents=True)
        except FileExistsError:
            raise _taken(session.info.call_id) from None
        except OSError as error:
            raise StorageFault(f"cannot make {folder.path}: {error.strerror or error}") from error
        header = Header(session.info, settings, engines, started, metadata.version("calmline"))
        try:
            return _call(folder, session, header, live=live)
        except StorageFault:
            shutil.rmtree(folder.path, ignore_errors=True)  # nothing was heard yet; half a call must not be listed
            raise

    def _place(self, call_id: str) -> CallFolder:
        if not _ID.fullmatch(call_id):
            raise BadInput(f"call id {call_id!r}: use up to 100 letters, digits, '.', '_' or '-'")
        return CallFolder(self.root / call_id)

    def _check_room(self) -> None:
        used = self.size() if self.root.is_dir() else 0
        if used >= self._max_bytes:
            raise StorageFault(
                f"stored calls take {used / 1e9:.2f} GB of storage.max_gb = {self._max_bytes / 1e9:g}; "
                "delete calls (calmline delete) or raise the limit"
            )


def _taken(call_id: str) -> Conflict:
    return Conflict(f"call {call_id} is stored already; use another call_id or delete it")


def _call(folder: CallFolder, session: Session, header: Header, *, live: bool) -> Call:
    policy = header.settings.policy
    recorded = policy.recording and (bool(session.info.notice_given) or not policy.needs_notice)
    sound = session.info.attribution != "written"
    tape = Tape(folder.audio, len(session.info.channels)) if recorded and sound else None
    return Call(session, journal=Journal(folder.journal, header), tape=tape, live=live)
