"""Makes the README's pictures: the overlay during the demo call, with the system's Chromium, and a call drawn.

    uv run python docs/make_pictures.py

The page is the real one, the server is the real one, the call is sample_audio's disputed bill at twice its speed.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

import sample_audio

PICTURES = Path(__file__).with_name("pictures")
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SHOTS = {"Let them finish": "talk-over", "Acknowledge how they feel": "anger", "That helped": "helped"}


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        command = [sys.executable, "-m", "api.cli", "demo", "--once", "--speed", "2", "--port", "0", "--folder", folder]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as demo:
            assert demo.stdout is not None
            found = re.search(r"http://\S+", demo.stdout.readline())
            assert found is not None
            shoot(browser, found[0])
            demo.communicate()
        browser.close()
    plot()


def plot() -> None:
    """The same call as a supervisor sees it: analysed, then drawn."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CALMLINE_STORAGE__FOLDER": folder, "CALMLINE_POLICY": "standard"}
        calmline = [sys.executable, "-m", "api.cli"]
        analyze = [*calmline, "analyze", str(sample_audio.path("billing_dispute")), "--call-id", "billing_dispute"]
        for command in (analyze, [*calmline, "plot", "billing_dispute", "-o", str(PICTURES / "call.png"), "--force"]):
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def shoot(browser: Browser, url: str) -> None:
    """The overlay beside a softphone, and full screen, each time new advice comes."""
    small = browser.new_page(viewport={"width": 360, "height": 220}, device_scale_factor=2, color_scheme="light")
    large = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    small.goto(url)
    large.goto(url)
    for text, name in SHOTS.items():
        expect(small.get_by_test_id("advice")).to_contain_text(text, timeout=90_000)
        small.wait_for_timeout(700)  # new advice fades in
        small.screenshot(path=PICTURES / f"overlay-{name}.png")
        large.screenshot(path=PICTURES / f"overlay-{name}-desktop.png")
    expect(small.get_by_test_id("state")).to_have_attribute("data-state", "ended", timeout=90_000)
    small.screenshot(path=PICTURES / "overlay-ended.png")


if __name__ == "__main__":
    main()
