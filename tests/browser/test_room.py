"""The supervisor's room on the real server with a real sample call: found, opened, heard, labelled, exported."""

import csv
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import axe
import pytest
from playwright.sync_api import Browser, Page, Route, expect

import sample_audio
from models.training import corpus

DESKTOP = {"width": 1440, "height": 900}
CALLS = ("billing_dispute", "impatient_agent")


@dataclass
class Room:
    url: str
    folder: Path


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A server with two sample calls, analysed as a user would: by the command."""
    folder = tmp_path_factory.mktemp("room") / "calls"
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "CALMLINE_POLICY": "standard",
        "CALMLINE_STORAGE__FOLDER": str(folder),
    }
    calmline = [sys.executable, "-m", "api.cli"]
    for name in CALLS:
        command = [*calmline, "analyze", str(sample_audio.path(name)), "--call-id", name]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = [*calmline, "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    assert server.stderr is not None
    found = next(found for line in server.stderr if (found := re.search(r"listening on (http://\S+)", line)))
    reader = Thread(target=server.stderr.read)  # a pipe that nobody reads is full at some time, and the server waits
    reader.start()
    yield Room(found[1], folder)
    server.terminate()
    server.wait(timeout=60)
    reader.join()
    server.stderr.close()


@pytest.fixture
def wide(browser: Browser, room: Room) -> Iterator[Page]:
    """A page of 1440 by 900 that must not say anything in its console."""
    context = browser.new_context(viewport=DESKTOP, base_url=room.url, accept_downloads=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not said


def opened(page: Page, call: str = "billing_dispute", query: str = "") -> None:
    page.goto(f"/room/{call}{query}")
    expect(page.get_by_test_id("moment").first).to_be_visible()


def place(page: Page) -> int:
    return int(page.get_by_test_id("at").get_attribute("data-ms") or -1)


BEGAN = """window.began = []
const play = HTMLMediaElement.prototype.play
HTMLMediaElement.prototype.play = function () {
  this.addEventListener('playing', () => window.began.push(1000 * this.currentTime), {once: true})
  return play.call(this)
}"""
"""Where the page's player was, in milliseconds, each time sound began."""


def test_a_call_is_found_opened_and_heard_at_a_word(wide: Page) -> None:
    wide.add_init_script(BEGAN)
    wide.goto("/room")
    expect(wide.get_by_test_id("call")).to_have_count(2)
    wide.keyboard.press("/")
    wide.keyboard.type("third time")
    expect(wide.get_by_test_id("call")).to_have_count(1)
    expect(wide.locator("mark").first).to_have_text("third")
    wide.keyboard.press("ArrowDown")
    wide.keyboard.press("Enter")
    expect(wide).to_have_url(re.compile(r"/room/billing_dispute\?q=third"))
    word = wide.get_by_test_id("word").filter(has_text=re.compile("^bank")).first
    word.click()
    expect(wide.get_by_test_id("play")).to_have_attribute("data-playing", "true")
    wanted = int(word.get_attribute("data-ms") or 0)
    wide.wait_for_function("window.began.length")
    assert wide.evaluate("window.began[0]") == pytest.approx(wanted, abs=100)
    wide.keyboard.press(" ")
    expect(wide.get_by_test_id("play")).to_have_attribute("data-playing", "false")
    assert wanted <= place(wide)


@pytest.mark.parametrize("second", [28.0, 52.0, 105.0])
def test_the_sound_at_a_place_is_that_of_the_file(browser: Browser, room: Room, second: float) -> None:
    """What the browser plays after a seek is the audio of that moment: found again in the file by its shape."""
    page = browser.new_page(base_url=room.url)
    page.goto("/room")
    assert abs(page.evaluate(SOUND_AT, second)) <= 0.1
    page.close()


