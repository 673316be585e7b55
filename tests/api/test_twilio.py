"""The door for Twilio Media Streams and its like: every message, every rule, and whatever else may come."""

import asyncio
import base64
import json
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from api.config import Config
from api.doors import mulaw, twilio
from api.doors.settings import Doors, Twilio
from api.doors.twilio_stream import Stream
from api.security import check_doors
from benchmarks import senders
from benchmarks.load import Line
from benchmarks.senders import Manner, Signed
from benchmarks.wire_twilio import twilio_messages
from pipeline.errors import BadInput, StorageFault
from pipeline.journal import read_entries
from pipeline.tape import read
from tests.api.conftest import Served, closed, follow
from tests.fakes import silence, speech, stereo

URL = "wss://calls.example.com/doors/twilio"
TOKEN = "12345"
LINE = Line(
    stereo(
        [speech(1.0, rate=8000), silence(1.0, rate=8000)], [silence(1.2, rate=8000), speech(0.8, seed=1, rate=8000)]
    ),
    8000,
)
HEARD = np.stack([mulaw.decode(mulaw.encode(LINE.pcm[:, side])) for side in (0, 1)], axis=1)
Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def config(configured: Callable[..., Config]) -> Config:
    return configured(doors=Doors(twilio=Twilio(public_url=URL, auth_tokens=("old", TOKEN))))


@pytest.fixture
def anybody(serve: Serve, configured: Callable[..., Config]) -> Iterator[Served]:
    """Its door believes senders without a signature."""
    with serve(configured(doors=Doors(twilio=Twilio(unsigned=True)))) as served:
        yield served


def send(served: Served, call_id: str = "CA1", **options: Any) -> senders.Sent:
    url = f"ws://127.0.0.1:{served.port}/doors/twilio"
    return asyncio.run(senders.twilio(url, LINE, speed=math.inf, call_id=call_id, **options))


def ended(served: Served, call_id: str = "CA1") -> list[Any]:
    """The journal once the call is over."""
    follow(served, call_id)
    return [entry.item for entry in read_entries(served.desk.archive.folder(call_id).journal)]


def wire(**options: Any) -> list[str]:
    """Every message of a stream."""
    return [json.dumps(message) for _, message in twilio_messages(LINE, "CA1", Manner(**options))]


@contextmanager
def streaming(served: Served) -> Iterator[ClientConnection]:
    """A connection on which a call has begun."""
    with served.ws("/doors/twilio") as socket:
        for message in wire()[:2]:
            socket.send(message)
        yield socket


# whole calls


@pytest.mark.parametrize(
    "manner",
    [
        Manner(),
        Manner(snake=True),
        Manner(packet_s=0.04, stamps=0.5, first=2),
        Manner(packet_s=0.2),
        Manner(packet_s=0.005),
    ],
    ids=["twilio", "snake case in another order", "half speed", "long packets", "short packets"],
)
def test_what_was_said_is_what_was_heard(anybody: Served, manner: Manner) -> None:
    assert send(anybody, manner=manner).close == 1000
    items = ended(anybody)
    assert items[-1].reason == "end of audio"
    assert items[-1].span.end == 2 * len(LINE.pcm)
    assert not [item for item in items if item.type == "gap"]
    heard = read(anybody.desk.archive.folder("CA1").audio)[: 2 * len(LINE.pcm) : 2]
    assert np.abs(heard.astype(int) - HEARD).max() <= 1


def test_a_sender_that_vanishes_loses_nothing(anybody: Served) -> None:
    send(anybody, manner=Manner(farewell=False))
    last = ended(anybody)[-1]
    assert (last.reason, last.span.end) == ("connection lost", 2 * len(LINE.pcm))


def test_a_connection_cut_without_a_close_frame(anybody: Served) -> None:
    with streaming(anybody) as socket:
        for message in wire()[2:102]:
            socket.send(message)
        socket.socket.shutdown(2)
        last = ended(anybody)[-1]
    assert (last.reason, last.span.end) == ("connection lost", 50 * 320)


