"""The overlay in a real browser, against a server that says what each test wants."""

import queue
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import scenes
from axe import grave
from chrome import DESKTOP, SMALL
from playwright.sync_api import Locator, Page, expect
from stage import Stage

from pipeline.channel import Channel
from pipeline.reducer import BUSY
from pipeline.view import RegionView, View

PIPELINE = Path(__file__).parents[2] / "pipeline"
CROWDS: dict[str, Callable[[], View]] = {
    "advice": lambda: scenes.scene(advice=scenes.advice(), overlap=scenes.overlap()),
    "calm": scenes.calm,
    "fresh": scenes.fresh,
    "eu_workplace": scenes.eu_workplace,
    "crowded": scenes.crowded,
    "ended": scenes.ended,
    "snoozed": scenes.snoozed,
    "rushing": scenes.rushing,
}


def state(page: Page, name: str) -> None:
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", name)


def event(place: Locator, n: int) -> None:
    expect(place).to_have_attribute("data-event", str(n))


def open_overlay(stage: Stage, page: Page, agent: str = "dana") -> None:
    page.goto(f"{stage.url}/overlay?agent={agent}")


def test_goes_from_connecting_to_idle_to_live(stage: Stage, page: Page) -> None:
    open_overlay(stage, page, "dana%20%C3%A9")
    assert stage.agents.get(timeout=5) == "dana é"
    state(page, "connecting")
    stage.idle()
    state(page, "idle")
    expect(page.get_by_test_id("state")).to_have_text("Waiting for your next call")
    stage.show(scenes.scene())
    state(page, "live")
    expect(page.get_by_test_id("timer")).to_have_text(re.compile(r"4:(07|08|09|10)"))
    expect(page.get_by_test_id("no-advice")).to_be_visible()


def test_shows_what_each_part_is_and_which_event_it_came_from(stage: Stage, live: Page) -> None:
    advice = live.get_by_test_id("advice")
    event(advice, 80)
    expect(advice).to_contain_text("Let them finish")
    expect(advice).to_contain_text("Try this")
    event(live.get_by_test_id("bar-anger"), 71)
    expect(live.get_by_test_id("bar-anger")).to_have_attribute("aria-valuenow", "72")
    event(live.get_by_test_id("bar-tension"), 72)
    event(live.get_by_test_id("transcript"), 15)
    event(live.get_by_test_id("transcript").locator(".line").last, 15)
    expect(live.get_by_test_id("speaking-customer")).to_have_attribute("data-speaking", "true")
    expect(live.get_by_test_id("speaking-agent")).to_have_attribute("data-speaking", "false")


def test_the_newest_view_wins(stage: Stage, live: Page) -> None:
    stage.show(scenes.scene(advice=scenes.advice(95, "Slow down", severity="note")))
    event(live.get_by_test_id("advice"), 95)
    expect(live.get_by_test_id("advice")).to_contain_text("Note")
    stage.show(scenes.scene())
    expect(live.get_by_test_id("advice")).to_have_count(0)


@pytest.mark.parametrize(
    ("interrupter", "words"),
    [
        (Channel.AGENT, "You talk over the customer"),
        (Channel.CUSTOMER, "The customer talks over you"),
        (None, "You both talk"),
    ],
)
def test_says_who_talks_over_whom(stage: Stage, live: Page, interrupter: Channel | None, words: str) -> None:
    stage.show(scenes.scene(overlap=scenes.overlap(85, interrupter)))
    event(live.get_by_test_id("overlap"), 85)
    expect(live.get_by_test_id("overlap")).to_have_text(words)
    stage.show(scenes.scene())
    expect(live.get_by_test_id("overlap")).to_have_count(0)


@pytest.mark.parametrize(("key", "kind"), [("a", "ack"), ("X", "dismiss")])
def test_a_key_answers_the_advice_once(stage: Stage, live: Page, key: str, kind: str) -> None:
    live.keyboard.press(key)
    assert stage.answer() == {"type": kind, "alert": 80}
    expect(live.get_by_test_id("answered")).to_be_visible()
    live.keyboard.press("a")
    stage.show(scenes.scene(advice=scenes.advice(95)))
    event(live.get_by_test_id("advice"), 95)
    live.get_by_role("button", name="Wrong").click()
    assert stage.answer() == {"type": "dismiss", "alert": 95}


def test_a_key_without_advice_says_nothing(stage: Stage, live: Page) -> None:
    stage.show(scenes.scene())
    expect(live.get_by_test_id("no-advice")).to_be_visible()
    live.keyboard.press("a")
    live.keyboard.press("Control+x")
    stage.show(scenes.scene(advice=scenes.advice(95)))
    event(live.get_by_test_id("advice"), 95)
    live.keyboard.press("x")
    assert stage.answer() == {"type": "dismiss", "alert": 95}
    with pytest.raises(queue.Empty):
        stage.received.get_nowait()


