"""Makes the README's pictures: the overlay during the demo call, with the system's Chromium, and a call drawn.

    uv run python docs/make_pictures.py

The page is the real one, the server is the real one, the call is sample_audio's disputed bill at twice its speed; the
animated picture is twenty seconds of it, from before the first advice on. docs/page_pictures.py makes the others.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import sample_audio

PICTURES = Path(__file__).with_name("pictures")
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SHOTS = {"Let them finish": "talk-over", "Acknowledge how they feel": "anger", "That helped": "helped"}

FRAME_MS = 500
FRAMES = 40
BEFORE = 5
"""The animated picture: frames in all, and those before the first advice."""
LONGEST_MS = 180_000


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
    """The overlay beside a softphone, and full screen, each time new advice comes; and a film of the first of it."""
    small = browser.new_page(viewport={"width": 360, "height": 220}, device_scale_factor=2, color_scheme="light")
    large = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    small.goto(url)
    large.goto(url)
    wanted, frames, first = dict(SHOTS), list[Image.Image](), 0
    for _ in range(LONGEST_MS // FRAME_MS):
        frames.append(Image.open(io.BytesIO(small.screenshot())))
        if small.get_by_test_id("state").get_attribute("data-state") == "ended":
            break
        text = next((text for text in wanted if small.get_by_test_id("stage").get_by_text(text).count()), None)
        if text is not None:
            first = first or len(frames)
            still(small, large, wanted.pop(text))
        small.wait_for_timeout(FRAME_MS)
    small.screenshot(path=PICTURES / "overlay-ended.png")
    film(frames[max(0, first - BEFORE) :][:FRAMES])
    assert not wanted, f"the demo call no longer brings {', '.join(wanted)}"


def still(small: Page, large: Page, name: str) -> None:
    small.wait_for_timeout(700)  # new advice fades in
    small.screenshot(path=PICTURES / f"overlay-{name}.png")
    large.screenshot(path=PICTURES / f"overlay-{name}-desktop.png")


def film(frames: list[Image.Image]) -> None:
    frames[0].save(
        PICTURES / "overlay.webp",
        save_all=True,
        append_images=frames[1:],
        duration=FRAME_MS,
        loop=0,
        quality=80,
    )


if __name__ == "__main__":
    main()
