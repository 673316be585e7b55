"""The door for AudioHook over real sockets: whom it believes, what becomes of a call, how both sides part."""

import asyncio
import base64
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event
from typing import Any

import numpy as np
import pytest
import structlog
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from api.config import Config, Limits
from api.doors import audiohook, audiohook_wire, mulaw, signature
from api.doors.audiohook_messages import NOBODY
from api.doors.settings import AudioHook, Doors
from api.security import check_doors
from benchmarks import senders
from benchmarks.load import Line
from benchmarks.senders import Keys
from benchmarks.wire_audiohook import Client
from pipeline.errors import BadInput, StorageFault
from pipeline.journal import read_entries
from pipeline.settings import Words
from pipeline.tape import read
from tests.api.conftest import Served, follow
from tests.api.test_limits import refused
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

KEYS = Keys("SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh", base64.b64encode(b"a client secret").decode())
LINE = Line(
    stereo(
        [speech(1.0, rate=8000), silence(1.0, rate=8000)], [silence(1.2, rate=8000), speech(0.8, seed=1, rate=8000)]
    ),
    8000,
)
HEARD = np.stack([mulaw.decode(mulaw.encode(LINE.pcm[:, side])) for side in (0, 1)], axis=1)
END = 2 * len(LINE.pcm)
Serve = Callable[..., AbstractContextManager[Served]]


def door(**settings: Any) -> Doors:
    return Doors(audiohook=AudioHook(keys={KEYS.key: KEYS.secret}, **settings))


@pytest.fixture
def config(configured: Callable[..., Config]) -> Config:
    return configured(doors=door())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits to be turned away; the delay has a test of its own."""
    monkeypatch.setattr(audiohook, "REFUSE_AFTER_S", 0.05)


def url(served: Served) -> str:
    return f"ws://127.0.0.1:{served.port}/doors/audiohook"


def send(served: Served, call_id: str = "c1", line: Line = LINE, **options: Any) -> senders.Sent:
    options = {"keys": KEYS, "speed": math.inf} | options
    return asyncio.run(senders.audiohook(url(served), line, call_id=call_id, **options))


def ended(served: Served, call_id: str = "c1") -> list[Any]:
    """The journal once the call is over."""
    follow(served, call_id)
    return [entry.item for entry in read_entries(served.desk.archive.folder(call_id).journal)]


def until_known(served: Served, call_id: str = "c1") -> None:
    """``opened`` is sent before the call's files are made: until then nobody can follow it."""
    looks = (served.http.get(f"/calls/{call_id}").status_code for _ in range(2000))
    assert 200 in looks, "the call was never made"


@contextmanager
def connected(served: Served, client: Client, keys: Keys = KEYS, **headers: str | None) -> Iterator[ClientConnection]:
    """headers: changed after signing; None leaves one out."""
    given = client.headers(url(served), keys, time.time()) | headers
    sent = {name.replace("_", "-"): text for name, text in given.items() if text is not None}
    with served.ws("/doors/audiohook", additional_headers=sent) as socket:
        yield socket


def heard(socket: ClientConnection, client: Client) -> dict[str, Any]:
    """The next message."""
    client.hear(socket.recv(timeout=30))
    return client.heard[-1]


@contextmanager
def opened(served: Served, call_id: str = "c1", **about: Any) -> Iterator[tuple[ClientConnection, Client]]:
    """A session that is open."""
    client = Client(call_id)
    with connected(served, client) as socket:
        socket.send(client.open(**about))
        assert heard(socket, client)["type"] == "opened"
        yield socket, client


def audio(pcm: Any = LINE.pcm) -> bytes:
    return np.stack([np.frombuffer(mulaw.encode(pcm[:, side]), np.uint8) for side in (1, 0)], axis=1).tobytes()


def close(socket: ClientConnection, client: Client, reason: str = "end") -> list[dict[str, Any]]:
    """The client's close handshake; whatever came before ``closed``."""
    socket.send(client.say("close", reason=reason))
    before = []
    while (message := heard(socket, client))["type"] != "closed":
        before.append(message)
    return before


# whole calls


