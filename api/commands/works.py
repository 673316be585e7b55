"""Recordings of folders at work: a few at a time, each once, told as they are done."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Condition
from typing import Literal

from api.commands.analyze import LANES, Lane, Wanted, examined, one
from api.recordings.folder import Found
from api.recordings.ledger import Ledger, Stamp, digest, stamp
from pipeline.archive import Archive
from pipeline.errors import BadInput, CalmlineError, EngineFault, StorageFault
from pipeline.events import CallEnded
from pipeline.journal import read_entries
from pipeline.view import View

FORGOTTEN = 10_000
"""Failed recordings that are remembered, so that they are not tried again while they stay as they are."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a recording. view: None where nothing was analysed now. code: an exit code."""

    found: Found
    state: Literal["analysed", "known", "failed"]
    call_id: str = ""
    view: View | None = None
    why: str = ""
    code: int = 0


class Work:
    """A context: leaving it in trouble breaks off what is at work. ledger: None where nothing is kept.

    ready: makes the lane (engines and all) when the first recording needs it.
    """

    def __init__(
        self, wanted: Wanted, ledger: Ledger | None, archive: Archive | None, ready: Callable[[], Lane]
    ) -> None:
        self._wanted = wanted
        self._ledger = ledger
        self._archive = archive
        self._ready = ready
        self._lane: Lane | None = None
        self._lanes = ThreadPoolExecutor(LANES, "lane")
        self._running: dict[Future[Done], Found] = {}
        self._failed: dict[Stamp, None] = {}
        self._turn = Condition()
        self._making: set[str] = set()

    def __enter__(self) -> "Work":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.break_off()
        self._lanes.shutdown(wait=True, cancel_futures=True)

    def break_off(self) -> None:
        """Let what is at work end at once; the next run does it again."""
        if self._lane is not None:
            self._lane.stop.set()

    @property
    def busy(self) -> int:
        """Recordings at work or waiting for it."""
        return len(self._running)

    @property
    def room(self) -> bool:
        """Whether more should be given: a few wait, so that no lane is idle."""
        return self.busy < 2 * LANES

    def take(self, found: Found) -> bool:
        """False when it is at work, is done, or failed as it is. Raises what loading the engines raises."""
        try:
            marks = stamp(found.files)
        except OSError:
            return False  # it has gone
        at_work = any(found.files == other.files for other in self._running.values())
        if at_work or marks in self._failed or (self._ledger is not None and self._ledger.same(marks) is not None):
            return False
        self._running[self._lanes.submit(self._analyse, found, marks, self.prepare())] = found
        return True

    def prepare(self) -> Lane:
        """Load what the first recording needs. Raises EngineFault."""
        if self._lane is None:
            self._lane = self._ready()
        return self._lane

    def done(self, timeout: float | None = None) -> Iterator[Done]:
        """Those that are done by now; waits for one. Raises what stops all of them: storage."""
        finished, _ = wait(self._running, timeout, FIRST_COMPLETED)
        for future in finished:
            del self._running[future]
            yield future.result()

    def _analyse(self, found: Found, marks: Stamp, lane: Lane) -> Done:
        try:
            return self._once(found, marks, lane)
        except StorageFault:
            raise
        except CalmlineError as error:
            return self._fails(found, marks, _bare(error, found), error.exit_code)
        except OSError as error:
            return self._fails(found, marks, error.strerror or str(error), BadInput.exit_code)

    def _fails(self, found: Found, marks: Stamp, why: str, code: int) -> Done:
        self._failed[marks] = None
        while len(self._failed) > FORGOTTEN:
            del self._failed[next(iter(self._failed))]
        return Done(found, "failed", why=why, code=code)

    def _once(self, found: Found, marks: Stamp, lane: Lane) -> Done:
        if self._ledger is None or self._archive is None:
            view = self._view(found, found.named.call_id, lane)
            return Done(found, "analysed", view.call_id, view)
        content = digest(found.files)
        call_id = found.named.call_id or f"file-{content[:16]}"
        with self._alone(call_id):
            return self._kept(found, marks, lane, self._ledger, self._archive, content, call_id)

    @contextmanager
    def _alone(self, call_id: str) -> Iterator[None]:
        """One recording of a call at a time: its copy then finds it done."""
        with self._turn:
            self._turn.wait_for(lambda: call_id not in self._making)
            self._making.add(call_id)
        try:
            yield
        finally:
            with self._turn:
                self._making.remove(call_id)
                self._turn.notify_all()

    def _kept(
        self, found: Found, marks: Stamp, lane: Lane, ledger: Ledger, archive: Archive, content: str, call_id: str
    ) -> Done:
        known = ledger.known(content, marks)
        if known is not None:
            return Done(found, "known", known)
        if archive.exists(call_id) and not ledger.half(call_id):
            _check_whole(archive, call_id)
            return Done(found, "known", call_id)
        ledger.begin(content, call_id)
        view = self._view(found, call_id, lane)
        if view.faults:  # of an engine; the next run tries again
            first = view.faults[0]
            return self._fails(found, marks, f"{first.part}: {first.message}", EngineFault.exit_code)
        ledger.finish(content, call_id, marks)
        return Done(found, "analysed", call_id, view)

    def _view(self, found: Found, call_id: str, lane: Lane) -> View:
        wanted = replace(self._wanted, call_id=call_id, about=found.named.about)
        job = replace(
            examined(list(found.files), wanted, self._archive), title=found.title, started=found.named.started
        )
        return one(job, lane, self._wanted.agent_voice)


def _check_whole(archive: Archive, call_id: str) -> None:
    """Raises BadInput for a stored call that is not over: it is live, or somebody was killed over it."""
    entries = read_entries(archive.folder(call_id).journal)
    if not any(isinstance(entry.item, CallEnded) for entry in entries):
        raise BadInput(f"call {call_id} is stored already and has no end; if it is not live: calmline delete {call_id}")


def _bare(error: CalmlineError, found: Found) -> str:
    """Without the path before it: the title says it."""
    text = str(error)
    for path in found.files:
        text = text.removeprefix(f"{path}: ")
    return text
