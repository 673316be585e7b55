"""The tables of the list of calls: ``api.projection`` fills them, ``api.search`` asks them."""

from typing import Any, Literal

from sqlalchemy import JSON, Column, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

VERSION = "3"
"""Of the tables below; change it with them."""

State = Literal["live", "analysing", "ended", "interrupted"]


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON}


class Meta(Base):
    __tablename__ = "calmline_meta"
    key: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(100))


class CallRow(Base):
    """started: ISO 8601, UTC. state: ``interrupted`` when the writer was killed. wpm, talk_ms: by channel.

    place: a number of this table alone, which changes whenever the call is projected again.
    alerts, interruptions, overlaps, silences, faults: counts. peak_anger, peak_tension: 0-1, None where not computed.
    longest_silence_ms: of both parties. agent_interruptions, customer_interruptions: by who made them.
    response_ms: median time until the agent answers, None before any. reviewed: as the notes say last.
    written: a chat. comments: how many stand.
    """

    __tablename__ = "calmline_calls"
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(100), unique=True)
    agent_id: Mapped[str]
    started: Mapped[str] = mapped_column(String(40))
    duration_s: Mapped[float] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    policy: Mapped[str]
    source: Mapped[str]
    notice_given: Mapped[str]
    queue: Mapped[str]
    team: Mapped[str]
    direction: Mapped[str]
    fields: Mapped[dict[str, Any]]
    alerts: Mapped[int] = mapped_column(index=True)
    interruptions: Mapped[int] = mapped_column(index=True)
    agent_interruptions: Mapped[int]
    customer_interruptions: Mapped[int]
    overlaps: Mapped[int]
    silences: Mapped[int]
    longest_silence_ms: Mapped[int] = mapped_column(index=True)
    response_ms: Mapped[int | None]
    faults: Mapped[int]
    peak_anger: Mapped[float | None] = mapped_column(index=True)
    peak_tension: Mapped[float | None]
    reviewed: Mapped[bool]
    comments: Mapped[int]
    written: Mapped[bool]
    wpm: Mapped[dict[str, Any]]
    talk_ms: Mapped[dict[str, Any]]

    __table_args__ = (
        Index("calmline_calls_started", "started", "id"),
        Index("calmline_calls_agent", "agent_id", "started"),
        Index("calmline_calls_team", "team", "started"),
        Index("calmline_calls_queue", "queue", "started"),
        Index("calmline_calls_reviewed", "reviewed", "started"),
    )


class AlertRow(Base):
    """n: number of the event that raised it. times: milliseconds since the start of the call. counts: not revised."""

    __tablename__ = "calmline_alerts"
    call_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    severity: Mapped[str]
    raised_ms: Mapped[int]
    cleared_ms: Mapped[int | None]
    advice: Mapped[str]
    reason: Mapped[str]
    counts: Mapped[bool]

    __table_args__ = (Index("calmline_alerts_kind", "kind", "call_id"),)


class NoteRow(Base):
    """line: its place in notes.jsonl, from 1. The rest as in ``api.notes.Note``."""

    __tablename__ = "calmline_notes"
    call_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    about: Mapped[int | None]
    label: Mapped[str]
    text: Mapped[str]
    at_ms: Mapped[int | None]
    channel: Mapped[str | None]
    begin_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    by: Mapped[str]
    time: Mapped[str]


class CueRow(Base):
    """count: how often it was said. helped: how often anger fell after it (``pipeline.moments.helped``)."""

    __tablename__ = "calmline_cues"
    call_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    count: Mapped[int]
    helped: Mapped[int]

    __table_args__ = (Index("calmline_cues_name", "name", "call_id"),)


class PracticeRow(Base):
    """One practice of the playbook that the call had an occasion for; as in ``pipeline.report.Practice``."""

    __tablename__ = "calmline_practices"
    call_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    seen: Mapped[bool]
    missing: Mapped[bool]
    against: Mapped[bool]


transcripts = Table(
    "calmline_transcripts", MetaData(), Column("rowid", Integer, primary_key=True), Column("text", Text, nullable=False)
)
"""What was said, by ``CallRow.place``. In SQLite a full-text index of this shape, elsewhere a table like any other."""

FULL_TEXT = "CREATE VIRTUAL TABLE IF NOT EXISTS calmline_transcripts USING fts5(text, tokenize = 'porter unicode61')"
"""Words are found by their stem: cancel finds cancelled. https://www.sqlite.org/fts5.html"""
