"""Screenshots of overlay, wallboard and capture page in their states: ``python tests/browser/shots.py FOLDER``."""

import sys
from pathlib import Path

import scenes
from chrome import DESKTOP, SMALL, launch
from playwright.sync_api import Page, expect, sync_playwright
from stage import Stage
from test_wall import BUSY, WIDE, wall

from pipeline.channel import Channel
from pipeline.view import View

VIEWS = {
    "advice": lambda: scenes.scene(advice=scenes.advice(), overlap=scenes.overlap()),
    "note": scenes.eu_workplace,
    "calm": scenes.calm,
    "fresh": scenes.fresh,
    "crowded": scenes.crowded,
    "ended": scenes.ended,
    "snoozed": scenes.snoozed,
    "rushing": scenes.rushing,
}


SETTLED = "Promise.all(document.getAnimations().filter(a => a.animationName !== 'age').map(a => a.finished))"


def shoot(folder: Path) -> None:
    stage = Stage()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for size, viewport in {"small": SMALL, "desktop": DESKTOP}.items():
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport=viewport, color_scheme=scheme, device_scale_factor=2)
                each(stage, page, folder, f"{size}-{scheme}")
                page.close()
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=WIDE, color_scheme=scheme)
            wide(stage, page, folder, scheme)
            page.close()
        browser.close()
    stage.stop()


def wide(stage: Stage, page: Page, folder: Path, scheme: str) -> None:
    """The supervisor's wallboard and the agent's capture page."""
    stage.reset()
    page.goto(f"{stage.url}/wall")
    page.get_by_test_id("message").wait_for()
    page.screenshot(path=folder / f"wall-loading-{scheme}.png")
    stage.send(wall())
    expect(page.get_by_test_id("message")).to_have_attribute("data-kind", "empty")
    page.screenshot(path=folder / f"wall-empty-{scheme}.png")
    stage.send(wall(*BUSY))
    expect(page.get_by_test_id("call")).to_have_count(len(BUSY))
    page.screenshot(path=folder / f"wall-busy-{scheme}.png")
    stage.refuse()
    stage.drop()
    expect(page.get_by_test_id("lost")).to_be_visible()
    page.screenshot(path=folder / f"wall-lost-{scheme}.png")
    page.goto(f"{stage.url}/capture")
    page.get_by_test_id("start").wait_for()
    page.screenshot(path=folder / f"capture-setup-{scheme}.png")
    page.get_by_test_id("share-agent").click()
    page.get_by_test_id("problem").wait_for()
    page.screenshot(path=folder / f"capture-refused-{scheme}.png")


def each(stage: Stage, page: Page, folder: Path, name: str) -> None:
    def save(what: str) -> None:
        page.evaluate(SETTLED)
        page.screenshot(path=folder / f"{what}-{name}.png")

    def show(view: View, n: int) -> None:
        view.n = n
        stage.show(view)
        expect(page.get_by_test_id("state")).to_have_attribute("data-event", str(n))

    stage.reset()
    names = [("amy", "live"), ("dana", "ended"), ("jo", "ended")]
    stage.answers["calls"] = {"calls": [{"agent_id": who, "state": state} for who, state in names], "total": 3}
    page.goto(f"{stage.url}/overlay")
    expect(page.get_by_test_id("agent")).to_have_count(3)
    save("ask")
    page.goto(f"{stage.url}/overlay?agent=dana")
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "connecting")
    stage.agents.get(timeout=5)
    stage.idle()
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "idle")
    save("idle")
    for n, (what, make) in enumerate(VIEWS.items(), 100):
        show(make(), n)
        save(what)
    show(scenes.scene(advice=scenes.advice()), 150)
    stage.draft(Channel.AGENT, 240, 246, "I am sorry that you had to", "explain it")
    save("draft")
    stage.draft(
        Channel.CUSTOMER,
        241,
        247,
        "And every time I call, somebody asks me the same questions again and nobody",
        "writes it",
    )
    save("drafts")
    show(scenes.fresh(), 160)
    stage.draft(Channel.AGENT, 0, 1, "", "Thank you for")
    save("first-draft")
    show(scenes.scene(advice=scenes.advice()), 170)
    stage.behind(3.2)
    expect(page.get_by_test_id("behind")).to_be_visible()
    save("behind")
    show(VIEWS["advice"](), 200)
    stage.behind(0, drafts=True)
    page.keyboard.press("a")
    expect(page.get_by_test_id("answered")).to_be_visible()
    save("answered")
    stage.refuse()
    stage.drop()
    expect(page.get_by_test_id("reconnecting")).to_be_visible()
    save("reconnecting")
    stage.allow()
    stage.forbid(4401)
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "forbidden")
    save("forbidden")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    shoot(out)
