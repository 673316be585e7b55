"""The plain door, over real sockets."""

import itertools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.config import Limits
from api.doors import pcm
from pipeline.events import CallEnded
from pipeline.journal import Journal, read_entries
from pipeline.settings import Words
from pipeline.tape import read
from tests.api.conftest import START, Served, calling, closed, follow, rest, said, say, stop
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])
COUNT = itertools.count()
Serve = Callable[..., AbstractContextManager[Served]]


def journal(server: Served, call_id: str = "c1") -> list[Any]:
    return list(read_entries(server.desk.archive.folder(call_id).journal))


def wait_until_ended(server: Served, call_id: str = "c1") -> str:
    """The reason, once the call has ended by itself."""
    reason: str = follow(server, call_id)[-1]["event"]["reason"]
    return reason


def test_what_was_sent_is_what_was_heard(server: Served) -> None:
    with calling(server) as socket:
        socket.send(CALL.tobytes())
        assert stop(socket) == {"type": "ended", "call_id": "c1", "duration_s": 2.0}
    assert np.array_equal(read(server.desk.archive.folder("c1").audio)[: len(CALL)], CALL)
    assert server.http.get("/calls/c1").json()["state"] == "ended"


def test_channels_are_mapped_by_name(server: Served) -> None:
    with calling(server, channels=["customer", "agent"]) as socket:
        socket.send(CALL[:, ::-1].tobytes())
        stop(socket)
    assert np.array_equal(read(server.desk.archive.folder("c1").audio)[: len(CALL)], CALL)


@pytest.mark.parametrize("name", ["agent", "customer", "unknown"])
def test_one_channel_is_an_unknown_speaker(server: Served, name: str) -> None:
    with calling(server, channels=[name]) as socket:
        socket.send(CALL[:, 0].tobytes())
        assert stop(socket)["duration_s"] == 2.0
    assert journal(server)[0].item.channels == ("unknown",)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, CALL.nbytes // 2), max_size=12))
def test_any_even_chunking_gives_the_same_audio(server: Served, cuts: list[int]) -> None:
    edges = [0, *sorted(2 * cut for cut in cuts), CALL.nbytes]
    call_id = f"c{next(COUNT)}"
    with calling(server, call_id) as socket:
        for begin, end in itertools.pairwise(edges):
            socket.send(CALL.tobytes()[begin:end])
        stop(socket)
    heard = read(server.desk.archive.folder(call_id).audio)[: len(CALL)]
    assert np.array_equal(heard, CALL)


def test_other_rates_are_resampled(server: Served) -> None:
    with calling(server, rate=8000) as socket:
        socket.send(stereo([speech(1.0, rate=8000)], [silence(1.0, rate=8000)]).tobytes())
        assert stop(socket)["duration_s"] == 1.0


def test_a_position_says_what_is_missing(server: Served) -> None:
    with calling(server, position=16000) as socket:
        socket.send(CALL.tobytes()[:-2])
        say(socket, type="position", position=16000 * 5)
        socket.send(CALL.tobytes())
        assert stop(socket)["duration_s"] == 7.0
    gaps = [entry.item.span for entry in journal(server) if entry.item.type == "gap"]
    assert {(gap.start, gap.end) for gap in gaps} >= {(0, 16000)}
    assert any(gap.end == 80000 for gap in gaps)
    heard = read(server.desk.archive.folder("c1").audio)
    assert np.array_equal(heard[80000 : 80000 + len(CALL)], CALL)


def test_marks_keep_their_place(server: Served) -> None:
    loud = stereo([speech(1.0)], [speech(1.0)])
    with calling(server) as socket:
        socket.send(loud.tobytes())
        say(socket, type="mark", kind="pause", note="card")
        socket.send(loud.tobytes())
        say(socket, type="mark", kind="resume")
        socket.send(loud.tobytes())
        stop(socket)
    heard = np.abs(read(server.desk.archive.folder("c1").audio)).max(axis=1)
    tick = 512  # audio that waits for its tick comes after the mark
    assert heard[: 16000 - tick].any()
    assert not heard[16000 : 32000 - tick].any()
    assert heard[32000 : 48000 - tick].any()


def test_nothing_sent_is_an_empty_call(server: Served) -> None:
    with calling(server) as socket:
        socket.send(b"")
        assert stop(socket)["duration_s"] == 0.0
    assert isinstance(journal(server)[-1].item, CallEnded)