SOUND_AT = """async (at) => {
  const bytes = await (await fetch('/calls/billing_dispute/audio')).arrayBuffer()
  const whole = (await new OfflineAudioContext(2, 16000, 16000).decodeAudioData(bytes)).getChannelData(0)
  const media = new Audio('/calls/billing_dispute/audio')
  media.currentTime = at
  await new Promise(done => (media.onseeked = done))
  const context = new AudioContext({sampleRate: 16000})
  const source = context.createMediaElementSource(media)
  const heard = []
  const recorder = context.createScriptProcessor(4096, 2, 1)
  recorder.onaudioprocess = event => heard.push(new Float32Array(event.inputBuffer.getChannelData(0)))
  source.connect(recorder); recorder.connect(context.destination)
  await context.resume(); await media.play()
  while (heard.length < 14) await new Promise(done => setTimeout(done, 20))
  media.pause()
  const taken = heard.flatMap(block => [...block])
  const first = taken.findIndex(value => value !== 0)
  const piece = taken.slice(first, first + 8000)
  const score = shift => piece.reduce((sum, value, i) => sum + value * whole[shift + i], 0)
  let best = 0, most = -Infinity
  for (let shift = Math.round((at - 1) * 16000); shift < (at + 1) * 16000; shift += 4) {
    const now = score(shift)
    if (now > most) [most, best] = [now, shift]
  }
  return best / 16000 - at
}"""


def test_a_label_becomes_training_data(wide: Page, tmp_path: Path) -> None:
    opened(wide)
    wide.get_by_test_id("moment").nth(1).click()
    wide.keyboard.press("l")
    expect(wide.get_by_test_id("label")).to_be_visible()
    wide.keyboard.press("3")
    expect(wide.get_by_test_id("note")).to_have_attribute("data-type", "stretch")
    expect(wide.get_by_test_id("label")).not_to_be_visible()
    wide.goto("/room")
    wide.get_by_test_id("export").click()
    with wide.expect_download() as download:
        wide.get_by_test_id("export-labels").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        archive.extractall(tmp_path)
    with (tmp_path / "index.csv").open() as table:
        (row,) = csv.DictReader(table)
    assert (row["emotion"], row["call_id"]) == ("anger", "billing_dispute")
    assert [clip.emotion for clip in corpus.read([tmp_path / "index.csv"])] == ["anger"]


def test_comments_reviews_and_verdicts_are_kept_and_taken_back(wide: Page) -> None:
    opened(wide, "impatient_agent")
    wide.keyboard.press("n")
    wide.keyboard.press("m")
    wide.get_by_test_id("comment").fill("Listen how this begins")
    wide.keyboard.press("Enter")
    expect(wide.get_by_test_id("note")).to_contain_text("Listen how this begins")
    wide.keyboard.press("r")
    expect(wide.get_by_test_id("reviewed")).to_have_attribute("aria-pressed", "true")
    wide.keyboard.press("1")
    wide.get_by_test_id("wrong").first.click()
    expect(wide.get_by_test_id("wrong").first).to_have_attribute("aria-pressed", "true")
    wide.reload()
    expect(wide.get_by_test_id("wrong").first).to_have_attribute("aria-pressed", "true")
    expect(wide.get_by_test_id("reviewed")).to_have_attribute("aria-pressed", "true")
    wide.keyboard.press("4")
    wide.get_by_test_id("note").filter(has_text="Listen how").get_by_test_id("take-back").click()
    expect(wide.get_by_test_id("note").filter(has_text="Listen how")).to_have_count(0)


def test_evidence_adds_up_to_the_score(wide: Page) -> None:
    opened(wide)
    wide.get_by_test_id("moment").nth(1).click()
    wide.keyboard.press(" ")
    wide.keyboard.press("3")
    shown = float(wide.get_by_test_id("now-anger").locator("b").inner_text())
    parts = wide.get_by_test_id("parts-anger").locator("td").all_inner_texts()
    assert sum(float(part.strip().replace("\u2212", "-")) for part in parts) == pytest.approx(shown, abs=0.06)


def test_what_is_said_twice_in_a_long_call_is_shown_twice(wide: Page) -> None:
    """An hour has equal sentences: the side stayed at "Loading" for them."""

    def twice(route: Route) -> None:
        report = route.fetch().json()
        again = {"text": "After “I am sorry” anger fell", "ms": 1000, "evidence": [1]}
        route.fulfill(json=report | {"helped": [again, again], "moments": report["moments"][:1] * 2})

    wide.route("**/calls/billing_dispute/report", twice)
    opened(wide)
    expect(wide.get_by_test_id("moment")).to_have_count(2)
    expect(wide.get_by_text("After “I am sorry” anger fell")).to_have_count(2)


