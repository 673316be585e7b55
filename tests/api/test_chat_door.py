"""Chats that come in line by line while they are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from api.config import Limits
from api.doors import chat
from pipeline.journal import read_entries
from tests.api.conftest import Served, follow, rest, said, say, stop

Serve = Callable[..., AbstractContextManager[Served]]


@contextmanager
def chatting(server: Served, call_id: str = "c1", **start: Any) -> Iterator[ClientConnection]:
    with server.ws("/doors/chat") as socket:
        say(socket, type="start", call_id=call_id, **start)
        assert said(socket) == {"type": "started", "call_id": call_id}
        yield socket


def line(socket: ClientConnection, role: str, text: str, time: float | None = None) -> None:
    say(socket, type="line", role=role, text=text, **({} if time is None else {"time": time}))


def events(server: Served, kind: str, call_id: str = "c1") -> list[dict[str, Any]]:
    found = server.http.get(f"/calls/{call_id}/events?limit=5000").json()["events"]
    return [each["event"] for each in found if each["event"]["type"] == kind]


TALK = [
    (0.0, "agent", "Hello, how can I help?"),
    (9.0, "customer", "You are not listening to me."),
    (60.0, "customer", "I want to speak to your supervisor."),
    (64.0, "agent", "I will bring in my supervisor right away."),
]


def talk(socket: ClientConnection) -> dict[str, Any]:
    for time, role, text in TALK:
        line(socket, role, text, time)
    return stop(socket)


def test_a_chat_is_a_call_with_the_same_cues_and_advice(server: Served) -> None:
    with chatting(server, agent_id="7", queue="mail") as socket:
        assert talk(socket)["duration_s"] >= 64
    view = server.http.get("/calls/c1/view").json()
    assert [(each["channel"], each["text"]) for each in view["transcript"]] == [(who, text) for _, who, text in TALK]
    assert [each["begin_ms"] // 1000 for each in view["transcript"]] == [0, 9, 60, 64]
    assert (view["attribution"], view["agent_id"], view["queue"]) == ("written", "7", "mail")
    raised = [each["kind"] for each in view["alerts"]]
    assert raised == ["not_heard", "supervisor_request"]
    assert view["alerts"][0]["advice"] == "Sum it up: so you…"
    assert view["alerts"][1]["cleared_because"] == "done"


def test_it_is_kept_without_audio_and_has_a_report(server: Served) -> None:
    with chatting(server) as socket:
        talk(socket)
    folder = server.desk.archive.folder("c1")
    assert sorted(path.name for path in folder.path.iterdir()) == ["journal.jsonl"]
    report = server.http.get("/calls/c1/report").json()
    assert report["call_id"] == "c1"
    assert server.http.get("/calls/c1").json()["state"] == "ended"


def test_lines_are_followed_as_they_come(server: Served) -> None:
    with chatting(server) as socket, server.ws("/live/c1") as page:
        line(socket, "customer", "I will cancel my contract today.")
        while (event := said(page)["event"])["type"] != "alert":
            pass
        assert event["kind"] == "threat"
        stop(socket)


def test_time_goes_on_while_nobody_writes(server: Served) -> None:
    """Advice with patience comes by the clock alone: nobody has to write for it."""
    clock = _Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat, "BEAT_S", 0.001)
        patch.setattr(chat.Chat, "__init__", _clocked(clock))
        with chatting(server) as socket, server.ws("/live/c1") as page:
            line(socket, "agent", "Unfortunately that is not possible.")
            while said(page)["event"]["type"] != "cue":
                pass
            clock.now = 8.0
            while (event := said(page)["event"])["type"] != "alert":
                pass
            stop(socket)
    assert event["kind"] == "refusal"


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _clocked(clock: _Clock) -> Callable[..., None]:
    real = chat.Chat.__init__

    def init(self: chat.Chat, live: Any, metrics: Any, _: Any) -> None:
        real(self, live, metrics, clock)

    return init


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"type": "line", "role": "robot", "text": "hi"}, "role"),
        ({"type": "line", "role": "agent", "text": "  "}, "text is empty"),
        ({"type": "line", "role": "agent", "text": "x" * 20_001}, "20001 characters"),
        ({"type": "line", "role": "agent"}, "text"),
        ({"type": "line", "role": "agent", "text": "hi", "time": "noon"}, "time"),
        ({"type": "line", "role": "agent", "text": "hi", "time": 2.0}, "before that of the line above"),
        ({"type": "line", "role": "agent", "text": "hi", "time": 1e6}, "ahead of the chat"),
        ({"type": "speak", "text": "hi"}, "type"),
        ("no json", "JSON"),
    ],
)  # fmt: skip
def test_a_bad_line_is_explained_and_the_chat_goes_on(server: Served, bad: Any, told: str) -> None:
    with chatting(server) as socket:
        line(socket, "agent", "Hello.", 5.0)
        socket.send(bad if isinstance(bad, str) else json.dumps(bad))
        answer = said(socket)
        assert answer["type"] == "error"
        assert told in answer["message"]
        assert "\n" not in answer["message"]
        line(socket, "customer", "Good day.", 6.0)
        stop(socket)
    assert [each["text"] for each in events(server, "words")] == ["Hello.", "Good day."]


@pytest.mark.parametrize(
    "first", ["", "{}", '{"type":"line","role":"agent","text":"hi"}', '{"type":"start","rate":8000}']
)
def test_a_bad_start_is_explained(server: Served, first: str) -> None:
    with server.ws("/doors/chat") as socket:
        socket.send(first)
        messages, end = rest(socket)
    assert end.code == 1008
    assert 'must be {"type":"start"' in messages[0]["message"]


def test_sound_is_no_line(server: Served) -> None:
    with chatting(server) as socket:
        socket.send(b"\0\0")
        messages, end = rest(socket)
    assert (end.code, "binary" in messages[0]["message"]) == (1008, True)
    assert events(server, "call_ended")[0]["reason"] == "malformed message"


def test_what_is_written_in_a_pause_is_kept_from_everybody(server: Served) -> None:
    with chatting(server) as socket:
        line(socket, "agent", "Your card number, please.", 1.0)
        say(socket, type="mark", kind="pause")
        line(socket, "customer", "4111 1111 1111 1111", 2.0)
        say(socket, type="mark", kind="resume")
        line(socket, "agent", "Thank you.", 4.0)
        stop(socket)
    journal = server.desk.archive.folder("c1").journal.read_text()
    assert "4111" not in journal
    assert [each["text"] for each in events(server, "words")] == ["Your card number, please.", "Thank you."]


def test_a_sender_that_vanishes_loses_nothing(server: Served) -> None:
    with chatting(server) as socket:
        line(socket, "customer", "Hello?")
    assert follow(server, "c1")[-1]["event"]["reason"] == "connection lost"
    assert [each["text"] for each in events(server, "words")] == ["Hello?"]


def test_a_taken_id_and_a_policy_without_words_are_refused(serve: Serve, configured: Callable[..., Any]) -> None:
    mute = {"name": "mute", "words": False}
    with serve(configured(policy=mute)) as server, server.ws("/doors/chat") as socket:
        say(socket, type="start")
        messages, end = rest(socket)
    assert (end.code, "keeps no words" in messages[0]["message"]) == (1008, True)


def test_the_same_id_in_progress_leaves_the_first_alone(server: Served) -> None:
    with chatting(server) as first:
        with server.ws("/doors/chat") as socket:
            say(socket, type="start", call_id="c1")
            messages, end = rest(socket)
        assert (end.code, "in progress" in messages[0]["message"]) == (1008, True)
        line(first, "agent", "Hello.")
        stop(first)


def test_too_many_messages_end_it(serve: Serve, configured: Callable[..., Any]) -> None:
    with serve(configured(limits=Limits(messages_per_s=50))) as server, chatting(server) as socket:
        for _ in range(300):
            with suppress(ConnectionClosed):
                socket.send("{}")  # no line, and so done with soon, on a loaded machine too
        _, end = rest(socket)
    assert end.code == 1008


def test_what_was_written_is_journaled_as_it_entered(server: Served) -> None:
    with chatting(server) as socket:
        talk(socket)
    items = [entry.item for entry in read_entries(server.desk.archive.folder("c1").journal)]
    assert [item.text for item in items if item.type == "chat_line"] == [text for _, _, text in TALK]