def test_the_role_map_says_who_is_on_which_track(serve: Serve, configured: Callable[..., Config]) -> None:
    with serve(configured(doors=Doors(twilio=Twilio(unsigned=True, customer="outbound")))) as served:
        send(served)
        ended(served)
        heard = read(served.desk.archive.folder("CA1").audio)[: 2 * len(LINE.pcm) : 2]
    assert np.abs(heard.astype(int) - HEARD[:, ::-1]).max() <= 1


def test_the_agent_of_a_call_comes_from_its_parameters(anybody: Served) -> None:
    facts = {"agent_id": "bob", "queue": "returns", "direction": "inbound", "notice_given": "announcement"}
    send(anybody, parameters=facts)
    begun = ended(anybody)[0]
    assert {name: getattr(begun, name) for name in facts} == facts
    assert begun.source == "door twilio"


def test_the_facts_stand_where_the_settings_say(serve: Serve, configured: Callable[..., Config]) -> None:
    where = Twilio(
        unsigned=True, agent_id="customParameters.who", notice_given="=announcement", fields={"account": "accountSid"}
    )
    with serve(configured(doors=Doors(twilio=where))) as served:
        send(served, parameters={"who": "amy", "queue": "x" * 101, "direction": "sideways"})
        begun = ended(served)[0]
    assert (begun.agent_id, begun.notice_given, begun.fields) == ("amy", "announcement", {"account": "AC0"})
    assert (begun.queue, begun.direction) == ("", "")
    assert [warning.split(":")[0] for warning in begun.warnings] == ["queue", "direction"]


def test_one_track_alone_is_no_gap(anybody: Served) -> None:
    with anybody.ws("/doors/twilio") as socket:
        for message in wire():
            said = json.loads(message)
            if said["event"] == "start":
                said["start"]["tracks"] = ["inbound"]
            if said.get("media", {}).get("track") != "outbound":
                socket.send(json.dumps(said))
        assert closed(socket).code == 1000
    items = ended(anybody)
    assert not [item for item in items if item.type == "gap"]
    assert items[0].unavailable["talk_over"] == items[0].unavailable["tension"] == "the agent's voice is not sent"
    assert "anger" not in items[0].unavailable
    assert items[-1].span.end == 2 * len(LINE.pcm)


def test_a_call_streamed_twice_is_two_calls(anybody: Served) -> None:
    send(anybody)
    ended(anybody)
    send(anybody)
    listed = anybody.http.get("/calls").json()["calls"]
    assert {call["id"] for call in listed} == {"CA1", "CA1.MZCA1"}


# signatures


def test_a_signed_handshake_is_let_in(server: Served) -> None:
    assert send(server, signed=Signed(URL, TOKEN)).close == 1000
    assert send(server, "CA2", signed=Signed(URL, "old")).close == 1000


@pytest.mark.parametrize(
    "signed",
    [
        None,
        Signed(URL, "wrong"),
        Signed("wss://127.0.0.1/doors/twilio", TOKEN),
        Signed(URL + "/", TOKEN),
        Signed("", ""),
    ],
)
def test_whatever_is_not_signed_is_refused_before_the_upgrade(server: Served, signed: Signed | None) -> None:
    with pytest.raises(InvalidStatus) as caught:
        send(server, signed=signed)
    assert caught.value.response.status_code == 403
    assert list(server.desk.archive.ids()) == []


def test_without_configuration_the_door_is_closed_and_says_so_once(
    serve: Serve, configured: Callable[..., Config]
) -> None:
    with (
        structlog.testing.capture_logs() as lines,
        serve(configured()) as served,
        pytest.raises(InvalidStatus) as caught,
    ):
        send(served, signed=Signed(URL, TOKEN))
    assert caught.value.response.status_code == 403
    refused = [line for line in lines if line["event"] == "door refused"]
    assert len(refused) == 1
    assert "doors.twilio.auth_tokens" in refused[0]["because"]