@pytest.mark.parametrize("frame_s", [0.2, 0.02, 1.0, 0.000125])
def test_what_was_said_is_what_was_heard(server: Served, frame_s: float) -> None:
    line = Line(LINE.pcm[:1600], 8000) if frame_s < 0.001 else LINE
    sent = send(server, line=line, frame_s=frame_s)
    assert sent.close == 1000
    items = ended(server)
    assert (items[-1].reason, items[-1].span.end) == ("end of audio", 2 * len(line.pcm))
    assert not [item for item in items if item.type == "gap"]
    tape = read(server.desk.archive.folder("c1").audio)[: 2 * len(line.pcm) : 2]
    assert np.abs(tape.astype(int) - HEARD[: len(line.pcm)]).max() <= 1


def test_the_role_map_says_who_is_on_which_channel(serve: Serve, configured: Callable[..., Config]) -> None:
    with serve(configured(doors=door(customer="internal"))) as served:
        send(served)
        ended(served)
        tape = read(served.desk.archive.folder("c1").audio)[:END:2]
    assert np.abs(tape.astype(int) - HEARD[:, ::-1]).max() <= 1


def test_the_facts_of_a_call_come_from_its_configuration(serve: Serve, configured: Callable[..., Config]) -> None:
    with serve(configured(doors=door(fields={"language": "language"}, notice_given="=announcement"))) as served:
        send(served, config={"agent_id": "bob", "queue": "returns"})
        begun = ended(served)[0]
    assert (begun.agent_id, begun.queue, begun.notice_given) == ("bob", "returns", "announcement")
    assert (begun.fields, begun.source) == ({"language": "en-US"}, "door audiohook")


@pytest.mark.parametrize(("side", "missing"), [("external", "agent"), ("internal", "customer")])
def test_one_channel_alone_is_one_party(server: Served, side: str, missing: str) -> None:
    offers = [{"type": "audio", "format": "PCMU", "channels": [side], "rate": 8000}]
    with opened(server, media=offers) as (socket, client):
        assert client.heard[0]["parameters"]["media"] == offers
        socket.send(mulaw.encode(LINE.pcm[:, 0]))
        close(socket, client)
    items = ended(server)
    assert items[0].unavailable["talk_over"] == f"the {missing}'s voice is not sent"
    assert items[-1].span.end == END
    tape = read(server.desk.archive.folder("c1").audio)
    assert [bool(tape[:, row].any()) for row in (0, 1)] == [missing != "agent", missing != "customer"]


def test_one_conversation_with_two_sessions_is_two_calls(server: Served) -> None:
    with opened(server) as (first, one), opened(server) as (second, two):
        first.send(audio())
        second.send(audio())
        close(first, one)
        close(second, two)
    ended(server)
    assert ended(server, f"c1.{two.session[:8]}")[-1].span.end == END


def test_a_client_that_vanishes_loses_nothing(server: Served) -> None:
    with opened(server) as (socket, _):
        socket.send(audio())
        until_known(server)
        socket.socket.shutdown(2)
        last = ended(server)[-1]
    assert (last.reason, last.span.end) == ("connection lost", END)


