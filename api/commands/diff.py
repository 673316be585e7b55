"""``replay --settings FILE --diff``: which alerts other settings would add, drop or move, in one call or in many."""

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from api.commands.console import err, moment, note, out, trouble
from api.commands.replay import find, wordless
from api.config import Config, policy_named
from pipeline import graph
from pipeline.errors import BadInput, CalmlineError
from pipeline.graph import Engines
from pipeline.journal import CallFolder, read_header
from pipeline.settings import Settings
from pipeline.tuning import Change, Comparison, compare

SIGNS = {"appears": "+", "vanishes": "-", "moves": "~"}
WIDE = 160
"""Columns of a table where no terminal limits it."""


def run(config: Config, call: str, file: Path, *, as_json: bool) -> int:
    """call: an id, a call's folder, or a folder of calls. The worst exit code of all calls."""
    wanted = _read(file)
    folders = _folders(config, call)

    @lru_cache(maxsize=4)
    def load(settings: Settings) -> Engines:
        return graph.load(wordless(settings), config.model_cache)

    made: list[Comparison] = []
    code = 0
    for folder in folders:
        try:
            with err.status(f"stepping {folder.path.name} twice…"):
                made.append(_compared(folder, wanted, file, load))
        except CalmlineError as error:
            if len(folders) == 1:
                raise
            code = max(code, error.exit_code)
            trouble(f"{folder.path.name}: {error}")
    if as_json:
        out.file.write(json.dumps([asdict(each) for each in made]) + "\n")
    else:
        _show(made, many=len(folders) > 1)
    return code


def _folders(config: Config, call: str) -> list[CallFolder]:
    """Raises BadInput or NotFound where there is no call."""
    path = Path(call).expanduser()
    inside = sorted(each.parent for each in path.glob("*/journal.jsonl")) if path.is_dir() else []
    return [CallFolder(each.resolve()) for each in inside] or [find(config, call)]


def _read(file: Path) -> dict[str, Any]:
    """What the file says, its [server] left out. Raises BadInput."""
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the settings {file}: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file} is no TOML: {error}") from None
    said.pop("server", None)
    if isinstance(said.get("policy"), str):
        said["policy"] = policy_named(said["policy"]).model_dump()
    return said


def _settings(own: Settings, wanted: dict[str, Any], file: Path) -> Settings:
    """The call's own, with what the file says over them. Raises BadInput naming the key at fault."""
    tree: dict[str, Any] = own.model_dump()
    for section, values in wanted.items():
        both = isinstance(values, dict) and isinstance(tree.get(section), dict)
        tree[section] = tree[section] | values if both else values
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{file}, {key}: {first['msg']} (calmline schema settings lists all keys)") from None


def _compared(
    folder: CallFolder, wanted: dict[str, Any], file: Path, load: Callable[[Settings], Engines]
) -> Comparison:
    header = read_header(folder.journal)
    settings = _settings(header.settings, wanted, file)
    return compare(folder, header, settings, load)


def _show(made: Sequence[Comparison], *, many: bool) -> None:
    if many:
        _tables(made)
        return
    for each in made:
        out.print(_summary(each), soft_wrap=True)
        for change in each.changes:
            out.print(_line(change), soft_wrap=True)


def _summary(each: Comparison) -> str:
    same = f"{each.call_id}: {each.before} alerts now, {each.after} with these settings"
    return same + ("; nothing changes" if not each.changes else f"; {each.kept} stay")


def _line(change: Change) -> str:
    told = change.after or change.before
    assert told is not None
    at = moment(told.ms)
    if change.what == "moves" and change.before is not None:
        at = f"{moment(change.before.ms)} → {at}"
    return f"{SIGNS[change.what]} {change.what:8}  {at:13}  {told.severity}: {told.advice} ({told.because})"


def _tables(made: Sequence[Comparison]) -> None:
    """A row for each call and their sum, then a row for each kind of alert that changes."""
    calls = _table("call", "now", "then", "stay", "appear", "vanish", "move")
    for each in made:
        calls.add_row(Text(each.call_id), *_counts([each]))
    calls.add_row(f"{len(made)} calls", *_counts(made), style="bold")
    out.print(calls, width=None if out.is_terminal else WIDE)
    kinds = _table("alert", "appear", "vanish", "move")
    for row in _by_kind(made):
        kinds.add_row(*row)
    if kinds.row_count:
        out.print()
        out.print(kinds, width=None if out.is_terminal else WIDE)
    else:
        note("no alert changes")


def _counts(made: Sequence[Comparison]) -> Iterator[str]:
    yield from (str(sum(getattr(each, name) for each in made)) for name in ("before", "after", "kept"))
    yield from (str(sum(each.count(what) for each in made)) for what in SIGNS)


def _by_kind(made: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    found: Counter[tuple[str, str]] = Counter((_kind(change), change.what) for each in made for change in each.changes)
    for kind in sorted({kind for kind, _ in found}):
        yield kind, *(str(found[kind, what]) for what in SIGNS)


def _kind(change: Change) -> str:
    told = change.after or change.before
    return "" if told is None else told.kind


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right")
    return table
