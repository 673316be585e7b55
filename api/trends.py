"""Many calls over weeks, as sums: by team, or of one agent for that agent alone.

No list of agents is made, and nothing of an agent's own feelings goes in: a supervisor sees a team of at least
``FEWEST`` people a week, so that no figure is one person's; an agent sees the own figures, which nobody else is shown.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.rows import AlertRow, CallRow, CueRow, PracticeRow
from api.search import Sought, conditions
from pipeline.playbook import load_playbook

FEWEST = 3
"""Agents that must have had calls in a week before its sums are shown to others: of two, each knows the other's."""
PRIVATE = frozenset({3, 21})
"""Practices that are about the agent's own feelings (composure, care for oneself): never told to others."""
By = Literal["day", "week", "month"]


@dataclass(slots=True)
class Bucket:
    """What happened in the calls that began in one day, week or month. begins: its first day (UTC).

    hours: of talk. angry_calls: with a peak of anger from ``ANGRY`` on. response_ms: median over calls of the agent's
    median. practices: number to how many calls had an occasion, and in how many it was seen. helped: cue to how often
    anger fell after it. withheld: too few people; everything else but ``calls`` is then left empty.
    """

    begins: date
    calls: int = 0
    hours: float = 0.0
    alerts: dict[str, int] = field(default_factory=dict)
    agent_interruptions: int = 0
    customer_interruptions: int = 0
    angry_calls: int = 0
    response_ms: int | None = None
    practices: dict[int, tuple[int, int]] = field(default_factory=dict)
    helped: dict[str, int] = field(default_factory=dict)
    withheld: bool = False


ANGRY = 0.4
"""Peak of anger from which the playbook speaks of it."""


def trends(session: Session, sought: Sought, by: By, *, own: bool, full_text: bool) -> list[Bucket]:
    """In the order of time; none where there was no call. own: whoever asks is the one agent that it is about."""
    asked = [*conditions(sought, full_text=full_text), CallRow.state == "ended"]
    grouped: dict[date, list[Any]] = defaultdict(list)
    columns = (
        CallRow.id, CallRow.started, CallRow.agent_id, CallRow.duration_s, CallRow.peak_anger, CallRow.response_ms,
        CallRow.agent_interruptions, CallRow.customer_interruptions,
    )  # fmt: skip
    for row in session.execute(select(*columns).where(*asked)):
        grouped[begins(row.started, by)].append(row)
    buckets = {begin: _sums(begin, rows, own=own) for begin, rows in sorted(grouped.items())}
    shown = {begin: bucket for begin, bucket in buckets.items() if not bucket.withheld}
    _add_alerts(session, shown, asked if own else [*asked, AlertRow.kind.not_in(_private_kinds())], by)
    _add_cues(session, shown, asked, by)
    _add_practices(session, shown, asked, by, own=own)
    return list(buckets.values())


def _private_kinds() -> list[str]:
    """Alerts about the agent's own feelings."""
    return [advice.kind for advice in load_playbook().advice if advice.practice in PRIVATE]


def begins(started: str, by: By) -> date:
    """First day of the stretch that a call began in; weeks begin on Monday."""
    day = date.fromisoformat(started[:10])
    match by:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


def _sums(begin: date, rows: Sequence[Any], *, own: bool) -> Bucket:
    people = {row.agent_id for row in rows if row.agent_id}
    if not own and len(people) < FEWEST:
        return Bucket(begin, calls=len(rows), withheld=True)
    waits = [row.response_ms for row in rows if row.response_ms is not None]
    return Bucket(
        begin,
        calls=len(rows),
        hours=round(sum(row.duration_s for row in rows) / 3600, 2),
        agent_interruptions=sum(row.agent_interruptions for row in rows),
        customer_interruptions=sum(row.customer_interruptions for row in rows),
        angry_calls=sum(row.peak_anger is not None and row.peak_anger >= ANGRY for row in rows),
        response_ms=round(median(waits)) if waits else None,
    )


def _counted(session: Session, table: Any, key: Any, amounts: Iterable[Any], asked: Sequence[Any]) -> Any:
    """Rows of (day, key, *sums), so that no more than a day's kinds are ever held."""
    day = func.substr(CallRow.started, 1, 10)
    joined = select(day, key, *amounts).join(CallRow, CallRow.id == table.call_id).where(*asked).group_by(day, key)
    return session.execute(joined)


def _add_alerts(session: Session, shown: dict[date, Bucket], asked: Sequence[Any], by: By) -> None:
    for day, kind, count in _counted(session, AlertRow, AlertRow.kind, [func.count()], [*asked, AlertRow.counts]):
        if bucket := shown.get(begins(day, by)):
            bucket.alerts[kind] = bucket.alerts.get(kind, 0) + count


def _add_cues(session: Session, shown: dict[date, Bucket], asked: Sequence[Any], by: By) -> None:
    for day, name, times in _counted(
        session, CueRow, CueRow.name, [func.sum(CueRow.helped)], [*asked, CueRow.helped > 0]
    ):
        if bucket := shown.get(begins(day, by)):
            bucket.helped[name] = bucket.helped.get(name, 0) + int(times)


def _add_practices(session: Session, shown: dict[date, Bucket], asked: Sequence[Any], by: By, *, own: bool) -> None:
    seen = func.count().filter(PracticeRow.seen)
    for day, number, calls, with_it in _counted(session, PracticeRow, PracticeRow.number, [func.count(), seen], asked):
        bucket = shown.get(begins(day, by))
        if bucket is not None and (own or number not in PRIVATE):
            before = bucket.practices.get(number, (0, 0))
            bucket.practices[number] = (before[0] + calls, before[1] + with_it)
