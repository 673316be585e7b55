"""Webhooks for real: a server, a receiver on a socket, calls through the door; and the command."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from api.cli import run
from api.config import Config, Webhooks
from api.outgoing.outbox import DeadLetters, letter
from api.store import Store
from pipeline import graph
from pipeline.journal import CallFolder
from pipeline.session import Session
from tests.api.conftest import Served, calling, follow, say, stop, upload, wav
from tests.api.outgoing.post import SECRET, news
from tests.fakes import AlertNode, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])
PATIENCE_S = 30
Serve = Callable[..., AbstractContextManager[Served]]


class Receiver:
    """got: verified events, as they came. status: what is answered."""

    def __init__(self) -> None:
        self.got: Queue[Any] = Queue()
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                event = Webhook(SECRET).verify(body, dict(self.headers.items()))
                receiver.got.put(event)  # before the answer: after it the next one may come
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    @contextmanager
    def up(self) -> Iterator["Receiver"]:
        thread = Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(PATIENCE_S)

    def next(self) -> Any:
        return self.got.get(timeout=PATIENCE_S)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Receiver().up() as receiver:
        yield receiver


@pytest.fixture
def told(config: Config, receiver: Receiver) -> Config:
    """A server that tells the receiver everything."""
    types = ("call.started", "alert.raised", "alert.acknowledged", "alert.cleared", "call.ended")
    webhooks = Webhooks(url=receiver.url, secret=SecretStr(SECRET), types=types, first_wait_s=0.1)
    return config.model_copy(update={"webhooks": webhooks})


@pytest.fixture
def alerting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "build", lambda info, settings, engines: Session(info, [AlertNode(at=0)]))


@pytest.mark.usefixtures("alerting")
def test_a_call_is_told_from_its_start_to_its_end(serve: Serve, told: Config, receiver: Receiver) -> None:
    with serve(config=told) as server:
        with calling(server, agent_id="7", notice_given="announcement") as socket:
            socket.send(CALL.tobytes())
            started, raised = receiver.next(), receiver.next()
            number = raised["data"]["alert"]["n"]
            assert server.http.post(f"/calls/c1/alerts/{number}/dismiss").status_code == 202
            socket.send(CALL.tobytes())
            stop(socket)
        cleared, ended = receiver.next(), receiver.next()
        listed = server.http.get("/calls/c1").json()
        text = server.http.get("/metrics").text
    events = [started, raised, cleared, ended]
    assert [event["type"] for event in events] == [
        "calmline.call.started",
        "calmline.alert.raised",
        "calmline.alert.cleared",
        "calmline.call.ended",
    ]
    for event in events:
        assert (event["specversion"], event["source"], event["subject"]) == ("1.0", "/calmline", "c1")
        assert event["time"].endswith("Z")
        assert (event["data"]["call"]["id"], event["data"]["call"]["agent_id"]) == ("c1", "7")
        assert event["data"]["call"]["notice_given"] == "announcement"
    assert [event["id"] for event in events] == ["c1/1", f"c1/{number}", f"c1/{cleared['data']['n']}", "c1/ended"]
    assert raised["data"]["alert"]["advice"] == "Let the customer finish"
    assert cleared["data"]["alert"]["n"] == number
    assert cleared["data"]["alert"]["reason"] == "dismiss by local"
    figures = {key: value for key, value in ended["data"].items() if key != "call"}
    assert figures == {key: listed[key] for key in figures}
    assert figures["state"] == "ended"
    assert figures["duration_s"] == 4.0
    assert "peak_tension" not in figures, "what was not measured is left out"
    assert 'calmline_webhooks_total{fate="delivered"}' in text


def test_an_uploaded_recording_is_told_once_it_is_analysed(serve: Serve, told: Config, receiver: Receiver) -> None:
    with serve(config=told) as server:
        assert upload(server.http, wav(CALL), call_id="u1", agent_id="7").status_code == 202
        ended = receiver.next()
        assert ended["type"] == "calmline.call.ended"
        assert (ended["subject"], ended["data"]["state"]) == ("u1", "ended")
        follow(server, "u1")
    assert receiver.got.empty(), "alerts of what is long over are nobody's news"


def test_what_was_not_delivered_is_sent_by_the_next_server(
    serve: Serve, told: Config, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.outgoing.webhooks.FLUSH_S", 0.1)
    receiver.status = 503
    with serve(config=told) as server, calling(server) as socket:
        socket.send(CALL.tobytes())
        stop(socket)
        assert receiver.next()["id"] == "c1/1"
    waiting = list((told.calls_folder / ".webhooks" / "waiting").glob("*.json"))
    assert len(waiting) == 2
    while not receiver.got.empty():
        assert receiver.next()["id"] == "c1/1", "the end waits behind the start"
    receiver.status = 204
    with serve(config=told) as server:
        assert [receiver.next()["id"], receiver.next()["id"]] == ["c1/1", "c1/ended"]


def test_the_end_of_a_call_whose_server_was_killed_is_told_by_the_next_one(
    serve: Serve, told: Config, receiver: Receiver
) -> None:
    with serve(config=told) as server, calling(server) as socket:
        socket.send(CALL.tobytes())
        stop(socket)
        ended = [receiver.next(), receiver.next()][1]
    journal = told.calls_folder / "c1" / "journal.jsonl"
    journal.write_text("\n".join(journal.read_text().splitlines()[:4]) + "\n")
    with closing(Store(Store.beside(told.calls_folder))) as store:  # as the killed one left them
        store.project(CallFolder(journal.parent), "live")
    with serve(config=told):
        again = receiver.next()
    assert (again["id"], again["data"]["state"]) == (ended["id"], "interrupted")
    with serve(config=told):
        pass
    assert receiver.got.empty(), "and by no other"


def test_the_folder_of_webhooks_is_no_call(serve: Serve, told: Config, receiver: Receiver) -> None:
    with serve(config=told) as server:
        assert server.http.get("/calls").json()["total"] == 0
        with calling(server) as socket:
            say(socket, type="stop")
    assert list(server.desk.archive.ids()) == ["c1"]


def test_a_server_with_a_bad_secret_does_not_start(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_WEBHOOKS__URL", "https://crm.example/")
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))
    assert run(["webhooks", "test"]) == 2
    assert "webhooks.secret must be whsec_" in capsys.readouterr().err


# the command


@pytest.fixture
def commanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> DeadLetters:
    """Three dead letters where the command looks for them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))
    monkeypatch.setenv("CALMLINE_WEBHOOKS__URL", receiver.url)
    monkeypatch.setenv("CALMLINE_WEBHOOKS__SECRET", SECRET)
    dead = DeadLetters(tmp_path / "calls", 10_000)
    assert dead.add([letter(news("a", 1), 0.0), letter(news("a", 2), 0.0), letter(news("b", 1), 0.0)]) == 3
    return dead


