"""The wallboard's summaries: what each call needs, nothing lost however slow the page, and who may see them."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from api.config import Config
from api.wall import GLANCES, POINTS, Glance, Need, Wall, changes, curve, need
from pipeline.settings import Policy
from pipeline.view import AlertView, ScoresView, ScoreView, View
from tests.api.conftest import Served, calling, closed, rest, said, say, stop
from tests.fakes import silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])


def score(ms: int, value: float) -> ScoreView:
    return ScoreView(n=ms, ms=ms, value=value, coverage=1.0, parts={})


def alert(cleared: str | None = None, *, to: tuple[str, ...] = ("agent", "supervisor")) -> AlertView:
    return AlertView(
        n=7,
        kind="threat",
        state="raised" if cleared is None else "cleared",
        severity="critical",
        raised_ms=1_000,
        cleared_ms=None,
        advice="Offer a supervisor",
        detail="",
        practice=16,
        reason="",
        cleared_because=cleared,
        evidence=[],
        to=list(to),  # type: ignore[arg-type]
    )


def view(*anger: tuple[int, float], now_ms: int = 60_000, **values: Any) -> View:
    scores = ScoresView(anger=[score(*each) for each in anger])
    return View(call_id="c1", agent_id="bob", state="live", now_ms=now_ms, scores=scores, **values)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (view(), "calm"),
        (view((10_000, 0.1), (50_000, 0.2)), "calm"),
        (view((10_000, 0.1), (50_000, 0.3)), "rising"),
        (view((50_000, 0.3)), "calm"),  # nothing is known of before
        (view((50_000, 0.5)), "anger"),
        (view((50_000, 0.5), alerts=[alert()]), "waiting"),
        (view((50_000, 0.5), alerts=[alert("faded")]), "waiting"),
        (view((50_000, 0.5), alerts=[alert("dismissed")]), "anger"),
        (view(alerts=[alert("over")]), "calm"),
        (view(alerts=[alert(to=("agent",))]), "calm"),
        (view(alerts=[alert()], claimed_by="mara"), "calm"),
    ],
)
def test_what_a_call_needs(shown: View, expected: Need) -> None:
    assert need(shown) == expected


def test_the_curve_holds_each_score_until_the_next() -> None:
    points = curve([score(42_000, 0.2), score(51_000, 0.5)], 61_000)
    assert len(points) == POINTS
    assert points[-5:] == (None, 20, 20, 50, 50)  # at 40, 45, 50, 55 and 60 s


def glance(call_id: str, now_ms: int = 0) -> Glance:
    return Glance(
        call_id=call_id,
        agent_id="bob",
        team="",
        queue="",
        direction="",
        now_ms=now_ms,
        need="calm",
        anger=None,
        curve=(),
        notice="none",
        claimed_by=None,
        advice=None,
        severity=None,
        critical=None,
    )


def test_changes_make_of_any_state_the_latest_whatever_was_missed_between() -> None:
    states = [{each: glance(each, t) for each in ("a", "b", "c", "d") if (t + ord(each)) % 3} for t in range(12)]
    page: dict[str, Glance] = {}
    before: dict[str, Glance] = {}
    for now in states[::4]:  # a slow page: three of four states are passed over
        message = json.loads(changes(before, now))
        page |= {each.call_id: each for each in GLANCES.validate_python(message["calls"])}
        for call_id in message["gone"]:
            del page[call_id]
        before = now
        assert page == now


class FakeLive:
    def __init__(self, view: View) -> None:
        self.view, self.looks = view, 0

    def look(self, read: Callable[[View], Any]) -> Any:
        self.looks += 1
        return read(self.view)


def test_calls_are_looked_at_once_a_second_whoever_asks() -> None:
    time = [0.0]
    calls = {"c1": FakeLive(view((50_000, 0.5))), "c2": FakeLive(replace(view(), state="waiting", call_id="c2"))}
    wall = Wall(lambda: calls, needs_notice=True, clock=lambda: time[0])  # type: ignore[arg-type, return-value]

    async def ask() -> None:
        for _ in range(3):
            assert set(await wall.now()) == {"c1"}
        assert calls["c1"].looks == 1
        time[0] = 1.0
        (found,) = (await wall.now()).values()
        assert calls["c1"].looks == 2
        assert (found.need, found.anger, found.notice) == ("anger", 0.5, "missing")

    anyio.run(ask)


def until(page: Any, wanted: Callable[[Any], bool]) -> Any:
    while True:
        message = said(page)
        if wanted(message):
            return message


def test_a_page_sees_calls_come_and_go_and_follows_one(server: Served) -> None:
    with server.ws("/live/wall") as page:
        assert said(page) == {"type": "wall", "calls": [], "gone": []}
        with calling(server, agent_id="bob", notice_given="announcement", queue="billing") as socket:
            socket.send(CALL.tobytes())
            (call,) = until(page, lambda message: message["type"] == "wall" and message["calls"])["calls"]
            assert (call["call_id"], call["agent_id"], call["queue"], call["notice"]) == (
                "c1",
                "bob",
                "billing",
                "given",
            )
            say(page, type="follow", call_id="c1")
            assert until(page, lambda message: message["type"] == "view")["view"]["call_id"] == "c1"
            server.http.post("/calls/c1/claim")
            socket.send(CALL.tobytes())
            claimed = until(page, lambda message: message["type"] == "wall" and message["calls"][0]["claimed_by"])
            assert claimed["calls"][0]["claimed_by"] == "local"
            stop(socket)
        texts = rest_until_gone(page)
        assert {"type": "over", "call_id": "c1"} in texts


def rest_until_gone(page: Any) -> list[Any]:
    """Every message until the call is both gone from the wall and over."""
    messages: list[Any] = []
    while not (
        any(each["type"] == "over" for each in messages) and any("c1" in each.get("gone", ()) for each in messages)
    ):
        messages.append(said(page))
    return messages


def test_what_is_not_understood_is_said(server: Served) -> None:
    with server.ws("/live/wall") as page:
        page.send('{"type":"follow"}')
        assert "follow" in until(page, lambda message: message["type"] == "error")["message"]
        say(page, type="follow", call_id="none")
        assert until(page, lambda message: message["type"] == "over")["call_id"] == "none"


def test_agents_have_no_wallboard(
    configured: Callable[..., Config], serve: Callable[..., AbstractContextManager[Served]]
) -> None:
    config = configured(supervisor_tokens={"mara": "m-token"}, agent_tokens={"bob": "b-token"})
    with serve(config) as server:
        agent, supervisor = ({"Authorization": f"Bearer {token}"} for token in ("b-token", "m-token"))
        assert server.http.get("/wall", headers=agent).status_code == 403
        with pytest.raises(Exception, match="403"):
            server.ws("/live/wall", additional_headers=agent)
        with server.ws("/live/wall", additional_headers=supervisor) as page:
            assert said(page)["type"] == "wall"


def test_a_missing_notice_is_told_where_the_policy_needs_one(
    configured: Callable[..., Config], serve: Callable[..., AbstractContextManager[Served]]
) -> None:
    policy = Policy(name="strict", needs_notice=True)
    with serve(configured(policy=policy)) as server, server.ws("/live/wall") as page, calling(server) as socket:
        socket.send(CALL.tobytes())
        (call,) = until(page, lambda message: message["type"] == "wall" and message["calls"])["calls"]
        assert call["notice"] == "missing"
        stop(socket)


def test_a_stopping_server_closes_the_wallboard(server: Served) -> None:
    with server.ws("/live/wall") as page:
        said(page)
        server.stop()
        assert closed(page).code == 1012
        assert rest(page)[0] == []
