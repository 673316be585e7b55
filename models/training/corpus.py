"""Labelled clips: tables (CSV) of short recordings of one person each, with what is heard in them."""

import csv
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.training.errors import TrainingError

REQUIRED = ("path", "corpus", "speaker", "emotion")
"""Columns that a table must have; ``sex`` is read where it is, others are ignored."""
EMOTIONS = ("anger", "neutral", "calm", "sad", "happy", "fear", "disgust", "surprise", "tense", "other")
"""The labels. A closed list, because a misspelt ``angry`` would otherwise be learnt as an example of no anger."""
CALM = frozenset({"neutral", "calm", "sad"})
"""What a call mostly is beside anger."""
TENSE = frozenset({"anger", "fear", "tense"})
"""Aroused and unpleasant: the nearest thing to an agent's tension that acted corpora hold;
``tense`` itself comes from people who labelled real calls."""
AROUSED = frozenset({"anger", "fear", "happy", "surprise", "tense"})
"""High arousal in the circumplex of affect (Russell, J. Personality and Social Psychology 39(6), 1980). ``disgust``
and ``other`` lie on neither side, and are left out where arousal or tension is learnt."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One person, one emotion. digest: SHA-256 of the file. sex: empty where the table does not say."""

    file: Path
    corpus: str
    speaker: str
    emotion: str
    digest: str
    sex: str = ""

    @property
    def who(self) -> str:
        """The speaker, told apart from those of the same name in another corpus."""
        return f"{self.corpus}/{self.speaker}"


def read(tables: Sequence[Path]) -> list[Clip]:
    """Every clip of some tables, sorted by corpus, speaker and path; of identical files the first alone.

    A path is relative to the folder of its table. Raises TrainingError that names the table and the line.
    """
    clips = sorted((clip for table in tables for clip in _rows(table)), key=lambda c: (c.corpus, c.speaker, c.file))
    first: dict[str, Clip] = {}
    for clip in clips:
        kept = first.setdefault(clip.digest, clip)
        if (kept.who, kept.emotion) != (clip.who, clip.emotion):
            what = f"{clip.who} in {clip.emotion}, and as {kept.who} in {kept.emotion}"
            raise TrainingError(f"{clip.file} and {kept.file} are the same file, given as {what}: one is wrong")
    return list(first.values())


def _rows(table: Path) -> Iterator[Clip]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(table, reader.fieldnames or ())
            yield from [_clip(table, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{table}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from error


def _check_columns(table: Path, columns: Iterable[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise TrainingError(f"{table}: no column {', '.join(missing)}; a table has {', '.join(REQUIRED)}")


def _clip(table: Path, line: int, row: Mapping[str, str | None]) -> Clip:
    values = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}
    empty = [name for name in REQUIRED if not values[name]]
    if empty:
        raise TrainingError(f"{table}, line {line}: {', '.join(empty)} is empty")
    if values["emotion"] not in EMOTIONS:
        known = ", ".join(EMOTIONS)
        raise TrainingError(f"{table}, line {line}: emotion {values['emotion']!r} is none of {known}")
    file = table.parent / values["path"]
    if not file.is_file():
        raise TrainingError(f"{table}, line {line}: there is no file {file}")
    own = {name: values.get(name, "") for name in ("corpus", "speaker", "emotion", "sex")}
    return Clip(file=file, digest=hashlib.sha256(file.read_bytes()).hexdigest(), **own)


def check_enough(clips: Sequence[Clip], positive: Collection[str]) -> None:
    """Raises TrainingError where nothing could be learnt or measured: one side only, or nobody to hold out."""
    high = sum(clip.emotion in positive for clip in clips)
    if high in (0, len(clips)):
        raise TrainingError(f"{high} of {len(clips)} clips are {', '.join(sorted(positive))}: give both sides")
    if len({clip.who for clip in clips}) < 2:
        raise TrainingError("all clips are of one speaker: give two or more, so that one can be kept for the test")
