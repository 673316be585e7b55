"""Makes the pictures of docs/review.md: the list, one call and the trends, on the real server with the sample calls.

    uv run python docs/make_room_pictures.py [URL]

URL: of a server that has the sample calls already; without it one is started and analyses them, which takes a minute.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from make_pictures import ARGUMENTS, CHROMIUM, PICTURES
from playwright.sync_api import Browser, expect, sync_playwright

import sample_audio

CALLS = ("billing_dispute", "calm_order", "impatient_agent", "insulted_agent", "leaving_customer")
AGENTS = ("dana", "kim", "lee", "dana", "noor")


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        if len(sys.argv) > 1:
            shoot(browser, sys.argv[1])
        else:
            with served() as url:
                shoot(browser, url)
        browser.close()


@contextmanager
def served() -> Iterator[str]:
    """A server of a folder of its own, with the sample calls analysed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CALMLINE_STORAGE__FOLDER": folder, "CALMLINE_POLICY": "standard"}
        command = [sys.executable, "-m", "api.cli", "serve", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
            assert server.stderr is not None
            url = next(found[1] for line in server.stderr if (found := re.search(r"listening on (http://\S+)", line)))
            try:
                analyse(url)
                yield url
            finally:
                server.terminate()


def analyse(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        for name, agent in zip(CALLS, AGENTS, strict=True):
            about = {"call_id": name, "agent_id": agent, "team": "north", "queue": "billing", "direction": "inbound"}
            client.post("/calls", files={"file": sample_audio.path(name).read_bytes()}, data=about).raise_for_status()
        while any(client.get(f"/calls/{name}").json()["state"] != "ended" for name in CALLS):
            time.sleep(1)


def shoot(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
    page.goto(f"{url}/room?sort=anger")
    expect(page.get_by_test_id("call").first).to_be_visible()
    page.screenshot(path=PICTURES / "room.png", clip={"x": 0, "y": 0, "width": 1440, "height": 480})
    page.goto(f"{url}/trends")
    expect(page.get_by_test_id("trends")).to_be_visible()
    page.screenshot(path=PICTURES / "trends.png")
    page.emulate_media(color_scheme="dark")
    page.goto(f"{url}/room/billing_dispute?q=third")
    expect(page.get_by_test_id("moment").first).to_be_visible()
    page.wait_for_timeout(500)  # the outline is drawn
    page.screenshot(path=PICTURES / "review.png")


if __name__ == "__main__":
    main()