def test_an_id_is_made_up(server: Served) -> None:
    with server.ws("/doors/pcm") as socket:
        say(socket, **START)
        call_id = said(socket)["call_id"]
        assert stop(socket)["call_id"] == call_id
    assert server.http.get(f"/calls/{call_id}").status_code == 200


# starts that cannot be used

WRONG: dict[str, Any] = {
    "no json": "hello",
    "no object": "[]",
    "empty": "",
    "other type": json.dumps(START | {"type": "stop"}),
    "no type": json.dumps({key: value for key, value in START.items() if key != "type"}),
    "no rate": json.dumps({key: value for key, value in START.items() if key != "rate"}),
    "low rate": json.dumps(START | {"rate": 4000}),
    "high rate": json.dumps(START | {"rate": 192000}),
    "text rate": json.dumps(START | {"rate": "16000"}),
    "format": json.dumps(START | {"format": "f32le"}),
    "unknown key": json.dumps(START | {"colour": "red"}),
    "no channels": json.dumps(START | {"channels": []}),
    "three channels": json.dumps(START | {"channels": ["agent", "customer", "unknown"]}),
    "twice the agent": json.dumps(START | {"channels": ["agent", "agent"]}),
    "agent and unknown": json.dumps(START | {"channels": ["agent", "unknown"]}),
    "other names": json.dumps(START | {"channels": ["left", "right"]}),
    "negative position": json.dumps(START | {"position": -1}),
    "bad id": json.dumps(START | {"call_id": "../etc"}),
    "long id": json.dumps(START | {"call_id": "x" * 101}),
    "long agent": json.dumps(START | {"agent_id": "x" * 101}),
    "binary": b"\0\0\0\0",
}


@pytest.mark.parametrize("frame", WRONG.values(), ids=WRONG.keys())
def test_a_malformed_start_is_explained_in_one_line(server: Served, frame: str | bytes) -> None:
    with server.ws("/doors/pcm") as socket:
        socket.send(frame)
        messages, end = rest(socket)
    assert end.code == 1008
    (error,) = messages
    assert error["type"] == "error"
    assert error["message"]
    assert "\n" not in error["message"]
    assert server.http.get("/calls").json()["total"] == 0
    assert list(server.desk.archive.ids()) == []


def test_silence_instead_of_a_start(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcm, "START_WITHIN_S", 0.0)
    with server.ws("/doors/pcm") as socket:
        messages, end = rest(socket)
    assert (messages[0]["type"], end.code) == ("error", 1008)


def test_a_sender_that_leaves_before_the_start(server: Served) -> None:
    with server.ws("/doors/pcm"):
        pass
    with calling(server) as socket:
        stop(socket)
    assert server.http.get("/calls").json()["total"] == 1


LATER: list[str | bytes] = [
    "x",
    "{}",
    '{"type":"dance"}',
    '{"type":"mark","kind":"dance"}',
    '{"type":"position","position":-5}',
    '{"type":"position"}',
    '{"type":"stop","now":true}',
    json.dumps(START),
    b"\0\0\0",
]


@pytest.mark.parametrize("frame", LATER, ids=str)
def test_a_malformed_message_ends_the_call_and_keeps_what_came(server: Served, frame: str | bytes) -> None:
    with calling(server) as socket:
        socket.send(CALL.tobytes())
        socket.send(frame)
        messages, end = rest(socket)
    assert (messages[-1]["type"], end.code) == ("error", 1008)
    ended = journal(server)[-1].item
    assert (ended.reason, ended.span.end) == ("malformed message", len(CALL))


def test_a_jump_of_hours_is_a_broken_sender(server: Served) -> None:
    with calling(server) as socket:
        say(socket, type="position", position=16000 * 3600 * 24)
        socket.send(CALL.tobytes())
        messages, end = rest(socket)
    assert "jumps" in messages[-1]["message"]
    assert end.code == 1008


# one id, one call


def test_the_same_id_in_progress_leaves_the_first_alone(server: Served) -> None:
    with calling(server) as socket:
        socket.send(CALL[:16000].tobytes())
        with server.ws("/doors/pcm") as second:
            say(second, **START, call_id="c1")
            messages, end = rest(second)
        assert ("in progress" in messages[0]["message"], end.code) == (True, 1008)
        socket.send(CALL[16000:].tobytes())
        assert stop(socket)["duration_s"] == 2.0
    assert np.array_equal(read(server.desk.archive.folder("c1").audio)[: len(CALL)], CALL)


