"""``calls``: the stored calls as a table, newest first."""

import json

from rich.table import Table
from rich.text import Text

from api.commands.console import moment, note, out
from api.commands.listing import listing
from api.config import Config
from api.rows import CallRow
from pipeline.archive import Archive

WIDE = 200
"""Columns of the table where no terminal limits it."""


def run(config: Config, *, limit: int, as_json: bool) -> int:
    rows, total = _rows(config, limit)
    if as_json:
        out.file.write(json.dumps([_plain(row) for row in rows]) + "\n")
    elif rows:
        out.print(_table(rows), width=None if out.is_terminal else WIDE)
        if total > len(rows):
            note(f"{len(rows)} of {total} calls; --limit {total} shows all")
    else:
        note(f"no calls in {config.calls_folder}; make one: calmline demo, or calmline analyze FILE")
    return 0


def _rows(config: Config, limit: int) -> tuple[list[CallRow], int]:
    """The newest calls, and how many there are in all; a missing list is made anew."""
    if not config.calls_folder.is_dir():
        return [], 0
    with listing(config) as store:
        if store.stale:
            store.reindex(Archive(config.calls_folder, config.settings.storage.max_gb))
        return store.page(None, limit, 0)


def _plain(row: CallRow) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in CallRow.__table__.columns if column.name != "place"}


def _table(rows: list[CallRow]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("id", no_wrap=True)  # the argument of every other command: to be copied whole
    for name in ("started (UTC)", "duration", "state", "agent"):
        table.add_column(name, no_wrap=name != "agent")
    for name in ("alerts", "peak anger"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    return table


def _cells(row: CallRow) -> tuple[str, ...]:
    peak = "-" if row.peak_anger is None else f"{row.peak_anger:.2f}"
    started, duration = row.started[:16].replace("T", " "), moment(round(row.duration_s * 1000))
    return row.id, started, duration, row.state, row.agent_id or "-", str(row.alerts), peak
