"""What people add to a call after it ended: ``notes.jsonl``, one JSON object a line, only ever appended to."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import StorageFault
from pipeline.journal import CallFolder


class Note(BaseModel):
    """about: number of the event it is about. by: who wrote it. time: ISO 8601."""

    model_config = ConfigDict(frozen=True)

    type: Literal["label", "comment", "reviewed", "swap"]
    about: int | None = None
    label: str = ""
    text: str = ""
    by: str = ""
    time: str = ""


def wrong(alert: int, by: str) -> Note:
    """Somebody says that this alert was not right."""
    return Note(type="label", about=alert, label="wrong", by=by, time=datetime.now(UTC).isoformat(timespec="seconds"))


def append(folder: CallFolder, note: Note) -> None:
    """Raises StorageFault when the disk refuses."""
    try:
        with folder.notes.open("ab", buffering=0) as file:
            file.write(note.model_dump_json().encode() + b"\n")
    except OSError as error:
        raise StorageFault(f"cannot write {folder.notes}: {error.strerror or error}") from error


def read(folder: CallFolder) -> list[Note]:
    """Every whole note, in order; a line that is none (torn, or of a later version) is passed over."""
    if not folder.notes.exists():
        return []
    return [note for line in folder.notes.read_bytes().splitlines() if (note := _parse(line)) is not None]


def _parse(line: bytes) -> Note | None:
    try:
        return Note.model_validate_json(line)
    except ValidationError:
        return None
