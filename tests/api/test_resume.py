"""A call goes on when its connection broke: on another one, with its clock and with what is missing marked."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection

from api.config import Config, Limits
from pipeline.tape import read
from pipeline.timebase import RATE
from tests.api.conftest import START, Served, rest, said, say, stop
from tests.api.test_limits import quick
from tests.api.test_pcm import CALL, Serve, journal, wait_until_ended

COUNT = itertools.count()
Configured = Callable[..., Config]
Cut = Literal["vanished", "closed", "left open"]


def begin(socket: ClientConnection, call_id: str = "c1", **start: Any) -> str:
    """The token."""
    say(socket, **START | {"call_id": call_id} | start)
    token: str = said(socket)["token"]
    return token


@contextmanager
def resuming(server: Served, token: str, call_id: str = "c1", **more: Any) -> Iterator[tuple[ClientConnection, int]]:
    """Another connection of a call, and what has come of it."""
    with server.ws("/doors/pcm") as socket:
        say(socket, type="resume", call_id=call_id, token=token, **more)
        resumed = said(socket)
        assert (resumed["type"], resumed["call_id"]) == ("resumed", call_id)
        yield socket, resumed["position"]


def cut(socket: ClientConnection, how: Cut) -> None:
    match how:
        case "vanished":
            socket.socket.shutdown(2)
        case "closed":
            socket.close(1011)
        case "left open":
            pass


def gaps(server: Served, call_id: str = "c1") -> list[tuple[int, int]]:
    """Where audio is missing, in samples; the same on both channels."""
    spans = [(entry.item.span, entry.item.channel) for entry in journal(server, call_id) if entry.item.type == "gap"]
    agent, customer = ([(span.start, span.end) for span, of in spans if of == name] for name in ("agent", "customer"))
    assert agent == customer
    return agent


@pytest.mark.parametrize("how", ["vanished", "closed", "left open"])
def test_what_was_missed_is_a_gap_and_the_clock_is_exact(server: Served, how: Cut) -> None:
    with server.ws("/doors/pcm") as socket:
        token = begin(socket)
        socket.send(CALL[:8_001].tobytes() + b"\0\0")  # half a sample of two channels
        cut(socket, how)
        with resuming(server, token, position=20_000) as (again, _):
            again.send(CALL[20_000:].tobytes())
            assert stop(again) == {"type": "ended", "call_id": "c1", "duration_s": 2.0}
    assert gaps(server) == [(8_001, 20_000)]
    heard = read(server.desk.archive.folder("c1").audio)[: len(CALL)]
    assert np.array_equal(heard[:8_001], CALL[:8_001])
    assert np.array_equal(heard[20_000:], CALL[20_000:])
    assert not heard[8_001:20_000].any()
    assert server.http.get("/calls/c1").json()["state"] == "ended"


def test_a_sender_that_kept_its_audio_loses_none(server: Served) -> None:
    with server.ws("/doors/pcm") as socket:
        token = begin(socket)
        socket.send(CALL[:12_345].tobytes())
        cut(socket, "vanished")
        with resuming(server, token) as (again, position):
            again.send(CALL[position:].tobytes())
            assert stop(again)["duration_s"] == 2.0
    assert gaps(server) == []
    assert np.array_equal(read(server.desk.archive.folder("c1").audio)[: len(CALL)], CALL)


def test_a_position_said_before_the_break_holds(server: Served) -> None:
    with server.ws("/doors/pcm") as socket:
        token = begin(socket, position=4_000)
        cut(socket, "closed")
        with resuming(server, token) as (again, position):
            assert position == 4_000
            again.send(CALL.tobytes())
            assert stop(again)["duration_s"] == 2.25


@dataclass(frozen=True)
class Break:
    """sent: bytes since the one before, also half samples. missed: source samples that never come. how: it broke."""

    sent: int
    missed: int
    how: Cut


BREAKS = st.lists(
    st.builds(
        Break,
        sent=st.integers(0, 9_000).map(lambda samples: 2 * samples),
        missed=st.integers(0, 5_000),
        how=st.sampled_from(["vanished", "closed", "left open"]),
    ),
    max_size=5,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=BREAKS, rate=st.sampled_from([8_000, 16_000, 44_100]))
@example(breaks=[Break(0, 1, "vanished")], rate=8_000)
@example(breaks=[Break(0, 1_000, "closed"), Break(0, 4_000, "closed")], rate=8_000)
def test_however_often_it_breaks_the_call_goes_on(server: Served, breaks: list[Break], rate: int) -> None:
    """Wherever it breaks: what the server says has come is so, and what is missing after it is exactly the gap."""
    call_id, missing, at = f"r{next(COUNT)}", list[tuple[int, int]](), 0
    with ExitStack() as stack:
        socket = stack.enter_context(server.ws("/doors/pcm"))
        token = begin(socket, call_id, rate=rate)
        for each in breaks:
            socket.send(bytes(each.sent))
            cut(socket, each.how)
            socket, came = stack.enter_context(resuming(server, token, call_id))
            assert at <= came <= at + each.sent // 4
            at = came + each.missed
            if each.missed:
                missing.append((came, at))
                say(socket, type="position", position=at)
        socket.send(bytes(4_000))
        assert stop(socket)["duration_s"] == round(round((at + 1_000) * RATE / rate) / RATE, 3)
    marked = gaps(server, call_id)
    missing = _joined(missing)
    if missing and missing[0][0] == 0 and missing[0][1] <= 0.2 * rate:
        del missing[0]  # before any audio came: within the door's bound that is how calls are set up, no gap
    assert marked == [(round(a * RATE / rate), round(b * RATE / rate)) for a, b in missing]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps with nothing between them are one."""
    whole: list[tuple[int, int]] = []
    for begin_at, end in spans:
        if whole and whole[-1][1] == begin_at:
            begin_at = whole.pop()[0]
        whole.append((begin_at, end))
    return whole


