"""The projection: nothing is true there first, so everything comes back."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from api import notes, store
from api.app import create_app
from api.config import Config
from api.store import Store
from pipeline import graph
from pipeline.archive import Archive
from pipeline.channel import TWO_CHANNEL
from pipeline.door import Door
from pipeline.errors import NotFound, StorageFault
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from tests.fakes import fake_engines, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "calls", 1.0)


@pytest.fixture
def url(archive: Archive) -> str:
    return Store.beside(archive.root)


@pytest.fixture
def shelf(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()


def record(archive: Archive, call_id: str, agent_id: str = "bob", *, killed: bool = False) -> None:
    engines = fake_engines()
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)
    settings = Settings(policy=POLICIES["standard"])
    session = graph.build(CallInfo(call_id=call_id, channels=TWO_CHANNEL, agent_id=agent_id), settings, engines)
    call = archive.record(session, settings, engines.identities)
    door = Door(TWO_CHANNEL, 16000)
    items: list[Any] = [*door.push(CALL), *door.finish()]
    if killed:
        for frame in items:
            call.advance(frame)
        call.release()
    else:
        Recorder(call, pool.ask, 0.5).run(items, lambda: door.heard)
    pool.close()


def everything(shelf: Store) -> list[Any]:
    rows, _ = shelf.page(None, 100, 0)
    return [
        [{key: value for key, value in vars(row).items() if key[0] != "_"} for row in (call, *alerts, *noted)]
        for call in rows
        for alerts, noted in [(shelf.alerts(call.id), shelf.notes(call.id))]
    ]


def test_a_call_is_projected(archive: Archive, shelf: Store) -> None:
    record(archive, "one")
    notes.append(archive.folder("one"), notes.wrong(3, "sue"))
    shelf.project(archive.folder("one"))
    row = shelf.get("one")
    assert (row.state, row.agent_id, row.duration_s, row.policy) == ("ended", "bob", 2.0, "standard")
    assert row.talk_ms["agent"] == pytest.approx(1000, abs=200)
    assert row.wpm["customer"] > 0
    assert row.peak_anger is None or 0 <= row.peak_anger <= 1
    assert [(note.line, note.about, note.by) for note in shelf.notes("one")] == [(1, 3, "sue")]


def test_a_call_in_progress_says_so_until_it_ended(archive: Archive, shelf: Store) -> None:
    record(archive, "killed", killed=True)
    for state in ("live", "analysing"):
        shelf.project(archive.folder("killed"), state)
        assert shelf.get("killed").state == state
    shelf.project(archive.folder("killed"))
    assert shelf.get("killed").state == "interrupted"
    assert shelf.get("killed").duration_s > 1.5


def test_deleting_the_database_loses_nothing(archive: Archive, url: str) -> None:
    for call_id in ("one", "two"):
        record(archive, call_id)
    record(archive, "killed", killed=True)
    notes.append(archive.folder("one"), notes.wrong(3, "sue"))
    first = Store(url)
    assert first.stale
    assert first.reindex(archive) == 3
    before = everything(first)
    first.close()
    Path(url.removeprefix("sqlite:///")).unlink()
    second = Store(url)
    assert second.settle(archive) == 3
    assert everything(second) == before
    assert len(before) == 3
    second.close()


def test_another_schema_version_is_rebuilt(archive: Archive, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record(archive, "one")
    old = Store(url)
    old.reindex(archive)
    old.close()
    monkeypatch.setattr(store, "VERSION", "next")
    new = Store(url)
    assert new.stale
    assert new.page(None, 10, 0)[1] == 0
    assert new.settle(archive) == 1
    assert not new.stale
    new.close()
    again = Store(url)
    assert not again.stale
    again.close()


def test_settling_reads_only_what_is_open(archive: Archive, shelf: Store) -> None:
    record(archive, "done")
    record(archive, "killed", killed=True)
    record(archive, "gone")
    shelf.reindex(archive)
    assert shelf.settle(archive) == 0
    shelf.project(archive.folder("killed"), "live")
    archive.delete("gone")
    record(archive, "new")
    assert shelf.settle(archive) == 2
    assert {row.id: row.state for row in shelf.page(None, 10, 0)[0]} == {
        "done": "ended",
        "killed": "interrupted",
        "new": "ended",
    }


def test_what_is_no_call_is_passed_over(archive: Archive, shelf: Store) -> None:
    record(archive, "good")
    record(archive, "damaged")
    (archive.root / "empty").mkdir()
    (archive.root / "empty" / "journal.jsonl").write_text("")
    (archive.root / "stray.txt").write_text("x")
    journal = archive.folder("damaged").journal
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:5], "nonsense\n", *lines[6:]]))
    assert shelf.reindex(archive) == 2
    assert shelf.get("damaged").state == "interrupted"


def test_notes_that_cannot_be_read_are_passed_over(archive: Archive, shelf: Store) -> None:
    record(archive, "one")
    folder = archive.folder("one")
    notes.append(folder, notes.wrong(3, "sue"))
    with folder.notes.open("a") as file:
        file.write('nonsense\n{"type":"of a later version"}\n{"type":"la')
    assert len(notes.read(folder)) == 1


def test_forgetting(archive: Archive, shelf: Store) -> None:
    record(archive, "one")
    shelf.reindex(archive)
    shelf.forget("one")
    with pytest.raises(NotFound):
        shelf.get("one")


def test_sqlite_is_in_wal_mode_with_our_tables_only(shelf: Store, url: str) -> None:
    path = url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert all(name.startswith("calmline_") for name in inspect(shelf._engine).get_table_names())


def test_a_database_that_is_none_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_text("this is no database at all" * 100)
    with pytest.raises(StorageFault, match="calmline reindex"):
        Store(f"sqlite:///{path}")


def test_the_url_can_be_set(configured: Callable[..., Config], tmp_path: Path) -> None:
    app = create_app(configured(), fake_engines(), store_url=f"sqlite:///{tmp_path / 'other' / 'x.db'}")
    assert (tmp_path / "other" / "x.db").exists()
    app.state.desk.store.close()
