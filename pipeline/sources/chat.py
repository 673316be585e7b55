"""Chat transcripts: lines of role, time and text, as silent frames with each line where it was sent.

JSON lines (``{"role": "customer", "time": 12.5, "text": "..."}``), or CSV with a line of column names, divided by
commas, semicolons or tabs; other fields are passed over. A time is seconds, ``H:MM:SS`` or ISO 8601, all lines alike;
the conversation begins with its first line.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.inputs import ChatLine, Frame
from pipeline.timebase import TICK, samples

SUFFIXES = (".jsonl", ".csv")
FIELDS = ("role", "time", "text")
LONGEST_H = 24.0
"""A conversation is stepped tick by tick; a day of it takes about 40 s."""
LONGEST_TEXT = 20_000
"""Characters of one line."""
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d(?:[.,]\d+)?)")
_UNTYPED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
"""What no keyboard sends: it could steer a terminal, or not be written down at all."""
_FORMS = "give seconds (12.5), H:MM:SS or ISO 8601 (2026-03-01T14:03:22Z)"


@dataclass(frozen=True, slots=True)
class Written:
    """A transcript, checked. lines: each with the sample at which it was sent, in order; the first one at 0."""

    lines: tuple[tuple[int, ChatLine], ...]
    channels = TWO_CHANNEL

    @property
    def heard(self) -> int:
        """Samples up to the end of the tick that takes the last line."""
        return (-(-self.lines[-1][0] // TICK) + 1) * TICK

    def frames(self) -> Iterator[Frame | ChatLine]:
        """Silence, and each line before the first frame that begins when it was sent, or later."""
        silence, following = np.zeros((len(self.channels), TICK), np.int16), 0
        for start in range(0, self.heard, TICK):
            while following < len(self.lines) and self.lines[following][0] <= start:
                yield self.lines[following][1]
                following += 1
            yield Frame(start, silence)


def is_chat(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def open_chat(path: Path) -> Written:
    """Raises BadInput naming the line, what is wrong with it and what to do."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not UTF-8; convert it: iconv -f LATIN1 -t UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    try:
        lines = _timed(list(_csv(text) if path.suffix.lower() == ".csv" else _json(text)))
    except _Wrong as error:
        raise BadInput(f"{path}, line {error.number}: {error}") from None
    if not lines:
        raise BadInput(f"{path}: holds no lines; each needs role, time and text")
    return Written(tuple(lines))


class _Wrong(Exception):
    """number: of the line in the file."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number = number


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    channel: Channel
    form: str
    seconds: float
    text: str


def _json(text: str) -> Iterator[_Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _Wrong(number, f'is no JSON ({error}); write {{"role": …, "time": …, "text": …}}') from None
        if not isinstance(fields, dict):
            raise _Wrong(number, f'is {_shown(fields)}; write {{"role": …, "time": …, "text": …}}')
        yield _row(number, fields)


def _csv(text: str) -> Iterator[_Row]:
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        reader.fieldnames = _columns([name.strip().lower() for name in reader.fieldnames or ()])
        for fields in reader:
            yield _row(reader.line_num, fields)
    except csv.Error as error:
        raise _Wrong(reader.reader.line_num, f"is no CSV ({error})") from None


def _columns(names: list[str]) -> list[str]:
    missing = [field for field in FIELDS if field not in names]
    if names and missing:
        raise _Wrong(1, f"names no column {missing[0]}; it must name the columns: {','.join(FIELDS)}")
    return names


def _row(number: int, fields: dict[Any, Any]) -> _Row:
    missing = [field for field in FIELDS if fields.get(field) is None]
    if missing:
        raise _Wrong(number, f"has no {missing[0]}; each line needs role, time and text")
    form, seconds = _moment(number, fields["time"])
    return _Row(number, _channel(number, fields["role"]), form, seconds, _text(number, fields["text"]))


def _channel(number: int, role: object) -> Channel:
    name = str(role).strip().lower()
    if name not in TWO_CHANNEL:
        raise _Wrong(number, f"role {_shown(role)} is neither agent nor customer; rename it, or leave such lines out")
    return Channel(name)


def _text(number: int, text: object) -> str:
    if not isinstance(text, str):
        raise _Wrong(number, f"text {_shown(text)} is no text; put it in quotes")
    try:
        return typed(text)
    except BadInput as error:
        raise _Wrong(number, str(error)) from None


def typed(text: str) -> str:
    """A line as somebody may have typed it, on one line. Raises BadInput when nobody has."""
    plain = " ".join(_UNTYPED.sub(" ", text).split())
    if not plain:
        raise BadInput("text is empty; leave the line out")
    if len(plain) > LONGEST_TEXT:
        raise BadInput(f"text has {len(plain)} characters, more than {LONGEST_TEXT}; cut what nobody typed")
    return plain


def _moment(number: int, time: object) -> tuple[str, float]:
    """The form of a time, and its seconds from wherever that form counts."""
    if isinstance(time, str) and (clock := _CLOCK.fullmatch(time.strip())):
        hours, minutes, seconds = (float(part.replace(",", ".")) for part in clock.groups())
        return "H:MM:SS", hours * 3600 + minutes * 60 + seconds
    try:
        if isinstance(time, str) and ":" in time:
            stamp = datetime.fromisoformat(time.strip())
            form = "ISO 8601 with a zone" if stamp.tzinfo else "ISO 8601"
            return form, (stamp - datetime(1970, 1, 1, tzinfo=UTC if stamp.tzinfo else None)).total_seconds()
        seconds = float("nan" if isinstance(time, bool) else str(time))
    except ValueError:
        seconds = float("nan")
    if not isfinite(seconds):
        raise _Wrong(number, f"time {_shown(time)} is none; {_FORMS}")
    return "seconds", seconds


def _timed(rows: list[_Row]) -> list[tuple[int, ChatLine]]:
    """Each line at its sample since the first one."""
    for before, row in pairwise(rows):
        if row.form != before.form:
            raise _Wrong(row.number, f"time is {row.form}, the line before has {before.form}; write all times alike")
        if row.seconds < before.seconds:
            late = before.seconds - row.seconds
            raise _Wrong(row.number, f"time lies {late:g} s before that of the line above; sort the lines by time")
        hours = (row.seconds - rows[0].seconds) / 3600
        if hours > LONGEST_H:
            raise _Wrong(
                row.number, f"comes {hours:.1f} h after the first one, more than {LONGEST_H:g}; split the file"
            )
    return [(samples(row.seconds - rows[0].seconds), ChatLine(channel=row.channel, text=row.text)) for row in rows]


def _shown(value: object) -> str:
    """A value as it can stand in a message of one line."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 40 else shown[:39] + "…"