@pytest.mark.parametrize(
    ("doors", "host", "what"),
    [
        (Doors(twilio=Twilio(unsigned=True)), "0.0.0.0", "unsigned"),
        (Doors(twilio=Twilio(auth_tokens=("x",))), "127.0.0.1", "public_url"),
        (Doors(twilio=Twilio(public_url=URL, auth_tokens=("",))), "127.0.0.1", "empty"),
    ],
)
def test_a_door_that_cannot_be_safe_does_not_open(
    configured: Callable[..., Config], doors: Doors, host: str, what: str
) -> None:
    with pytest.raises(BadInput, match=what):
        check_doors(configured(host=host).server, doors)


def test_a_public_address_is_one_of_a_socket() -> None:
    with pytest.raises(ValueError, match="wss://"):
        Twilio(public_url="https://calls.example.com")


# messages


def test_digits_are_neither_kept_nor_logged(anybody: Served) -> None:
    digit = {
        "event": "dtmf",
        "streamSid": "MZCA1",
        "sequenceNumber": "5",
        "dtmf": {"track": "inbound_track", "digit": "7654321"},
    }
    with structlog.testing.capture_logs() as lines, streaming(anybody) as socket:
        socket.send(json.dumps(digit))
        for message in wire()[2:]:
            socket.send(message)
        assert closed(socket).code == 1000
        ended(anybody)
    folder = anybody.desk.archive.folder("CA1").path
    assert all(b"7654321" not in path.read_bytes() for path in folder.iterdir())
    assert "7654321" not in str(lines)


def test_what_is_not_known_is_ignored(anybody: Served) -> None:
    with streaming(anybody) as socket:
        for said in ({"event": "mark", "mark": {"name": "x"}}, {"event": "new one"}, {"event": "connected"}):
            socket.send(json.dumps(said))
        for message in wire()[2:]:
            said = json.loads(message)
            socket.send(json.dumps(said | {"more": [1]} | {"media": said.get("media", {}) | {"colour": "red"}}))
        assert closed(socket).code == 1000
    assert ended(anybody)[-1].span.end == 2 * len(LINE.pcm)


def test_numbers_may_be_numbers(anybody: Served) -> None:
    with streaming(anybody) as socket:
        for message in wire()[2:]:
            said = json.loads(message)
            if "media" in said:
                said["media"] |= {name: int(said["media"][name]) for name in ("chunk", "timestamp")}
            socket.send(json.dumps(said))
        assert closed(socket).code == 1000
    assert ended(anybody)[-1].span.end == 2 * len(LINE.pcm)


def test_packets_without_chunk_and_timestamp_go_by_arrival(anybody: Served) -> None:
    with streaming(anybody) as socket:
        for message in wire()[2:]:
            said = json.loads(message)
            for name in ("chunk", "timestamp"):
                said.get("media", {}).pop(name, None)
            socket.send(json.dumps(said))
        assert closed(socket).code == 1000
    assert ended(anybody)[-1].span.end == 2 * len(LINE.pcm)


def media(**change: Any) -> str:
    said: dict[str, Any] = json.loads(wire()[2])
    return json.dumps(said | {"media": said["media"] | change})


WRONG: dict[str, str | bytes] = {
    "no json": "hello",
    "no object": "[]",
    "no event": "{}",
    "event is no text": '{"event":5}',
    "deep": "[" * 50_000,
    "a second start": wire()[1],
    "another stream": json.dumps(json.loads(wire()[2]) | {"streamSid": "MZ other"}),
    "no payload": '{"event":"media","streamSid":"MZCA1","media":{"track":"inbound"}}',
    "no base64": media(payload="§§"),
    "a chunk that is no number": media(chunk="one"),
    "a negative chunk": media(chunk="-1"),
    "a huge number": media(timestamp="9" * 5000),
    "a long packet": media(payload=base64.b64encode(bytes(1601)).decode()),
    "binary": b"\0\0",
}


