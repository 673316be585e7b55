"""The calls as SQL: a projection of journals and notes, for listing and searching.

Nothing is true here first. Delete the database and ``reindex`` brings everything back from the folders, so there are
no migrations either: a database of another schema version is dropped and rebuilt. (A migration tool would carry
forward, step by step, what a rebuild reads from its source; it earns its keep only where the database is the source.)
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from api import search
from api.projection import projected
from api.rows import FULL_TEXT, VERSION, AlertRow, Base, CallRow, CueRow, Meta, NoteRow, PracticeRow, transcripts
from api.search import Sought
from api.trends import Bucket, By, trends
from pipeline.archive import Archive
from pipeline.errors import BadInput, NotFound, StorageFault
from pipeline.journal import CallFolder

_BESIDE = (AlertRow, NoteRow, CueRow, PracticeRow)


class Store:
    """url: SQLAlchemy's; ``Store.beside`` names the default one. Methods block: keep them off the event loop.

    full_text: False does without SQLite's index of words, as every other database has to.
    """

    def __init__(self, url: str, *, full_text: bool = True) -> None:
        self._engine = _engine(url)
        self._wanted = full_text and self._engine.dialect.name == "sqlite"
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
        rows = projected(folder, in_progress)
        with Session(self._engine) as session, session.begin():
            _forget(session, folder.path.name)
            session.add_all([rows.call, *rows.beside])
            session.flush()
            session.execute(insert(transcripts).values(rowid=rows.call.place, text=rows.text))

    def forget(self, call_id: str) -> None:
        with Session(self._engine) as session, session.begin():
            _forget(session, call_id)

    def reindex(self, archive: Archive) -> int:
        """Drop everything and read it again from disk. Returns the number of calls."""
        self._drop()
        self._prepare()
        self.stale = False
        return self._project_all(archive, list(archive.ids()))

    def unfinished(self) -> list[str]:
        """Calls that were in progress when the last process went; before ``settle``."""
        if self.stale:
            return []
        with Session(self._engine) as session:
            return list(session.scalars(select(CallRow.id).where(CallRow.state.in_(("live", "analysing")))))

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
        return self.find(Sought(agent_id=agent_id), limit, offset)

    def find(self, sought: Sought, limit: int, offset: int = 0, *, labelled: bool = False) -> tuple[list[CallRow], int]:
        """A page of what is sought, and how many there are in all. labelled: those with a labelled stretch alone.

        Raises BadInput as ``search.conditions`` does.
        """
        asked = search.conditions(sought, full_text=self._full_text)
        if labelled:
            asked.append(CallRow.id.in_(select(NoteRow.call_id).where(NoteRow.type == "stretch")))
        with Session(self._engine) as session:
            total = session.scalar(select(func.count()).select_from(CallRow).where(*asked)) or 0
            query = search.ordered(select(CallRow).where(*asked), sought.sort)
            return list(session.scalars(query.limit(limit).offset(offset))), total

    def excerpts(self, q: str, rows: Sequence[CallRow]) -> dict[str, str]:
        """Call id to the words around what was found; none where the database cannot tell."""
        if not self._full_text or not rows:
            return {}
        names = {row.place: row.id for row in rows}
        with Session(self._engine) as session:
            return {names[place]: found for place, found in session.execute(search.excerpts(q, list(names)))}

    def trends(self, sought: Sought, by: By, *, own: bool) -> list[Bucket]:
        """As ``api.trends.trends``."""
        with Session(self._engine) as session:
            return trends(session, sought, by, own=own, full_text=self._full_text)

    def choices(self, agent_id: str | None) -> dict[str, list[str]]:
        """What can be filtered by, as it occurs. agent_id: one agent's calls; None for everybody's."""
        own = [] if agent_id is None else [CallRow.agent_id == agent_id]
        with Session(self._engine) as session:
            found = {
                name: list(session.scalars(select(column).where(*own, column != "").distinct().order_by(column)))
                for name, column in (("agents", CallRow.agent_id), ("teams", CallRow.team), ("queues", CallRow.queue))
            }
            for name, row, column in (("cues", CueRow, CueRow.name), ("alerts", AlertRow, AlertRow.kind)):
                query = select(column).distinct().order_by(column)
                if own:
                    query = query.where(row.call_id.in_(select(CallRow.id).where(*own)))
                found[name] = list(session.scalars(query))
        return found

    def get(self, call_id: str) -> CallRow:
        """Raises NotFound."""
        with Session(self._engine) as session:
            row = session.scalar(select(CallRow).where(CallRow.id == call_id))
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
        Base.metadata.create_all(self._engine, tables=[Base.metadata.tables[Meta.__tablename__]])
        with Session(self._engine) as session, session.begin():
            found = session.get(Meta, "schema")
            self._full_text = found is not None and found.value == f"{VERSION} full text"
            if found is not None and found.value in (VERSION, f"{VERSION} full text"):
                return False
        self._drop()
        Base.metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            self._full_text = _indexed(connection) if self._wanted else _plain(connection)
        with Session(self._engine) as session, session.begin():
            session.add(Meta(key="schema", value=f"{VERSION} full text" if self._full_text else VERSION))
        return True

    def _drop(self) -> None:
        Base.metadata.drop_all(self._engine)
        with self._engine.begin() as connection:
            connection.execute(text(f"DROP TABLE IF EXISTS {transcripts.name}"))

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
    """Readers never wait for the writer; a crash may lose the last row, which the next start reads again.

    mmap_size: bytes of the file that are read in place. With SQLite's own 2 MB of cache a common word among 100 000
    calls takes seconds instead of a fifth of one (``benchmarks.store``).
    """
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "mmap_size=1073741824"):
        connection.execute(f"PRAGMA {pragma}").close()


def _indexed(connection: Connection) -> bool:
    """Make the transcripts a full-text index; False where this SQLite was built without."""
    try:
        connection.execute(text(FULL_TEXT))
        return True
    except OperationalError:
        return _plain(connection)


def _plain(connection: Connection) -> bool:
    """Make the transcripts a table like any other, which is looked through whole."""
    transcripts.create(connection, checkfirst=True)
    return False


def _forget(session: Session, call_id: str) -> None:
    place = session.scalar(select(CallRow.place).where(CallRow.id == call_id))
    if place is None:
        return
    session.execute(delete(transcripts).where(transcripts.c.rowid == place))
    session.execute(delete(CallRow).where(CallRow.place == place))
    for table in _BESIDE:
        session.execute(delete(table).where(table.call_id == call_id))
