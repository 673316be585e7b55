"""What people add to a call: ``notes.jsonl``, one JSON object a line, only ever appended to.

Nothing is taken out again: a note that takes another's place names its line, and one of the type ``undo`` leaves that
place empty. What stands is what no later note has replaced.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.channel import Channel
from pipeline.errors import NotFound, StorageFault
from pipeline.journal import CallFolder

STRETCH = ("calm", "tense", "angry")
"""What a stretch of one voice may be labelled."""


class Note(BaseModel):
    """One line of the file.

    type: ``label`` speaks of an alert, ``stretch`` of a piece of the audio, ``comment`` of a moment or the whole call.
    about: number of the event it is about. label: of an alert ``right`` or ``wrong``, of a stretch ``calm``, ``tense``
    or ``angry``, of ``reviewed`` ``yes`` (or nothing) or ``no``. at_ms, begin_ms, end_ms: since the start of the call.
    channel: whose voice. replaces: line of the note whose place it takes. by: who wrote it. time: ISO 8601.
    """

    model_config = ConfigDict(frozen=True)

    type: Literal["label", "stretch", "comment", "reviewed", "swap", "undo"]
    about: int | None = None
    label: str = ""
    text: str = ""
    at_ms: int | None = None
    channel: Channel | None = None
    begin_ms: int | None = None
    end_ms: int | None = None
    replaces: int | None = None
    by: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Numbered:
    """line: in the file, from 1."""

    line: int
    note: Note


def now() -> str:
    """The time of a note written now."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def wrong(alert: int, by: str) -> Note:
    """Somebody says that this alert was not right."""
    return Note(type="label", about=alert, label="wrong", by=by, time=now())


def undo(line: int, by: str) -> Note:
    """The note of that line no longer holds."""
    return Note(type="undo", replaces=line, by=by, time=now())


def append(folder: CallFolder, note: Note) -> int:
    """Returns its line. Raises StorageFault when the disk refuses."""
    try:
        with folder.notes.open("ab+", buffering=0) as file:
            file.seek(0)
            before = file.read()
            torn = bool(before) and not before.endswith(b"\n")  # by a kill or a full disk: it must not spoil this one
            file.write((b"\n" if torn else b"") + note.model_dump_json(exclude_defaults=True).encode() + b"\n")
    except OSError as error:
        raise StorageFault(f"cannot write {folder.notes}: {error.strerror or error}") from error
    return before.count(b"\n") + torn + 1


def read(folder: CallFolder) -> list[Note]:
    """As ``lines``, without their numbers."""
    return [each.note for each in lines(folder)]


def lines(folder: CallFolder) -> list[Numbered]:
    """Every whole note, in order; a line that is none (torn, or of a later version) is passed over."""
    if not folder.notes.exists():
        return []
    numbered = enumerate(folder.notes.read_bytes().split(b"\n"), start=1)
    return [Numbered(number, note) for number, line in numbered if (note := _parse(line)) is not None]


def standing(notes: Iterable[Numbered]) -> list[Numbered]:
    """Those that no later one has replaced, in the order of their lines."""
    kept: dict[int, Numbered] = {}
    for each in notes:
        if each.note.replaces is not None:
            kept.pop(each.note.replaces, None)
        if each.note.type != "undo":
            kept[each.line] = each
    return list(kept.values())


def at(folder: CallFolder, line: int) -> Note:
    """The note that stands there. Raises NotFound."""
    for each in standing(lines(folder)):
        if each.line == line:
            return each.note
    raise NotFound(f"call {folder.path.name} has no note {line}")


def reviewed(notes: Iterable[Numbered]) -> bool:
    """What was said of it last."""
    said = [each.note.label for each in notes if each.note.type == "reviewed"]
    return bool(said) and said[-1] != "no"


def _parse(line: bytes) -> Note | None:
    try:
        return Note.model_validate_json(line)
    except ValidationError:
        return None
