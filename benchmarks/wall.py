"""What a wallboard costs the browser that shows it.

    uv run python -m benchmarks.wall --calls 50 --seconds 60

A real server, a real page in the system's Chromium; the live calls are made up (their scores walk, their clocks run,
one in ten seconds wants a supervisor), for fifty recognisers would drown the figure. Told is the CPU time of all
of Chromium's processes, from /proc, as a share of one core; then whether the page shows the server's last state.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Page, expect, sync_playwright

from api.app import create_app
from api.config import Config, Server
from api.wall import need
from pipeline.channel import Channel
from pipeline.settings import Storage
from pipeline.view import VIEW, AlertView, ChannelView, LineView, ScoresView, ScoreView, View
from tests.api.conftest import serving
from tests.fakes import fake_engines

T = TypeVar("T")
TICKS = os.sysconf("SC_CLK_TCK")
SCORES_EVERY_S = 2.0
ALERT_EVERY_S = 10.0
WORDS = ("I have been waiting", "since Tuesday", "nobody has called", "about it", "me back", "yet", "this")


class MadeUp:
    """A live call whose anger walks: as much of a LiveCall as the wallboard asks for."""

    def __init__(self, number: int, calls: int) -> None:
        self._random = random.Random(number)
        self._calls = calls
        self._began = time.monotonic() - self._random.uniform(30, 900)
        self.view = View(
            call_id=f"call-{number:03}",
            agent_id=f"agent {number + 1}",
            team=("north", "south", "east")[number % 3],
            queue=("billing", "delivery", "technical", "sales")[number % 4],
            policy="standard",
            notice_given="announcement",
            state="live",
            channels={channel: ChannelView() for channel in (Channel.AGENT, Channel.CUSTOMER)},
        )
        self.call_id = self.view.call_id

    def look(self, read: Callable[[View], T]) -> T:
        self._go_on()
        return read(self.view)

    def snapshot(self) -> bytes:
        return self.look(VIEW.dump_json)

    def _go_on(self) -> None:
        view, now = self.view, round((time.monotonic() - self._began) * 1000)
        at = view.scores.anger[-1].ms if view.scores.anger else 0
        view.scores = ScoresView(anger=[*view.scores.anger, *self._scores(at, now)][-240:])
        if self._random.random() < 1.0 / (ALERT_EVERY_S * self._calls):
            view.alerts.append(self._alert(view.n, now))
            view.advice = view.alerts[-1]
        view.n, view.now_ms, view.duration_s = view.n + 1, now, now / 1000
        view.transcript = [*view.transcript, self._line(view.n, now)][-50:]

    def _scores(self, at: int, now: int) -> Iterator[ScoreView]:
        value = self.view.scores.anger[-1].value if self.view.scores.anger else 0.2
        for ms in range(at + round(SCORES_EVERY_S * 1000), now + 1, round(SCORES_EVERY_S * 1000)):
            value = min(1.0, max(0.0, value + self._random.gauss(0, 0.06)))
            yield ScoreView(n=ms, ms=ms, value=value, coverage=1.0, parts={})

    def _line(self, n: int, now: int) -> LineView:
        channel = self._random.choice([Channel.AGENT, Channel.CUSTOMER])
        text = " ".join(self._random.sample(WORDS, 4))
        return LineView(n=n, channel=channel, begin_ms=now - 2000, end_ms=now, text=text, late=False, words=[])

    def _alert(self, n: int, now: int) -> AlertView:
        return AlertView(
            n=n,
            kind="supervisor_request",
            state="raised",
            severity="critical",
            raised_ms=now,
            cleared_ms=None,
            advice="Offer a supervisor",
            detail="The customer asks for somebody who can decide.",
            practice=16,
            reason="the customer said: supervisor",
            cleared_because=None,
            evidence=[],
            to=["agent", "supervisor"],
        )


def processes(name: str) -> list[int]:
    """Every process under this one whose program is of that name."""
    parents = {pid: int(_stat(pid)[1]) for pid in _pids() if _stat(pid)}
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return [pid for pid in ours if name in _command(pid)]


def cpu_s(pids: list[int]) -> float:
    """CPU seconds they have used; one that is gone counts nothing."""
    return sum(int(stat[11]) + int(stat[12]) for stat in map(_stat, pids) if stat) / TICKS


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields behind the name, from the state on; none of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def measure(page: Page, seconds: float) -> float:
    """Share of one core."""
    page.wait_for_timeout(3_000)  # what opening the page costs is another figure
    pids = processes("chrom")
    began, before = time.monotonic(), cpu_s(pids)
    page.wait_for_timeout(seconds * 1000)
    return (cpu_s(pids) - before) / (time.monotonic() - began)


def shown(page: Page) -> dict[str, str]:
    calls: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('[data-testid=call]')].map(row => [row.dataset.call, row.dataset.need])"
    )
    return dict(calls)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=50)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--shot", type=Path, help="Folder for screenshots in both themes.")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Config(storage=Storage(folder=folder), policy="standard", server=Server())
        app = create_app(config, fake_engines())
        with serving(app) as served, sync_playwright() as playwright:
            print(json.dumps(run(served.desk, served.port, playwright, chosen)))


def run(desk: Any, port: int, playwright: Any, chosen: argparse.Namespace) -> dict[str, Any]:
    calls = {call.call_id: call for call in (MadeUp(number, chosen.calls) for number in range(chosen.calls))}
    desk.switchboard.calls.update(calls)
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"])
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"http://127.0.0.1:{port}/wall")
    expect(page.get_by_test_id("call")).to_have_count(chosen.calls)
    figures = {"calls": chosen.calls, "seconds": chosen.seconds, "list_core": round(measure(page, chosen.seconds), 3)}
    page.get_by_test_id("open").first.click()
    expect(page.get_by_test_id("curves").locator("canvas")).to_be_visible()
    figures["list_and_one_followed_core"] = round(measure(page, chosen.seconds), 3)
    if chosen.shot:
        shoot(page, chosen.shot)
    for call in calls.values():
        call.look = lambda read, view=call.view: read(view)  # they stand still
    page.wait_for_timeout(3_000)
    figures["last_state_shown"] = shown(page) == {call_id: need(call.view) for call_id, call in calls.items()}
    browser.close()
    desk.switchboard.calls.clear()
    return figures


def shoot(page: Page, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(1_500)
        page.screenshot(path=folder / f"wall-{scheme}.png")


if __name__ == "__main__":
    sys.exit(main())