def test_opened_does_not_wait_for_the_disk(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds late, and the call is lost."""
    gate, board = Event(), server.desk.switchboard
    prepare = board._prepare

    def slow(info: Any) -> Any:
        assert gate.wait(30)
        return prepare(info)

    monkeypatch.setattr(board, "_prepare", slow)
    with opened(server) as (socket, client):
        socket.send(audio())
        gate.set()
        close(socket, client)
    assert ended(server)[-1].span.end == END


# the probe


def test_a_probe_is_answered_and_makes_no_call(server: Served) -> None:
    client = Client(NOBODY)
    with connected(server, client) as socket:
        socket.send(client.open(participant={"id": NOBODY, "ani": "", "aniName": "", "dnis": ""}))
        assert heard(socket, client)["type"] == "opened"
        socket.send(b"")
        assert close(socket, client) == []
    assert list(server.desk.archive.ids()) == []
    assert server.http.get("/calls").json()["total"] == 0


# whom it believes


WRONG: dict[str, dict[str, str | None]] = {
    "another signature": {"Signature": "sig1=:AAAA:"},
    "no signature": {"Signature": None},
    "no input": {"Signature-Input": None},
    "another organization": {"Audiohook-Organization-Id": "someone"},
    "another session": {"Audiohook-Session-Id": "another"},
    "another correlation": {"Audiohook-Correlation-Id": "another"},
    "another key": {"X-API-KEY": "another"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
def test_who_is_not_believed_is_disconnected_and_learns_nothing(server: Served, headers: dict[str, str | None]) -> None:
    client = Client("c1")
    with connected(server, client, **headers) as socket:
        socket.send(client.open())
        told = heard(socket, client)
        assert (told["type"], told["seq"]) == ("disconnect", 1)
        assert told["parameters"] == {"reason": "unauthorized", "info": "unauthorized"}
        assert close(socket, client, "disconnect") == []
    assert list(server.desk.archive.ids()) == []


def test_strangers_take_no_room_from_calls_and_not_too_many_wait(
    serve: Serve, configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature, "STRANGERS", 1)
    with serve(configured(doors=door(), limits=Limits(calls=1))) as served:
        one, two = Client("c1"), Client("c1")
        with connected(served, one, Signature=None) as stranger:
            assert heard(stranger, one)["type"] == "disconnect"
            with connected(served, two, Signature=None) as another, pytest.raises(ConnectionClosed):
                heard(another, two)
            with opened(served) as (socket, client):
                third = Client("c3")
                with connected(served, third) as late:
                    assert "limits.calls" in heard(late, third)["parameters"]["info"]
                close(socket, client)
            close(stranger, one, "disconnect")


def test_open_of_another_organization_is_not_believed(server: Served) -> None:
    client = Client("c1")
    with connected(server, client) as socket:
        socket.send(client.open(organizationId="another"))
        assert heard(socket, client)["parameters"]["reason"] == "unauthorized"
    assert list(server.desk.archive.ids()) == []


def test_a_request_that_is_sent_again_is_not_believed(server: Served) -> None:
    client = Client("c1")
    headers = client.headers(url(server), KEYS, time.time())
    with connected(server, client, **headers) as socket:
        socket.send(client.open())
        assert heard(socket, client)["type"] == "opened"
    again = Client("c1")
    again.session = client.session
    with connected(server, again, **headers) as socket:
        socket.send(again.open())
        assert heard(socket, again)["parameters"]["reason"] == "unauthorized"


def test_the_delay_is_the_same_whatever_is_wrong(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs from the connection on, and what is known sooner waits for it."""
    moments: list[float] = []
    timeout_at = asyncio.timeout_at

    def watched(when: float) -> Any:
        moments.append(when - asyncio.get_running_loop().time())
        return timeout_at(asyncio.get_running_loop().time())

    monkeypatch.setattr(audiohook, "REFUSE_AFTER_S", 1000.0)
    monkeypatch.setattr(audiohook.asyncio, "timeout_at", watched)
    for headers in ({"Signature": None}, {"X-API-KEY": "another"}):
        client = Client("c1")
        with connected(server, client, **headers) as socket:
            assert heard(socket, client)["type"] == "disconnect"
    assert len(moments) == 2
    assert all(990 < moment <= 1000 for moment in moments)


def test_behind_a_proxy_the_public_address_is_what_was_signed(serve: Serve, configured: Callable[..., Config]) -> None:
    public = "wss://calls.example.com/hook?x=1"
    with serve(configured(doors=door(public_url=public))) as served:
        client = Client("c1")
        headers = client.headers(url(served), KEYS, time.time(), public)
        with connected(served, client, **headers) as socket:
            socket.send(client.open())
            assert heard(socket, client)["type"] == "opened"
            close(socket, client)


def test_without_keys_the_door_is_closed_and_says_so_once(serve: Serve, configured: Callable[..., Config]) -> None:
    with (
        structlog.testing.capture_logs() as lines,
        serve(configured()) as served,
        pytest.raises(InvalidStatus) as caught,
    ):
        send(served)
    assert caught.value.response.status_code == 403
    assert [line["because"] for line in lines if line["event"] == "door refused"] == [
        "set doors.audiohook.keys to open this door"
    ]


def test_an_unsigned_door_is_for_this_machine_only(serve: Serve, configured: Callable[..., Config]) -> None:
    doors = Doors(audiohook=AudioHook(unsigned=True))
    with serve(configured(doors=doors)) as served:
        assert send(served, keys=None).close == 1000
    with pytest.raises(BadInput, match="unsigned"):
        check_doors(configured(host="0.0.0.0").server, doors)


@pytest.mark.parametrize("keys", [{"": "YQ=="}, {"a": ""}, {"a": "no base64!"}])
def test_keys_that_cannot_work_are_refused_at_the_start(configured: Callable[..., Config], keys: Any) -> None:
    with pytest.raises(BadInput, match="base64"):
        check_doors(configured().server, Doors(audiohook=AudioHook(keys=keys)))


def test_secrets_are_not_shown() -> None:
    assert KEYS.secret not in repr(door())


# pauses and gaps


def test_what_is_said_in_a_pause_is_a_gap_of_its_length(server: Served) -> None:
    loud = stereo([speech(4.0, rate=8000)], [speech(4.0, seed=1, rate=8000)])
    send(server, line=Line(loud, 8000), pauses=[(1.0, 1.5)], discards=[(3.2, 0.4)])
    items = ended(server)
    gaps = {(item.span.start, item.span.end) for item in items if item.type == "gap"}
    assert gaps == {(16_000, 40_000), (51_200, 57_600)}
    assert items[-1].span.end == 64_000
    assert [item.kind for item in items if item.type == "mark"] == ["pause", "resume"]
    tape = np.abs(read(server.desk.archive.folder("c1").audio)).max(axis=1)
    assert tape[:15_000].any()
    assert not tape[16_000:40_000].any()
    assert tape[46_000:51_000].any()
    assert not tape[51_300:57_500].any()
    assert tape[58_000:].any()


def test_audio_in_a_pause_is_not_heard(server: Served) -> None:
    with opened(server) as (socket, client):
        socket.send(client.say("paused"))
        socket.send(audio())
        close(socket, client)
    assert ended(server)[-1].span.end == 0


def test_a_gap_longer_than_the_connection_is_refused(server: Served) -> None:
    with opened(server) as (socket, client):
        socket.send(client.say("discarded", start="PT0S", discarded="PT5H"))
        told = heard(socket, client)
        assert (told["type"], told["parameters"]["reason"]) == ("disconnect", "error")
        assert "18000 s" in told["parameters"]["info"]
        close(socket, client, "disconnect")
    assert ended(server)[-1].reason == "malformed message"


# how both sides part


BAD: dict[str, str | bytes] = {
    "no json": "x",
    "binary of odd length": b"\0\0\0",
    "a large text": json.dumps({"x": "y" * 70_000}),
}


@pytest.mark.parametrize("frame", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_explained_and_what_came_is_kept(server: Served, frame: str | bytes) -> None:
    with opened(server) as (socket, client):
        socket.send(audio())
        socket.send(frame)
        told = heard(socket, client)
        assert (told["type"], told["parameters"]["reason"]) == ("disconnect", "error")
        assert told["parameters"]["info"]
        close(socket, client, "disconnect")
    last = ended(server)[-1]
    assert (last.reason, last.span.end) == ("malformed message", END)


def test_media_that_cannot_be_used(server: Served) -> None:
    client = Client("c1")
    with connected(server, client) as socket:
        socket.send(client.open(media=[{"type": "audio", "format": "L16", "channels": ["external"], "rate": 8000}]))
        told = heard(socket, client)
        assert (told["type"], told["parameters"]["reason"]) == ("disconnect", "error")
        assert "PCMU" in told["parameters"]["info"]
    assert list(server.desk.archive.ids()) == []


def test_a_client_that_never_says_open(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiohook, "OPEN_WITHIN_S", 0.0)
    client = Client("c1")
    with connected(server, client) as socket:
        assert "no open" in heard(socket, client)["parameters"]["info"]


def test_a_client_that_never_closes_is_closed(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiohook, "CLOSE_WITHIN_S", 0.0)
    with opened(server) as (socket, client):
        socket.send("x")
        assert heard(socket, client)["type"] == "disconnect"
        with pytest.raises(ConnectionClosed) as caught:
            heard(socket, client)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_a_client_that_stays_after_closed_is_closed(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiohook_wire, "CLOSE_WITHIN_S", 0.0)
    with opened(server) as (socket, client):
        close(socket, client)
        with pytest.raises(ConnectionClosed) as caught:
            heard(socket, client)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1000


def test_trouble_of_the_client_is_logged_by_its_code(server: Served) -> None:
    with structlog.testing.capture_logs() as lines, opened(server) as (socket, client):
        socket.send(client.say("error", code=429, message="what anybody said"))
        close(socket, client)
    assert [line["code"] for line in lines if line["event"] == "trouble at the sender"] == ["429"]
    assert "anybody" not in str(lines)


def test_a_limit_is_told_and_ends_the_call(serve: Serve, configured: Callable[..., Config]) -> None:
    with serve(configured(doors=door(), limits=Limits(messages_per_s=50))) as served:
        with opened(served) as (socket, client):
            for _ in range(200):
                socket.send(audio()[:320])
            told = heard(socket, client)
            assert "messages_per_s" in told["parameters"]["info"]
        assert ended(served)[-1].reason == "too many messages"


def test_a_client_that_floods_on_is_asked_once_and_may_still_close(
    serve: Serve, configured: Callable[..., Config], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        serve(configured(doors=door(), limits=Limits(messages_per_s=50))) as served,
        opened(served) as (socket, client),
    ):
        for _ in range(2000):
            socket.send(audio()[:320])
        assert "messages_per_s" in heard(socket, client)["parameters"]["info"]
        assert close(socket, client) == []
        assert refused(served, "message_rate") == 1
    assert not [record for record in caplog.records if record.exc_info]


def begun(served: Served) -> Any:
    """The call, once it is open behind ``opened``."""
    while "c1" not in served.desk.switchboard.calls:
        pass
    return served.desk.switchboard.get("c1")


def test_a_server_that_goes_away_asks_its_clients_to_come_again(server: Served) -> None:
    with opened(server) as (socket, client):
        socket.send(audio())
        going = asyncio.run_coroutine_threadsafe(server.desk.leaving.say(30.0), begun(server)._loop)
        assert heard(socket, client)["type"] == "reconnect"
        with pytest.raises(InvalidStatus):
            send(server, "late")
        close(socket, client, "reconnect")
    going.result(30)
    last = [entry.item for entry in read_entries(server.desk.archive.folder("c1").journal)][-1]
    assert (last.reason, last.span.end) == ("server stopped", END)


def test_a_call_that_fails_says_so(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise StorageFault("no space left")

    with opened(server) as (socket, client):
        monkeypatch.setattr(begun(server)._call, "think", fail)
        socket.send(audio())
        told = heard(socket, client)
        assert (told["type"], told["parameters"]["reason"]) == ("disconnect", "error")
        close(socket, client, "disconnect")


# back to the agent's desktop


def test_what_was_said_goes_back_where_that_is_wanted(serve: Serve, configured: Callable[..., Config]) -> None:
    engines = fake_engines(FakeTranscriber(["hello there", "what the fuck"]))
    without_drafts = configured(doors=door(transcripts=True), words=Words(draft_s=0.0))
    with serve(without_drafts, engines) as served:
        with opened(served) as (socket, client):
            socket.send(audio())
            events = close(socket, client)
        ended(served)
    said = [event["parameters"]["entities"][0]["data"] for event in events]
    texts = {each["channelId"]: each["alternatives"][0]["interpretations"][0]["transcript"] for each in said}
    assert texts == {1: "hello there", 0: "what the f***"}
    assert [message["seq"] for message in client.heard] == list(range(1, len(client.heard) + 1))


def test_nothing_goes_back_unless_it_is_wanted(server: Served) -> None:
    with opened(server) as (socket, client):
        socket.send(audio())
        assert close(socket, client) == []
