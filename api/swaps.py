"""Calls whose roles are being swapped: derived again from their audio, one after the other, in a worker thread."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.notes import Note
from pipeline import tape
from pipeline.errors import CalmlineError, Conflict
from pipeline.graph import Engines
from pipeline.journal import CallFolder
from pipeline.rederive import check, exchanged, rederive
from pipeline.replay import Ask

WAITING = 32
"""Calls that may wait to be swapped: each keeps what it has until its turn."""

_log = structlog.get_logger("calmline.swap")


class Stopped(CalmlineError):
    """The server went down meanwhile."""


def swapped(kept: str, by: str) -> Note:
    """The roles were exchanged. kept: name of the journal before; the notes above speak of its event numbers."""
    return _note(f"roles exchanged; what held before, and the event numbers of the notes above, are in {kept}", by)


def not_swapped(reason: str, by: str) -> Note:
    """They were to be exchanged, and the call is as it was."""
    return _note(reason, by, "failed")


def _note(text: str, by: str, label: str = "") -> Note:
    return Note(type="swap", label=label, text=text, by=by, time=datetime.now(UTC).isoformat(timespec="seconds"))


@dataclass(slots=True)
class Swap:
    """total, done: samples."""

    folder: CallFolder
    by: str
    total: int
    done: int = 0

    @property
    def progress(self) -> float:
        """0-1."""
        return min(1.0, self.done / max(1, self.total))


class Swaps:
    """Swaps in progress by call id. ended: told what to note once a call's files are finished, before it leaves jobs.

    ask: the shared recogniser. Everything but the derivation runs on the event loop.
    """

    def __init__(self, engines: Engines, ask: Ask | None, ended: Callable[[CallFolder, Note], Awaitable[None]]) -> None:
        self.jobs: dict[str, Swap] = {}
        self._engines = engines
        self._ask = ask
        self._ended = ended
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="swap")
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def examine(self, folder: CallFolder, by: str) -> Swap:
        """A swap that can be begun. Blocks. Raises BadInput or Conflict."""
        exchanged(folder)
        check(folder, self._engines)
        return Swap(folder, by, tape.length(folder.audio))

    def begin(self, swap: Swap) -> None:
        """Derive in the background. Raises Conflict when too many wait."""
        if self._stopping or len(self.jobs) >= WAITING:
            raise Conflict(f"{len(self.jobs)} calls wait to be swapped; ask again later")
        self.jobs[swap.folder.path.name] = swap
        task = asyncio.create_task(self._run(swap), name=f"swap {swap.folder.path.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Breaks off what is being derived; those calls stay as they were."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._lane.shutdown(wait=True)

    async def _run(self, swap: Swap) -> None:
        try:
            note = await asyncio.get_running_loop().run_in_executor(self._lane, self._derive, swap)
            await self._ended(swap.folder, note)
        finally:
            del self.jobs[swap.folder.path.name]

    def _derive(self, swap: Swap) -> Note:
        try:
            channels = exchanged(swap.folder)
            derived = rederive(
                swap.folder, self._engines, self._ask, channels=channels, stepped=lambda at: self._stepped(swap, at)
            )
            return swapped(derived.kept.name, swap.by)
        except Exception as error:  # noqa: BLE001 - whatever fails leaves this call as it was, and says so in its notes
            _log.error("swap failed", call_id=swap.folder.path.name, error=type(error).__name__)
            return not_swapped(str(error) if isinstance(error, CalmlineError) else type(error).__name__, swap.by)

    def _stepped(self, swap: Swap, at: int) -> None:
        swap.done = at
        if self._stopping:
            raise Stopped("the server stopped before all of it was derived; swap it again")
