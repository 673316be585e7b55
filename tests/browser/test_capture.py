"""An agent shares microphone and softphone tab: a real server, a real call, and Chromium's own fake devices.

With those every microphone and every tab beeps once a second; a real tab cannot be shared where there is no screen.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from axe import grave
from chrome import CHROMIUM, DEVICES, SMALL, launch
from conftest import need
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stage import STATIC, Stage

from api.app import create_app
from api.config import Config, Server
from pipeline.settings import Storage
from tests.api.conftest import Served, serving
from tests.fakes import fake_engines

WIDE = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One with fake devices."""
    need(CHROMIUM.exists(), f"no Chromium at {CHROMIUM}")
    need((STATIC / "capture.html").exists(), "api/static is not built: npm run build in api/web")
    with sync_playwright() as playwright:
        chromium = launch(playwright, *DEVICES)
        yield chromium
        chromium.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    tokens: dict[str, Any] = {"supervisor_tokens": {"mara": "m-token"}, "agent_tokens": {"dana": "d-token"}}
    config = Config(storage=Storage(folder=str(tmp_path)), policy="standard", server=Server(**tokens))
    with serving(create_app(config, fake_engines())) as served:
        served.http.headers["Authorization"] = "Bearer m-token"
        yield served


def log_in(page: Page, served: Served, who: str = "d-token") -> None:
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto(f"http://127.0.0.1:{served.port}/login?token={who}&next=/capture")
    expect(page.get_by_test_id("agent")).to_have_value("dana")


def share(page: Page) -> None:
    expect(page.get_by_test_id("start")).to_be_disabled()
    for party in ("agent", "customer"):
        page.get_by_test_id(f"share-{party}").click()
        expect(page.get_by_test_id(f"source-{party}")).to_have_attribute("data-state", "heard", timeout=15_000)
    expect(page.get_by_test_id("start")).to_be_enabled()


def stop(page: Page, served: Served) -> str:
    """The id of the call, once it is over."""
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("heard")).to_be_visible(timeout=15_000)
    link = page.get_by_test_id("review").get_attribute("href") or ""
    return link.rpartition("/")[2]


def events(served: Served, call_id: str) -> list[Any]:
    found = served.http.get(f"/calls/{call_id}/events?limit=5000").json()["events"]
    return [each["event"] for each in found]


def sound(served: Served, call_id: str) -> Any:
    """float (n, 2)."""
    return soundfile.read(served.desk.archive.folder(call_id).audio, dtype="float32")[0]


def until_s(page: Page, seconds: int) -> None:
    """Until so much of the call was sent."""
    script = "at => { const [m, s] = document.querySelector('[data-testid=timer]').textContent.split(':'); "
    page.wait_for_function(script + "return Number(m) * 60 + Number(s) >= at }", arg=seconds, timeout=30_000)


def test_a_call_shared_by_an_agent_arrives_with_sound_on_both_sides(served: Served, page: Page) -> None:
    log_in(page, served)
    share(page)
    page.get_by_test_id("notice").fill("announcement")
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("status")).to_have_text("Listening")
    until_s(page, 2)
    assert int(page.get_by_test_id("meter-customer").get_attribute("aria-valuenow") or 0) > 50
    call_id = stop(page, served)
    call = served.http.get(f"/calls/{call_id}").json()
    assert (call["agent_id"], call["notice_given"], call["source"]) == ("dana", "announcement", "door pcm")
    heard = sound(served, call_id)
    assert heard.shape[0] >= 2 * 16_000
    assert np.all(np.sqrt((heard**2).mean(axis=0)) > 0.01)


