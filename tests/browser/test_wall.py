"""The wallboard: which call needs somebody, one followed closely, and every state of the page."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import scenes
from axe import grave
from playwright.sync_api import Page, expect
from stage import Stage

from api.app import create_app
from api.config import Config, Server
from api.wall import GLANCES, Glance, Need
from pipeline.settings import Storage
from pipeline.view import VIEW
from tests.api.conftest import Served, calling, serving
from tests.fakes import fake_engines, silence, speech, stereo

WIDE = {"width": 1440, "height": 900}


def glance(call_id: str, need: Need = "calm", now_ms: int = 60_000, **values: Any) -> Glance:
    made = Glance(
        call_id=call_id,
        agent_id=f"agent of {call_id}",
        team="north",
        queue="billing",
        direction="inbound",
        now_ms=now_ms,
        need=need,
        anger=0.3,
        curve=(None, 10, 20, 30),
        notice="given",
        claimed_by=None,
        advice=None,
        severity=None,
        critical=None,
    )
    return replace(made, **values)


def wall(*calls: Glance, gone: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"type": "wall", "calls": GLANCES.dump_python(list(calls), mode="json"), "gone": list(gone)}


BUSY = (
    glance("calm"),
    glance("rising", "rising", team="south", queue="sales"),
    glance("young", "anger", 10_000, advice="Slow down", severity="note"),
    glance("old", "anger", 90_000, claimed_by="mara", notice="missing"),
    glance("asked", "waiting", critical=70, advice="Offer a supervisor", severity="critical", anger=None, curve=()),
)


@pytest.fixture
def board(stage: Stage, page: Page) -> Page:
    """The wallboard with five calls."""
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    stage.send(wall(*BUSY))
    page.goto(f"{stage.url}/wall")
    expect(page.get_by_test_id("call")).to_have_count(len(BUSY))
    return page


def order(page: Page) -> list[str | None]:
    return [row.get_attribute("data-call") for row in page.get_by_test_id("call").all()]


def test_calls_stand_by_need_and_the_oldest_first(board: Page) -> None:
    assert order(board) == ["asked", "old", "young", "rising", "calm"]
    expect(board.get_by_test_id("count")).to_have_text("5 live calls, 4 need somebody")
    asked = board.get_by_test_id("call").first
    expect(asked).to_contain_text("Wants a supervisor")
    expect(asked).to_contain_text("Offer a supervisor")
    expect(asked.get_by_test_id("spark")).to_have_attribute("aria-label", "No score yet")
    old = board.locator("[data-call=old]")
    expect(old).to_contain_text("Missing")
    expect(old.get_by_test_id("claimed")).to_have_text("mara")
    expect(old.get_by_test_id("claim")).to_have_count(0)


def test_a_change_moves_its_call_alone_and_what_is_gone_is_gone(stage: Stage, board: Page) -> None:
    stage.say(wall(replace(BUSY[0], need="waiting", now_ms=95_000), gone=("young",)))
    expect(board.get_by_test_id("call")).to_have_count(4)
    assert order(board) == ["calm", "asked", "old", "rising"]
    expect(board.get_by_test_id("news")).to_have_text("The call of agent of calm wants a supervisor")


def test_after_a_lost_connection_calls_that_ended_meanwhile_are_gone(stage: Stage, board: Page) -> None:
    stage.refuse()
    stage.drop()
    expect(board.get_by_test_id("lost")).to_be_visible()
    expect(board.get_by_test_id("call")).to_have_count(5)
    stage.send(wall(BUSY[0]))
    stage.allow()
    expect(board.get_by_test_id("call")).to_have_count(1, timeout=10_000)
    expect(board.get_by_test_id("lost")).to_have_count(0)


def test_teams_and_queues_are_filters(board: Page) -> None:
    board.get_by_test_id("team").select_option("south")
    assert order(board) == ["rising"]
    board.get_by_test_id("queue").select_option("billing")
    expect(board.get_by_test_id("message")).to_contain_text("No live call here")
    board.get_by_test_id("team").select_option("All")
    assert order(board) == ["asked", "old", "young", "calm"]


def test_a_call_is_followed_by_keyboard_until_it_is_over(stage: Stage, board: Page) -> None:
    board.keyboard.press("ArrowDown")
    board.keyboard.press("ArrowDown")
    board.keyboard.press("Enter")
    assert stage.answer() == {"type": "follow", "call_id": "old"}
    view = replace(scenes.scene(advice=scenes.advice()), call_id="old")
    stage.say({"type": "view", "view": json.loads(VIEW.dump_json(view))})
    followed = board.get_by_test_id("followed")
    expect(followed.get_by_test_id("transcript")).to_contain_text("this is the third time I am calling")
    expect(followed.get_by_test_id("alerts")).to_contain_text("Let them finish")
    expect(followed.get_by_test_id("curves").locator("canvas")).to_be_visible()
    expect(followed.get_by_test_id("claiming")).to_contain_text("Claimed by mara")
    stage.say({"type": "over", "call_id": "old"})
    expect(board.get_by_test_id("over").get_by_role("link")).to_have_attribute("href", "/room/old")
    board.keyboard.press("Escape")
    expect(followed).to_have_count(0)
    assert stage.answer() == {"type": "follow", "call_id": None}


def test_what_was_followed_is_asked_for_again_after_a_lost_connection(stage: Stage, board: Page) -> None:
    board.get_by_test_id("open").first.click()
    assert stage.answer() == {"type": "follow", "call_id": "asked"}
    stage.drop()
    assert stage.answer() == {"type": "follow", "call_id": "asked"}


def test_alarms_are_off_until_switched_on_and_ring_once_for_what_is_new_and_critical(stage: Stage, page: Page) -> None:
    from test_quiet import RINGS

    page.add_init_script(RINGS)
    stage.send(wall(*BUSY))
    page.goto(f"{stage.url}/wall")
    expect(page.get_by_test_id("call")).to_have_count(5)
    stage.say(wall(replace(BUSY[0], critical=71)))
    expect(page.get_by_test_id("alarm")).to_have_attribute("aria-pressed", "false")
    page.get_by_test_id("alarm").click()
    assert page.evaluate("window.notes") == 2  # how it sounds
    stage.say(wall(replace(BUSY[0], critical=72, now_ms=61_000)))
    stage.say(wall(replace(BUSY[0], critical=72, now_ms=62_000)))
    stage.say(wall(replace(BUSY[2], advice="Let them finish", severity="coach", now_ms=63_000)))
    expect(page.locator("[data-call=young]")).to_contain_text("Let them finish")
    assert page.evaluate("window.notes") == 4


@pytest.mark.parametrize(
    ("prepare", "kind", "words"),
    [
        (lambda stage: None, "loading", "Loading"),
        (lambda stage: stage.send(wall()), "empty", "No call is live"),
        (lambda stage: stage.forbid(1008), "error", "Log in by your link"),
        (lambda stage: stage.refuse(), "error", "No connection"),
    ],
    ids=["loading", "empty", "forbidden", "offline"],
)
def test_states(stage: Stage, page: Page, prepare: Callable[[Stage], None], kind: str, words: str) -> None:
    prepare(stage)
    page.goto(f"{stage.url}/wall")
    message = page.get_by_test_id("message")
    expect(message).to_have_attribute("data-kind", kind)
    expect(message).to_contain_text(words)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave(stage: Stage, board: Page, scheme: str) -> None:
    board.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    assert grave(board) == []
    board.locator("[data-call=old]").get_by_test_id("open").click()
    view = replace(scenes.scene(advice=scenes.advice()), call_id="old")
    stage.say({"type": "view", "view": json.loads(VIEW.dump_json(view))})
    expect(board.get_by_test_id("curves").locator("canvas")).to_be_visible()
    assert grave(board) == []


# with a real server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    config = Config(storage=Storage(folder=str(tmp_path)), policy="standard", server=Server())
    with serving(create_app(config, fake_engines())) as served:
        yield served


CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])


def test_a_claim_by_key_reaches_the_journal_and_comes_back(served: Served, page: Page) -> None:
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto(f"http://127.0.0.1:{served.port}/wall")
    expect(page.get_by_test_id("message")).to_contain_text("No call is live")
    with calling(served, agent_id="dana", queue="billing", team="north") as door:
        door.send(CALL.tobytes())
        page.get_by_test_id("open").click()
        expect(page.get_by_test_id("followed")).to_be_visible()
        page.keyboard.press("c")
        expect(page.get_by_test_id("claiming")).to_contain_text("Claim")
        door.send(CALL.tobytes())
        expect(page.get_by_test_id("claimed")).to_have_text("local")
        expect(page.get_by_test_id("claiming")).to_contain_text("You look after this call")
        door.send(json.dumps({"type": "stop"}))
        expect(page.get_by_test_id("over")).to_be_visible()
    events = served.http.get("/calls/c1/events?limit=5000").json()["events"]
    assert [each["event"]["by"] for each in events if each["event"]["type"] == "claimed"] == ["local"]
    expect(page.get_by_test_id("call")).to_have_count(0)
