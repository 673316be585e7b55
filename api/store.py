"""The calls as SQL: a projection of journals and notes, for listing and searching.

Nothing is true here first. Delete the database and ``reindex`` brings everything back from the folders, so there are
no migrations either: a database of another schema version is dropped and rebuilt. (A migration tool would carry
forward, step by step, what a rebuild reads from its source; it earns its keep only where the database is the source.)
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import JSON, Engine, String, create_engine, delete, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from api import notes
from pipeline.archive import Archive
from pipeline.errors import BadInput, NotFound, StorageFault
from pipeline.journal import CallFolder, Header, read_entries, read_header
from pipeline.reducer import Reducer
from pipeline.view import ScoreView, View, counted

VERSION = "2"
"""Of the tables below; change it with them."""

State = Literal["live", "analysing", "ended", "interrupted"]


class _Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON}


class _Meta(_Base):
    __tablename__ = "calmline_meta"
    key: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(100))


class CallRow(_Base):
    """started: ISO 8601, UTC. state: ``interrupted`` when the writer was killed. wpm, talk_ms: by channel.

    alerts, interruptions, overlaps, silences, faults: counts. peak_anger, peak_tension: 0-1, None where not computed.
    """

    __tablename__ = "calmline_calls"
    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    agent_id: Mapped[str] = mapped_column(index=True)
    started: Mapped[str] = mapped_column(String(40), index=True)
    duration_s: Mapped[float]
    state: Mapped[str] = mapped_column(String(20), index=True)
    policy: Mapped[str]
    source: Mapped[str]
    notice_given: Mapped[str]
    queue: Mapped[str] = mapped_column(index=True)
    team: Mapped[str] = mapped_column(index=True)
    direction: Mapped[str]
    fields: Mapped[dict[str, Any]]
    alerts: Mapped[int]
    interruptions: Mapped[int]
    overlaps: Mapped[int]
    silences: Mapped[int]
    faults: Mapped[int]
    peak_anger: Mapped[float | None]
    peak_tension: Mapped[float | None]
    wpm: Mapped[dict[str, Any]]
    talk_ms: Mapped[dict[str, Any]]


class AlertRow(_Base):
    """n: number of the event that raised it. times: milliseconds since the start of the call."""

    __tablename__ = "calmline_alerts"
    call_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    severity: Mapped[str]
    raised_ms: Mapped[int]
    cleared_ms: Mapped[int | None]
    advice: Mapped[str]
    reason: Mapped[str]


class NoteRow(_Base):
    """line: its place in notes.jsonl, from 1."""

    __tablename__ = "calmline_notes"
    call_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    about: Mapped[int | None]
    label: Mapped[str]
    text: Mapped[str]
    by: Mapped[str]
    time: Mapped[str]


class Store:
    """url: SQLAlchemy's; ``Store.beside`` names the default one. Methods block: keep them off the event loop."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            self.stale = self._prepare()
        except DBAPIError as error:
            self._engine.dispose()
            raise StorageFault(
                f"cannot use the database {make_url(url).render_as_string()}: {error.orig}; "
                "if it is damaged delete it, nothing is lost: calmline reindex"
            ) from error

    @staticmethod
    def beside(calls: Path) -> str:
        """URL of ``.calls.db`` in the calls' folder, where its list belongs; no call id begins with a dot."""
        return f"sqlite:///{calls / '.calls.db'}"

    def close(self) -> None:
        self._engine.dispose()

    def project(self, folder: CallFolder, in_progress: Literal["live", "analysing"] | None = None) -> None:
        """Bring one call up to what its files say. in_progress: somebody is writing it now.

        Raises BadInput when the journal has no header.
        """
        header, view = _read(folder)
        rows: list[_Base] = [_call(folder.path.name, header, view, in_progress)]
        rows += _alerts(folder.path.name, view)
        rows += _notes(folder)
        with Session(self._engine) as session, session.begin():
            _forget(session, folder.path.name)
            session.add_all(rows)

    def forget(self, call_id: str) -> None:
        with Session(self._engine) as session, session.begin():
            _forget(session, call_id)

    def reindex(self, archive: Archive) -> int:
        """Drop everything and read it again from disk. Returns the number of calls."""
        _Base.metadata.drop_all(self._engine)
        self._prepare()
        self.stale = False
        return self._project_all(archive, list(archive.ids()))

    def settle(self, archive: Archive) -> int:
        """Before any call is in progress: whatever the last process left unsaid. Returns the calls read."""
        if self.stale:
            return self.reindex(archive)
        with Session(self._engine) as session:
            done = set(session.scalars(select(CallRow.id).where(CallRow.state.in_(("ended", "interrupted")))))
            known = set(session.scalars(select(CallRow.id)))
        stored = list(archive.ids())
        for gone in known.difference(stored):
            self.forget(gone)
        return self._project_all(archive, [call_id for call_id in stored if call_id not in done])

    def page(self, agent_id: str | None, limit: int, offset: int) -> tuple[list[CallRow], int]:
        """Calls, newest first, and how many there are in all. agent_id: None for everybody's."""
        query = select(CallRow) if agent_id is None else select(CallRow).where(CallRow.agent_id == agent_id)
        with Session(self._engine) as session:
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            ordered = query.order_by(CallRow.started.desc(), CallRow.id.desc())
            return list(session.scalars(ordered.limit(limit).offset(offset))), total

    def get(self, call_id: str) -> CallRow:
        """Raises NotFound."""
        with Session(self._engine) as session:
            row = session.get(CallRow, call_id)
        if row is None:
            raise NotFound(f"no call {call_id}")
        return row

    def alerts(self, call_id: str) -> Sequence[AlertRow]:
        """In the order they were raised."""
        with Session(self._engine) as session:
            return session.scalars(select(AlertRow).where(AlertRow.call_id == call_id).order_by(AlertRow.n)).all()

    def notes(self, call_id: str) -> Sequence[NoteRow]:
        """In the order they were written."""
        with Session(self._engine) as session:
            return session.scalars(select(NoteRow).where(NoteRow.call_id == call_id).order_by(NoteRow.line)).all()

    def _prepare(self) -> bool:
        """Make the tables. True when they are new and what is on disk has yet to be read."""
        _Base.metadata.create_all(self._engine, tables=[_Base.metadata.tables["calmline_meta"]])
        with Session(self._engine) as session, session.begin():
            found = session.get(_Meta, "schema")
            if found is not None and found.value == VERSION:
                return False
        _Base.metadata.drop_all(self._engine)
        _Base.metadata.create_all(self._engine)
        with Session(self._engine) as session, session.begin():
            session.add(_Meta(key="schema", value=VERSION))
        return True

    def _project_all(self, archive: Archive, call_ids: Collection[str]) -> int:
        count = 0
        for call_id in call_ids:
            try:
                self.project(archive.folder(call_id))
                count += 1
            except (BadInput, NotFound):  # no header, or deleted meanwhile: not a call
                continue
        return count


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, _: ConnectionPoolEntry) -> None:
    """Readers never wait for the writer; a crash may lose the last row, which the next start reads again."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _forget(session: Session, call_id: str) -> None:
    session.execute(delete(CallRow).where(CallRow.id == call_id))
    session.execute(delete(AlertRow).where(AlertRow.call_id == call_id))
    session.execute(delete(NoteRow).where(NoteRow.call_id == call_id))


def _read(folder: CallFolder) -> tuple[Header, View]:
    """The header, and the view as far as the journal can be read."""
    header, reducer = read_header(folder.journal), Reducer()
    try:
        for entry in read_entries(folder.journal):
            reducer.apply(entry)
    except (BadInput, KeyError):  # a damaged line, or one that speaks of a lost one
        pass  # what stands before the damage counts; ``calmline replay --verify`` says where it is
    return header, reducer.view


def _call(call_id: str, header: Header, view: View, in_progress: State | None) -> CallRow:
    ended = view.state == "ended"
    channels = view.channels
    return CallRow(
        id=call_id,
        agent_id=header.call.agent_id,
        started=header.started or datetime.fromtimestamp(0, UTC).isoformat(timespec="seconds"),
        duration_s=view.duration_s,
        state="ended" if ended else in_progress or "interrupted",
        policy=header.settings.policy.name,
        source=header.call.source,
        notice_given=header.call.notice_given,
        queue=header.call.queue,
        team=header.call.team,
        direction=header.call.direction,
        fields=header.call.fields,
        alerts=len(counted(view.alerts)),
        interruptions=sum(channel.interruptions for channel in channels.values()),
        overlaps=len(view.overlaps),
        silences=len(view.silences),
        faults=len(view.faults),
        peak_anger=_peak(view.scores.anger),
        peak_tension=_peak(view.scores.tension),
        wpm={name.value: channel.wpm for name, channel in channels.items()},
        talk_ms={name.value: channel.talk_ms for name, channel in channels.items()},
    )


def _peak(curve: list[ScoreView]) -> float | None:
    return max((point.value for point in curve), default=None)


def _alerts(call_id: str, view: View) -> list[AlertRow]:
    return [
        AlertRow(
            call_id=call_id,
            n=alert.n,
            kind=alert.kind,
            state=alert.state,
            severity=alert.severity,
            raised_ms=alert.raised_ms,
            cleared_ms=alert.cleared_ms,
            advice=alert.advice,
            reason=alert.reason,
        )
        for alert in view.alerts
    ]


def _notes(folder: CallFolder) -> list[NoteRow]:
    return [
        NoteRow(call_id=folder.path.name, line=line, **note.model_dump())
        for line, note in enumerate(notes.read(folder), start=1)
    ]
