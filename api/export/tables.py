"""A call as tables: one row an item, in the order of time, the same columns for every call.

A CSV is one table, or what happened in the call as one list. A Parquet file is everything in one table, told apart
by the column ``table``: one file to move, an empty column costs nothing, and the files of many calls are one data set.
"""

import csv as comma
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from api.reading import Reading
from pipeline.errors import BadInput
from pipeline.timebase import ms

Row = dict[str, Any]

COLUMNS: dict[str, str] = {
    "call_id": "text",
    "table": "text",
    "n": "int",
    "channel": "text",
    "begin_ms": "int",
    "end_ms": "int",
    "kind": "text",
    "text": "text",
    "talk_ms": "int",
    "fto_ms": "int",
    "interrupter": "text",
    "cut": "bool",
    "open": "bool",
    "late": "bool",
    "probability": "float",
    "value": "float",
    "coverage": "float",
    "parts": "parts",
    "measures": "parts",
    "level_db": "float",
    "f0_st": "float",
    "f0_hz": "float",
    "wpm": "float",
    "articulation_rate": "float",
    "relative": "float",
    "state": "text",
    "severity": "text",
    "reason": "text",
    "detail": "text",
    "practice": "int",
    "cleared_because": "text",
    "evidence": "numbers",
    "to": "names",
    "confidence": "float",
    "delay_ms": "int",
    "gain_db": "float",
    "fatal": "bool",
    "talk_share": "float",
    "words": "int",
    "interruptions": "int",
    "interrupted_ms": "int",
    "backchannels": "int",
    "turns": "int",
    "monologue_ms": "int",
    "response_ms": "int",
    "foreign": "int",
    "agent_id": "text",
    "policy": "text",
    "source": "text",
    "notice_given": "text",
    "queue": "text",
    "team": "text",
    "direction": "text",
    "fields": "text",
    "started": "text",
    "attribution": "text",
    "non_talk_ms": "int",
    "hold_ms": "int",
    "rejected": "int",
    "claimed_by": "text",
}
"""Every column and its type. A time is in milliseconds since the start of the call; a moment begins where it ends."""

_NAMES = {
    "name": "kind",
    "part": "kind",
    "phrase": "text",
    "advice": "text",
    "message": "text",
    "because": "reason",
    "raised_ms": "begin_ms",
    "cleared_ms": "end_ms",
}
"""Fields of a view under the column that says the same."""


def check(table: str) -> None:
    """Raises BadInput for a table that is none."""
    if table not in (*TABLES, "all"):
        raise BadInput(f"there is no table {table}; choose one of {', '.join([*TABLES, 'all'])}")


