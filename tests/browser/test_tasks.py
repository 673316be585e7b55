"""A newcomer's tasks in the room, with the steps that ``docs/review.md`` counts: by mouse, and by keyboard alone."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from test_room import DESKTOP, Room, opened, place, room

__all__ = ["room"]
WORST = "billing_dispute"


class Steps:
    """A person at a page: each click, drag and key is a step."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def click(self, target: str, text: str | re.Pattern[str] = "") -> None:
        self.page.locator(target).filter(has_text=text).first.click()
        self.count += 1

    def drag(self, begin: float, end: float) -> None:
        """Over the lower half of the waveform, from one share of its width to another."""
        box = self.page.get_by_test_id("wave").bounding_box()
        assert box is not None
        y = box["y"] + 0.75 * box["height"]
        self.page.mouse.move(box["x"] + begin * box["width"], y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + end * box["width"], y, steps=5)
        self.page.mouse.up()
        self.count += 1

    def keys(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)
            self.count += 1

    def took(self) -> int:
        self.count, count = 0, self.count
        return count


@pytest.fixture
def steps(browser: Browser, room: Room) -> Iterator[Steps]:
    context = browser.new_context(viewport=DESKTOP, base_url=room.url, accept_downloads=True)
    page = context.new_page()
    page.goto("/room")
    expect(page.get_by_test_id("call").first).to_be_visible()
    yield Steps(page)
    context.close()


def at_the_worst(page: Page) -> None:
    expect(page).to_have_url(re.compile(WORST))
    expect(page.get_by_test_id("moment").first).to_be_visible()


def playing(page: Page) -> None:
    expect(page.get_by_test_id("play")).to_have_attribute("data-playing", "true")


def taken_back(page: Page) -> None:
    """Leave the room as it was for other tests."""
    page.keyboard.press("4")
    while page.get_by_test_id("take-back").count():
        left = page.get_by_test_id("note").count()
        page.get_by_test_id("take-back").first.click()
        expect(page.get_by_test_id("note")).to_have_count(left - 1)


def saved(page: Page, act: Callable[[], None]) -> str:
    with page.expect_download() as download:
        act()
    return str(download.value.suggested_filename)


def test_by_mouse(steps: Steps) -> None:
    steps.click("button", "Worst today")
    expect(steps.page.get_by_test_id("call").first).to_have_attribute("data-call", WORST)
    assert steps.took() == 1
    steps.click("[data-testid=call] a")
    at_the_worst(steps.page)
    steps.click("[data-testid=moment]", "Worst")
    playing(steps.page)
    assert place(steps.page) > 60_000
    assert steps.took() == 2
    steps.drag(0.5, 0.6)
    steps.click("[data-testid=label-angry]")
    expect(steps.page.get_by_test_id("note")).to_have_count(1)
    assert steps.took() == 2
    steps.click("summary", "Download")
    assert saved(steps.page, lambda: steps.click("a", "Contact Lens")).endswith(".json")
    assert steps.took() == 2
    taken_back(steps.page)


def test_by_keyboard(steps: Steps) -> None:
    steps.keys("1")
    expect(steps.page.get_by_test_id("call").first).to_have_attribute("data-call", WORST)
    steps.keys("ArrowDown", "Enter")
    at_the_worst(steps.page)
    assert steps.took() == 3
    steps.keys("n", "n", "Space")
    playing(steps.page)
    assert steps.took() == 3
    steps.keys("l")
    expect(steps.page.get_by_test_id("label")).to_be_visible()
    steps.keys("3")
    expect(steps.page.get_by_test_id("note")).to_have_count(1)
    assert steps.took() == 2
    steps.keys("d", "Tab")
    assert saved(steps.page, lambda: steps.keys("Enter")).endswith(".json")
    assert steps.took() == 3
    taken_back(steps.page)


def test_a_labelled_stretch_can_be_labelled_again(steps: Steps) -> None:
    """What is marked on the waveform is to be looked at: it took the pointer, and nothing could be drawn over it."""
    opened(steps.page, WORST)
    for count in (1, 2):
        steps.drag(0.5, 0.6)
        steps.click("[data-testid=label-tense]")
        expect(steps.page.get_by_test_id("note")).to_have_count(count)
    taken_back(steps.page)
