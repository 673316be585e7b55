"""How soon an alert stands in the agent's overlay: from the sample at which it became known until it is painted.

    uv run python -m benchmarks.paint [FILE...]

The whole way in one measurement: recordings (default: three sample calls) at real time through ``/doors/pcm`` into a
``calmline serve --policy standard`` of its own, and the overlay in the system's Chromium, 360 by 220, on the same
machine. The page notes when each piece of advice came into it and the next two frames were drawn; the journal says of
which sample the alert is, and the sender when that sample was spoken.
"""

import argparse
import asyncio
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

import sample_audio
from benchmarks.load import Line
from benchmarks.senders import Sent, pcm, read
from benchmarks.served import served
from pipeline.timebase import RATE

AGENT = "painted"
NOTES = """
window.painted = {};
const note = () => {
  const n = document.querySelector("[data-testid=advice]")?.dataset.event;
  if (n === undefined || n in window.painted) return;
  window.painted[n] = null;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    window.painted[n] = (performance.timeOrigin + performance.now()) / 1000;
  }));
};
new MutationObserver(note).observe(document, { subtree: true, childList: true, attributes: true });
"""


def play(address: str, line: Line, call_id: str) -> Sent:
    return asyncio.run(pcm(f"ws://{address}/doors/pcm", line, call_id=call_id, agent_id=AGENT, notice_given="told"))


def known(address: str, call_id: str) -> dict[str, float]:
    """Seconds of the call at which each alert became known, by its number."""
    with urllib.request.urlopen(f"http://{address}/calls/{call_id}/events?limit=5000") as answer:
        events = json.load(answer)["events"]
    raised = [each for each in events if each["event"]["type"] == "alert" and each["event"]["state"] == "raised"]
    return {str(each["n"]): each["event"]["at"] / RATE for each in raised}


def painted(page: Page, address: str, line: Line, call_id: str) -> list[float]:
    """Seconds for each alert of a call that the page showed."""
    page.goto(f"http://{address}/overlay?agent={AGENT}")
    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(play, address, line, call_id)
        while not sent.done():
            page.wait_for_timeout(200)
        began = sent.result().began
    shown: dict[str, float] = page.evaluate("window.painted")
    return [shown[n] - began - at for n, at in known(address, call_id).items() if shown.get(n) is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    names = ("billing_dispute", "insulted_agent", "leaving_customer")
    files = parser.parse_args().files or [sample_audio.path(name) for name in names]
    delays: list[float] = []
    with served("--policy", "standard") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 220})
        page.add_init_script(NOTES)
        for number, file in enumerate(files):
            found = painted(page, server.address, read(file), f"call-{number}")
            print(f"{file.name:28s} {' '.join(f'{each:.3f}' for each in found)} s", flush=True)
            delays += found
        browser.close()
    half, most = np.percentile(delays, (50, 95))
    print(f"{len(delays)} alerts painted: p50 {half:.3f} s, p95 {most:.3f} s, at most {max(delays):.3f} s")


if __name__ == "__main__":
    main()
