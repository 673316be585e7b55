"""Pages that follow calls and agents: nothing missed, nothing twice, nothing unbounded."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Thread
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from api.config import Config
from pipeline import graph
from pipeline.events import Cue, Event
from pipeline.session import Session, Tick
from pipeline.timebase import Span
from tests.api.conftest import Served, calling, closed, follow, rest, said, say, stop
from tests.fakes import AlertNode, ChattyNode, FakeTranscriber, fake_engines, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])
Serve = Callable[..., AbstractContextManager[Served]]


def cue(tick: Tick, phrase: str = "") -> Event:
    return Cue(span=Span(tick.start, tick.end), at=tick.end, channel=tick.channels[0], name="test", phrase=phrase, of=1)


@pytest.fixture
def chatty(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_up(per_tick: int = 5, size: int = 10) -> None:
        node = ChattyNode(lambda tick: cue(tick, "x" * size), per_tick)
        monkeypatch.setattr(graph, "build", lambda info, settings, engines: Session(info, [node]))

    return set_up


@pytest.fixture
def alerting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "build", lambda info, settings, engines: Session(info, [AlertNode(at=0)]))


def stored(server: Served, call_id: str = "c1") -> list[Any]:
    events: list[Any] = server.http.get(f"/calls/{call_id}/events?limit=5000").json()["events"]
    return events


# follow


def test_a_page_gets_the_past_then_the_present(server: Served) -> None:
    with calling(server) as socket:
        socket.send(CALL[:16000].tobytes())
        with server.ws("/live/c1") as page:
            first = said(page)
            assert first["event"]["type"] == "call_started"
            socket.send(CALL[16000:].tobytes())
            stop(socket)
            messages, end = rest(page)
    assert end.code == 1000
    assert [first, *messages] == stored(server)


def test_an_ended_call_is_told_from_the_journal(server: Served) -> None:
    with calling(server) as socket:
        socket.send(CALL.tobytes())
        stop(socket)
    everything = stored(server)
    assert follow(server, "c1") == everything
    middle = everything[len(everything) // 2]["n"]
    assert follow(server, "c1", after=middle) == [event for event in everything if event["n"] > middle]
    assert follow(server, "c1", after=10**9) == []


@pytest.mark.parametrize("path", ["/live/none", "/live/a%20b", "/live/none?after=-1", "/live/none?after=x"])
def test_what_cannot_be_followed_is_refused_before_the_upgrade(server: Served, path: str) -> None:
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused:
        server.ws(path)
    assert refused.value.response.status_code == 403


def test_resuming_by_number_is_exact_under_load(server: Served, chatty: Callable[..., None]) -> None:
    """Pages come and go at random while events pour: each ends with every event once, in order."""
    chatty(per_tick=4)
    results: dict[int, list[Any]] = {}

    def page(seed: int) -> None:
        random, got = np.random.default_rng(seed), []
        while not got or got[-1]["event"]["type"] != "call_ended":
            with server.ws(f"/live/c1?after={got[-1]['n'] if got else 0}") as socket:
                try:
                    for _ in range(int(random.integers(1, 120))):
                        got.append(said(socket))
                except ConnectionClosed:
                    continue
        results[seed] = got

    with calling(server) as socket:
        pages = [Thread(target=page, args=(seed,)) for seed in range(4)]
        for each in pages:
            each.start()
        for _ in range(60):
            socket.send(CALL[:3200].tobytes())
        stop(socket)
        for each in pages:
            each.join(60)
    everything = [
        {"n": entry["n"], "at": entry["at"], "event": entry["ev"]}
        for entry in map(json.loads, server.desk.archive.folder("c1").journal.read_text().splitlines()[1:])
        if "ev" in entry
    ]
    assert len(everything) > 1000
    assert all(results[seed] == everything for seed in range(4))


def test_a_page_too_slow_is_closed_and_resumes(
    serve: Serve, configured: Callable[..., Config], chatty: Callable[..., None]
) -> None:
    chatty(per_tick=20, size=1000)
    with serve(config=configured(page_queue_kb=1024)) as server, calling(server) as socket:
        with server.ws("/live/c1", max_queue=1, compression=None) as slow:
            got = []
            socket.send(CALL[:512].tobytes())
            got.append(said(slow))
            for _ in range(20):
                socket.send(CALL.tobytes())
            stop(socket)  # the whole call passes while the page reads nothing
            messages, end = rest(slow)
            got += messages
        assert end.code == 1013
        assert "resume" in end.reason
        assert got[-1]["event"]["type"] != "call_ended"
        got += follow(server, "c1", after=got[-1]["n"])
        numbers = [message["n"] for message in got]
        assert numbers == sorted(set(numbers))
        assert got[-1]["event"]["type"] == "call_ended"
        assert len(got) == sum(
            b'"ev":' in line for line in server.desk.archive.folder("c1").journal.read_bytes().splitlines()
        )
        assert 'calmline_page_disconnects_total{reason="slow"} 1.0' in server.http.get("/metrics").text


def test_pages_that_leave_disturb_nobody(server: Served) -> None:
    with calling(server) as socket:
        for _ in range(3):
            with server.ws("/live/c1"):
                pass
        with server.ws("/live/c1") as stays:
            stays.send("whatever a page says here is passed over")
            socket.send(CALL.tobytes())
            stop(socket)
            messages, end = rest(stays)
    assert end.code == 1000
    assert messages == stored(server)


def test_events_of_two_calls_do_not_cross(server: Served) -> None:
    with calling(server, "a") as a, calling(server, "b") as b, server.ws("/live/a") as pa, server.ws("/live/b") as pb:
        for index in range(0, len(CALL), 1600):
            a.send(CALL[index : index + 1600].tobytes())
            b.send(CALL[index : index + 1600, ::-1].tobytes())
        stop(a)
        stop(b)
        of_a, of_b = rest(pa)[0], rest(pb)[0]
    assert of_a == stored(server, "a")
    assert of_b == stored(server, "b")
    assert (of_a[0]["event"]["call_id"], of_b[0]["event"]["call_id"]) == ("a", "b")


# the overlay


def states(page: Any, until: Callable[[Any], bool]) -> Iterator[Any]:
    while True:
        message = said(page)
        yield message
        if until(message):
            return


def idle(message: Any) -> bool:
    return bool(message == {"type": "idle"})


def of_call(call_id: str) -> Callable[[Any], bool]:
    return lambda message: message["type"] == "view" and message["view"]["call_id"] == call_id


def test_the_overlay_follows_an_agent_from_call_to_call(server: Served) -> None:
    with server.ws("/live/agent/bob") as page:
        assert idle(said(page))
        for call_id in ("one", "two"):
            with calling(server, call_id, agent_id="bob") as socket, calling(server, f"x{call_id}", agent_id="amy"):
                socket.send(CALL.tobytes())
                seen = list(states(page, of_call(call_id)))
                views = [message["view"] for message in seen if message["type"] == "view"]
                assert all(view["call_id"] in ("", call_id) for view in views)
                stop(socket)
            assert idle(list(states(page, idle))[-1])


@pytest.mark.parametrize(("masks", "shown"), [(True, "f***"), (False, "fuck")])
def test_profanity_is_masked_for_pages_and_for_nobody_else(
    serve: Serve, configured: Callable[..., Config], masks: bool, shown: str
) -> None:
    fake = fake_engines(FakeTranscriber(["what the fuck"] * 20))
    with serve(engines=fake, config=configured(mask_profanity=masks)) as server:
        with calling(server, "c1", agent_id="bob") as socket, server.ws("/live/agent/bob") as page:
            socket.send(CALL.tobytes())
            with server.ws("/live/c1?drafts=true") as pages:
                stop(socket)
                told = rest(pages)[0]
            seen = list(states(page, idle))
        view = server.http.get("/calls/c1/view").text
        kept = server.http.get("/calls/c1/events?limit=5000").text
        table = server.http.get("/calls/c1/export?format=csv&table=all").text
    for text in (json.dumps(told), json.dumps(seen), view):
        assert "what the" in text
        assert set(re.findall(r"what the (f[a-z*]+)", text)) == {shown}
    assert "what the fuck" in kept
    assert "what the fuck" in table


def test_the_latest_of_two_calls_is_shown(server: Served) -> None:
    with calling(server, "one", agent_id="bob") as one, server.ws("/live/agent/bob") as page:
        one.send(CALL.tobytes())
        list(states(page, of_call("one")))
        with calling(server, "two", agent_id="bob") as two:
            two.send(CALL.tobytes())
            list(states(page, of_call("two")))
            stop(two)
        list(states(page, of_call("one")))
        stop(one)
        list(states(page, idle))


def test_views_are_conflated_and_never_repeated(server: Served, chatty: Callable[..., None]) -> None:
    chatty(per_tick=10)
    with calling(server, agent_id="bob") as socket, server.ws("/live/agent/bob") as page:
        for _ in range(20):
            socket.send(CALL.tobytes())
        stop(socket)
        seen = list(states(page, idle))
        numbers = [message["view"]["n"] for message in seen if message["type"] == "view"]
        assert numbers == sorted(numbers)
        assert len(seen) < 100  # of more than 12000 events
        assert all(one != other for one, other in itertools.pairwise(seen))


@pytest.mark.usefixtures("alerting")
@pytest.mark.parametrize(("word", "kind"), [("ack", "acknowledge"), ("dismiss", "dismiss")])
def test_the_overlay_answers_alerts(server: Served, word: str, kind: str) -> None:
    with calling(server, agent_id="bob") as socket, server.ws("/live/agent/bob") as page:
        socket.send(CALL[:512].tobytes())
        shown = list(states(page, lambda message: message["type"] == "view" and message["view"]["advice"]))
        number = shown[-1]["view"]["advice"]["n"]
        say(page, type=word, alert=number)
        say(page, type=word, alert=number + 100)
        assert said(page)["type"] == "error"  # the second one; the first is admitted by then
        socket.send(CALL[512:].tobytes())
        list(states(page, lambda message: message["type"] == "view" and not message["view"]["advice"]))
        stop(socket)
    assert stored(server)[-2]["event"]["reason"] == f"{kind} by local"


def ask_by_socket(page: Any, server: Served, word: str) -> None:
    say(page, type=word)
    say(page, type="ack", alert=99)
    list(states(page, lambda message: message["type"] == "error"))  # to the second one; the first is admitted by then


def ask_by_http(page: Any, server: Served, word: str) -> None:
    answer = server.http.request({"snooze": "POST", "wake": "DELETE"}[word], "/calls/c1/snooze")
    assert (answer.status_code, answer.json()) == (202, {"call_id": "c1"})


@pytest.mark.parametrize("ask", [ask_by_socket, ask_by_http])
def test_an_agent_asks_for_quiet_and_ends_it(server: Served, ask: Callable[[Any, Served, str], None]) -> None:
    def quiet(wanted: bool) -> Callable[[Any], bool]:
        return lambda message: (message["type"] == "view" and message["view"]["snoozed_until_ms"] is not None) is wanted

    with calling(server, agent_id="bob") as socket, server.ws("/live/agent/bob") as page:
        socket.send(CALL[:512].tobytes())
        list(states(page, of_call("c1")))
        for word, wanted in (("snooze", True), ("wake", False)):
            ask(page, server, word)
            socket.send(CALL[:2048].tobytes())
            list(states(page, quiet(wanted)))
        stop(socket)
    told = [each["event"] for each in stored(server) if each["event"]["type"] == "snoozed"]
    assert [(each["by"], each["until"] - each["at"]) for each in told] == [("local", 300 * 16_000), ("local", 0)]
    assert server.http.post("/calls/c1/snooze").status_code == 409


@pytest.mark.parametrize("text", ["x", "{}", '{"type":"ack"}', '{"type":"ack","alert":0}', '{"type":"swap","alert":1}'])
def test_the_overlay_is_told_what_it_may_say(server: Served, text: str) -> None:
    with server.ws("/live/agent/bob") as page:
        assert idle(said(page))
        page.send(text)
        assert said(page)["type"] == "error"
        say(page, type="ack", alert=3)
        assert said(page) == {"type": "error", "message": "no call is in progress"}


def test_nothing_is_kept_of_pages_that_left(server: Served) -> None:
    with calling(server, agent_id="bob") as socket:
        for _ in range(3):
            with server.ws("/live/agent/bob") as page:
                said(page)
        socket.send(CALL.tobytes())
        stop(socket)
    with server.ws("/live/agent/amy") as page:
        assert idle(said(page))
        assert server.desk.hub._topics == {}
        assert server.desk.hub.at("bob") is None
    server.stop()
    assert server.desk.hub._seats == {}


def test_a_stopping_server_closes_its_pages(server: Served) -> None:
    with calling(server) as socket, server.ws("/live/agent/bob") as page:
        assert idle(said(page))
        server.stop()
        assert closed(page).code == 1012
        closed(socket)
