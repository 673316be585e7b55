"""Swapping the roles of a stored call, over HTTP and from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr

from api import notes
from api.app import create_app
from api.calls import Desk
from api.cli import run
from api.commands.listing import listing
from api.config import Config
from pipeline import graph
from pipeline.archive import Archive
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.graph import Engines
from pipeline.journal import CallFolder, read_header
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from tests.api.conftest import LocalClient, Served, calling, stop, upload, wav
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo
from tests.pipeline.drive import frames_of

CALL = stereo([speech(1.5), silence(2.0)], [silence(2.0), speech(1.0, seed=1), silence(0.5)])


def analysed(http: Any, pcm: Any = CALL, **fields: str) -> str:
    """Upload and wait for the end of the analysis; returns the call id."""
    answer = upload(http, wav(pcm), **fields)
    assert answer.status_code == 202, answer.text
    call_id: str = answer.json()["call_id"]
    settle(http.app.state.desk)
    return call_id


def settle(desk: Desk) -> None:
    """Wait for what the server analyses and swaps, on its own loop."""
    tasks = {*desk.uploads._tasks, *desk.swaps._tasks}
    if tasks:
        loop = next(iter(tasks)).get_loop()
        asyncio.run_coroutine_threadsafe(asyncio.wait(tasks), loop).result(60)


def swapped(http: Any, call_id: str, desk: Desk | None = None) -> Any:
    """Swap and wait for its end; returns the call."""
    answer = http.post(f"/calls/{call_id}/swap")
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"call_id": call_id}
    settle(desk or http.app.state.desk)
    return http.get(f"/calls/{call_id}").json()


# over HTTP


def test_a_swap_renews_everything_that_is_told_of_a_call(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client, call_id="s", agent_id="bob", notice_given="ivr")
    before, audio = client.get("/calls/s").json(), client.get("/calls/s/audio").content
    after = swapped(client, call_id)
    assert after["talk_ms"] == {"agent": before["talk_ms"]["customer"], "customer": before["talk_ms"]["agent"]}
    assert after["talk_ms"] != before["talk_ms"]
    same = ("id", "agent_id", "started", "duration_s", "state", "policy", "source", "notice_given")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert client.get("/calls").json()["calls"][0]["talk_ms"] == after["talk_ms"]
    assert list(client.get("/calls/s/view").json()["channels"]) == ["customer", "agent"]
    assert client.get("/calls/s/events").json()["events"][0]["event"]["channels"] == ["customer", "agent"]
    assert client.get("/calls/s/audio").content == audio
    assert {path.name for path in (calls_folder / "s").iterdir()} == {
        "audio.flac",
        "journal.1.jsonl",
        "journal.jsonl",
        "notes.jsonl",
    }


def test_a_swap_is_noted_behind_the_notes_of_its_time(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client)
    folder = CallFolder(calls_folder / call_id)
    notes.append(folder, notes.wrong(7, "mara"))
    found = swapped(client, call_id)["notes"]
    assert [(each["type"], each["about"], each["label"]) for each in found] == [
        ("label", 7, "wrong"),
        ("swap", None, ""),
    ]
    assert "journal.1.jsonl" in found[1]["text"]
    assert found[1]["by"] == "local"
    assert found[1]["time"]
    assert "journal.2.jsonl" in swapped(client, call_id)["notes"][2]["text"]


def test_progress_is_shown_and_the_call_is_left_alone_meanwhile(
    configured: Callable[..., Config], calls_folder: Path
) -> None:
    fake = FakeTranscriber()
    with LocalClient(create_app(configured(), fake_engines(fake))) as client:
        call_id = analysed(client, call_id="slow")
        before = client.get("/calls/slow/events").json()
        fake.gate = gate = Event()
        assert client.post("/calls/slow/swap").status_code == 202
        call = client.get("/calls/slow").json()
        assert call["state"] == "ended"
        assert 0 <= call["progress"] < 1
        assert client.get("/calls/slow/events").json() == before
        for answer in (
            client.post("/calls/slow/swap"),
            client.delete("/calls/slow"),
            client.post("/calls/slow/alerts/3/dismiss"),
        ):
            assert answer.status_code == 409
        gate.set()
        settle(client.app.state.desk)
        assert client.get("/calls/slow/events").json() != before
        assert client.delete(f"/calls/{call_id}").status_code == 204
        assert not (calls_folder / "slow").exists()


def test_a_live_call_cannot_be_swapped(server: Served) -> None:
    with calling(server, "now") as socket:
        answer = server.http.post("/calls/now/swap")
        assert answer.status_code == 409
        assert answer.json()["detail"] == "call now is in progress; its roles can be swapped once that is over"
        socket.send(CALL.tobytes())
        stop(socket)
    assert swapped(server.http, "now", server.desk)["notes"][0]["label"] == ""


def test_one_channel_or_no_audio_is_400_and_no_call_404(configured: Callable[..., Config]) -> None:
    with LocalClient(create_app(configured("measures-only"), fake_engines(words=False))) as client:
        mono = client.post(f"/calls/{analysed(client, CALL[:, 0])}/swap")
        assert (mono.status_code, "has one channel" in mono.json()["detail"]) == (400, True)
        untaped = client.post(f"/calls/{analysed(client)}/swap")
        assert (untaped.status_code, "no stored audio" in untaped.json()["detail"]) == (400, True)
        assert client.post("/calls/absent/swap").status_code == 404
        assert client.post("/calls/..%2F/swap").status_code in (400, 404)


def test_words_are_not_lost_on_a_server_without_a_recogniser(
    configured: Callable[..., Config], client: LocalClient
) -> None:
    call_id = analysed(client)
    with LocalClient(create_app(configured(), fake_engines(words=False))) as deaf:
        answer = deaf.post(f"/calls/{call_id}/swap")
        assert answer.status_code == 409
        assert "no recogniser" in answer.json()["detail"]


def test_a_failed_swap_is_noted_and_changes_nothing(configured: Callable[..., Config]) -> None:
    fake = FakeTranscriber()
    with LocalClient(create_app(configured(), fake_engines(fake))) as client:
        call_id = analysed(client)
        before = client.get(f"/calls/{call_id}/events").json()
        fake.error = RuntimeError("weights on fire")
        found = swapped(client, call_id)["notes"]
        assert [(each["type"], each["label"]) for each in found] == [("swap", "failed")]
        assert "stays as it was" in found[0]["text"]
        assert client.get(f"/calls/{call_id}/events").json() == before


def test_a_stopping_server_leaves_the_call_as_it_was(configured: Callable[..., Config], calls_folder: Path) -> None:
    fake = FakeTranscriber()
    app = create_app(configured(), fake_engines(fake))
    with LocalClient(app) as client:
        analysed(client, stereo([speech(1.5), silence(9.5)], [silence(11.0)]), call_id="cut")
        whole = (calls_folder / "cut" / "journal.jsonl").read_bytes()
        fake.gate = gate = Event()
        fake.asked.clear()
        assert client.post("/calls/cut/swap").status_code == 202
        assert fake.asked.wait(20)
        app.state.desk.swaps._stopping = True
        gate.set()
    folder = CallFolder(calls_folder / "cut")
    assert folder.journal.read_bytes() == whole
    assert [(note.type, note.label) for note in notes.read(folder)] == [("swap", "failed")]
    assert "swap it again" in notes.read(folder)[0].text
    assert {path.name for path in folder.path.iterdir()} == {"audio.flac", "journal.jsonl", "notes.jsonl"}


def test_who_may_swap(configured: Callable[..., Config], engines: Engines) -> None:
    tokens = {
        "supervisor_tokens": {"sue": SecretStr("sue-token")},
        "agent_tokens": {"bob": SecretStr("bob-token")},
        "door_tokens": {"pbx": SecretStr("pbx-token")},
    }
    with LocalClient(create_app(configured(**tokens), engines)) as client:
        asking = {name: {"Authorization": f"Bearer {name}-token"} for name in ("sue", "bob", "pbx", "eve")}
        client.headers.update(asking["sue"])
        call_id = analysed(client, agent_id="bob")
        for name, status in (("eve", 401), ("bob", 403), ("pbx", 403)):
            assert client.post(f"/calls/{call_id}/swap", headers=asking[name]).status_code == status
        assert client.get(f"/calls/{call_id}").json()["notes"] == []
        assert client.post(f"/calls/{call_id}/swap", headers=asking["sue"]).status_code == 202
        settle(client.app.state.desk)
        assert [note["by"] for note in client.get(f"/calls/{call_id}").json()["notes"]] == ["sue"]


# from the command line


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls' folder of this test alone, and fake engines for every command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))
    monkeypatch.setattr(graph, "load", lambda settings, _: fake_engines(words=settings.policy.words))
    return tmp_path / "calls"


@pytest.fixture
def stored(calls: Path) -> Iterator[Callable[..., CallFolder]]:
    """Makes recorded calls."""
    engines = fake_engines()
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)

    def make(call_id: str, channels: tuple[Channel, ...] = TWO_CHANNEL, policy: str = "standard") -> CallFolder:
        settings = Settings(policy=POLICIES[policy])
        session = graph.build(CallInfo(call_id=call_id, channels=channels), settings, engines)
        archive = Archive(calls, 1.0)
        call = archive.record(session, settings, engines.identities, started="2025-01-01T00:00:00+00:00")
        Recorder(call, pool.ask, 1.0).run(frames_of(CALL[:, : len(channels)]), lambda: len(CALL))
        return archive.folder(call_id)

    yield make
    pool.close()


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["calls", "--json"]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_command_swaps_and_shows_the_call(
    stored: Callable[..., CallFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored("one")
    before = listed(capsys)["one"]
    assert run(["swap", "one"]) == 0
    said = capsys.readouterr()
    assert "one · roles exchanged" in said.out
    assert "talk share" in said.out
    assert str(folder.path / "journal.1.jsonl") in said.err
    after = listed(capsys)["one"]
    assert after["talk_ms"] == {"agent": before["talk_ms"]["customer"], "customer": before["talk_ms"]["agent"]}
    assert (after["started"], after["state"]) == (before["started"], "ended")
    assert [(note.type, note.by) for note in notes.read(folder)] == [("swap", "local")]
    assert run(["replay", "one", "--verify"]) == 0


def test_json_is_the_new_view(stored: Callable[..., CallFolder], capsys: pytest.CaptureFixture[str]) -> None:
    folder = stored("one")
    assert run(["swap", "one", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert list(view["channels"]) == ["customer", "agent"]
    assert run(["replay", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == view
    assert read_header(folder.journal).call.channels == (Channel.CUSTOMER, Channel.AGENT)


def test_the_settings_are_those_of_the_call(stored: Callable[..., CallFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stored("one")
    monkeypatch.setenv("CALMLINE_POLICY", "eu-workplace")
    assert run(["swap", "one"]) == 0
    assert read_header(folder.journal).settings.policy == POLICIES["standard"]


@pytest.mark.parametrize(
    ("channels", "policy", "why"),
    [(MONO, "standard", "has one channel"), (TWO_CHANNEL, "measures-only", "no stored audio")],
)
def test_what_cannot_be_swapped_is_told_in_a_line(
    stored: Callable[..., CallFolder],
    capsys: pytest.CaptureFixture[str],
    channels: tuple[Channel, ...],
    policy: str,
    why: str,
) -> None:
    folder = stored("one", channels, policy)
    before = folder.journal.read_bytes()
    assert run(["swap", "one"]) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""
    assert folder.journal.read_bytes() == before


def test_an_absent_call(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["swap", "absent"]) == 2
    assert "calmline calls lists those that are there" in capsys.readouterr().err


def test_a_call_without_an_end_is_swapped_once_it_is_known_to_be_interrupted(
    stored: Callable[..., CallFolder], capsys: pytest.CaptureFixture[str], calls: Path
) -> None:
    folder = stored("one")
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(lines[:-1]))
    with listing(Config.model_validate({"storage": {"folder": str(calls)}})) as store:
        store.settle(Archive(calls, 1.0))
        store.project(folder, "live")
    assert run(["swap", "one"]) == 2
    assert "in progress, or its writer was killed" in capsys.readouterr().err
    assert run(["reindex"]) == 0
    assert run(["swap", "one"]) == 0
    assert run(["replay", "one", "--verify"]) == 0


def test_a_broken_recogniser_is_an_engine_fault(
    stored: Callable[..., CallFolder], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored("one")
    before = folder.journal.read_bytes()
    broken = fake_engines(FakeTranscriber(error=RuntimeError("weights on fire")))
    monkeypatch.setattr(graph, "load", lambda *_: broken)
    assert run(["swap", "one"]) == 3
    assert "one stays as it was" in capsys.readouterr().err
    assert folder.journal.read_bytes() == before
    assert notes.read(folder) == []
