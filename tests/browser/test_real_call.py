"""The overlay on the real server with a real call: ``calmline demo``, Chromium, the journal."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect


@dataclass
class Demo:
    process: "subprocess.Popen[str]"
    url: str
    folder: Path

    def journal(self) -> list[dict[str, dict[str, object]]]:
        (path,) = self.folder.glob("demo-*/journal.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("calls")
    options = ["--once", "--speed", "3", "--port", "0", "--folder", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    yield Demo(process, found[0], folder)
    process.communicate(timeout=120)


def test_the_agent_sees_the_advice_and_what_the_keys_say_is_in_the_journal(demo: Demo, page: Page) -> None:
    """A reload in mid-call between the two keys brings the view back."""
    page.goto(demo.url)
    advice = page.get_by_test_id("advice")
    expect(advice).to_contain_text("Let them finish", timeout=60_000)
    number = int(advice.get_attribute("data-event") or 0)
    page.keyboard.press("a")
    expect(page.get_by_test_id("no-advice")).to_be_visible()
    lines = page.locator(".line:not(.draft)").first.get_attribute("data-event")
    page.reload()
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "live")
    expect(page.get_by_test_id("transcript").locator(f"[data-event='{lines}']")).to_have_count(1)
    page.keyboard.press("z")
    expect(page.get_by_test_id("snoozed")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_test_id("snoozed")).to_have_count(0)
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "ended", timeout=60_000)
    demo.process.wait(timeout=60)
    entries = demo.journal()
    raised = entries[number]["ev"]
    assert (raised["type"], raised["state"], raised["advice"]) == ("alert", "raised", "Let them finish")
    commands = [line["in"] for line in entries if line.get("in", {}).get("type") == "command"]
    said = [(command["kind"], command["alert"]) for command in commands]
    assert said == [("acknowledge", number), ("snooze", None), ("wake", None)]
    states = [line["ev"]["state"] for line in entries if line.get("ev", {}).get("of") == number]
    assert states[0] == "acknowledged"
