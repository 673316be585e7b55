"""``cues check``: every cue against its own examples. ``cues test``: precision and recall on labelled utterances.

``cues train``: weights from labelled utterances.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from api.commands.console import out
from api.config import Config
from pipeline import labelled, learning
from pipeline.channel import Channel
from pipeline.counts import Count
from pipeline.cuebook import CueBook, CueRule, load_cues
from pipeline.cues import Finder
from pipeline.labelled import Labelled, Result
from pipeline.settings import Cues


@dataclass(frozen=True, slots=True)
class Wanted:
    """part: of the labelled set, "" for all. texts: files of what was recognised of the lines, by id."""

    json: bool = False
    part: str = ""
    texts: tuple[Path, ...] = ()


def check(config: Config, files: Sequence[Path], *, as_json: bool) -> int:
    """1 when an example is not found or a counter-example is. files: beside those of the settings. Raises BadInput."""
    settings, book = _seeking(config, files)
    finder = Finder(book, settings)
    wrong = [line for rule in book.rules for line in _wrong(finder, rule)]
    count = sum(len(rule.examples) + len(rule.counter_examples) for rule in book.rules)
    if as_json:
        out.file.write(json.dumps({"cues": len(book.rules), "examples": count, "wrong": wrong}) + "\n")
        return int(bool(wrong))
    for each in wrong:
        out.print(Text(f"{each['cue']}: {each['what']}: {each['text']}"), soft_wrap=True)
    out.print(Text(f"{len(book.rules)} cues, {count} examples, {len(wrong)} wrong"), soft_wrap=True)
    return int(bool(wrong))


def _wrong(finder: Finder, rule: CueRule) -> list[dict[str, str]]:
    missed = [text for text in rule.examples if rule.name not in _names(finder, rule.role, text)]
    false = [text for text in rule.counter_examples if rule.name in _names(finder, rule.role, text)]
    return [
        *({"cue": rule.name, "what": "example not found", "text": text} for text in missed),
        *({"cue": rule.name, "what": "counter-example found", "text": text} for text in false),
    ]


def test(config: Config, file: Path, wanted: Wanted) -> int:
    """0 when the file was scored, however badly. Raises BadInput."""
    settings, book = _seeking(config, ())
    lines = labelled.read(file, book.names)
    if wanted.part:
        lines = labelled.only(lines, wanted.part, file)
    for texts in wanted.texts:
        lines = labelled.with_texts(lines, texts)
    result = labelled.score(lines, _find(Finder(book, settings)))
    if wanted.json:
        out.file.write(json.dumps(_figures(result)) + "\n")
    else:
        _told(result, lines)
    return 0


def train(config: Config, files: Sequence[Path], to: Path) -> int:
    """Weights from all lines of all files. Raises BadInput, EngineFault."""
    _, book = _seeking(config, ())
    lines = [line for file in files for line in labelled.read(file, book.names)]
    learning.save(learning.train(lines), to)
    out.print(Text(f"learnt from {len(lines)} utterances: {to}"), soft_wrap=True)
    return 0


def _seeking(config: Config, files: Sequence[Path]) -> tuple[Cues, CueBook]:
    cues = config.settings.cues
    settings = cues.model_copy(update={"files": (*cues.files, *map(str, files))})
    return settings, load_cues(settings)


def _find(finder: Finder) -> labelled.Find:
    return lambda role, text: _names(finder, role, text)


def _names(finder: Finder, role: Channel, text: str) -> frozenset[str]:
    return frozenset(found.name for found in finder.find(role, text.split()))


def _figures(result: Result) -> dict[str, Any]:
    cues = {
        name: asdict(count) | {"precision": count.precision, "recall": count.recall, "f1": count.f1}
        for name, count in result.cues.items()
    }
    return asdict(result) | {"cues": cues, "macro_f1": result.macro_f1}


def _told(result: Result, lines: Sequence[Labelled]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("cue", "there", "found", "precision", "recall", "F1"):
        table.add_column(column, no_wrap=True)
    for name, count in result.cues.items():
        table.add_row(name, *_row(count))
    out.print(table)
    out.print(Text(f"macro F1 {_share(result.macro_f1)} of {len(lines)} utterances"), soft_wrap=True)
    out.print(Text(f"false in hard negatives  {result.hard_false} of {result.hard}"), soft_wrap=True)
    out.print(Text(f"false in others without a label  {result.plain_false} of {result.plain}"), soft_wrap=True)


def _row(count: Count) -> tuple[str, ...]:
    there, found = count.hits + count.missed, count.hits + count.false
    return (str(there), str(found), _share(count.precision), _share(count.recall), _share(count.f1))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
