"""Words that are still being spoken, and words that come late, on the overlay."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import scenes
from chrome import DESKTOP, SMALL
from playwright.sync_api import Locator, Page, expect
from stage import Stage
from websockets.sync.client import ClientConnection

from api.app import create_app
from api.config import Config, Server
from models.protocols import Samples, Transcript
from pipeline.channel import Channel
from pipeline.settings import Storage, Words
from pipeline.view import LineView, View
from tests.api.conftest import Served, calling, serving
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER


def draft(page: Page, channel: Channel = AGENT) -> Locator:
    return page.locator(f"[data-testid=draft][data-channel={channel}]")


def text(line: Locator) -> Locator:
    return line.locator(".text")


def with_line(n: int, channel: Channel, begin_s: float, words: str, view: View | None = None) -> View:
    view = view or scenes.scene(advice=scenes.advice())
    begin = round(begin_s * 1000)
    view.n = n
    view.transcript.append(
        LineView(n=n, channel=channel, begin_ms=begin, end_ms=begin + 2_000, text=words, late=False, words=[])
    )
    return view


def test_a_draft_is_the_last_line_and_tells_what_may_change(stage: Stage, live: Page) -> None:
    stage.draft(AGENT, 244, 246, "I am sorry", "that you")
    line = draft(live)
    expect(text(line)).to_have_text("I am sorry that you")
    expect(line.locator(".rest")).to_have_text("that you")
    expect(live.locator(".transcript > *").last).to_have_attribute("data-testid", "draft")
    colours = [each.evaluate("part => getComputedStyle(part).color") for each in (text(line), line.locator(".rest"))]
    assert colours[0] != colours[1]
    stage.draft(AGENT, 244, 247, "I am sorry that you had")
    expect(text(line)).to_have_text("I am sorry that you had")
    expect(live.get_by_test_id("draft")).to_have_count(1)


@pytest.mark.parametrize("viewport", [SMALL, DESKTOP], ids=["small", "desktop"])
def test_the_final_takes_its_place(stage: Stage, live: Page, viewport: dict[str, int]) -> None:
    live.set_viewport_size(viewport)
    stage.draft(AGENT, 244, 246, "I am sorry", "that you")
    before = text(draft(live)).bounding_box()
    stage.show(with_line(95, AGENT, 244, "I am sorry that you had to wait."))
    final = live.locator(".line[data-event='95']")
    expect(draft(live)).to_have_count(0)
    after = text(final).bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"], after["y"]) == (before["x"], before["y"])


def test_the_final_of_one_party_leaves_the_other_s_draft(stage: Stage, live: Page) -> None:
    stage.draft(AGENT, 244, 246, "I am sorry")
    stage.draft(CUSTOMER, 245, 246, "no listen")
    expect(live.get_by_test_id("draft")).to_have_count(2)
    stage.show(with_line(95, AGENT, 244, "I am sorry."))
    expect(draft(live)).to_have_count(0)
    expect(text(draft(live, CUSTOMER))).to_have_text("no listen")


def test_what_was_said_before_leaves_the_draft(stage: Stage, live: Page) -> None:
    """A late final of an utterance before this one is no final of it."""
    stage.draft(AGENT, 244, 246, "I am sorry")
    stage.show(with_line(95, AGENT, 242, "Just a moment."))
    expect(live.locator(".line[data-event='95']")).to_be_visible()
    expect(draft(live)).to_have_count(1)


def test_an_empty_draft_takes_it_away(stage: Stage, live: Page) -> None:
    stage.draft(CUSTOMER, 244, 246, "", "hm")
    expect(draft(live, CUSTOMER)).to_have_count(1)
    stage.draft(CUSTOMER, 244, 246.5, "")
    expect(draft(live, CUSTOMER)).to_have_count(0)


def test_a_draft_that_was_left_behind_fades_out(stage: Stage, live: Page) -> None:
    stage.draft(CUSTOMER, 240, 242, "hello")
    expect(draft(live, CUSTOMER)).to_have_count(1)
    later = scenes.scene()
    later.now_ms += 20_000
    stage.show(later)
    expect(draft(live, CUSTOMER)).to_have_count(0)


def test_nothing_of_it_is_left_when_the_call_ends(stage: Stage, live: Page) -> None:
    stage.draft(AGENT, 244, 246, "I am sorry")
    expect(draft(live)).to_have_count(1)
    stage.show(scenes.ended())
    expect(live.get_by_test_id("state")).to_have_attribute("data-state", "ended")
    following = scenes.scene()
    following.call_id = "call-2"
    stage.show(following)
    expect(live.get_by_test_id("state")).to_have_attribute("data-state", "live")
    expect(draft(live)).to_have_count(0)


def test_nothing_of_it_is_left_when_the_connection_is_lost(stage: Stage, live: Page) -> None:
    stage.draft(AGENT, 244, 246, "I am sorry")
    stage.behind(3.2)
    expect(draft(live)).to_have_count(1)
    expect(live.get_by_test_id("behind")).to_be_visible()
    stage.refuse()
    stage.drop()
    expect(live.get_by_test_id("reconnecting")).to_be_visible()
    expect(draft(live)).to_have_count(0)
    expect(live.get_by_test_id("behind")).to_have_count(0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.2, "Words are 3 s behind"), (0.4, "Words come a sentence at a time")]
)
def test_words_that_are_behind_are_told_calmly(stage: Stage, live: Page, seconds: float, words: str) -> None:
    stage.behind(seconds)
    expect(live.get_by_test_id("behind")).to_have_text(words)
    stage.behind(0, drafts=True)
    expect(live.get_by_test_id("behind")).to_have_count(0)


def test_the_newest_words_of_a_long_draft_are_shown(stage: Stage, live: Page) -> None:
    stage.draft(AGENT, 240, 247, " ".join(["and so on"] * 12), "until now")
    rest = draft(live).locator(".rest")
    box, line = rest.bounding_box(), text(draft(live)).bounding_box()
    assert box is not None
    assert line is not None
    assert line["x"] <= box["x"]
    assert box["x"] + box["width"] <= line["x"] + line["width"] + 1


def test_drafts_are_not_read_aloud(stage: Stage, live: Page) -> None:
    stage.draft(AGENT, 244, 246, "I am sorry")
    stage.behind(3.2)
    expect(live.get_by_test_id("behind")).to_be_visible()
    for part in (draft(live), live.get_by_test_id("behind")):
        assert part.evaluate("part => part.closest('[aria-live], [role=status], [role=alert], [role=log]')") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drafts_and_the_notice_have_contrast(stage: Stage, live: Page, scheme: str) -> None:
    from test_overlay import CONTRAST

    live.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    stage.draft(AGENT, 244, 246, "I am sorry", "that you")
    stage.behind(3.2)
    expect(live.get_by_test_id("behind")).to_be_visible()
    ratios = dict(live.evaluate(CONTRAST))
    assert {"that you", "Words are 3 s behind"} <= set(ratios)
    assert {words: ratio for words, ratio in ratios.items() if ratio < 4.5} == {}


# with a real server, and a recogniser that says what it is told when it is told


class Held(FakeTranscriber):
    """Answers drafts at once, and keeps finals waiting until it is opened."""

    def __init__(self, *script: str) -> None:
        super().__init__(script, workers=2)
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        if not draft:
            assert self._opened.wait(60), "nobody opened it"
        return super().transcribe(batch, draft=draft)


@pytest.fixture
def recogniser() -> Held:
    return Held("I would", "I would like", "I would like that")


@pytest.fixture
def served(tmp_path: Path, recogniser: Held) -> Iterator[Served]:
    config = Config(
        storage=Storage(folder=str(tmp_path)), policy="standard", server=Server(), words=Words(behind_s=0.1)
    )
    with serving(create_app(config, fake_engines(recogniser))) as served:
        yield served
        recogniser.open()


def watch(page: Page, served: Served) -> None:
    page.goto(f"http://127.0.0.1:{served.port}/overlay?agent=dana")
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "idle")


def carry_on(door: ClientConnection, place: Locator, count: int) -> None:
    """The call goes on, silently, until the page shows so many of a part: what is known is admitted with audio."""
    for _ in range(100):
        door.send(stereo([silence(0.1)], [silence(0.1)]).tobytes())
        with suppress(AssertionError):
            expect(place).to_have_count(count, timeout=100)
            return
    expect(place).to_have_count(count)


def test_a_draft_of_a_real_call_becomes_its_line(served: Served, page: Page, recogniser: Held) -> None:
    watch(page, served)
    with calling(served, agent_id="dana") as door:
        door.send(stereo([speech(1.5)], [silence(1.5)]).tobytes())
        expect(text(draft(page))).to_have_text("I would")
        door.send(stereo([speech(1.0)], [silence(1.0)]).tobytes())
        expect(draft(page).locator(".rest")).to_have_text("like")
        recogniser.open()
        carry_on(door, page.locator(".line:not(.draft)"), 1)
        expect(page.locator(".line")).to_have_text(["You I would like that"])
        door.send(json.dumps({"type": "stop"}))
        expect(page.get_by_test_id("state")).to_have_attribute("data-state", "ended")


def test_a_real_server_tells_that_words_are_behind_and_that_they_no_longer_are(
    served: Served, page: Page, recogniser: Held
) -> None:
    """The engine's two workers are held, and a third utterance waits for its turn."""
    watch(page, served)
    with calling(served, agent_id="dana") as door:
        notice = page.get_by_test_id("behind")
        for _ in range(3):
            door.send(stereo([speech(0.9), silence(1.0)], [silence(1.9)]).tobytes())
        carry_on(door, notice, 1)
        expect(notice).to_have_text(re.compile("Words (are|come)"))
        recogniser.open()
        carry_on(door, notice, 0)
        expect(page.locator(".line")).to_have_count(3)
