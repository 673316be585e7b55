"""The overlay beside its advice: quiet, sound, a window of its own, and the plain word when nobody listens."""

import re

import pytest
import scenes
from chrome import DESKTOP, SMALL
from playwright.sync_api import Browser, Page, expect
from stage import Stage

from pipeline.channel import Channel
from pipeline.view import PaceView, RegionView, View

AGENT = Channel.AGENT


def quiet(until_ms: int | None) -> View:
    view = scenes.scene()
    view.snoozed_until_ms = until_ms
    return view


def test_z_asks_for_quiet_and_z_again_ends_it(stage: Stage, live: Page) -> None:
    live.keyboard.press("z")
    assert stage.answer() == {"type": "snooze"}
    stage.show(quiet(547_000))
    expect(live.get_by_test_id("snoozed")).to_contain_text("Quiet until 9:07")
    live.keyboard.press("Z")
    assert stage.answer() == {"type": "wake"}
    stage.show(quiet(None))
    expect(live.get_by_test_id("snoozed")).to_have_count(0)
    live.get_by_role("button", name="Quiet for five minutes").click()
    assert stage.answer() == {"type": "snooze"}


def test_critical_advice_is_shown_in_the_quiet(stage: Stage, live: Page) -> None:
    view = quiet(547_000)
    view.advice = scenes.advice(95, "Offer a supervisor", severity="critical")
    stage.show(view)
    expect(live.get_by_test_id("advice")).to_contain_text("Offer a supervisor")


def test_a_quiet_that_is_over_is_not_told(stage: Stage, live: Page) -> None:
    stage.show(quiet(200_000))
    expect(live.get_by_test_id("no-advice")).to_be_visible()


def test_when_no_sound_comes_in_it_says_so_and_takes_it_back(stage: Stage, live: Page) -> None:
    stage.show(scenes.scene())
    expect(live.get_by_test_id("deaf")).to_have_attribute("data-why", "silent", timeout=10_000)
    expect(live.get_by_test_id("not-listening")).to_contain_text("no sound of it comes in")
    view = scenes.scene()
    view.now_ms += 5_000
    stage.show(view)
    expect(live.get_by_test_id("deaf")).to_have_count(0)


def test_a_lost_connection_is_not_listening_and_a_short_one_is_no_flash(stage: Stage, live: Page) -> None:
    live.evaluate(SEEN)
    stage.drop()
    expect(live.get_by_test_id("reconnecting")).to_have_count(1)
    expect(live.get_by_test_id("reconnecting")).to_have_count(0)
    assert live.evaluate("window.seen") == ["live"]
    stage.refuse()
    stage.drop()
    expect(live.get_by_test_id("deaf")).to_have_attribute("data-why", "lost", timeout=10_000)


SEEN = """() => {
  const part = name => document.querySelector(`[data-testid=${name}]`)
  const look = () => part('advice') && part('state')?.dataset.state
  window.seen = [look()]
  new MutationObserver(() => look() !== window.seen.at(-1) && window.seen.push(look()))
    .observe(document.getElementById('page'), { subtree: true, childList: true, attributes: true })
}"""
"""Notes every state in which the page is seen; a moment without advice would be one, too."""


def test_card_data_is_not_listened_to(stage: Stage, live: Page) -> None:
    view = scenes.scene()
    view.regions = [RegionView(kind="pause", channel=None, begin_ms=240_000, end_ms=240_000, open=True)]
    stage.show(view)
    expect(live.get_by_test_id("deaf")).to_have_text("Not listening: paused")


def test_the_signs_light_up_for_rushing_and_talking_over(stage: Stage, live: Page) -> None:
    pace, over = live.get_by_test_id("dot-pace"), live.get_by_test_id("dot-over")
    expect(pace).to_have_attribute("data-on", "false")
    view = scenes.scene(overlap=scenes.overlap())
    view.pace = {AGENT: [PaceView(ms=240_000, wpm=210.0, articulation_rate=6.0, relative=1.4)]}
    stage.show(view)
    expect(pace).to_have_attribute("data-on", "true")
    expect(over).to_have_attribute("data-on", "true")
    view.pace[AGENT][0].ms = 200_000  # too long ago
    stage.show(view)
    expect(pace).to_have_attribute("data-on", "false")


