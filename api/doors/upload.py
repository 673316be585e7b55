"""Uploaded recordings: checked whole before they are accepted, then analysed one after the other in a worker thread."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import structlog

from pipeline.call import Call
from pipeline.errors import BadInput, CalmlineError
from pipeline.inputs import Frame, Loss
from pipeline.replay import Ask, Recorder
from pipeline.sources.recording import Recording, open_recording
from pipeline.timebase import TICK

WAITING = 32
"""Recordings that may wait to be analysed: each is a file on disk."""

AgentChannel = Literal["left", "right"]

_log = structlog.get_logger("calmline.upload")


class Busy(CalmlineError):
    """Too many recordings wait already."""

    status = 503


class Stopped(CalmlineError):
    """The server went down while it analysed."""


@dataclass(slots=True)
class Received:
    """An uploaded recording that has been read through once. ``folder`` holds it and goes with it.

    warnings: what is wrong with it, one line each.
    """

    recording: Recording
    folder: Path
    frames: int
    warnings: tuple[str, ...] = ()

    def drop(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def receive(files: Sequence[tuple[str, BinaryIO]], agent_channel: AgentChannel) -> Received:
    """Keep the files (name, content) in a folder of their own and read them through. Blocks.

    Raises BadInput, which names the file as its sender did; nothing is left behind then.
    """
    folder = Path(tempfile.mkdtemp(prefix="calmline-"))
    try:
        paths = [_keep(folder / str(index), name, content) for index, (name, content) in enumerate(files)]
        recording = open_recording(paths, agent_channel=agent_channel)
        frames = sum(isinstance(item, Frame) for item in recording.frames())
        return Received(recording, folder, frames, tuple(_unplaced(line, folder) for line in recording.warnings))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, BadInput):
            raise BadInput(_unplaced(str(error), folder)) from None
        raise


def _keep(place: Path, name: str, content: BinaryIO) -> Path:
    place.mkdir()
    path = place / _plain(name)
    with path.open("xb") as file:
        shutil.copyfileobj(content, file)
    return path


def _plain(name: str) -> str:
    """A sender's file name, made harmless."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(char if char.isalnum() or char in "._- " else "_" for char in last)[-80:]
    return kept.lstrip(". ") or "recording"


def _unplaced(text: str, folder: Path) -> str:
    for index in range(2):
        text = text.replace(f"{folder / str(index)}/", "")
    return text


@dataclass(slots=True)
class Job:
    """done, total: frames."""

    call: Call
    received: Received
    done: int = 0

    @property
    def progress(self) -> float:
        """0-1."""
        return min(1.0, self.done / max(1, self.received.frames))


class Uploads:
    """Recordings being analysed or waiting for it. ended: told once a call's files are finished.

    took: told how many frames were taken in. ask: the shared recogniser. nominal_delay: seconds. Everything but the
    analysis, and ``took`` in it, runs on the event loop.
    """

    def __init__(
        self,
        ask: Ask | None,
        nominal_delay: float,
        ended: Callable[[str], Awaitable[None]],
        took: Callable[[int], None],
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self._ask = ask
        self._delay = nominal_delay
        self._ended = ended
        self._took = took
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def check_room(self) -> None:
        """Raises Busy."""
        if self._stopping or len(self.jobs) >= WAITING:
            raise Busy(f"{len(self.jobs)} recordings wait already; send this one again later")

    def begin(self, call: Call, received: Received) -> None:
        """Analyse in the background."""
        call_id = call.session.info.call_id
        self.jobs[call_id] = job = Job(call, received)
        task = asyncio.create_task(self._run(call_id, job), name=f"upload {call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends what is being analysed with a fault that says so."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._lane.shutdown(wait=True)

    async def _run(self, call_id: str, job: Job) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._lane, self._analyse, job)
        finally:
            del self.jobs[call_id]
            await self._ended(call_id)

    def _analyse(self, job: Job) -> None:
        recording = job.received.recording
        try:
            recorder = Recorder(job.call, self._ask, self._delay, stepped=lambda at: self._stepped(job, at))
            recorder.run(self._heard(recording), lambda: recording.heard)
        except Exception as error:  # noqa: BLE001 - whatever fails here must end this call, loudly, and no other
            job.call.fail("upload", error)
            _log.error("analysis failed", call_id=job.call.session.info.call_id, error=type(error).__name__)
        finally:
            job.received.drop()

    def _heard(self, recording: Recording) -> Iterator[Frame | Loss]:
        for item in recording.frames():
            yield item
            if isinstance(item, Frame):
                self._took(1)

    def _stepped(self, job: Job, at: int) -> None:
        job.done = at // TICK
        if self._stopping:
            raise Stopped("the server stopped before all of it was analysed; upload it again")