def csv(reading: Reading, table: str | None = None) -> bytes:
    """UTF-8 with a header. table: one of TABLES, ``all``, or None for HAPPENINGS.

    A cell that a spreadsheet would take for a formula begins with an apostrophe. Raises BadInput for no such table.
    """
    if table is not None:
        check(table)
    names = HAPPENINGS if table is None else tuple(TABLES) if table == "all" else (table,)
    rows = _rows(reading, names)
    used = {column for row in rows for column in row}
    columns = [column for column in COLUMNS if column in used or column in ("call_id", "table")]
    file = io.StringIO()
    writer = comma.DictWriter(file, ["time", *columns], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({"time": _clock(row.get("begin_ms")), **{name: _cell(value) for name, value in row.items()}})
    return file.getvalue().encode()


def parquet(reading: Reading) -> bytes:
    """Every table in one, with all columns."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    types = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "numbers": pa.list_(pa.int64()),
        "names": pa.list_(pa.string()),
        "parts": pa.map_(pa.string(), pa.float64()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_rows(reading, TABLES), schema=schema), sink)
    return sink.getvalue()


def _rows(reading: Reading, names: Iterable[str]) -> list[Row]:
    rows = [{"call_id": reading.call_id, "table": name, **row} for name in names for row in TABLES[name](reading)]
    return sorted(rows, key=lambda row: row.get("begin_ms") or 0)


def _items(items: Iterable[Any], **more: object) -> Iterator[Row]:
    for item in items:
        row = {_NAMES.get(name, name): value for name, value in asdict(item).items()}
        if "ms" in row:
            row["begin_ms"] = row["end_ms"] = row.pop("ms")
        yield row | more


def _call(reading: Reading) -> Iterator[Row]:
    view, call = reading.view, reading.header.call
    yield {
        "begin_ms": 0,
        "end_ms": reading.duration_ms,
        "agent_id": call.agent_id,
        "policy": reading.header.settings.policy.name,
        "source": call.source,
        "notice_given": call.notice_given,
        "queue": call.queue,
        "team": call.team,
        "direction": call.direction,
        "fields": json.dumps(call.fields, ensure_ascii=False) if call.fields else "",
        "started": reading.header.started,
        "attribution": call.attribution,
        "state": "ended" if reading.finished else "interrupted",
        "reason": view.ended_because,
        "non_talk_ms": view.non_talk_ms,
        "hold_ms": view.hold_ms,
        "rejected": view.rejected,
        "claimed_by": view.claimed_by,
    }


def _parties(reading: Reading) -> Iterator[Row]:
    """What is not measured in this call is empty, not zero."""
    unmeasured = reading.view.unavailable
    for channel, party in reading.view.channels.items():
        row = {"channel": channel.value, "begin_ms": 0, "end_ms": reading.duration_ms, **asdict(party)}
        del row["speaking"]
        if "talk_over" in unmeasured:
            row |= dict.fromkeys(("interruptions", "interrupted_ms", "backchannels"))
        if "words" in unmeasured:
            row["words"] = None
        yield row


def _speech(reading: Reading) -> Iterator[Row]:
    for each in reading.speech:
        yield {"channel": each.channel.value, "begin_ms": ms(each.span.start), "end_ms": ms(each.span.end)}


def _transcript(reading: Reading) -> Iterator[Row]:
    for row in _items(reading.view.transcript):
        del row["words"]
        yield row


def _words(reading: Reading) -> Iterator[Row]:
    for line in reading.view.transcript:
        yield from _items(line.words, n=line.n, channel=line.channel.value)


def _scores(reading: Reading) -> Iterator[Row]:
    yield from _items(reading.view.scores.anger, kind="anger", channel="customer")
    yield from _items(reading.view.scores.tension, kind="tension", channel="agent")


def _prosody(reading: Reading) -> Iterator[Row]:
    for channel, curve in reading.view.prosody.items():
        yield from _items(curve, channel=channel.value)


def _pace(reading: Reading) -> Iterator[Row]:
    for channel, curve in reading.view.pace.items():
        yield from _items(curve, channel=channel.value)


def _unavailable(reading: Reading) -> Iterator[Row]:
    for measure, reason in sorted(reading.view.unavailable.items()):
        yield {"begin_ms": 0, "end_ms": reading.duration_ms, "kind": measure, "reason": reason}


def _warnings(reading: Reading) -> Iterator[Row]:
    for warning in reading.view.warnings:
        yield {"begin_ms": 0, "end_ms": reading.duration_ms, "text": warning}


TABLES: dict[str, Callable[[Reading], Iterator[Row]]] = {
    "call": _call,
    "parties": _parties,
    "unavailable": _unavailable,
    "warnings": _warnings,
    "turns": lambda reading: _items(reading.view.turns),
    "transcript": _transcript,
    "overlaps": lambda reading: _items(reading.view.overlaps),
    "silences": lambda reading: _items(reading.view.silences),
    "regions": lambda reading: _items(reading.view.regions),
    "cues": lambda reading: _items(reading.view.cues),
    "alerts": lambda reading: _items(reading.view.alerts),
    "suspected": lambda reading: _items(reading.view.suspected),
    "leaks": lambda reading: _items(reading.view.leaks),
    "gaps": lambda reading: _items(reading.view.gaps),
    "faults": lambda reading: _items(reading.view.faults),
    "speech": _speech,
    "words": _words,
    "scores": _scores,
    "pace": _pace,
    "prosody": _prosody,
}
HAPPENINGS = ("turns", "transcript", "overlaps", "silences", "regions", "cues", "alerts", "suspected", "gaps", "faults")
"""What a person reads in a spreadsheet. The curves have several rows a second, and the sums have no place in time."""


def _clock(at: int | None) -> str:
    """h:mm:ss, which a spreadsheet takes for a time."""
    return "" if at is None else f"{at // 3_600_000}:{at // 60_000 % 60:02d}:{at // 1000 % 60:02d}"


def _cell(value: object) -> object:
    """As it is written, on one line. Text that a spreadsheet would calculate is kept from it (OWASP, CSV injection)."""
    match value:
        case str():
            line = " ".join(value.splitlines())
            return f"'{line}" if line.lstrip().startswith(("=", "+", "-", "@")) else line
        case bool():
            return "true" if value else "false"
        case dict():
            return json.dumps(value)
        case list() | tuple():
            return " ".join(map(str, value))
    return value
