"""What a person reads in a terminal: results on stdout, everything else on stderr, one line a trouble."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, markup=False, emoji=False)
"""Results."""
err = Console(stderr=True, highlight=False, markup=False, emoji=False)
"""Progress and notices."""

_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f]")
_MOMENT, _LABEL = 5, 10
"""Columns of a row's first two cells."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a call. ms: its moment. label: who or what."""

    ms: int
    label: str
    text: str
    style: str = ""


def note(text: str) -> None:
    """A notice that changes nothing about the result."""
    err.print(Text(f"calmline: {one_line(text)}", style="dim"), soft_wrap=True)


def trouble(text: str) -> None:
    """What went wrong, on one line."""
    err.print(Text(f"calmline: {one_line(text)}", style="red" if err.is_terminal else ""), soft_wrap=True)


def one_line(text: str) -> str:
    """Without what would steer the terminal: a file's name may hold anything."""
    return " ".join(_UNPRINTED.sub(" ", text).split())


def moment(ms: int) -> str:
    """mm:ss, the second that has begun, as the pages' timer shows it; minutes go on beyond 59."""
    seconds = ms // 1000
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def show(rows: Iterable[Row]) -> None:
    """Rows as columns that wrap in a terminal; whole lines, for grep, anywhere else."""
    for row in rows:
        if out.is_terminal:
            out.print(_columns(row))
        else:
            out.print(Text(f"{moment(row.ms):{_MOMENT}}  {row.label:{_LABEL}} {row.text}"), soft_wrap=True)


def _columns(row: Row) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=_MOMENT, no_wrap=True)
    grid.add_column(width=_LABEL, no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_row(Text(moment(row.ms), style="dim"), Text(row.label, style=row.style), Text(row.text, style=row.style))
    return grid
