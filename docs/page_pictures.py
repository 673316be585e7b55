"""Makes the pictures of the wallboard and of the capture page.

    uv run python docs/page_pictures.py

A real server hears the sample calls at the speed of speech, through its own door; Chromium's fake devices beep.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import soundfile
from playwright.sync_api import Browser, expect, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import sample_audio

PICTURES = Path(__file__).with_name("pictures")
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
DEVICES = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
WIDE = {"width": 1440, "height": 900}
CALLS = {
    "billing_dispute": ("dana", "north", "billing"),
    "leaving_customer": ("amir", "north", "retention"),
    "calm_order": ("jo", "south", "orders"),
    "insulted_agent": ("mei", "south", "billing"),
}
UNTIL_S = 240.0
"""Seconds after which somebody must have become angry: in the disputed bill that is after a minute."""
BLOCK_S = 0.1


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "CALMLINE_STORAGE__FOLDER": folder,
            "CALMLINE_POLICY": "standard",
        }
        command = [sys.executable, "-m", "api.cli", "serve", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
            try:
                address = found(server)
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *DEVICES])
                capture(browser, address)
                wall(browser, address)
                browser.close()
            finally:
                server.terminate()


def found(server: "subprocess.Popen[str]") -> str:
    """Where it listens."""
    assert server.stderr is not None
    for line in server.stderr:
        if address := re.search(r"http://[\w.:]+", line):
            threading.Thread(target=server.stderr.read, daemon=True).start()  # nobody else empties the pipe
            return address[0]
    raise SystemExit("the server did not start")


def wall(browser: Browser, address: str) -> None:
    for name, who in CALLS.items():
        threading.Thread(target=speak, args=(address, name, *who), daemon=True).start()
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{address}/wall")
    expect(page.get_by_test_id("call")).to_have_count(len(CALLS), timeout=30_000)
    expect(page.locator("[data-need=anger], [data-need=waiting]")).not_to_have_count(0, timeout=UNTIL_S * 1000)
    page.get_by_test_id("open").first.click()
    expect(page.get_by_test_id("curves").locator("canvas")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(1_500)  # the curves are drawn anew with the next state
        page.screenshot(path=PICTURES / f"wall-{scheme}.png")


def speak(address: str, name: str, agent: str, team: str, queue: str) -> None:
    """One call through the door, at the speed of speech."""
    sound, rate = soundfile.read(sample_audio.path(name), dtype="int16")
    start = {"type": "start", "rate": rate, "format": "s16le", "channels": ["agent", "customer"]}
    facts = {"agent_id": agent, "team": team, "queue": queue, "notice_given": "announcement"}
    with connect(f"ws{address.removeprefix('http')}/doors/pcm", proxy=None, max_queue=None, ping_interval=None) as door:
        door.send(json.dumps(start | facts))
        began, block = time.monotonic(), round(rate * BLOCK_S)
        for number, at in enumerate(range(0, len(sound), block)):
            time.sleep(max(0.0, began + number * BLOCK_S - time.monotonic()))
            with suppress(ConnectionClosed):  # the picture is taken, and the server goes
                door.send(sound[at : at + block].tobytes())


SHARED = """const ask = navigator.mediaDevices.getDisplayMedia.bind(navigator.mediaDevices)
navigator.mediaDevices.getDisplayMedia = async (...wishes) => {
  const stream = await ask(...wishes)
  window.shared = stream.getAudioTracks()[0]
  return stream
}"""
"""Keeps the sound of the tab at hand, to be silenced."""
REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"


def capture(browser: Browser, address: str) -> None:
    """The page in its states, from the first look to the end of a call."""
    page = browser.new_page(viewport=WIDE)
    page.add_init_script(SHARED)

    def take(state: str) -> None:
        name = "-".join(filter(None, ("capture", state)))
        page.screenshot(path=PICTURES / f"{name}.png", clip={"x": 290, "y": 44, "width": 860, "height": 520})

    page.goto(f"{address}/capture?agent=dana")
    expect(page.get_by_test_id("share-agent")).to_be_visible()
    take("before")
    for party in ("agent", "customer"):
        page.get_by_test_id(f"share-{party}").click()
        expect(page.get_by_test_id(f"source-{party}")).to_have_attribute("data-state", "heard", timeout=15_000)
    page.get_by_test_id("notice").fill("announcement")
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("timer")).to_have_text("0:03", timeout=15_000)
    take("")
    page.get_by_test_id("pause").click()
    expect(page.get_by_test_id("status")).to_contain_text("Paused")
    take("paused")
    page.get_by_test_id("pause").click()
    page.evaluate("shared.enabled = false")
    expect(page.get_by_test_id("source-customer")).to_have_attribute("data-state", "silent", timeout=20_000)
    take("silent")
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("heard")).to_be_visible(timeout=30_000)
    take("over")
    page.add_init_script(REFUSED)
    page.goto(f"{address}/capture?agent=dana")
    page.get_by_test_id("share-agent").click()
    expect(page.get_by_test_id("problem")).to_be_visible()
    take("refused")
    page.close()


if __name__ == "__main__":
    main()
