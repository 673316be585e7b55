"""Labelled utterances, and how right the cues found in them are: precision, recall and F1 of each cue."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pipeline.channel import Channel
from pipeline.counts import Count
from pipeline.errors import BadInput
from pipeline.settings import Section

Find = Callable[[Channel, str], frozenset[str]]
"""The names of the cues in one utterance of a party."""


class Labelled(Section):
    """One utterance. labels: every cue in it. hard: it tempts to a cue that it does not show. part: of the set."""

    role: Channel
    text: str = Field(min_length=1)
    labels: frozenset[str]
    hard: bool = False
    id: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """cues: in the order of their names. hard: hard negatives; hard_false: those of them in which any cue was found
    that is not labelled. plain, plain_false: the same of the other utterances without a label."""

    cues: dict[str, Count]
    lines: int
    hard: int
    hard_false: int
    plain: int
    plain_false: int

    @property
    def macro_f1(self) -> float | None:
        """Mean F1 of the cues that are labelled somewhere; None when none is."""
        values = [count.f1 or 0.0 for count in self.cues.values() if count.hits + count.missed]
        return sum(values) / len(values) if values else None


def read(path: Path, known: frozenset[str]) -> list[Labelled]:
    """The lines of a JSON-lines file. Raises BadInput naming file and line. known: the cues there are."""
    lines = _lines(path)
    found = [_line(f"{path}:{number}", line, known) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise BadInput(f"{path}: holds no utterance: each line is an object with role, text and labels")
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _line(place: str, line: str, known: frozenset[str]) -> Labelled:
    try:
        labelled = Labelled.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise BadInput(f"{place}: no JSON: {error.msg}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{place}: {'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}") from None
    unknown = sorted(labelled.labels - known)
    if unknown:
        raise BadInput(f"{place}: unknown label {unknown[0]!r}; the cues are {', '.join(sorted(known))}")
    return labelled


def only(lines: Sequence[Labelled], part: str, path: Path) -> list[Labelled]:
    """Those of one part. Raises BadInput when there is none."""
    found = [line for line in lines if line.part == part]
    if not found:
        raise BadInput(f"{path}: no line has the part {part!r}; there are {', '.join(sorted({e.part for e in lines}))}")
    return found


def with_texts(lines: Sequence[Labelled], path: Path) -> list[Labelled]:
    """The lines that ``path`` has, as they were recognised: JSON lines of id and text. Raises BadInput."""
    texts: dict[str, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        entry = _object(f"{path}:{number}", line)
        texts[str(entry.get("id"))] = str(entry.get("text", ""))
    return [line.model_copy(update={"text": texts[line.id]}) for line in lines if line.id in texts]


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"{place}: no JSON: {error.msg}") from None
    if not isinstance(entry, dict) or "id" not in entry:
        raise BadInput(f"{place}: must be an object with id and text")
    return entry


def score(lines: Iterable[Labelled], find: Find) -> Result:
    hits, false, missed, sizes, wrong = Counter[str](), Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for line in lines:
        found = find(line.role, line.text)
        hits.update(found & line.labels)
        false.update(found - line.labels)
        missed.update(line.labels - found)
        kind = "hard" if line.hard else "labelled" if line.labels else "plain"
        sizes[kind] += 1
        wrong[kind] += bool(found - line.labels)
    names = sorted({*hits, *false, *missed})
    cues = {name: Count(hits[name], false[name], missed[name]) for name in names}
    return Result(cues, sizes.total(), sizes["hard"], wrong["hard"], sizes["plain"], wrong["plain"])