# who may


@pytest.mark.parametrize("wrong", [{"token": "guessed"}, {"token": ""}, {"call_id": "other"}, {"token": "é"}])
def test_nobody_else_takes_a_call_over(server: Served, wrong: dict[str, str]) -> None:
    with server.ws("/doors/pcm") as socket:
        token = begin(socket)
        with server.ws("/doors/pcm") as other:
            say(other, **{"type": "resume", "call_id": "c1", "token": token} | wrong)
            messages, end = rest(other)
        assert (messages[-1]["type"], end.code) == ("error", 1008)
        assert token not in messages[-1]["message"]
        socket.send(CALL.tobytes())
        assert stop(socket)["duration_s"] == 2.0


def test_the_token_of_another_sender_is_not_enough(serve: Serve, configured: Configured) -> None:
    config = configured(door_tokens={"switch": "a", "other": "b"}, supervisor_tokens={"mara": "c"})
    mine, others = ({"Authorization": f"Bearer {key}"} for key in "ab")
    with serve(config=config) as server, server.ws("/doors/pcm", additional_headers=mine) as socket:
        token = begin(socket)
        with server.ws("/doors/pcm", additional_headers=others) as other:
            say(other, type="resume", call_id="c1", token=token)
            assert rest(other)[1].code == 1008
        stop(socket)


def test_tokens_are_secret_and_never_the_same(server: Served) -> None:
    with server.ws("/doors/pcm") as a, server.ws("/doors/pcm") as b:
        tokens = {begin(a, "a"), begin(b, "b")}
        assert len(tokens) == 2
        assert min(map(len, tokens)) >= 20
        written = (server.desk.archive.folder("a").journal).read_text(encoding="utf-8")
        assert not any(token in written for token in tokens)
        stop(a)
        stop(b)


def test_a_call_that_has_ended_is_not_taken_up(server: Served) -> None:
    with server.ws("/doors/pcm") as socket:
        token = begin(socket)
        stop(socket)
    with server.ws("/doors/pcm") as late:
        say(late, type="resume", call_id="c1", token=token)
        messages, end = rest(late)
    assert ("start another" in messages[0]["message"], end.code) == (True, 1008)