def test_advice_is_read_aloud_politely_unless_critical(stage: Stage, live: Page) -> None:
    polite, assertive = live.get_by_test_id("announce-polite"), live.get_by_test_id("announce-assertive")
    expect(polite).to_have_attribute("aria-live", "polite")
    expect(assertive).to_have_attribute("aria-live", "assertive")
    expect(polite).to_contain_text("Let them finish")
    expect(assertive).to_be_empty()
    stage.show(scenes.scene(advice=scenes.advice(95, "Offer a supervisor", severity="critical")))
    expect(assertive).to_contain_text("Offer a supervisor")
    expect(polite).to_be_empty()


def test_a_lost_connection_keeps_what_is_shown_and_comes_back(stage: Stage, live: Page) -> None:
    live.keyboard.press("a")
    assert stage.answer() == {"type": "ack", "alert": 80}
    stage.refuse()
    stage.drop()
    expect(live.get_by_test_id("reconnecting")).to_be_visible()
    state(live, "live")
    event(live.get_by_test_id("advice"), 80)
    expect(live.get_by_test_id("speaking-customer")).to_have_attribute("data-speaking", "false")
    stage.allow()
    expect(live.get_by_test_id("reconnecting")).to_have_count(0)
    expect(live.get_by_test_id("speaking-customer")).to_have_attribute("data-speaking", "true")
    expect(live.get_by_test_id("answered")).to_have_count(0)


def test_a_server_that_never_answers_is_offline(stage: Stage, page: Page) -> None:
    stage.refuse()
    open_overlay(stage, page)
    state(page, "offline")
    stage.idle()
    stage.allow()
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "idle", timeout=10_000)


@pytest.mark.parametrize("code", [4401, 4403, 1008])
def test_forbidden_asks_for_the_link_and_does_not_try_on(stage: Stage, page: Page, code: int) -> None:
    stage.forbid(code)
    open_overlay(stage, page)
    state(page, "forbidden")
    expect(page.get_by_test_id("state")).to_have_text("Log in by your link")
    assert stage.agents.qsize() == 1


def test_another_agents_overlay_says_whose_it_is_and_leads_to_ones_own(stage: Stage, page: Page) -> None:
    stage.answers["me"] = {"role": "agent", "name": "bob", "policy": "standard"}
    stage.refuse()
    open_overlay(stage, page)
    state(page, "others")
    expect(page.locator("main")).to_contain_text("You are logged in as bob.")
    assert grave(page) == []
    stage.allow()
    stage.idle()
    page.get_by_role("link", name="Your own overlay").click()
    state(page, "idle")
    assert stage.agents.queue[-1] == "bob"


def test_without_an_agent_it_asks_for_one(stage: Stage, page: Page) -> None:
    stage.idle()
    page.goto(f"{stage.url}/overlay")
    state(page, "ask")
    page.get_by_label("Agent id").fill("dana")
    page.keyboard.press("Enter")
    state(page, "idle")
    assert stage.agents.get(timeout=5) == "dana"


def test_a_score_the_call_cannot_have_has_no_bar(stage: Stage, live: Page) -> None:
    stage.show(scenes.eu_workplace())
    expect(live.get_by_test_id("bar-tension")).to_have_count(0)
    expect(live.get_by_test_id("bar-anger")).to_be_visible()
    expect(live.get_by_test_id("speaking-agent")).to_have_count(1)


def test_a_score_without_evidence_is_not_a_number(stage: Stage, live: Page) -> None:
    stage.show(scenes.calm())
    expect(live.get_by_test_id("bar-anger")).to_have_class(re.compile("unsure"))
    expect(live.get_by_test_id("bar-tension")).to_have_attribute("data-level", "none")
    expect(live.get_by_test_id("bar-tension")).to_have_attribute("aria-valuetext", "No score yet")


def test_scores_that_a_busy_server_leaves_out_are_not_shown_and_the_page_says_why(stage: Stage, live: Page) -> None:
    view = scenes.calm()
    view.unavailable = {"anger": BUSY, "tension": BUSY}
    view.regions = [RegionView(kind="busy", channel=None, begin_ms=240_000, end_ms=241_000, open=True)]
    stage.show(view)
    expect(live.get_by_test_id("troubles")).to_contain_text("Server busy: voice not measured")
    expect(live.get_by_test_id("bar-anger")).to_have_count(0)
    view.unavailable, view.regions[0].open = {}, False
    stage.show(view)
    expect(live.get_by_test_id("troubles")).to_have_count(0)
    expect(live.get_by_test_id("bar-anger")).to_be_visible()


