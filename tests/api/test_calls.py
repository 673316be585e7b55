"""Stored calls and uploads, route by route."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import soundfile

from api.app import create_app
from api.config import Config
from api.doors import upload as uploading
from pipeline.archive import Archive
from pipeline.graph import Engines
from pipeline.journal import read_entries
from pipeline.live import LiveCall
from pipeline.tape import read
from tests.api.conftest import LocalClient, Served, calling, said, stop, upload, wav
from tests.fakes import AlertNode, FakeTranscriber, fake_engines, silence, speech, stereo

CALL = stereo([speech(1.5), silence(2.0)], [silence(2.0), speech(1.2, seed=1), silence(0.3)])


def analysed(http: Any, *files: bytes, **fields: str) -> str:
    """Upload and wait for the end of the analysis; returns the call id."""
    answer = upload(http, *(files or (wav(CALL),)), **fields)
    assert answer.status_code == 202, answer.text
    call_id: str = answer.json()["call_id"]
    assert answer.headers["location"] == f"/calls/{call_id}"
    wait_for(http, call_id)
    return call_id


def wait_for(http: Any, call_id: str) -> None:
    """A page that follows an upload is told when it is done."""
    with http.websocket_connect(f"/live/{call_id}") as socket:
        while socket.receive_json()["event"]["type"] != "call_ended":
            pass


@pytest.fixture
def with_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call raises one alert at 1 s and nothing else happens."""
    from pipeline import graph
    from pipeline.session import Session

    monkeypatch.setattr(graph, "build", lambda info, settings, engines: Session(info, [AlertNode()]))


# uploads


def test_an_upload_becomes_a_call(client: LocalClient) -> None:
    call_id = analysed(client, call_id="up-1", agent_id="bob", notice_given="ivr")
    assert call_id == "up-1"
    call = client.get("/calls/up-1").json()
    assert (call["state"], call["duration_s"], call["progress"]) == ("ended", 3.5, None)
    assert (call["agent_id"], call["notice_given"], call["source"]) == ("bob", "ivr", "upload")
    assert set(call["talk_ms"]) == {"agent", "customer"}
    assert call["talk_ms"]["agent"] == pytest.approx(1500, abs=300)
    view = client.get("/calls/up-1/view").json()
    assert (view["state"], view["duration_s"]) == ("ended", 3.5)
    assert {line["channel"] for line in view["transcript"]} == {"agent", "customer"}


def test_an_id_is_made_up(client: LocalClient) -> None:
    assert analysed(client) != analysed(client)


def test_the_agent_may_be_on_the_right(client: LocalClient) -> None:
    analysed(client, wav(CALL[:, ::-1].copy()), call_id="r", agent_channel="right")
    analysed(client, wav(CALL), call_id="l")
    assert client.get("/calls/r/events").json()["events"][1:] == client.get("/calls/l/events").json()["events"][1:]


def test_a_pair_of_files_is_one_call(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client, wav(CALL[:, 0]), wav(CALL[:, 1]))
    assert np.array_equal(read(calls_folder / call_id / "audio.flac")[: len(CALL)], CALL)


def test_a_mono_file_has_one_unknown_speaker(client: LocalClient) -> None:
    call_id = analysed(client, wav(CALL[:, 0]))
    view = client.get(f"/calls/{call_id}/view").json()
    assert set(view["channels"]) == {"unknown"}
    assert {"talk_over", "anger", "tension"} <= set(view["unavailable"])


def test_progress_is_shown_while_it_is_analysed(configured: Callable[..., Config]) -> None:
    gate, fake = Event(), FakeTranscriber()
    fake.gate = gate
    with LocalClient(create_app(configured(), fake_engines(fake))) as client:
        long = stereo([speech(2), silence(10)], [silence(12)])
        assert upload(client, wav(long), call_id="slow", agent_id="bob").status_code == 202
        assert fake.asked.wait(20)
        call = client.get("/calls/slow").json()
        assert call["state"] == "analysing"
        assert 0 <= call["progress"] < 1
        assert client.get("/calls").json()["calls"][0]["state"] == "analysing"
        assert client.get("/calls/slow/view").json()["state"] in ("live", "waiting")
        assert client.delete("/calls/slow").status_code == 409
        assert client.post("/calls/slow/marks", json={"kind": "hold"}).status_code == 409
        assert client.post("/calls/slow/alerts/3/dismiss").status_code == 409
        assert upload(client, wav(long), call_id="slow").status_code == 409
        gate.set()
        wait_for(client, "slow")
        assert client.get("/calls/slow").json()["state"] == "ended"