def test_dead_letters_are_listed_and_sent_again(commanded: DeadLetters, receiver: Receiver, capsys: Any) -> None:
    assert run(["webhooks", "dead", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["a/1", "a/2", "b/1"]
    receiver.status = 500
    assert run(["webhooks", "retry"]) == 1
    told = capsys.readouterr()
    assert told.out == "0 delivered, 3 not\n"
    assert "answered 500" in told.err
    assert receiver.got.qsize() == 1, "a receiver that is down is not asked for each"
    receiver.status = 400
    assert run(["webhooks", "retry"]) == 1
    assert receiver.got.qsize() == 4, "one that is refused holds up no other"
    receiver.status = 200
    assert run(["webhooks", "retry"]) == 0
    assert capsys.readouterr().out.endswith("3 delivered, 0 not\n")
    assert list(commanded) == []
    assert run(["webhooks", "dead"]) == 0
    assert "no event was given up" in capsys.readouterr().err


def test_a_retry_that_was_killed_loses_nothing(commanded: DeadLetters) -> None:
    assert [each.id for each in commanded.take()] == ["a/1", "a/2", "b/1"]
    commanded.add([letter(news("c", 1), 0.0)])
    assert [each.id for each in commanded] == ["a/1", "a/2", "b/1", "c/1"]
    taken = commanded.take()
    assert [each.id for each in taken] == ["a/1", "a/2", "b/1", "c/1"]
    commanded.settle(taken[1:2])
    assert [each.id for each in commanded] == ["a/2"]


@pytest.mark.usefixtures("commanded")
def test_a_test_event_says_whether_it_was_taken(receiver: Receiver, capsys: Any) -> None:
    assert run(["webhooks", "test"]) == 0
    assert capsys.readouterr().out == "delivered\n"
    assert receiver.next()["type"] == "calmline.test"
    receiver.status = 404
    assert run(["webhooks", "test"]) == 1
    assert "not delivered: answered 404" in capsys.readouterr().err


def test_without_an_address_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("test", "retry"):
        assert run(["webhooks", command]) == 2
        assert "webhooks.url is not set" in capsys.readouterr().err


def test_a_secret_is_made(capsys: Any) -> None:
    assert run(["webhooks", "secret"]) == 0
    assert capsys.readouterr().out.startswith("whsec_")
