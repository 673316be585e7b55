"""What people add to calls: it holds, it is taken back, it survives the database, and it trains."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from api.app import create_app
from api.cli import run
from api.config import Config
from api.export.labels import _pieces, write
from models.training import corpus
from pipeline.archive import Archive
from pipeline.graph import Engines
from pipeline.journal import CallFolder
from tests.api.conftest import LocalClient, wav
from tests.api.test_calls import CALL
from tests.api.test_security import TOKENS, bearer

BOSS, BOB, AMY = bearer("s-token"), bearer("bob-token"), bearer("amy-token")


def analysed(client: LocalClient, call_id: str, agent_id: str, **headers: str) -> None:
    answer = client.post(
        "/calls",
        files=[("file", ("a.wav", wav(CALL)))],
        data={"call_id": call_id, "agent_id": agent_id},
        headers=headers,
    )
    assert answer.status_code == 202, answer.text
    with client.websocket_connect(f"/live/{call_id}", headers=headers) as socket:
        while socket.receive_json()["event"]["type"] != "call_ended":
            pass


@pytest.fixture
def stored(configured: Callable[..., Config], engines: Engines) -> Iterator[LocalClient]:
    """Calls b1 of bob and a1 of amy."""
    with LocalClient(create_app(configured(**TOKENS), engines)) as client:
        analysed(client, "b1", "bob", **BOSS)
        analysed(client, "a1", "amy", **BOSS)
        yield client


def say(client: LocalClient, headers: dict[str, str] = BOSS, call_id: str = "b1", **said: Any) -> Any:
    return client.post(f"/calls/{call_id}/notes", json=said, headers=headers)


def detail(client: LocalClient, call_id: str = "b1") -> Any:
    answer = client.get(f"/calls/{call_id}", headers=BOSS)
    assert answer.status_code == 200
    return answer.json()


STRETCH = {"type": "stretch", "channel": "customer", "begin_ms": 2200, "end_ms": 3000, "label": "angry"}


def test_what_is_noted_is_told_and_what_is_taken_back_is_not(stored: LocalClient) -> None:
    first = say(stored, type="comment", text="Listen here", at_ms=1500)
    assert (first.status_code, first.json()) == (201, {"call_id": "b1", "line": 1})
    assert say(stored, **STRETCH).json()["line"] == 2
    assert say(stored, type="reviewed").json()["line"] == 3
    assert say(stored, type="comment", text="Listen there", at_ms=1600, replaces=1).json()["line"] == 4
    assert stored.delete("/calls/b1/notes/2", headers=BOSS).status_code == 204
    told = detail(stored)
    assert [(note["line"], note["type"], note["text"], note["at_ms"], note["by"]) for note in told["notes"]] == [
        (3, "reviewed", "", None, "sue"),
        (4, "comment", "Listen there", 1600, "sue"),
    ]
    assert (told["reviewed"], told["comments"]) == (True, 1)
    say(stored, type="reviewed", label="no")
    assert detail(stored)["reviewed"] is False


def test_all_of_it_survives_the_database(stored: LocalClient, calls_folder: Path) -> None:
    alerts = detail(stored)["raised"]
    say(stored, type="comment", text="Hm", at_ms=10)
    say(stored, **STRETCH)
    say(stored, type="reviewed")
    for alert in alerts:
        stored.post(f"/calls/b1/alerts/{alert['n']}/dismiss", headers=BOSS)
        assert say(stored, type="label", about=alert["n"], label="right").status_code == 201
    stored.delete("/calls/b1/notes/1", headers=BOSS)
    before = detail(stored)
    assert len(before["notes"]) == 2 + 2 * len(alerts)
    store = stored.app.state.desk.store  # type: ignore[attr-defined]
    store.reindex(Archive(calls_folder, 1.0))
    assert detail(stored) == before


@pytest.mark.parametrize(
    "said",
    [
        {"type": "comment", "text": ""},
        {"type": "comment", "text": "x", "at_ms": -1},
        {"type": "comment", "text": "x", "by": "somebody else"},
        STRETCH | {"end_ms": 2250},
        STRETCH | {"label": "furious"},
        STRETCH | {"channel": "everybody"},
        {"type": "swap", "text": "x"},
        {"type": "undo", "replaces": 1},
        {},
    ],
)
def test_what_is_no_note_is_refused(stored: LocalClient, said: dict[str, Any]) -> None:
    answer = say(stored, **said)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert detail(stored)["notes"] == []


def test_what_is_not_there_cannot_be_spoken_of(stored: LocalClient) -> None:
    assert say(stored, type="label", about=1, label="right").status_code == 404
    assert say(stored, type="comment", text="x", replaces=7).status_code == 404
    assert stored.delete("/calls/b1/notes/1", headers=BOSS).status_code == 404


def test_agents_comment_on_their_own_calls_and_judge_none(stored: LocalClient) -> None:
    assert say(stored, BOB, type="comment", text="I was ill").status_code == 201
    assert say(stored, BOB, "a1", type="comment", text="hello amy").status_code == 404
    assert say(stored, BOB, **STRETCH).status_code == 403
    assert say(stored, BOB, type="reviewed").status_code == 403
    line = say(stored, type="comment", text="Good").json()["line"]
    assert stored.delete(f"/calls/b1/notes/{line}", headers=BOB).status_code == 409
    assert stored.delete("/calls/b1/notes/1", headers=BOB).status_code == 204
    assert stored.get("/labels/export", headers=BOB).status_code == 403


def test_labels_are_training_data(stored: LocalClient, calls_folder: Path, tmp_path: Path) -> None:
    say(stored, **STRETCH)
    say(stored, **STRETCH | {"channel": "agent", "begin_ms": 0, "end_ms": 900, "label": "calm"})
    say(stored, call_id="a1", **STRETCH | {"channel": "agent", "begin_ms": 100, "end_ms": 600, "label": "tense"})
    line = say(stored, **STRETCH | {"label": "calm"}).json()["line"]
    stored.delete(f"/calls/b1/notes/{line}", headers=BOSS)
    answer = stored.get("/labels/export", headers=BOSS)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "labels")
    clips = corpus.read([tmp_path / "labels" / "index.csv"])
    assert sorted((clip.speaker, clip.emotion) for clip in clips) == [
        ("agent amy", "tense"),
        ("agent bob", "calm"),
        ("customer b1", "anger"),
    ]
    whole = soundfile.read(CallFolder(calls_folder / "b1").audio, dtype="int16")[0]
    angry = next(clip for clip in clips if clip.emotion == "anger")
    heard = soundfile.read(angry.file, dtype="int16")[0]
    assert heard.any()
    assert (heard == whole[2200 * 16 : 3000 * 16, 1]).all()
    corpus.check_enough(clips, {"anger"})


def test_what_cannot_be_cut_is_left_out_and_said(stored: LocalClient, calls_folder: Path, tmp_path: Path) -> None:
    say(stored, **STRETCH | {"begin_ms": 0, "end_ms": 61_000})
    say(stored, call_id="a1", **STRETCH)
    folders = [CallFolder(calls_folder / name) for name in ("b1", "a1")]
    assert write(folders, tmp_path) == 1
    assert "b1: the stretch at 0 ms ends behind the audio" in (tmp_path / "left_out.txt").read_text()
    with (tmp_path / "index.csv").open() as table:
        (row,) = csv.DictReader(table)
    assert (row["call_id"], row["seconds"], row["by"]) == ("a1", "0.800", "sue")


def test_a_stretch_longer_than_the_trainer_hears_is_cut_in_pieces() -> None:
    assert list(_pieces(1000, 31_000)) == [(1000, 31_000)]
    assert list(_pieces(0, 60_001)) == [(0, 20_000), (20_000, 40_000), (40_000, 60_001)]


def test_a_torn_line_spoils_nothing(stored: LocalClient, calls_folder: Path) -> None:
    path = CallFolder(calls_folder / "b1").notes
    path.write_text('{"type":"comment","te')
    assert say(stored, type="comment", text="after the crash").json()["line"] == 2
    assert [note["text"] for note in detail(stored)["notes"]] == ["after the crash"]


def test_many_calls_are_exported_at_once(stored: LocalClient) -> None:
    def names(query: str, headers: dict[str, str] = BOSS) -> list[str]:
        answer = stored.get(f"/export?{query}", headers=headers)
        assert answer.status_code == 200
        return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()

    assert sorted(names("format=csv")) == ["a1.csv", "b1.csv"]
    assert names("format=contact-lens", BOB) == ["b1.json"]
    assert names("agent_id=nobody") == ["left_out.txt"]


def test_searches_are_kept_by_person(stored: LocalClient, calls_folder: Path) -> None:
    put = stored.put("/searches/Angry today", json={"filters": {"min_anger": "0.6"}}, headers=BOSS)
    assert put.status_code == 204
    assert stored.get("/searches", headers=BOSS).json() == {
        "searches": [{"filters": {"min_anger": "0.6"}, "name": "Angry today"}]
    }
    assert stored.get("/searches", headers=BOB).json() == {"searches": []}
    assert stored.delete("/searches/Angry today", headers=BOB).status_code == 404
    assert stored.delete("/searches/Angry today", headers=BOSS).status_code == 204
    assert stored.get("/searches", headers=BOSS).json() == {"searches": []}
    for number in range(50):
        stored.put(f"/searches/{number}", json={"filters": {}}, headers=BOSS)
    full = stored.put("/searches/51", json={"filters": {}}, headers=BOSS)
    assert (full.status_code, full.json()["detail"]) == (409, "50 searches are kept already; delete one first")
    (calls_folder / ".searches.json").write_text("nonsense")
    assert stored.get("/searches", headers=BOSS).status_code == 507


def test_the_outline_shows_who_is_loud_when(stored: LocalClient) -> None:
    peaks = stored.get("/calls/b1/peaks", headers=BOSS).json()
    assert (peaks["moment_ms"], peaks["order"]) == (10.0, ["agent", "customer"])
    agent, customer = peaks["channels"]
    assert len(agent) == len(customer) == 352
    assert max(agent[:150]) > 20 > max(agent[160:])
    assert max(customer[200:]) > 20 > max(customer[:190])
    assert stored.get("/calls/b1/peaks", headers=AMY).status_code == 404


def test_the_list_says_what_it_was_found_by(stored: LocalClient) -> None:
    said = detail(stored)["id"]
    answer = stored.get("/calls?from=2020-01-01&sort=anger&limit=1", headers=BOSS).json()
    assert (answer["total"], len(answer["calls"])) == (2, 1)
    assert answer["calls"][0]["excerpt"] is None
    assert said == "b1"
    bad = stored.get("/calls?from=yesterday", headers=BOSS)
    assert (bad.status_code, bad.json()["detail"][:28]) == (400, "from='yesterday' is no date;")
    assert stored.get("/filters", headers=BOSS).json()["agents"] == ["amy", "bob"]
    assert stored.get("/filters", headers=BOB).json()["agents"] == ["bob"]


def test_the_command_writes_the_same_folder(stored: LocalClient, calls_folder: Path, tmp_path: Path) -> None:
    say(stored, **STRETCH)
    target = tmp_path / "ours"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CALMLINE_STORAGE__FOLDER", str(calls_folder))
        assert run(["labels", str(target)]) == 0
        assert [clip.emotion for clip in corpus.read([target / "index.csv"])] == ["anger"]
        assert run(["labels", str(target)]) != 0, "a folder that is not empty is not written into"