@pytest.mark.parametrize("resume", [{}, {"token": 7}, {"token": "x", "position": -1}, {"token": "x", "rate": 8000}])
def test_a_malformed_resume_is_explained(server: Served, resume: dict[str, Any]) -> None:
    with server.ws("/doors/pcm") as socket:
        say(socket, type="resume", call_id="c1", **resume)
        messages, end = rest(socket)
    assert (messages[0]["type"], end.code) == ("error", 1008)


# how long it waits


def test_a_sender_that_does_not_come_back_ends_its_call(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=quick(resume_s=0.05))) as server:
        with server.ws("/doors/pcm") as socket:
            begin(socket)
            socket.send(CALL.tobytes())
            cut(socket, "vanished")
            assert wait_until_ended(server) == "connection lost"
        assert journal(server)[-1].item.span.end == len(CALL)
        assert server.http.get("/calls/c1").json()["state"] == "ended"


def test_a_stopping_server_does_not_wait(server: Served) -> None:
    with server.ws("/doors/pcm") as socket:
        begin(socket)
        with server.ws("/live/c1?drafts=true") as page:
            cut(socket, "vanished")
            _until_line(page, lost=True)
            loop = server.desk.switchboard.get("c1")._loop
            loop.call_soon_threadsafe(server.desk.contacts.close)
            ended = rest(page)[0][-1]["event"]
    assert (ended["type"], ended["reason"]) == ("call_ended", "server stopped")


def test_an_idle_connection_is_closed_and_its_call_waits(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=quick(idle_s=0.3))) as server, server.ws("/doors/pcm") as socket:
        token = begin(socket)
        assert rest(socket)[1].code == 1008
        with resuming(server, token) as (again, _):
            again.send(CALL.tobytes())
            assert stop(again)["duration_s"] == 2.0


def test_a_full_server_has_room_for_the_sender_that_comes_back(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=Limits(calls=1))) as server, server.ws("/doors/pcm") as socket:
        token = begin(socket)
        with server.ws("/live/c1?drafts=true") as page:
            cut(socket, "vanished")
            _until_line(page, lost=True)
        with server.ws("/doors/pcm") as stranger:
            say(stranger, **START)
            assert rest(stranger)[1].code == 1013
        with resuming(server, token) as (again, _):
            stop(again)


def test_two_that_come_back_at_once(server: Served) -> None:
    """The later one has the call; the earlier one is told so."""
    with server.ws("/doors/pcm") as socket:
        token = begin(socket)
        with resuming(server, token) as (second, _), resuming(server, token) as (third, _):
            for gone in (socket, second):
                messages, end = rest(gone)
                assert ("another connection" in messages[-1]["message"], end.code) == (True, 1008)
            third.send(CALL.tobytes())
            assert stop(third)["duration_s"] == 2.0


# what people see


def _until_line(page: ClientConnection, *, lost: bool) -> None:
    while said(page) != {"type": "line", "lost": lost}:
        pass


def test_the_pages_stay_on_the_call_and_say_that_the_line_is_lost(server: Served) -> None:
    with server.ws("/doors/pcm") as socket, server.ws("/live/agent/7") as overlay:
        token = begin(socket, agent_id="7")
        with server.ws("/live/c1?after=0&drafts=true") as page:
            socket.send(CALL[:16_000].tobytes())
            cut(socket, "vanished")
            for each in (overlay, page):
                _until_line(each, lost=True)
            with server.ws("/live/c1?drafts=true") as late:
                _until_line(late, lost=True)
            with resuming(server, token) as (again, _):
                for each in (overlay, page):
                    _until_line(each, lost=False)
                again.send(CALL[16_000:].tobytes())
                stop(again)
            ended = [each["event"] for each in rest(page)[0] if "event" in each][-1]
    assert (ended["type"], ended["reason"]) == ("call_ended", "end of audio")
