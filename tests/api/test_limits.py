"""What is over a limit is refused in one line that names the setting, and counted; no other call is disturbed."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import WebSocketDenialResponse
from websockets.exceptions import InvalidStatus

from api.app import create_app
from api.config import Config, Limits
from api.doors.limits import Admission, Guard, Refused, carried
from pipeline.graph import Engines
from tests.api.conftest import START, LocalClient, Served, calling, rest, say, stop, upload
from tests.api.test_pcm import CALL, Serve, journal, wait_until_ended
from tests.fakes import silence, stereo

Configured = Callable[..., Config]


def refused(server: Served, reason: str) -> float:
    """How often, by the metrics."""
    name = f'calmline_refused_total{{reason="{reason}"}}'
    found = [line for line in server.http.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def quick(**limits: Any) -> Limits:
    """Limits that no setting allows, so that no test waits."""
    return Limits.model_construct(**(Limits().model_dump() | limits))


# calls at once


def test_a_call_too_many_is_429_before_the_upgrade_and_there_is_room_again(
    serve: Serve, configured: Configured
) -> None:
    with serve(config=configured(limits=Limits(calls=1))) as server:
        with calling(server) as first:
            with pytest.raises(InvalidStatus) as error, server.ws("/doors/pcm"):
                pass
            assert error.value.response.status_code == 429
            assert error.value.response.body is not None
            assert b"limits.calls" in error.value.response.body
            assert refused(server, "calls") == 1
            first.send(CALL.tobytes())
            assert stop(first)["duration_s"] == 2.0
        with calling(server, "c2") as second:
            stop(second)


def test_who_may_not_bring_calls_takes_no_room(serve: Serve, configured: Configured) -> None:
    config = configured(limits=Limits(calls=1), door_tokens={"switch": "a"}, supervisor_tokens={"mara": "b"})
    with serve(config=config) as server:
        with pytest.raises(InvalidStatus) as error, server.ws("/doors/pcm"):
            pass
        assert error.value.response.status_code == 403
        with server.ws("/doors/pcm", additional_headers={"Authorization": "Bearer a"}) as socket:
            say(socket, **START)
            socket.recv(timeout=30)
            stop(socket)


def test_a_call_that_came_in_otherwise_counts(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=Limits(calls=1))) as server:
        with server.desk.admission.call(), server.ws("/doors/pcm") as socket:
            say(socket, **START)
            messages, end = rest(socket)
        assert ("limits.calls" in messages[0]["message"], end.code) == (True, 1013)
        assert server.http.get("/calls").json()["total"] == 0


def test_in_process_too(configured: Configured, engines: Engines) -> None:
    with LocalClient(create_app(configured(limits=Limits(calls=1)), engines)) as client:
        with (
            client.websocket_connect("/doors/pcm"),
            pytest.raises(WebSocketDenialResponse) as error,
            client.websocket_connect("/doors/pcm"),
        ):
            pass
        assert error.value.status_code == 429


def test_by_default_the_machine_decides() -> None:
    counted: list[str] = []
    admission = Admission(Limits(), counted.append)
    assert admission.most == carried() >= 10
    seats = [admission.connect() for _ in range(admission.most)]
    with pytest.raises(Refused):
        admission.connect()
    assert counted == ["calls"]
    seats[0].leave()
    seats[0].leave()
    admission.connect()
    with pytest.raises(Refused):
        admission.connect()


# one connection


def test_a_message_too_large(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=Limits(frame_kb=16))) as server:
        with calling(server, "large") as large, calling(server, "fine") as fine:
            large.send(CALL.tobytes())
            messages, end = rest(large)
            fine.send(CALL[:4096].tobytes())
            assert stop(fine)["duration_s"] == 0.256
        assert ("limits.frame_kb" in messages[0]["message"], end.code) == (True, 1009)
        assert wait_until_ended(server, "large") == "message too large"
        assert refused(server, "frame_size") == 1


def test_a_message_that_the_server_does_not_even_take(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=Limits(frame_kb=16)), ws_max_size=32 * 1024) as server:
        with calling(server) as socket:
            socket.send(CALL.tobytes())
            assert rest(socket)[1].code == 1009
        assert wait_until_ended(server) == "message too large"
        assert refused(server, "frame_size") == 1


def test_too_many_messages(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=Limits(messages_per_s=50))) as server:
        with calling(server) as socket:
            for _ in range(1000):
                socket.send(b"\0\0\0\0")
            messages, end = rest(socket)
        assert ("limits.messages_per_s" in messages[0]["message"], end.code) == (True, 1008)
        assert wait_until_ended(server) == "too many messages"
        assert refused(server, "message_rate") == 1


def test_an_idle_connection_is_ended(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=quick(idle_s=0.05, resume_s=0.0))) as server:
        with calling(server) as socket:
            messages, end = rest(socket)
        assert ("limits.idle_s" in messages[0]["message"], end.code) == (True, 1008)
        wait_until_ended(server)
        assert refused(server, "idle") == 1


def test_a_call_too_long_is_ended_and_kept(serve: Serve, configured: Configured) -> None:
    with serve(config=configured(limits=quick(longest_s=4.0))) as server:
        with calling(server) as socket:
            for _ in range(3):
                socket.send(CALL.tobytes())
            socket.send(b"")
            messages, end = rest(socket)
        assert ("limits.longest_s" in messages[0]["message"], end.code) == (True, 1008)
        assert wait_until_ended(server) == "longest call reached"
        assert journal(server)[-1].item.span.end == 3 * len(CALL)
        assert refused(server, "call_length") == 1


def test_an_upload_too_large_is_counted(configured: Configured, engines: Engines) -> None:
    with LocalClient(create_app(configured(upload_mb=1), engines)) as client:
        assert upload(client, stereo([silence(40.0)], [silence(40.0)]).tobytes()).status_code == 413
        assert 'calmline_refused_total{reason="upload_size"} 1.0' in client.get("/metrics").text


# the rate


@given(pauses=st.lists(st.floats(0.0, 3.0), max_size=400), rate=st.integers(50, 500))
def test_no_sender_gets_more_than_the_rate_and_the_burst(pauses: list[float], rate: int) -> None:
    now, taken = 0.0, 0
    guard = Guard(Limits(messages_per_s=rate), lambda _: None, lambda: now)
    for pause in pauses:
        now += pause / rate
        try:
            guard._check_rate()
        except Refused:
            continue
        taken += 1
        assert taken <= rate * (now + 2.0) + 1e-6


def test_a_sender_in_real_time_is_never_refused_even_after_a_stall() -> None:
    now = 0.0
    guard = Guard(Limits(), lambda _: None, lambda: now)
    for packet in range(60_000):
        now = max(now, packet / 100.0) if packet % 1000 else now + 10.0  # ten seconds held back, then all at once
        guard._check_rate()


@pytest.mark.parametrize("key", Limits.model_fields)
def test_limits_out_of_range(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        Limits(**{key: -1})
