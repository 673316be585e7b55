"""Panels of other programs: the right calls, in order, what was missed first, and nobody else's."""

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from api.config import Config
from api.hub import TooSlow
from api.outgoing.panels import KEPT, Panels, Wish
from pipeline import graph
from pipeline.channel import TWO_CHANNEL
from pipeline.session import CallInfo, Session
from tests.api.conftest import Served, calling, closed, said, stop
from tests.api.outgoing.post import news
from tests.fakes import AlertNode, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])
Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture(autouse=True)
def alerting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "build", lambda info, settings, engines: Session(info, [AlertNode(at=0)]))


def types(messages: list[Any]) -> list[str]:
    return [message["type"].removeprefix("calmline.") for message in messages]


def play(server: Served, call_id: str, **start: Any) -> None:
    with calling(server, call_id, **start) as socket:
        socket.send(CALL.tobytes())
        stop(socket)


def test_a_panel_hears_of_its_agent_s_calls_and_of_no_other(server: Served) -> None:
    with server.ws("/live/panel?agent=7") as mine, server.ws("/live/panel") as all_:
        play(server, "a", agent_id="8")
        play(server, "b", agent_id="7", queue="billing", fields={"ticket": "4711"})
        heard, everything = [said(mine) for _ in range(3)], [said(all_) for _ in range(6)]
    assert types(heard) == ["call.started", "alert.raised", "call.ended"]
    assert {message["subject"] for message in heard} == {"b"}
    assert heard[1]["data"]["call"] == {
        "id": "b",
        "agent_id": "7",
        "queue": "billing",
        "team": "",
        "direction": "",
        "notice_given": "",
        "fields": {"ticket": "4711"},
        "source": "door pcm",
    }
    assert [message["subject"] for message in everything] == ["a"] * 3 + ["b"] * 3
    assert everything[3:] == heard


def test_a_panel_hears_of_its_queue(server: Served) -> None:
    with server.ws("/live/panel?queue=billing") as panel, server.ws("/live/panel?queue=billing&agent=8") as both:
        for call_id, agent, queue in (("a", "7", "sales"), ("b", "7", "billing"), ("c", "8", "billing")):
            play(server, call_id, agent_id=agent, queue=queue)
        assert [said(panel)["subject"] for _ in range(6)] == ["b"] * 3 + ["c"] * 3
        assert {said(both)["subject"] for _ in range(3)} == {"c"}


def test_a_panel_that_opens_late_is_told_what_it_missed(server: Served) -> None:
    with calling(server, "a", agent_id="7") as socket:
        with server.ws("/live/panel?agent=7") as first:
            socket.send(CALL.tobytes())
            missed = [said(first), said(first)]
        with server.ws("/live/panel?agent=7") as panel:
            again = [said(panel), said(panel)]
            assert again == missed, "the same ids: who has them takes them once"
            stop(socket)
            assert types([said(panel)]) == ["call.ended"]
    with server.ws("/live/panel?agent=7") as panel:
        play(server, "b", agent_id="7")
        assert said(panel)["subject"] == "b", "what is over is told no more"
    assert server.desk.outlets.panels._open == {}


def test_a_stopping_server_closes_its_panels(server: Served) -> None:
    with server.ws("/live/panel") as panel:
        server.stop()
        assert closed(panel).code == 1012


# who may


@pytest.fixture
def guarded(serve: Serve, configured: Callable[..., Config]) -> Any:
    return serve(
        config=configured(
            supervisor_tokens={"mara": SecretStr("m" * 20)},
            agent_tokens={"7": SecretStr("seven?>/ü"), "8": SecretStr("eight" * 4)},
            door_tokens={"switch": SecretStr("d" * 20)},
            hosts=("crm.example",),
        )
    )


def bearer(token: str) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {token}"}}


def offered(token: str) -> dict[str, Any]:
    coded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return {"subprotocols": ["cloudevents.json", f"calmline.bearer.{coded}"]}


def test_agents_hear_of_their_own_calls_only(guarded: Any) -> None:
    with guarded as server:
        door = bearer("d" * 20)["additional_headers"]
        with (
            server.ws("/live/panel", **bearer("eight" * 4)) as eight,
            server.ws("/live/panel", **bearer("m" * 20)) as mara,
        ):
            for call_id, agent in (("a", "7"), ("b", "8")):
                with server.ws("/doors/pcm", additional_headers=door) as socket:
                    start = {"type": "start", "rate": 16000, "format": "s16le", "channels": ["agent", "customer"]}
                    socket.send(json.dumps(start | {"call_id": call_id, "agent_id": agent}))
                    said(socket)
                    socket.send(CALL.tobytes())
                    stop(socket)
            assert said(eight)["subject"] == "b"
            assert [said(mara)["subject"] for _ in range(6)] == ["a"] * 3 + ["b"] * 3
        for path, who in (
            ("/live/panel?agent=7", bearer("eight" * 4)),
            ("/live/panel", bearer("d" * 20)),
            ("/live/panel", bearer("wrong")),
            ("/live/panel", {}),
            ("/live/panel", offered("wrong")),
            ("/live/panel", {"subprotocols": ["calmline.bearer.%%%"]}),
            ("/live/panel", {"subprotocols": ["calmline.bearer."]}),
        ):
            with pytest.raises(InvalidStatus) as refused:
                server.ws(path, **who)
            assert refused.value.response.status_code == 403


def test_a_page_of_the_crm_brings_its_token_as_a_subprotocol(guarded: Any) -> None:
    with guarded as server:
        with server.ws("/live/panel?agent=7", origin="https://crm.example", **offered("seven?>/ü")) as panel:
            assert panel.subprotocol == "cloudevents.json"
        with pytest.raises(InvalidStatus):
            server.ws("/live/panel?agent=7", origin="https://evil.example", **offered("seven?>/ü"))


# bounds


def info(call_id: str) -> CallInfo:
    return CallInfo(call_id=call_id, channels=TWO_CHANNEL)


@pytest.mark.anyio
async def test_a_panel_that_does_not_read_is_dropped_and_the_others_are_not() -> None:
    panels = Panels(2_000)
    slow, quick = panels.follow(Wish()), panels.follow(Wish())
    panels.tell(info("a"), news("a", 1))
    assert await anext(slow) == await anext(quick)
    for n in range(2, 20):
        message = news("a", n)
        panels.tell(info("a"), message)
        assert await anext(quick) == message.body
    with pytest.raises(TooSlow):
        while True:
            await anext(slow)
    await quick.aclose()
    assert panels._pages == {}


@pytest.mark.anyio
async def test_what_a_panel_missed_may_be_more_than_what_may_wait_for_it() -> None:
    panels = Panels(2_000)
    for n in range(100):
        panels.tell(info("a"), news("a", n))
    late = panels.follow(Wish())
    for n in range(100):
        assert await anext(late) == panels._open["a"].told[n].body
        if n == 50:
            panels.tell(info("b"), news("b", 1))
    assert await anext(late) == panels._open["b"].told[0].body, "what comes meanwhile comes behind it, once"
    await late.aclose()


@pytest.mark.anyio
async def test_of_a_long_call_the_start_and_the_last_messages_are_kept() -> None:
    panels = Panels(10**9)
    for n in range(3 * KEPT):
        panels.tell(info("a"), news("a", n))
    told = panels._open["a"].told
    assert len(told) == KEPT + 1
    assert [message.id for message in (told[0], told[1], told[-1])] == ["a/0", f"a/{2 * KEPT}", f"a/{3 * KEPT - 1}"]