def test_card_data_does_not_leave_the_browser(served: Served, page: Page) -> None:
    log_in(page, served)
    share(page)
    page.evaluate(SENT)
    page.get_by_test_id("start").click()
    until_s(page, 1)
    page.get_by_test_id("pause").click()
    expect(page.get_by_test_id("status")).to_contain_text("Paused")
    until_s(page, 3)
    page.get_by_test_id("pause").click()
    until_s(page, 4)
    call_id = stop(page, served)
    between = page.evaluate("sent.slice(sent.indexOf('pause') + 1, sent.indexOf('resume'))")
    assert len(between) >= 10
    assert set(between) == {0}
    assert "pause" in {each["kind"] for each in events(served, call_id) if each["type"] == "region"}


SENT = """() => {
  window.sent = []
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function (data) {
    sent.push(typeof data === 'string' ? JSON.parse(data).kind ?? '' : Math.max(...data))
    send.call(this, data)
  }
}"""
"""Notes the loudest sample of every block, and the kind of every mark."""


def test_a_silent_channel_is_red_until_it_sounds_again(served: Served, page: Page) -> None:
    page.add_init_script(SHARED)
    log_in(page, served)
    share(page)
    page.get_by_test_id("start").click()
    page.evaluate("shared.enabled = false")
    source = page.get_by_test_id("source-customer")
    expect(source).to_have_attribute("data-state", "silent", timeout=20_000)
    expect(source).to_contain_text("Silent for 8 s")
    assert grave(page) == []
    page.evaluate("shared.enabled = true")
    expect(source).to_have_attribute("data-state", "heard")
    page.evaluate("shared.dispatchEvent(new Event('ended'))")
    expect(source).to_have_attribute("data-state", "gone")
    source.get_by_role("button", name="Share the tab again").click()
    expect(source).to_have_attribute("data-state", "heard")
    stop(page, served)


SHARED = """const ask = navigator.mediaDevices.getDisplayMedia.bind(navigator.mediaDevices)
navigator.mediaDevices.getDisplayMedia = async (...wishes) => {
  const stream = await ask(...wishes)
  window.shared = stream.getAudioTracks()[0]
  return stream
}"""
"""Keeps the sound of the tab at hand."""


def test_a_broken_connection_loses_nothing(served: Served, page: Page) -> None:
    page.add_init_script(SOCKETS)
    log_in(page, served)
    share(page)
    page.get_by_test_id("start").click()
    until_s(page, 1)
    page.evaluate("sockets.at(-1).close(4000)")
    expect(page.get_by_test_id("capture")).to_have_attribute("data-state", "resuming")
    expect(page.get_by_test_id("capture")).to_have_attribute("data-state", "live", timeout=10_000)
    until_s(page, 4)
    call_id = stop(page, served)
    assert not [each for each in events(served, call_id) if each["type"] == "gap"]
    assert len(sound(served, call_id)) >= 4 * 16_000


SOCKETS = """window.sockets = []
const Socket = window.WebSocket
window.WebSocket = class extends Socket { constructor(...address) { super(...address); sockets.push(this) } }"""


def test_a_refusal_is_told(stage: Stage, page: Page) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    page.goto(f"{stage.url}/capture")
    page.get_by_test_id("share-agent").click()
    expect(page.get_by_test_id("problem")).to_contain_text("Allow it in the address bar")


def test_a_tab_without_sound_is_told(stage: Stage, page: Page) -> None:
    page.add_init_script("navigator.mediaDevices.getDisplayMedia = async () => new MediaStream()")
    page.goto(f"{stage.url}/capture")
    page.get_by_test_id("share-customer").click()
    expect(page.get_by_test_id("problem")).to_contain_text("Also share tab audio")


def test_a_browser_that_cannot_says_so(stage: Stage, page: Page) -> None:
    page.add_init_script("delete MediaDevices.prototype.getDisplayMedia")
    page.goto(f"{stage.url}/capture")
    expect(page.get_by_test_id("problem")).to_contain_text("This browser cannot share")
    expect(page.get_by_test_id("share-agent")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave(stage: Stage, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    for size in (WIDE, SMALL):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto(f"{stage.url}/capture")
        page.get_by_test_id("start").wait_for()
        assert grave(page) == []