def test_a_stopping_server_ends_an_analysis_with_a_fault(configured: Callable[..., Config], calls_folder: Path) -> None:
    gate, fake = Event(), FakeTranscriber()
    fake.gate = gate
    app = create_app(configured(), fake_engines(fake))
    with LocalClient(app) as client:
        assert upload(client, wav(stereo([speech(2), silence(10)], [silence(12)])), call_id="cut").status_code == 202
        assert upload(client, wav(CALL), call_id="never").status_code == 202
        assert fake.asked.wait(20)
        app.state.desk.uploads._stopping = True
        gate.set()
    for call_id in ("cut", "never"):
        events = [entry.item for entry in read_entries(calls_folder / call_id / "journal.jsonl")]
        assert events[-1].type == "call_ended"
        assert "upload it again" in events[-2].message
    with LocalClient(create_app(configured(), fake_engines())) as client:
        assert {call["state"] for call in client.get("/calls").json()["calls"]} == {"ended"}


def floats(values: np.ndarray[Any, Any], channels: int = 2) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, values, 16000, format="WAV", subtype="FLOAT")
    return file.getvalue()


NAN = np.zeros((32000, 2))
NAN[31000, 1] = np.nan
BAD: dict[str, list[bytes]] = {
    "empty": [b""],
    "text": [b"this is no audio at all, not even nearly" * 50],
    "three channels": [wav(np.zeros((1600, 3), np.int16))],
    "no samples": [wav(np.zeros((0, 2), np.int16))],
    "not a number": [floats(NAN)],
    "rate": [wav(np.zeros((1600, 2), np.int16), 4000)],
    "pair of stereo": [wav(CALL), wav(CALL)],
    "three files": [wav(CALL[:, 0])] * 3,
    "damaged": [b"fLaC" + bytes(range(256)) * 20],
}


@pytest.mark.parametrize("files", BAD.values(), ids=BAD.keys())
def test_bad_audio_is_refused_and_nothing_stays(
    client: LocalClient, calls_folder: Path, files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    answer = upload(client, *files, call_id="bad")
    assert answer.status_code == 400
    reason = answer.json()["detail"]
    assert "\n" not in reason
    assert str(tmp_path) not in reason
    assert not (calls_folder / "bad").exists()
    assert list(spool.iterdir()) == []
    assert client.get("/calls").json()["total"] == 0
    assert analysed(client, call_id="bad") == "bad"
    assert list(spool.iterdir()) == []


def test_file_names_are_made_harmless(client: LocalClient) -> None:
    answer = client.post("/calls", files=[("file", ("../../etc/pass\nwd.wav", b"nonsense" * 100))])
    assert answer.status_code == 400
    assert ".." not in answer.json()["detail"]
    answer = client.post("/calls", files=[("file", ("..", wav(CALL)))])
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"call_id": "../x"}, 400),
        ({"call_id": ".hidden"}, 400),
        ({"call_id": "a b"}, 400),
        ({"call_id": "x" * 101}, 400),
        ({"agent_channel": "middle"}, 400),
        ({"agent_id": "x" * 101}, 400),
    ],
)
def test_bad_fields(client: LocalClient, fields: dict[str, str], status: int) -> None:
    assert upload(client, wav(CALL), **fields).status_code == status


def test_what_is_refused_is_not_repeated(client: LocalClient) -> None:
    call_id = analysed(client)
    for body in ({"kind": "4111 1111"}, {"kind": "hold", "note": ["4111 1111"]}, "4111 1111"):
        answer = client.post(f"/calls/{call_id}/marks", json=body)
        assert answer.status_code == 400
        assert "4111" not in answer.text
        assert list(answer.json()) == ["detail"]
        assert "\n" not in answer.json()["detail"]


def test_a_truncated_upload_says_so(client: LocalClient) -> None:
    analysed(client, wav(CALL)[:60_000], call_id="cut")
    (warning,) = client.get("/calls/cut/view").json()["warnings"]
    assert warning.startswith("0.wav: ends at 0.9 s although its header promises 3.5 s")


def test_an_upload_has_its_time_of_day(client: LocalClient) -> None:
    analysed(client, call_id="now")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(client.get("/calls/now").json()["started"])) < timedelta(
        minutes=1
    )