THERE = "[data-testid=call], [data-testid=moment], [data-testid=message]:not([data-kind=loading])"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/room", "/room?q=nothingsaidthis", "/room/billing_dispute", "/trends"])
def test_nothing_serious_stands_in_the_way_of_other_readers(wide: Page, path: str, scheme: str) -> None:
    wide.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    wide.goto(path)
    wide.locator(
        "[data-testid=call], [data-testid=moment], [data-testid=message]:not([data-kind=loading])"
    ).first.wait_for()
    assert axe.grave(wide) == []


def test_the_theme_that_is_chosen_stays(wide: Page) -> None:
    wide.goto("/room")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = wide.evaluate(ground)
    wide.get_by_test_id("theme").click()
    wide.get_by_test_id("theme").click()
    assert wide.evaluate(ground) != light
    wide.reload()
    expect(wide.get_by_test_id("theme")).to_have_attribute("data-theme-choice", "dark")
    assert wide.evaluate(ground) != light


def test_a_search_is_kept(wide: Page) -> None:
    wide.goto("/room")
    wide.get_by_test_id("filter-min_anger").select_option("0.6")
    expect(wide.get_by_test_id("call")).to_have_count(1)
    wide.get_by_test_id("save-search").click()
    wide.keyboard.type("Angry ones")
    wide.keyboard.press("Enter")
    wide.goto("/room")
    expect(wide.get_by_test_id("call")).to_have_count(2)
    wide.get_by_test_id("saved").click()
    expect(wide.get_by_test_id("call")).to_have_count(1)


@pytest.mark.parametrize("typed", ['"', "*", '" "'])
def test_signs_alone_are_no_search(wide: Page, typed: str) -> None:
    wide.goto("/room")
    wide.get_by_test_id("search").fill(typed)
    expect(wide.get_by_test_id("wordless")).to_be_visible()
    wide.reload()
    expect(wide.get_by_test_id("call")).to_have_count(2)
    wide.get_by_test_id("search").fill('"third time')
    expect(wide.get_by_test_id("call")).to_have_count(1)
    expect(wide.get_by_test_id("wordless")).to_have_count(0)


@pytest.mark.parametrize("path", ["/room", "/room/billing_dispute", "/room/nonesuch", "/trends", "/wall"])
def test_nothing_is_wider_than_a_phone(browser: Browser, room: Room, path: str) -> None:
    page = browser.new_page(base_url=room.url, viewport={"width": 390, "height": 844})
    page.goto(path)
    page.locator(f"{THERE}, [data-testid=refused]").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_a_call_that_is_not_there_is_explained(browser: Browser, room: Room) -> None:
    page = browser.new_page(base_url=room.url)
    page.goto("/room/nonesuch")
    expect(page.get_by_test_id("refused")).to_contain_text("No stored call nonesuch")
    assert axe.grave(page) == []
    page.get_by_role("link", name="Calls", exact=True).click()
    expect(page).to_have_url(re.compile(r"/room$"))
    page.close()


@pytest.fixture
def without_scores(room: Room, tmp_path: Path) -> Iterator[str]:
    """A call in the room that has no curve at all: a written conversation."""
    chat = tmp_path / "parcel.jsonl"
    chat.write_text(
        '{"role": "customer", "time": 5, "text": "My parcel has not come."}\n'
        '{"role": "agent", "time": 20, "text": "I am sorry, let me look at it for you."}\n'
    )
    environment = {**os.environ, "CALMLINE_STORAGE__FOLDER": str(room.folder)}
    command = [sys.executable, "-m", "api.cli", "analyze", str(chat), "--call-id", "parcel"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield "parcel"
    delete = [sys.executable, "-m", "api.cli", "delete", "parcel", "--yes"]
    subprocess.run(delete, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_call_without_any_score_is_shown_without_an_error(wide: Page, without_scores: str) -> None:
    wide.goto(f"/room/{without_scores}")
    expect(wide.get_by_test_id("no-anger")).to_be_visible()
    expect(wide.get_by_test_id("word").first).to_be_visible()
    wide.wait_for_timeout(500)
