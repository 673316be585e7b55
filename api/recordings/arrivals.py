"""Files that may still be written: each is left until it has been still for a while."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.sources.recording import falls_short

STILL_S = 2.0
"""Seconds without a change after which a file is taken to be whole."""
STALLED_S = 60.0
"""The same where it holds less than its header promises, or cannot be read: a copy over a network may pause."""


@dataclass(slots=True)
class _Seen:
    """size, changed: as the file system says. since: seconds since 1970 from which they have been so."""

    size: int
    changed: int
    since: float


class Arrivals:
    """still_s, stalled_s: as above. now: seconds since 1970. rest: lets that many seconds pass."""

    def __init__(
        self,
        still_s: float = STILL_S,
        stalled_s: float = STALLED_S,
        now: Callable[[], float] = time.time,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rest = rest
        self._still = still_s
        self._stalled = stalled_s
        self._now = now
        self._seen: dict[Path, _Seen] = {}

    def __len__(self) -> int:
        """How many are not whole yet."""
        return len(self._seen)

    def notice(self, path: Path) -> None:
        """There is something new about a file; one that has gone is forgotten."""
        try:
            facts = path.stat()
        except OSError:
            self._seen.pop(path, None)
            return
        before = self._seen.get(path)
        if before is None:
            age = max(0.0, self._now() - facts.st_mtime)
            self._seen[path] = _Seen(facts.st_size, facts.st_mtime_ns, self._now() - age)
        elif (before.size, before.changed) != (facts.st_size, facts.st_mtime_ns):
            self._seen[path] = _Seen(facts.st_size, facts.st_mtime_ns, self._now())

    def whole(self) -> list[Path]:
        """Those that are whole now, in order; they are waited for no more."""
        for path in list(self._seen):
            self.notice(path)
        ready = sorted(path for path, seen in self._seen.items() if self._is_whole(path, self._now() - seen.since))
        for path in ready:
            del self._seen[path]
        return ready

    def _is_whole(self, path: Path, age: float) -> bool:
        if age < self._still:
            return False
        with suppress(OSError):
            return age >= self._stalled or not falls_short(path)
        return False
