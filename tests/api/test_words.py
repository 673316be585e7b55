"""Words on pages before they are final, and what pages and metrics say when the recogniser cannot keep up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event
from typing import Any

import pytest

from api.app import create_app
from api.config import Config
from api.hub import Hub, Page, draft_message
from api.overlay import Told
from pipeline.channel import Channel
from pipeline.drafts import Draft
from pipeline.jobs import Kind
from pipeline.scheduler import RECOVERY_S, Load
from tests.api.conftest import LocalClient, Served, calling, rest, said, stop
from tests.api.test_live import states
from tests.api.test_status import value
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

Serve = Callable[..., AbstractContextManager[Served]]
LONG = stereo([speech(3.0), silence(1.0)], [silence(4.0)])
A, C = Channel.AGENT, Channel.CUSTOMER


def draft(channel: Channel = A, stable: str = "i want", rest: str = "a", at: int = 32_000) -> Draft:
    return Draft(channel=channel, start=16_000, at=at, stable=stable, rest=rest)


def load(behind_s: float = 0.0, *, drafts: bool = True) -> Load:
    return Load(dict.fromkeys(Kind, 0), behind_s, drafts)


def news(told: Told, call: Any, drafts: dict[Channel, Draft], now: Load | None = None) -> list[Any]:
    return [json.loads(text) for text in told.news(call, drafts, now)]


# what an agent's page is told


def test_a_draft_is_told_once_and_taken_back_once() -> None:
    told, call, gone = Told(), object(), draft(stable="", rest="")
    shown = {
        "type": "draft",
        "draft": {"channel": "agent", "start": 16000, "at": 32000, "stable": "i want", "rest": "a"},
    }
    assert news(told, call, {A: draft(), C: draft(C, "", "")}) == [shown]
    assert news(told, call, {A: draft(), C: draft(C, "", "")}) == []
    assert [each["draft"]["stable"] for each in news(told, call, {A: gone})] == [""]
    assert news(told, call, {A: gone}) == []
    assert news(told, call, {A: draft()}) == [shown]


def test_a_draft_goes_with_its_call() -> None:
    told = Told()
    assert len(news(told, "one", {A: draft()})) == 1
    assert news(told, None, {}) == []
    assert len(news(told, "two", {A: draft()})) == 1


def test_a_page_is_told_that_words_are_behind_and_when_that_is_over() -> None:
    told = Told()
    assert news(told, None, {}, None) == []
    assert news(told, None, {}, load(0.9)) == []
    off = {"type": "words_behind", "seconds": 1.2, "drafts": False}
    assert news(told, None, {}, load(1.2, drafts=False)) == [off]
    assert news(told, None, {}, load(2.1, drafts=False)) == []
    assert news(told, None, {}, load(2.2, drafts=False)) == [off | {"seconds": 2.2}]
    assert news(told, None, {}, load(0.0, drafts=False)) == [off | {"seconds": 0.0}]
    assert news(told, None, {}, load()) == [{"type": "words_behind", "seconds": 0.0, "drafts": True}]
    assert news(told, None, {}, load()) == []


# the hub


def test_a_draft_has_no_number_and_is_left_out_where_there_is_no_room() -> None:
    async def run() -> list[tuple[int, bytes] | None]:
        page = Page(10, drafts=True)
        page.tell(b"123456")
        assert page.put(7, b"1234")
        page.tell(b"1")
        page.end()
        return [await page.take() for _ in range(3)]

    assert asyncio.run(run()) == [(0, b"123456"), (7, b"1234"), None]


def test_only_pages_that_ask_get_drafts() -> None:
    class Live:
        call_id = "c1"

        class info:  # noqa: N801
            agent_id = "bob"

    async def run() -> None:
        hub = Hub(1000)
        hub.open("c1")
        topic = hub.topic("c1")
        assert topic is not None
        plain, wants = Page(1000), Page(1000, drafts=True)
        topic.pages |= {plain, wants}
        hub.drafted(Live(), draft())  # type: ignore[arg-type]
        hub.shut("c1")
        assert await plain.take() is None
        assert await wants.take() == (0, draft_message(draft()))
        assert hub.drafts("c1") == {}

    asyncio.run(run())


# a server


def drafts_in(messages: list[Any]) -> list[Any]:
    return [message["draft"] for message in messages if message.get("type") == "draft"]


def test_words_come_while_they_are_spoken_and_only_to_who_asks(server: Served) -> None:
    with calling(server) as socket, server.ws("/live/c1?drafts=true") as wants, server.ws("/live/c1") as plain:
        socket.send(LONG.tobytes())
        stop(socket)
        got, events = rest(wants)[0], rest(plain)[0]
    drafts = drafts_in(got)
    assert [draft["at"] for draft in drafts] == sorted(draft["at"] for draft in drafts)
    assert len(drafts) >= 2
    assert drafts[-1]["stable"] + drafts[-1]["rest"] == ""
    assert all("n" in event for event in events)
    assert [message for message in got if message.get("type") != "draft"] == events
    folder = server.desk.archive.folder("c1").path
    assert not [path for path in folder.iterdir() if b'"stable"' in path.read_bytes()]


def test_the_overlay_shows_words_while_they_are_spoken(server: Served) -> None:
    with calling(server, agent_id="bob") as socket, server.ws("/live/agent/bob") as page:
        socket.send(LONG.tobytes())
        shown = list(states(page, lambda message: message["type"] == "draft"))[-1]["draft"]
        assert shown["channel"] == "agent"
        assert "word" in shown["stable"] + shown["rest"]
        stop(socket)


def test_a_policy_without_words_asks_for_none(serve: Serve, configured: Callable[..., Config]) -> None:
    heard = FakeTranscriber()
    policy = {"name": "standard", "words": False}
    made = serve(config=configured(policy=policy), engines=fake_engines(heard))
    with made as server, calling(server) as socket, server.ws("/live/c1?drafts=true") as page:
        socket.send(LONG.tobytes())
        stop(socket)
        assert drafts_in(rest(page)[0]) == []
    assert heard.lengths == []


class Rushed:
    """A server whose recogniser waits for a gate, on a clock of ours."""

    def __init__(self, serve: Serve) -> None:
        self.now = 0.0
        self.fake = FakeTranscriber(gate=Event())
        self.serving = serve(engines=fake_engines(self.fake))

    def __enter__(self) -> Rushed:
        self.server = self.serving.__enter__()
        assert self.server.desk.pool is not None
        self.server.desk.pool._clock = lambda: self.now
        return self

    def __exit__(self, *details: Any) -> None:
        self.open()
        self.serving.__exit__(*details)

    def open(self) -> None:
        assert self.fake.gate is not None
        self.fake.gate.set()

    def metric(self, name: str) -> float:
        return value(self.server.http.get("/metrics").text, name)

    def until(self, name: str, least: float) -> None:
        """Read the metrics until one has come so far."""
        while self.metric(name) < least:
            pass

    def recover(self) -> None:
        """Let time pass until drafts are back: what still waits when our clock jumps counts as late once more."""
        while self.metric("calmline_drafts_off"):
            self.now += RECOVERY_S + 1


def behind(message: Any) -> bool:
    return bool(message["type"] == "words_behind")


def test_pages_and_metrics_say_that_words_are_behind_until_they_are_not(serve: Serve) -> None:
    speaking = stereo([speech(1.0), silence(1.0)] * 3, [silence(6.0)])
    with Rushed(serve) as rushed, calling(rushed.server, agent_id="bob") as socket:
        with rushed.server.ws("/live/agent/bob") as page:
            socket.send(speaking.tobytes())
            rushed.until('calmline_words_waiting{kind="final"}', 2)
            assert rushed.metric("calmline_drafts_off") == 0
            rushed.now = 2.5
            socket.send(LONG.tobytes())  # whatever happens in the call wakes its pages
            notice = list(states(page, behind))[-1]
            assert notice == {"type": "words_behind", "seconds": 2.5, "drafts": False}
            health = rushed.server.http.get("/health").json()
            assert (health["words_behind_s"], health["drafts_off"]) == (2.5, True)
            assert rushed.metric("calmline_drafts_off") == 1
            assert rushed.metric("calmline_words_behind_seconds") == 2.5
            assert rushed.metric('calmline_words_waiting{kind="running"}') == 0
            rushed.until('calmline_drafts_left_out_total{reason="behind"}', 1)
            rushed.open()
            rushed.until("calmline_finals_late_total", 2)
            rushed.recover()
            socket.send(LONG.tobytes())
            told: dict[str, Any] = {}  # the draft may come before the notice or after it
            while not (told.get("words_behind", {}).get("drafts") and "draft" in told):
                message = said(page)
                told[message["type"]] = message
            assert told["words_behind"] == {"type": "words_behind", "seconds": 0.0, "drafts": True}
            stop(socket)
        assert rushed.metric("calmline_drafts_off") == 0
        assert rushed.metric("calmline_engine_queue") == 0
        assert rushed.metric('calmline_events_total{type="words"}') == 5


def test_metrics_tell_of_the_recognisers_work(server: Served) -> None:
    with calling(server) as socket:
        socket.send(LONG.tobytes())
        stop(socket)
    text = server.http.get("/metrics").text
    assert value(text, 'calmline_engine_batch_bucket{le="1.0"}') == value(text, "calmline_engine_batch_count") >= 2
    assert value(text, 'calmline_engine_batch_bucket{le="+Inf"}') == value(text, "calmline_engine_batch_sum")
    assert value(text, 'calmline_engine_speech_seconds_total{kind="running"}') > 0.5
    kinds = [value(text, f'calmline_engine_speech_seconds_total{{kind="{kind}"}}') for kind in ("final", "paused")]
    assert sum(kinds) == pytest.approx(3.2, abs=0.2)
    assert value(text, "calmline_engine_failures_total") == 0


def test_a_server_without_a_recogniser_is_never_behind(config: Config) -> None:
    with LocalClient(create_app(config, fake_engines(words=False))) as client:
        health = client.get("/health").json()
        assert (health["words_behind_s"], health["drafts_off"]) == (0.0, False)
        assert "calmline_engine_queue" not in client.get("/metrics").text