def test_no_call_id_can_reach_the_list(configured: Callable[..., Config], engines: Engines, calls_folder: Path) -> None:
    taken = ["calls.db", "calls.db-journal", "calls.db-wal"]
    with LocalClient(create_app(configured(), engines)) as client:
        for call_id in taken:
            analysed(client, call_id=call_id)
        assert upload(client, wav(CALL), call_id=".calls.db-journal").status_code == 400
    with LocalClient(create_app(configured(), engines)) as client:
        assert client.app.state.desk.store.reindex(Archive(calls_folder, 1.0)) == 3  # type: ignore[attr-defined]
        assert sorted(call["id"] for call in client.get("/calls").json()["calls"]) == taken
        assert client.delete("/calls/calls.db-journal").status_code == 204


def test_an_upload_without_a_file(client: LocalClient) -> None:
    assert client.post("/calls", data={"call_id": "x"}).status_code == 400


def test_an_id_is_taken_once(client: LocalClient) -> None:
    analysed(client, call_id="one")
    before = client.get("/calls/one/events").json()
    assert upload(client, wav(CALL), call_id="one").status_code == 409
    assert client.get("/calls/one/events").json() == before


def test_too_large_is_413_however_it_is_sent(configured: Callable[..., Config], engines: Engines) -> None:
    with LocalClient(create_app(configured(upload_mb=1), engines)) as client:
        large = wav(np.zeros((400_000, 2), np.int16))
        assert upload(client, large).status_code == 413

        def pieces():  # type: ignore[no-untyped-def]
            head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            yield head
            for _ in range(20):
                yield bytes(100_000)

        chunked = client.post("/calls", content=pieces(), headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert chunked.status_code == 413
        assert client.post("/calls/x/marks", content=b"x" * 70_000).status_code == 413
        assert client.get("/calls").json()["total"] == 0


def test_too_many_uploads_wait(client: LocalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "WAITING", 0)
    assert upload(client, wav(CALL), call_id="x").status_code == 503
    assert client.get("/calls/x").status_code == 404


def test_a_full_archive_is_507(configured: Callable[..., Config], engines: Engines) -> None:
    with LocalClient(create_app(configured(storage={"max_gb": 1e-6}), engines)) as client:
        analysed(client, call_id="first")
        answer = upload(client, wav(CALL), call_id="second")
        assert answer.status_code == 507
        assert "max_gb" in answer.json()["detail"]


def test_an_engine_that_fails_leaves_a_fault_and_the_call_goes_on(configured: Callable[..., Config]) -> None:
    engines = fake_engines(FakeTranscriber(error=RuntimeError("no words today")))
    with LocalClient(create_app(configured(), engines)) as client:
        call_id = analysed(client)
        call = client.get(f"/calls/{call_id}").json()
        assert call["state"] == "ended"
        assert call["faults"] >= 1
        assert call["duration_s"] == 3.5


def test_an_analysis_that_breaks_ends_its_call_only(client: LocalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr("api.doors.upload.Recorder.run", broken)
        call_id = analysed(client)
    assert client.get(f"/calls/{call_id}").json()["faults"] == 1
    analysed(client)


# the list


def test_the_list_is_paged_newest_first(client: LocalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(5):
        analysed(client, call_id=f"c{index}", agent_id="bob" if index % 2 else "amy")
    ids = [call["id"] for call in client.get("/calls").json()["calls"]]
    assert ids == sorted(ids, reverse=True)
    pages = [client.get(f"/calls?limit=2&offset={offset}").json() for offset in (0, 2, 4, 6)]
    assert [call["id"] for page in pages for call in page["calls"]] == ids
    assert {page["total"] for page in pages} == {5}
    bobs = client.get("/calls?agent_id=bob").json()
    assert {call["id"] for call in bobs["calls"]} == {"c1", "c3"}
    assert bobs["total"] == 2


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "limit=x"])
def test_bad_pages(client: LocalClient, query: str) -> None:
    answer = client.get(f"/calls?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"query.{query.split('=')[0]}: Input should be ")


# one call


@pytest.mark.parametrize("tail", ["", "/view", "/events", "/audio"])
def test_no_such_call(client: LocalClient, tail: str) -> None:
    answer = client.get(f"/calls/none{tail}")
    assert answer.status_code == 404
    assert "none" in answer.json()["detail"]
    assert client.get(f"/calls/a b{tail}").status_code == 400


def test_events_are_paged_by_number(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client)
    whole = client.get(f"/calls/{call_id}/events").json()
    assert whole["next"] is None
    assert whole["events"][0]["event"]["type"] == "call_started"
    assert whole["events"][-1]["event"]["type"] == "call_ended"
    paged: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = client.get(f"/calls/{call_id}/events?after={after}&limit=3").json()
        paged += page["events"]
        after = page["next"]
    assert paged == whole["events"]
    lines = [json.loads(line) for line in (calls_folder / call_id / "journal.jsonl").read_text().splitlines()]
    journal = [{"n": line["n"], "at": line["at"], "event": line["ev"]} for line in lines if "ev" in line]
    assert journal == whole["events"]


def test_audio_comes_in_ranges(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client)
    whole = client.get(f"/calls/{call_id}/audio")
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.content == (calls_folder / call_id / "audio.flac").read_bytes()
    part = client.get(f"/calls/{call_id}/audio", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    beyond = client.get(f"/calls/{call_id}/audio", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416


def test_the_length_of_the_audio_can_be_asked(client: LocalClient) -> None:
    call_id = analysed(client)
    head, whole = client.head(f"/calls/{call_id}/audio"), client.get(f"/calls/{call_id}/audio")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["accept-ranges"] == "bytes"


def test_without_recording_there_is_no_audio(configured: Callable[..., Config], engines: Engines) -> None:
    with LocalClient(create_app(configured(policy="measures-only"), engines)) as client:
        call_id = analysed(client)
        assert client.get(f"/calls/{call_id}/audio").status_code == 404
        assert client.get(f"/calls/{call_id}").json()["peak_anger"] is None


def test_a_call_is_deleted_whole(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client)
    assert client.delete(f"/calls/{call_id}").status_code == 204
    assert not (calls_folder / call_id).exists()
    assert client.get(f"/calls/{call_id}").status_code == 404
    assert client.get("/calls").json()["total"] == 0
    assert client.delete(f"/calls/{call_id}").status_code == 404
    assert client.delete("/calls/a b").status_code == 400


# live calls


def test_a_live_call_is_listed_viewed_and_heard(server: Served) -> None:
    http = server.http
    with calling(server, "c1", agent_id="bob") as socket:
        assert [call["state"] for call in http.get("/calls").json()["calls"]] == ["live"]
        assert http.get("/calls/c1/view").json()["state"] in ("waiting", "live")
        with server.ws("/live/c1") as page:
            socket.send(CALL.tobytes())
            while said(page)["event"]["type"] != "speech_ended":
                pass
        assert http.get("/calls/c1").json()["duration_s"] > 1.5
        assert http.get("/calls/c1/view").json()["now_ms"] > 1500
        assert http.head("/calls/c1/audio").status_code == 200
        audio = http.get("/calls/c1/audio")
        assert audio.content.startswith(b"fLaC")
        assert int(audio.headers["content-length"]) == len(audio.content)
        assert http.get("/calls/c1/audio", headers={"Range": "bytes=0-3"}).content == b"fLaC"
        assert http.delete("/calls/c1").status_code == 409
        assert upload(http, wav(CALL), call_id="c1").status_code == 409
        assert stop(socket)["duration_s"] == 3.5
    call = http.get("/calls/c1").json()
    assert (call["state"], call["duration_s"], call["source"]) == ("ended", 3.5, "door pcm")
    assert http.delete("/calls/c1").status_code == 204


@pytest.mark.usefixtures("with_alert")
@pytest.mark.parametrize(("path", "kind"), [("ack", "acknowledge"), ("dismiss", "dismiss")])
def test_an_alert_is_answered_live(server: Served, path: str, kind: str) -> None:
    with calling(server) as socket, server.ws("/live/c1") as page:
        assert server.http.post(f"/calls/c1/alerts/2/{path}").status_code == 404
        socket.send(CALL[:20000].tobytes())
        while (raised := said(page))["event"]["type"] != "alert":
            pass
        number = raised["n"]
        assert server.http.post(f"/calls/c1/alerts/{number}/{path}").status_code == 202
        assert server.http.post(f"/calls/c1/alerts/{number + 999}/{path}").status_code == 404
        socket.send(CALL[20000:].tobytes())
        cleared = said(page)["event"]
        assert (cleared["of"], cleared["reason"]) == (number, f"{kind} by local")
        stop(socket)


@pytest.mark.usefixtures("with_alert")
def test_after_the_call_a_dismissal_is_a_note(client: LocalClient, calls_folder: Path) -> None:
    call_id = analysed(client)
    number = client.get(f"/calls/{call_id}").json()["raised"][0]["n"]
    assert client.post(f"/calls/{call_id}/alerts/{number}/ack").status_code == 409
    assert client.post(f"/calls/{call_id}/alerts/1/dismiss").status_code == 404
    assert client.post(f"/calls/{call_id}/alerts/0/dismiss").status_code == 400
    assert client.post(f"/calls/{call_id}/alerts/{number + 999}/ack").status_code == 404
    assert client.post(f"/calls/none/alerts/{number}/dismiss").status_code == 404
    assert client.post(f"/calls/{call_id}/alerts/{number}/dismiss").status_code == 202
    (note,) = client.get(f"/calls/{call_id}").json()["notes"]
    assert (note["type"], note["about"], note["label"], note["by"]) == ("label", number, "wrong", "local")
    line = json.loads((calls_folder / call_id / "notes.jsonl").read_text())
    assert line["label"] == "wrong"


def test_a_mark_reaches_the_call(server: Served) -> None:
    with calling(server) as socket, server.ws("/live/c1") as page:
        assert server.http.post("/calls/c1/marks", json={"kind": "hold", "note": "music"}).status_code == 202
        socket.send(CALL.tobytes())
        while (region := said(page)["event"])["type"] != "region":
            pass
        assert region["kind"] == "hold"
        stop(socket)
    assert server.http.post("/calls/c1/marks", json={"kind": "resume"}).status_code == 409


@pytest.mark.parametrize(
    "body", [{"kind": "dance"}, {}, {"kind": "hold", "extra": 1}, {"kind": "hold", "channel": "me"}]
)
def test_bad_marks(client: LocalClient, body: dict[str, Any]) -> None:
    call_id = analysed(client)
    assert client.post(f"/calls/{call_id}/marks", json=body).status_code == 400
    assert client.post("/calls/none/marks", json={"kind": "hold"}).status_code == 404


def test_a_mark_waits_behind_the_audio_before_it(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[Any] = []

    async def feed(self: LiveCall, items: Any) -> None:
        fed.extend(items)

    with calling(server) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(LiveCall, "feed", feed)
            assert server.http.post("/calls/c1/marks", json={"kind": "pause"}).status_code == 202
        stop(socket)
    (mark,) = fed
    assert (mark.kind, mark.by) == ("pause", "local")


@pytest.mark.parametrize("full", [True, False])
def test_a_call_whose_last_row_could_not_be_written_is_not_live(
    server: Served, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        with calling(server) as socket:
            patch.setattr(server.desk.store, "project", refuse)
            socket.send(CALL.tobytes())
            stop(socket)
        if full:
            assert server.http.get("/calls").json()["calls"][0]["state"] == "interrupted"
            assert server.http.get("/calls/c1").json()["state"] == "interrupted"
    assert server.http.get("/calls").json()["calls"][0]["state"] == "ended"
    assert server.http.get("/calls/c1").json()["duration_s"] == 3.5


def test_two_calls_do_not_cross(configured: Callable[..., Config], serve: Any) -> None:
    with serve() as server, calling(server, "a", agent_id="amy") as a, calling(server, "b", agent_id="bob") as b:
        for index in range(0, len(CALL), 3200):
            a.send(CALL[index : index + 3200].tobytes())
            b.send(CALL[index : index + 3200, ::-1].tobytes())
        assert stop(a)["call_id"] == "a"
        assert stop(b)["call_id"] == "b"
        for call_id, agent in (("a", "amy"), ("b", "bob")):
            events = server.http.get(f"/calls/{call_id}/events").json()["events"]
            assert events[0]["event"]["call_id"] == call_id
            assert events[0]["event"]["agent_id"] == agent
            first = next(each["event"] for each in events if each["event"]["type"] == "speech_started")
            assert first["channel"] == ("agent" if call_id == "a" else "customer")
        root = server.desk.archive.root
        assert np.array_equal(read(root / "a/audio.flac"), read(root / "b/audio.flac")[:, ::-1])


def test_the_desk_without_words(configured: Callable[..., Config]) -> None:
    with LocalClient(create_app(configured(policy="eu-workplace"), fake_engines(words=False))) as client:
        call_id = analysed(client)
        view = client.get(f"/calls/{call_id}/view").json()
        assert view["transcript"] == []
        assert "tension" in view["unavailable"]
        assert view["scores"]["tension"] == []


def test_an_archive_of_elsewhere_is_listed_at_the_start(
    configured: Callable[..., Config], engines: Engines, calls_folder: Path
) -> None:
    with LocalClient(create_app(configured(), engines)) as client:
        call_id = analysed(client)
    (calls_folder / ".calls.db").unlink()
    with LocalClient(create_app(configured(), engines)) as client:
        assert [call["id"] for call in client.get("/calls").json()["calls"]] == [call_id]
    assert list(Archive(calls_folder, 1.0).ids()) == [call_id]