def test_sound_is_off_until_it_is_switched_on_and_rings_once_for_each_advice(stage: Stage, page: Page) -> None:
    page.add_init_script(RINGS)
    stage.show(scenes.scene(advice=scenes.advice()))
    page.goto(f"{stage.url}/overlay?agent=dana")
    page.get_by_test_id("advice").wait_for()
    assert page.evaluate("window.notes") == 0
    page.keyboard.press("s")
    assert page.evaluate("window.notes") == 2
    for n in (95, 95):
        stage.show(scenes.scene(advice=scenes.advice(n)))
    expect(page.get_by_test_id("advice")).to_have_attribute("data-event", "95")
    assert page.evaluate("window.notes") == 4
    page.reload()
    page.get_by_test_id("advice").wait_for()
    assert page.evaluate("localStorage.getItem('calmline.chime')") == "on"


RINGS = """window.notes = 0
const start = OscillatorNode.prototype.start
OscillatorNode.prototype.start = function (...when) { window.notes += 1; start.apply(this, when) }"""


def test_it_goes_into_a_window_that_stays_on_top_and_comes_back(stage: Stage, live: Page) -> None:
    with live.context.expect_page() as opened:
        live.keyboard.press("p")
    floating = opened.value
    expect(live.get_by_test_id("away")).to_be_visible()
    assert live.evaluate("[documentPictureInPicture.window.innerWidth, documentPictureInPicture.window.innerHeight]")
    expect(floating.get_by_test_id("advice")).to_contain_text("Let them finish")
    expect(floating.locator(".stage .advice")).to_have_css("display", "flex")  # it brought its styles
    floating.keyboard.press("a")
    assert stage.answer() == {"type": "ack", "alert": 80}
    stage.show(scenes.scene(advice=scenes.advice(95)))
    expect(floating.get_by_test_id("advice")).to_have_attribute("data-event", "95")
    live.get_by_role("button", name="Bring it back").click()
    expect(live.get_by_test_id("away")).to_have_count(0)
    expect(live.get_by_test_id("advice")).to_have_attribute("data-event", "95")


def test_where_there_is_no_such_window_a_pop_up_opens(stage: Stage, browser: Browser) -> None:
    context = browser.new_context(viewport=SMALL)
    page = context.new_page()
    page.add_init_script("delete window.documentPictureInPicture")
    stage.idle()
    page.goto(f"{stage.url}/overlay?agent=dana")
    with page.expect_popup() as opened:
        page.get_by_test_id("float").click()
    popup = opened.value
    expect(popup.get_by_test_id("state")).to_have_attribute("data-state", "idle")
    expect(popup).to_have_url(re.compile(r"/overlay\?agent=dana$"))
    expect(popup.get_by_test_id("float")).to_have_count(0)
    context.close()


def test_it_offers_the_agents_that_have_calls(stage: Stage, page: Page) -> None:
    calls = [("dana", "ended"), ("amy", "live"), ("", "live"), ("dana", "ended")]
    stage.answers["calls"] = {"calls": [{"agent_id": who, "state": state} for who, state in calls], "total": 4}
    stage.idle()
    page.goto(f"{stage.url}/overlay")
    offered = page.get_by_test_id("agent")
    expect(offered).to_have_count(2)
    expect(offered.first).to_contain_text("amy")
    offered.first.click()
    assert stage.agents.get(timeout=5) == "amy"


@pytest.mark.parametrize("size", [SMALL, DESKTOP], ids=["small", "large"])
def test_advice_is_painted_with_the_second_frame_after_its_message(
    stage: Stage, page: Page, size: dict[str, int]
) -> None:
    """In the page's own clock: no wall clock of the test's machine is asked."""
    page.set_viewport_size(size)
    page.add_init_script(PAINTED)
    stage.show(scenes.scene())
    page.goto(f"{stage.url}/overlay?agent=dana")
    page.get_by_test_id("no-advice").wait_for()
    stage.show(scenes.scene(advice=scenes.advice(95)))
    page.wait_for_function("window.frames_after !== undefined")
    assert page.evaluate("window.frames_after") <= 2


PAINTED = """const Socket = window.WebSocket
window.WebSocket = class extends Socket {
  constructor(...address) {
    super(...address)
    this.addEventListener('message', message => {
      const frame = JSON.parse(message.data)
      if (!frame.view?.advice) return
      let frames = 0
      const look = () => {
        frames += 1
        if (document.querySelector('[data-testid=advice]')) window.frames_after = frames
        else requestAnimationFrame(look)
      }
      requestAnimationFrame(look)
    })
  }
}"""
