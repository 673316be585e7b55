"""``watch DIR``: what lies in a folder, and what comes, each recording once it is whole, until somebody stops it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import watchfiles

from api.commands.console import note
from api.commands.folder import LOOK_S, Folder, Tally, Wanted
from api.config import Config
from api.recordings.arrivals import Arrivals
from api.recordings.folder import Problem

RESCAN_S = 300.0
"""Seconds between two looks at the whole folder: the system may lose news of changes."""
PAIR_S = 600.0
"""Seconds for which the other side of a call may be missing before that is told; it is waited for on."""
REMEMBERED = 10_000
"""Files of which it is remembered that they were complained of."""


def run(config: Config, root: Path, wanted: Wanted, arrivals: Arrivals | None = None) -> int:
    """The worst exit code of all, once SIGINT or SIGTERM came. arrivals: of a test."""
    tally = Tally()
    with Folder(config, root, wanted, tally) as folder, _interrupts() as stop:
        folder.show(())
        folder.work.prepare()
        note(f"watching {folder.root}; calls are kept in {config.calls_folder}; Ctrl-C stops")
        _Watch(folder, arrivals or Arrivals()).until(stop, poll=wanted.poll)
        folder.work.break_off()
    tally.tell()
    return tally.code


class _Watch:
    """waiting: whole files that are no whole call yet, and since when. told: what was complained of."""

    def __init__(self, folder: Folder, arrivals: Arrivals) -> None:
        self._folder = folder
        self._arrivals = arrivals
        self._waiting: dict[Path, float] = {}
        self._told: dict[tuple[str, str], None] = {}
        self._scanned = -RESCAN_S

    def until(self, stop: Event, *, poll: bool) -> None:
        looks = watchfiles.watch(
            self._folder.root,
            watch_filter=lambda _, path: self._folder.has(Path(path)),
            stop_event=stop,
            rust_timeout=round(LOOK_S * 1000),
            yield_on_timeout=True,
            force_polling=poll or None,
            raise_interrupt=False,
        )
        for changes in looks:
            for _, path in changes:
                self._arrivals.notice(Path(path))
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._scanned >= RESCAN_S:
            self._scanned = now
            for path in self._folder.files():
                self._arrivals.notice(path)
        for path in self._arrivals.whole():
            self._waiting.setdefault(path, now)
        self._take(now)
        if self._folder.work.busy:
            self._folder.tell(0)

    def _take(self, now: float) -> None:
        calls, problems = self._folder.grouped(sorted(self._waiting))
        for call in calls:
            if self._folder.work.room:
                self._folder.take(call)
                for path in call.files:
                    del self._waiting[path]
        for problem in problems:
            self._complain(problem, now)

    def _complain(self, problem: Problem, now: float) -> None:
        path = self._folder.root / problem.title
        if not path.exists():
            self._waiting.pop(path, None)
            return
        if problem.waits and now - self._waiting[path] < PAIR_S:
            return
        if not problem.waits:
            del self._waiting[path]
        if (key := (problem.title, problem.why)) not in self._told:
            self._told[key] = None
            self._folder.tally.fail(problem.title, problem.why)
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]


@contextmanager
def _interrupts() -> Iterator[Event]:
    """An event that SIGINT or SIGTERM sets; a second one does what it always does."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def first(*_: object) -> None:
        restore()
        stop.set()

    for number in before:
        signal.signal(number, first)
    try:
        yield stop
    finally:
        restore()