def test_faults_and_gaps_are_told(stage: Stage, live: Page) -> None:
    expect(live.get_by_test_id("troubles")).to_have_count(0)
    stage.show(scenes.crowded())
    expect(live.get_by_test_id("troubles")).to_contain_text("2 faults, 12 sound gaps")


def test_an_ended_call_is_summed_up_until_the_next(stage: Stage, live: Page) -> None:
    stage.show(scenes.ended())
    state(live, "ended")
    expect(live.get_by_test_id("timer")).to_have_text("12:41")
    expect(live.get_by_test_id("alerts")).to_have_text("3")
    stage.idle()
    stage.drop()
    expect(live.get_by_test_id("reconnecting")).to_have_count(1)
    expect(live.get_by_test_id("reconnecting")).to_have_count(0)
    state(live, "ended")
    following = scenes.scene()
    following.call_id = "call-2"
    stage.show(following)
    state(live, "live")


@pytest.mark.parametrize("viewport", [SMALL, DESKTOP], ids=["small", "desktop"])
@pytest.mark.parametrize("scene", CROWDS)
def test_nothing_is_cut_off(stage: Stage, live: Page, scene: str, viewport: dict[str, int]) -> None:
    live.set_viewport_size(viewport)
    view = CROWDS[scene]()
    view.n = 1000
    stage.show(view)
    event(live.get_by_test_id("state"), 1000)
    assert live.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert live.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert live.evaluate(OUTSIDE) == []
    assert live.evaluate(CUT) == []


def test_all_advice_of_the_playbook_fits(stage: Stage, live: Page) -> None:
    with (PIPELINE / "playbook.toml").open("rb") as file:
        book = tomllib.load(file)["advice"]
    wordings = [(said, each["severity"]) for each in book for said in (*each["say"], *each.get("write", ()))]
    assert len(wordings) > len(book)
    for n, (said, severity) in enumerate(wordings, 500):
        stage.show(scenes.scene(advice=scenes.advice(n, said["text"], said["why"], severity)))
        event(live.get_by_test_id("advice"), n)
        assert live.evaluate(CUT) == [], said["text"]


OUTSIDE = """[...document.querySelectorAll('[data-testid]')].filter(part => {
  const box = part.getBoundingClientRect()
  return box.left < -1 || box.top < -1 || box.right > innerWidth || box.bottom > innerHeight
}).map(part => part.dataset.testid)"""
"""What a test can name and the window does not wholly show."""

CUT = """[...document.querySelectorAll(
  '.advice, .words, .detail, .kind, header, header > :not(.brief), .name, .parties, dl'
)]
.filter(part => !part.matches('.unseen'))
.filter(part => part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1)
.map(part => part.className)"""
"""Boxes whose content is larger than they are."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(stage: Stage, live: Page, scheme: str) -> None:
    live.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for n, severity in enumerate(("note", "coach", "critical"), 200):
        view = scenes.scene(advice=scenes.advice(n, severity=severity, raised_ms=0), overlap=scenes.overlap())
        stage.show(view)
        event(live.get_by_test_id("advice"), n)
        ratios = live.evaluate(CONTRAST)
        assert len(ratios) > 10
        assert {text: ratio for text, ratio in ratios if ratio < 4.5} == {}


CONTRAST = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const ground = part => {
    for (let each = part; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor)
      if (colour.length === 3 || colour[3] > 0) return colour
    }
  }
  return [...document.querySelectorAll('main *')]
    .filter(part => [...part.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .map(part => {
      const [a, b] = [light(rgb(getComputedStyle(part).color)), light(ground(part))]
      return [part.textContent.trim(), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]
    })
})()"""
"""Each text's contrast ratio with its ground (WCAG 2.2, 1.4.3)."""


def test_reduced_motion_stops_what_moves(stage: Stage, live: Page) -> None:
    live.emulate_media(reduced_motion="reduce")
    stage.show(scenes.scene(advice=scenes.advice(95)))
    event(live.get_by_test_id("advice"), 95)
    moving = live.evaluate("document.getAnimations().map(each => each.animationName).filter(name => name !== 'age')")
    assert moving == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scene", CROWDS, ids=str)
def test_axe_finds_nothing_grave(stage: Stage, page: Page, scene: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    open_overlay(stage, page)
    stage.agents.get(timeout=5)
    stage.show(CROWDS[scene]())
    state(page, "ended" if scene == "ended" else "live")
    assert grave(page) == []
