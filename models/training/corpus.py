"""Labelled clips: tables (CSV) of short recordings of one person each, with what is heard in them.

And calm speech: recordings in which nobody is upset, of many voices and microphones, which need no label.
"""

import csv
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.training import audio
from models.training.errors import TrainingError

REQUIRED = ("path", "corpus", "speaker", "emotion")
"""Columns that a table must have; ``sex`` is read where it is, others are ignored."""
EMOTIONS = ("anger", "neutral", "calm", "sad", "happy", "fear", "disgust", "surprise", "tense", "other")
"""The labels. A closed list, because a misspelt ``angry`` would otherwise be learnt as an example of no anger."""
NEEDED = ("path", "corpus", "speaker")
"""Columns that a table of calm speech must have."""
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
    """One person, one emotion. digest: SHA-256 of the file. sex: empty where the table does not say.

    piece: the number of the part of a longer file (``audio.PIECE``) that this is; None is the whole file.
    """

    file: Path
    corpus: str
    speaker: str
    emotion: str
    digest: str
    sex: str = ""
    piece: int | None = None

    @property
    def who(self) -> str:
        """The speaker, told apart from those of the same name in another corpus."""
        return f"{self.corpus}/{self.speaker}"

    @property
    def key(self) -> str:
        """Of its samples, for whatever is kept about them."""
        return self.digest if self.piece is None else f"{self.digest}.{self.piece}"


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


def calm(tables: Sequence[Path]) -> list[Clip]:
    """Calm speech in pieces of 3 s, all neutral, sorted as ``read`` does. Raises TrainingError as it does.

    What is shorter is one piece; what is left at the end of a longer recording is left out.
    """
    whole = [clip for table in tables for clip in _rows(table, NEEDED)]
    once = {clip.digest: clip for clip in sorted(whole, key=lambda c: (c.corpus, c.speaker, c.file))}
    return [replace(clip, piece=piece) for clip in once.values() for piece in range(audio.pieces(clip.file))]


def _rows(table: Path, columns: Sequence[str] = REQUIRED) -> Iterator[Clip]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(table, reader.fieldnames or (), columns)
            yield from [_clip(table, reader.line_num, row, columns) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{table}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from error


def _check_columns(table: Path, columns: Iterable[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise TrainingError(f"{table}: no column {', '.join(missing)}; a table has {', '.join(needed)}")


def _clip(table: Path, line: int, row: Mapping[str, str | None], needed: Sequence[str]) -> Clip:
    values = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}
    values = values if "emotion" in needed else values | {"emotion": "neutral"}
    empty = [name for name in needed if not values[name]]
    if empty:
        raise TrainingError(f"{table}, line {line}: {', '.join(empty)} is empty")
    if values["emotion"] not in EMOTIONS:
        known = ", ".join(EMOTIONS)
        raise TrainingError(f"{table}, line {line}: emotion {values['emotion']!r} is none of {known}")
    file = table.parent / values["path"]
    if not file.is_file():
        raise TrainingError(f"{table}, line {line}: there is no file {file}")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Clip(file, values["corpus"], values["speaker"], values["emotion"], digest, values.get("sex", ""))


def check_enough(clips: Sequence[Clip], positive: Collection[str]) -> None:
    """Raises TrainingError where nothing could be learnt or measured: one side only, or nobody to hold out."""
    high = sum(clip.emotion in positive for clip in clips)
    if high in (0, len(clips)):
        raise TrainingError(f"{high} of {len(clips)} clips are {', '.join(sorted(positive))}: give both sides")
    if len({clip.who for clip in clips}) < 2:
        raise TrainingError("all clips are of one speaker: give two or more, so that one can be kept for the test")
