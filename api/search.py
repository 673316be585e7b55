"""What is looked for in the list of calls, as SQL: one condition a filter, each on an index."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal_column, select

from api.rows import AlertRow, CallRow, CueRow, State, transcripts
from pipeline.errors import BadInput

Sort = Literal["newest", "oldest", "anger", "interruptions", "silence", "alerts", "longest"]
SORTS: tuple[Sort, ...] = get_args(Sort)

_ORDER: dict[Sort, ColumnElement[Any]] = {
    "newest": CallRow.started.desc(),
    "oldest": CallRow.started.asc(),
    "anger": CallRow.peak_anger.desc().nulls_last(),
    "interruptions": CallRow.interruptions.desc(),
    "silence": CallRow.longest_silence_ms.desc(),
    "alerts": CallRow.alerts.desc(),
    "longest": CallRow.duration_s.desc(),
}
"""Nothing sorts by an agent's tension: a list of agents by their feelings is not what this is for."""

_ID, _PLACE = CallRow.id + "", CallRow.place + 0
"""Sums of nothing, so that a page is read in its order and each call looked up in what was found: read the other way
round, a word of half the calls has them all fetched and sorted for fifty (``benchmarks.store``)."""
_TOKEN = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"\w")
WORDS = 20
"""Words and phrases of one search at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """None asks for nothing. q: words that all were said, phrases in quotes, ``refund*`` for a beginning.

    since, until: ISO 8601; a day as until is meant whole. min_anger: 0-1. min_silence_s: the longest of the call.
    cue, alert: name and kind. agent_id, team, queue: exactly. only_agent: whose calls whoever asks may see.
    """

    q: str | None = None
    since: str | None = None
    until: str | None = None
    agent_id: str | None = None
    team: str | None = None
    queue: str | None = None
    direction: str | None = None
    state: State | None = None
    min_anger: float | None = None
    min_interruptions: int | None = None
    min_silence_s: float | None = None
    min_alerts: int | None = None
    cue: str | None = None
    alert: str | None = None
    reviewed: bool | None = None
    sort: Sort = "newest"
    only_agent: str | None = None


def ordered(query: Select[Any], sort: Sort) -> Select[Any]:
    """In a whole order, so that pages neither repeat nor lose a call."""
    tie = CallRow.id.asc() if sort == "oldest" else CallRow.id.desc()
    return query.order_by(_ORDER[sort], tie)


def conditions(sought: Sought, *, full_text: bool) -> list[ColumnElement[bool]]:
    """full_text: SQLite's index is there. Raises BadInput for a date that is none and for words that are none."""
    found: list[ColumnElement[bool]] = []
    for name in ("agent_id", "team", "queue", "direction", "state", "reviewed"):
        if (value := getattr(sought, name)) is not None:
            found.append(getattr(CallRow, name) == value)
    if sought.only_agent is not None:
        found.append(CallRow.agent_id == sought.only_agent)
    if sought.since is not None:
        found.append(CallRow.started >= moment(sought.since, "from"))
    if sought.until is not None:
        found.append(CallRow.started < moment(sought.until, "to", end=True))
    if sought.min_anger is not None:
        found.append(CallRow.peak_anger >= sought.min_anger)
    if sought.min_interruptions is not None:
        found.append(CallRow.interruptions >= sought.min_interruptions)
    if sought.min_silence_s is not None:
        found.append(CallRow.longest_silence_ms >= round(sought.min_silence_s * 1000))
    if sought.min_alerts is not None:
        found.append(CallRow.alerts >= sought.min_alerts)
    if sought.cue is not None:
        found.append(_ID.in_(select(CueRow.call_id).where(CueRow.name == sought.cue)))
    if sought.alert is not None:
        raised = select(AlertRow.call_id).where(AlertRow.kind == sought.alert, AlertRow.counts)
        found.append(_ID.in_(raised))
    if sought.q is not None and sought.q.strip():
        found.append(_PLACE.in_(_said(sought.q, full_text=full_text)))
    return found


def moment(text: str, name: str, *, end: bool = False) -> str:
    """As ``CallRow.started`` is written. end: of a day, the beginning of the next. Raises BadInput."""
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
            return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat(timespec="seconds")
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that was not escaped in the address
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        example = "2026-01-31 or 2026-01-31T09:00:00+01:00"
        raise BadInput(f"{name}={text[:40]!r} is no date; write {example}") from None


def tokens(q: str) -> list[tuple[str, bool]]:
    """Words and phrases to look for, each with whether it is only a beginning. Raises BadInput where there are none."""
    found = []
    for phrase, word in _TOKEN.findall(q):
        text = (phrase or word).replace('"', " ").strip()
        begins = not phrase and text.endswith("*")
        text = text.rstrip("*")
        if _WORD.search(text):
            found.append((text, begins))
    if not found or len(found) > WORDS:
        raise BadInput(f"q={q[:40]!r}: give 1 to {WORDS} words, phrases in quotes, or beginnings (refund*)")
    return found


def match(q: str) -> str:
    """For SQLite's full-text index: every word quoted, so that none is an operator."""
    return " ".join(f'"{text}"{"*" if begins else ""}' for text, begins in tokens(q))


def _said(q: str, *, full_text: bool) -> Select[Any]:
    places = select(transcripts.c.rowid)
    if full_text:
        return places.where(literal_column("calmline_transcripts").op("MATCH")(match(q)))
    for text, _ in tokens(q):
        places = places.where(func.lower(cast(transcripts.c.text, Text)).contains(text.lower(), autoescape=True))
    return places


def excerpts(q: str, places: list[int]) -> Select[Any]:
    """Of SQLite's index: place, and a few words around the first that was found, marked by ⟦ and ⟧."""
    snippet = func.snippet(literal_column("calmline_transcripts"), 0, "⟦", "⟧", "…", 14)
    return select(transcripts.c.rowid, snippet).where(
        literal_column("calmline_transcripts").op("MATCH")(match(q)), transcripts.c.rowid.in_(places)
    )