@pytest.mark.parametrize("frame", WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_used_ends_the_call_in_one_line_and_keeps_what_came(anybody: Served, frame: str | bytes) -> None:
    with streaming(anybody) as socket:
        for message in wire()[2:102]:
            socket.send(message)
        socket.send(frame)
        end = closed(socket)
    assert end.code == 1008
    assert end.reason
    last = ended(anybody)[-1]
    assert (last.reason, last.span.end) == ("malformed message", 50 * 320)


STARTS: dict[str, Any] = {
    "no start": {"event": "media", "media": {"payload": ""}},
    "stop first": {"event": "stop"},
    "another encoding": {"event": "start", "start": {"mediaFormat": {"encoding": "audio/l16", "sampleRate": 8000}}},
    "another rate": {"event": "start", "start": {"mediaFormat": {"encoding": "PCMU", "sampleRate": 16000}}},
    "two channels": {
        "event": "start",
        "start": {"mediaFormat": {"encoding": "PCMU", "sampleRate": 8000, "channels": 2}},
    },
    "no format": {"event": "start", "start": {}},
    "no track of ours": {
        "event": "start",
        "start": {"tracks": ["left"], "mediaFormat": {"encoding": "PCMU", "sampleRate": 8000}},
    },
    "an id that cannot be a folder": {
        "event": "start",
        "start": {"callSid": "../etc", "mediaFormat": {"encoding": "PCMU", "sampleRate": 8000}},
    },
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_a_start_that_cannot_be_used_makes_no_call(anybody: Served, start: dict[str, Any]) -> None:
    with anybody.ws("/doors/twilio") as socket:
        socket.send(json.dumps(start))
        end = closed(socket)
    assert (end.code, bool(end.reason)) == (1008, True)
    assert list(anybody.desk.archive.ids()) == []


def test_silence_instead_of_a_start(anybody: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio, "START_WITHIN_S", 0.0)
    with anybody.ws("/doors/twilio") as socket:
        assert closed(socket).code == 1008


def test_a_stopping_server_closes_its_streams(serve: Serve, configured: Callable[..., Config]) -> None:
    with serve(configured(doors=Doors(twilio=Twilio(unsigned=True)))) as served:
        with streaming(served) as socket:
            for message in wire()[2:102]:
                socket.send(message)
            while (
                not (live := served.desk.switchboard.calls)
                or b'"duration_s":0.0' in next(iter(live.values())).snapshot()
            ):
                pass
            served.stop()
            assert closed(socket).code == 1012
        entries = list(read_entries(served.desk.archive.folder("CA1").journal))
    assert entries[-1].item.reason == "server stopped"


def test_a_call_that_fails_says_so(anybody: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise StorageFault("no space left")

    with streaming(anybody) as socket:
        while not anybody.desk.switchboard.calls:
            pass
        monkeypatch.setattr(anybody.desk.switchboard.get("CA1")._call, "think", fail)
        for message in wire()[2:-1]:
            socket.send(message)
        assert closed(socket).code == 1011


# hostile


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda data: data.decode("latin1")))
def test_no_text_makes_a_stream_stumble(text: str) -> None:
    stream = Stream()
    with pytest.raises(BadInput):
        stream.take(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["connected", "start", "media", "stop", "mark", "dtmf"]).flatmap(
            lambda event: st.fixed_dictionaries(
                {"event": st.just(event)},
                optional=dict.fromkeys(("streamSid", "start", "media", "stop", "dtmf", "mark"), JSON),
            )
        ),
        max_size=8,
    )
)
def test_no_message_makes_a_stream_stumble(messages: list[Any]) -> None:
    stream = Stream()
    stream.take(wire()[1])
    for message in messages:
        with suppress(BadInput):
            stream.take(json.dumps(message))