def test_the_same_id_stored(server: Served) -> None:
    with calling(server) as socket:
        stop(socket)
    before = journal(server)
    with server.ws("/doors/pcm") as second:
        say(second, **START, call_id="c1")
        messages, end = rest(second)
    assert ("stored already" in messages[0]["message"], end.code) == (True, 1008)
    assert journal(server) == before
    assert server.http.get("/calls/c1").json()["state"] == "ended"


# ends of another kind


def test_a_sender_that_vanishes_loses_nothing(serve: Serve, configured: Callable[..., Any]) -> None:
    with serve(config=configured(limits=Limits(resume_s=0.0))) as server, calling(server) as socket:
        socket.send(CALL[:30001].tobytes())
        socket.socket.shutdown(2)
        assert wait_until_ended(server) == "connection lost"
    assert np.array_equal(read(server.desk.archive.folder("c1").audio)[:30001], CALL[:30001])
    assert journal(server)[-1].item.span.end == 30001


def test_a_sender_that_closes_without_stop(server: Served) -> None:
    with calling(server) as socket:
        socket.send(CALL.tobytes())
    assert wait_until_ended(server) == "connection lost"
    assert journal(server)[-1].item.span.end == len(CALL)


def test_a_stopping_server_ends_its_calls_with_their_last_words(serve: Serve) -> None:
    gate, fake = Event(), FakeTranscriber()
    fake.gate = gate
    with serve(engines=fake_engines(fake)) as server:
        with calling(server) as socket:
            socket.send(CALL.tobytes())
            assert fake.asked.wait(20)
            gate.set()
            server.stop()
            assert closed(socket).code == 1012
        entries = journal(server)
    assert entries[-1].item.reason == "server stopped"
    assert sum(entry.item.type == "words" for entry in entries) == 2
    assert not server.desk.ready


def test_drained_calls_tell_their_senders(server: Served) -> None:
    with calling(server) as socket:
        socket.send(CALL.tobytes())
        loop = server.desk.switchboard.get("c1")._loop
        import asyncio

        asyncio.run_coroutine_threadsafe(server.desk.switchboard.drain(), loop).result(30)
        messages, end = rest(socket)
    assert (messages[-1]["type"], end.code) == ("error", 1012)
    assert "server stopped" in messages[-1]["message"]
    with server.ws("/doors/pcm") as late:
        say(late, **START, call_id="late")
        assert closed(late).code == 1008


def test_a_full_disk_ends_that_call_only(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Journal._put

    def put(self: Journal, data: bytes) -> None:
        if self.path.parent.name == "full" and full.is_set():
            from pipeline.errors import StorageFault

            raise StorageFault("cannot write: no space left on device; free some space")
        written(self, data)

    full = Event()
    monkeypatch.setattr(Journal, "_put", put)
    with calling(server, "full") as doomed, calling(server, "fine") as fine:
        with server.ws("/live/full") as page:
            full.set()
            doomed.send(CALL.tobytes())
            messages, end = rest(page)
        assert [message["event"]["type"] for message in messages[-2:]] == ["fault", "call_ended"]
        assert (messages[-2]["event"]["part"], messages[-2]["event"]["fatal"]) == ("storage", True)
        assert end.code == 1000
        refused, end = rest(doomed)
        assert "no space left" in refused[-1]["message"]
        assert end.code == 1011
        fine.send(CALL.tobytes())
        assert stop(fine)["duration_s"] == 2.0
    states = {call["id"]: call["state"] for call in server.http.get("/calls").json()["calls"]}
    assert states == {"full": "interrupted", "fine": "ended"}


def test_an_engine_that_fails_is_a_fault_and_the_call_goes_on(serve: Serve, configured: Callable[..., Any]) -> None:
    fake = FakeTranscriber([RuntimeError("out of memory")])
    without_drafts = configured(words=Words(draft_s=0.0))
    with serve(config=without_drafts, engines=fake_engines(fake)) as server:
        with calling(server) as socket:
            socket.send(CALL.tobytes())
            assert stop(socket)["duration_s"] == 2.0
        items = [entry.item for entry in journal(server)]
    faults = [item for item in items if item.type == "fault"]
    assert [fault.fatal for fault in faults] == [False]
    assert sum(item.type == "words" for item in items) == 1
    assert items[-1].reason == "end of audio"


def test_a_full_archive_refuses_the_call(serve: Serve, configured: Callable[..., Any]) -> None:
    with serve(config=configured(storage={"max_gb": 1e-6})) as server:
        with calling(server) as socket:
            stop(socket)
        with server.ws("/doors/pcm") as second:
            say(second, **START, call_id="second")
            messages, end = rest(second)
    assert ("max_gb" in messages[0]["message"], end.code) == (True, 1011)
