"""The system's Chromium on the built pages. Missing, they skip the tests, but in CI they fail them."""

import os
from collections.abc import Iterator

import pytest
import scenes
from chrome import CHROMIUM, SMALL, launch
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stage import STATIC, Stage

expect.set_options(timeout=20_000)
"""Playwright's 5 s are too few where two cores run browsers, servers and the recogniser of other tests."""

GONE = ("WebSocket connection", "net::ERR_CONNECTION_REFUSED")
"""What Chromium itself puts on the console when a server has been stopped; no page can keep it from doing so."""


def need(present: bool, what: str) -> None:
    if present:
        return
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A module's own: while Playwright is open, its event loop runs in this thread and no other may."""
    need(CHROMIUM.exists(), f"no Chromium at {CHROMIUM}")
    need((STATIC / "overlay.html").exists(), "api/static is not built: npm run build in api/web")
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def theatre() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.stop()


@pytest.fixture
def stage(theatre: Stage) -> Stage:
    theatre.reset()
    return theatre


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 360 by 220 that must not say anything in its console."""
    context = browser.new_context(viewport=SMALL)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not [text for text in said if not any(gone in text for gone in GONE)]


@pytest.fixture
def live(stage: Stage, page: Page) -> Page:
    """The overlay of agent dana, in a call with one piece of advice (event 80)."""
    stage.show(scenes.scene(advice=scenes.advice()))
    page.goto(f"{stage.url}/overlay?agent=dana")
    page.get_by_test_id("advice").wait_for()
    return page
