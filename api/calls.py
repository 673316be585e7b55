"""The desk: what owns the calls of this server, in progress and stored.

Engines come loaded. Whoever is told that a call is over finds it in the list: the projection is written first.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TypeVar, cast

import structlog

from api import notes
from api.claims import Claims
from api.config import Config
from api.doors.contacts import Contacts
from api.doors.leaving import Leaving
from api.doors.limits import Admission, Guard
from api.doors.upload import Received, Uploads
from api.hub import Hub, stored
from api.mask import Mask
from api.metrics import Metrics
from api.notes import Note
from api.outgoing.outlets import Outlets
from api.policy import Role, Who
from api.reading import read
from api.rows import CallRow
from api.searches import Searches
from api.store import Store
from api.swaps import Swap, Swaps
from api.wall import Wall
from pipeline import graph
from pipeline.archive import Archive
from pipeline.call import Call
from pipeline.drafts import Draft
from pipeline.errors import BadInput, Conflict, NotFound, StorageFault
from pipeline.events import Fault
from pipeline.graph import Engines
from pipeline.inputs import Command, Mark
from pipeline.journal import CallFolder, read_entries, read_header
from pipeline.live import PATIENCE, LiveCall, Switchboard
from pipeline.pool import EnginePool
from pipeline.replay import Ask
from pipeline.scheduler import Load
from pipeline.session import CallInfo, Entry
from pipeline.view import VIEW

DRAIN_S = PATIENCE + 30.0
"""Seconds a stopping server waits for the last words of its calls."""

HANG_S = 5.0
"""Seconds that a stopping server then waits for an engine that hears something still: it may hang."""

T = TypeVar("T")
Answer = Literal["acknowledge", "dismiss"]

_log = structlog.get_logger("calmline.calls")


def new_id() -> str:
    """A call id: the time of day and something random."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


class Desk:
    """``start`` before the first call, ``stop`` at the end. An ``Audience`` of every live call.

    store_url: SQLAlchemy's; None for a file beside the calls' folder. Raises StorageFault when it cannot be used.
    """

    def __init__(self, config: Config, engines: Engines, *, store_url: str | None = None) -> None:
        self.settings = config.settings
        self.engines = engines
        self.ready = False
        self.archive = Archive(config.calls_folder, self.settings.storage.max_gb)
        self.pool = self._pool(engines)
        self.mask = Mask(on=config.server.mask_profanity)
        self.hub = Hub(config.server.page_queue_kb * 1024)
        self.switchboard = Switchboard(self._record, self.pool, self)
        self.metrics = Metrics(lambda: len(self.in_progress), self.pool, self.archive.size, self.switchboard.strain)
        self.limits = config.limits
        self.contacts = Contacts()
        self.leaving = Leaving()
        self.admission = Admission(config.limits, self.metrics.refused)
        self.outlets = Outlets(config, self.mask, self.metrics)
        self.uploads = Uploads(
            self._bulk("uploads"), self.settings.words.nominal_delay_s, self._analysed, self.metrics.took
        )
        self.claims = Claims(self.command)
        self.wall = Wall(lambda: self.switchboard.calls, needs_notice=self.settings.policy.needs_notice)
        self.swaps = Swaps(engines, self._bulk("swaps"), self._swapped)
        self.store = Store(store_url or Store.beside(config.calls_folder))
        self.searches = Searches(config.calls_folder)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")

    def _pool(self, engines: Engines) -> EnginePool | None:
        if engines.transcriber is None:
            return None
        return EnginePool(
            engines.transcriber, self.settings.words, ahead=lambda words: engines.playbook.finder.ahead(words)
        )

    @property
    def in_progress(self) -> set[str]:
        """Ids of live calls, of uploads being analysed and of calls being swapped."""
        return {*self.switchboard.calls, *self.uploads.jobs, *self.swaps.jobs}

    def load(self) -> Load | None:
        """How busy the recogniser is; None without one."""
        return self.pool.load() if self.pool is not None else None

    async def start(self) -> None:
        """Make ready what the first call would wait for, and bring the store up to what is on disk."""
        await asyncio.to_thread(self.engines.playbook.finder.warm)
        broken_off = await self._in_writer(self.store.unfinished)
        count = await self._in_writer(partial(self.store.settle, self.archive))
        if await self.outlets.start():
            for call_id in broken_off:
                await self._tell_broken_off(call_id)
        self.ready = True
        _log.info("ready", policy=self.settings.policy.name, projected=count)

    async def stop(self) -> None:
        """End every call with its last words, within bounds; then let go of threads and files."""
        self.ready = False
        try:
            async with asyncio.timeout(DRAIN_S):
                await self.switchboard.drain()
                await self.swaps.stop()
                await self.uploads.stop()
        except TimeoutError:
            _log.error("drain timed out", calls=sorted(self.in_progress))
        await self.outlets.stop()
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._writer.shutdown(wait=True)
        if self.pool is not None:
            self.pool.close(HANG_S)
        self.store.close()

    @asynccontextmanager
    async def open(self, info: CallInfo) -> AsyncIterator[LiveCall]:
        """A live call: in the list before the block begins, finished there when it is left.

        Raises Refused when there are too many, Conflict when the id is taken, BadInput when it cannot be one,
        StorageFault when the disk is full.
        """
        self._check_ready()
        opened = False
        with self.admission.call():
            try:
                async with self.switchboard.open(info) as live:
                    opened = True
                    await self.project(info.call_id, "live")
                    yield live
            finally:
                if opened:
                    await self.project(info.call_id)
                    await self._tell_end(info)

    def guard(self) -> Guard:
        """The limits of one more connection."""
        return Guard(self.limits, self.metrics.refused)

    async def analyse(self, info: CallInfo, received: Received) -> None:
        """Take an uploaded recording in. Raises as ``open`` does, and Busy; the recording is dropped then."""
        try:
            self._check_ready()
            self.uploads.check_room()
            call = await asyncio.to_thread(self._record, info)
        except BaseException:
            received.drop()
            raise
        self.hub.open(info.call_id)
        self.uploads.begin(call, received)
        await self.project(info.call_id, "analysing")

    async def delete(self, call_id: str) -> None:
        """Remove a call and everything known of it. Raises Conflict while it is in progress, NotFound."""
        if call_id in self.in_progress:
            raise Conflict(f"call {call_id} is in progress; it can be deleted once it has ended")
        await self._in_writer(partial(self._remove, call_id))
        _log.info("call deleted", call_id=call_id)

    async def swap(self, call_id: str, who: Who) -> None:
        """Exchange a call's roles in the background. Raises Conflict while it is in progress, NotFound, BadInput."""
        self._check_ready()
        self._check_idle(call_id)
        swap = await asyncio.to_thread(self._examine, call_id, who)
        self._check_idle(call_id)
        self.swaps.begin(swap)

    def progress(self, call_id: str) -> float | None:
        """0-1 of a recording being analysed or a call being swapped, else None."""
        job = self.uploads.jobs.get(call_id) or self.swaps.jobs.get(call_id)
        return None if job is None else job.progress

    async def project(self, call_id: str, state: Literal["live", "analysing"] | None = None) -> None:
        """Write a call's row; what fails here is logged, for the row can always be rebuilt."""
        try:
            await self._in_writer(lambda: self.store.project(self.archive.folder(call_id), state))
        except Exception as error:  # noqa: BLE001 - a call must not end for the sake of its projection
            _log.error("projection failed", call_id=call_id, error=type(error).__name__)

    def visible(self, call_id: str, who: Who) -> CallFolder:
        """The folder of a call that they may see; NotFound for others' calls, as if there were none. Blocks."""
        folder = self.archive.folder(call_id)
        if not who.sees(read_header(folder.journal).call.agent_id):
            raise NotFound(f"no stored call {call_id}")
        return folder

    def current(self, row: CallRow) -> CallRow:
        """The row as it holds now: where it could not be written when its call ended, it is written again. Blocks."""
        if row.state not in ("live", "analysing") or row.id in self.in_progress:
            return row
        try:
            self._writer.submit(self.store.project, self.archive.folder(row.id)).result()
            return self.store.get(row.id)
        except Exception as error:  # noqa: BLE001 - the disk may still be full, and the list must be shown
            _log.error("projection failed", call_id=row.id, error=type(error).__name__)
            row.state = "interrupted"
            return row

    def view(self, folder: CallFolder) -> bytes:
        """A call's view as JSON: the bounded one while it is live, else the full one. Blocks."""
        live = self.switchboard.calls.get(folder.path.name)
        if live is not None:
            return live.snapshot()
        return VIEW.dump_json(read(folder).view)

    def duration_s(self, call_id: str) -> float | None:
        """Seconds heard of a live call; None for any other. Blocks."""
        live = self.switchboard.calls.get(call_id)
        return None if live is None else cast(float, json.loads(live.snapshot())["duration_s"])

    async def mark(self, call_id: str, mark: Mark) -> None:
        """Tell a live call what happens at the phone, behind the audio that waits. Raises Conflict when not live."""
        await self._live(call_id).mark(mark)

    async def answer(self, folder: CallFolder, alert: int, kind: Answer, who: Who) -> None:
        """Acknowledge or dismiss an alert. Raises NotFound when there is none of that number.

        After the call a dismissal becomes a note (the alert was wrong); an acknowledgement reaches no one: Conflict.
        """
        topic = self.hub.topic(folder.path.name)
        if topic is None or folder.path.name in self.uploads.jobs:
            await self._label(folder, alert, kind, who)
        elif alert not in topic.alerts:
            raise NotFound(f"call {folder.path.name} has no alert {alert}")
        else:
            self.command(folder.path.name, Command(kind=kind, alert=alert, by=who.name))

    def command(self, call_id: str, command: Command) -> None:
        """Let a command into a live call. Raises Conflict when it is not live, or too many wait."""
        self._live(call_id).admit(command)

    def hush(self, call_id: str, kind: Literal["snooze", "wake"], who: Who) -> None:
        """Withhold advice for a while, or no longer. Raises Conflict when the call is not live."""
        self._live(call_id).admit(Command(kind=kind, by=who.name))

    async def _label(self, folder: CallFolder, alert: int, kind: Answer, who: Who) -> None:
        call_id = folder.path.name
        self._check_settled(call_id, "answer its alerts")
        if not await asyncio.to_thread(_raised, folder, alert):
            raise NotFound(f"call {call_id} has no alert {alert}")
        if kind == "acknowledge":
            raise Conflict(f"call {call_id} has ended; its alerts can be dismissed as wrong, not acknowledged")
        await self._write(folder, notes.wrong(alert, who.name))

    async def note(self, folder: CallFolder, note: Note, who: Who) -> int:
        """Add a note, also to a live call. Returns its line.

        Raises NotFound for an alert that was not raised and for a replaced note that does not stand, Conflict for
        another's, and while the call is being analysed or swapped.
        """
        self._check_settled(folder.path.name, "take notes of it")
        if note.type == "label" and not await asyncio.to_thread(_raised, folder, note.about or 0):
            raise NotFound(f"call {folder.path.name} has no alert {note.about}")
        if note.replaces is not None:
            await asyncio.to_thread(_check_own, folder, note.replaces, who)
        return await self._write(folder, note)

    async def take_back(self, folder: CallFolder, line: int, who: Who) -> None:
        """Make a note hold no longer. Raises NotFound where none stands there, Conflict for another's."""
        self._check_settled(folder.path.name, "take notes of it")
        await asyncio.to_thread(_check_own, folder, line, who)
        await self._write(folder, notes.undo(line, who.name))

    async def _write(self, folder: CallFolder, note: Note) -> int:
        call_id = folder.path.name
        line = await self._in_writer(partial(notes.append, folder, note))
        await self.project(call_id, "live" if call_id in self.switchboard.calls else None)
        return line

    def _check_settled(self, call_id: str, then: str) -> None:
        if call_id in self.uploads.jobs or call_id in self.swaps.jobs:
            raise Conflict(f"call {call_id} is being analysed; {then} once that is done")

    def _live(self, call_id: str) -> LiveCall:
        try:
            return self.switchboard.get(call_id)
        except NotFound:
            raise Conflict(f"call {call_id} is not live; it takes nothing in") from None

    def started(self, live: LiveCall) -> None:
        self.hub.open(live.call_id)
        self.hub.started(live)
        _log.info("call started", call_id=live.call_id, channels=len(live.info.channels))

    def heard(self, live: LiveCall, entries: list[Entry]) -> None:
        self.hub.heard(live, entries)
        self.metrics.heard(entries)
        self.outlets.heard(live.info, entries)
        for entry in entries:
            if isinstance(entry.item, Fault):  # its message may quote anything, so it stays in the journal
                _log.warning("fault", call_id=live.call_id, part=entry.item.part, fatal=entry.item.fatal)

    def drafted(self, live: LiveCall, draft: Draft) -> None:
        self.hub.drafted(live, draft)

    def ended(self, live: LiveCall) -> None:
        self.hub.ended(live)
        self.claims.forget(live.call_id)
        _log.info("call ended", call_id=live.call_id)

    async def _analysed(self, call_id: str) -> None:
        folder = self.archive.folder(call_id)
        with suppress(BadInput):  # a journal that the disk cut short counts for nothing
            self.metrics.heard(await asyncio.to_thread(lambda: list(read_entries(folder.journal))))
        await self.project(call_id)
        await self._tell_end(await asyncio.to_thread(lambda: read_header(folder.journal).call))
        self.hub.shut(call_id)
        _log.info("recording analysed", call_id=call_id)

    async def _tell_broken_off(self, call_id: str) -> None:
        """The last process was killed over a call: tell its end, for nobody else will."""
        with suppress(BadInput, NotFound):  # deleted meanwhile, or without a header
            await self._tell_end(
                await asyncio.to_thread(lambda: read_header(self.archive.folder(call_id).journal).call)
            )

    async def _tell_end(self, info: CallInfo) -> None:
        """Tell other programs, with what the list has of it; without that where it cannot be read."""
        row = None
        try:
            row = await asyncio.to_thread(self.store.get, info.call_id)
        except Exception as error:  # noqa: BLE001 - as in project: the call has ended all the same
            _log.error("row not read", call_id=info.call_id, error=type(error).__name__)
        self.outlets.ended(info, row)

    async def _swapped(self, folder: CallFolder, note: notes.Note) -> None:
        try:
            await self._in_writer(partial(notes.append, folder, note))
        except StorageFault as error:  # the journal and its header say it too
            _log.error("note not written", call_id=folder.path.name, error=type(error).__name__)
        await self.project(folder.path.name)
        _log.info("swap ended", call_id=folder.path.name)

    def _bulk(self, who: str) -> Ask | None:
        """The recogniser for recordings: live calls go first, and who asks takes turns."""
        return partial(self.pool.ask, call=who, bulk=True) if self.pool is not None else None

    def _record(self, info: CallInfo) -> Call:
        session = graph.build(info, self.settings, self.engines)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        return self.archive.record(session, self.settings, self.engines.identities, live=True, started=started)

    def _remove(self, call_id: str) -> None:
        self.archive.delete(call_id)
        self.store.forget(call_id)

    def _examine(self, call_id: str, who: Who) -> Swap:
        folder = self.archive.folder(call_id)
        self.store.get(call_id)  # a call just being opened is not listed yet
        return self.swaps.examine(folder, who.name)

    def _check_idle(self, call_id: str) -> None:
        if call_id in self.in_progress:
            raise Conflict(f"call {call_id} is in progress; its roles can be swapped once that is over")

    def _check_ready(self) -> None:
        if not self.ready:
            raise Conflict("the server is going down and takes no further calls")

    async def _in_writer(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)


def _raised(folder: CallFolder, alert: int) -> bool:
    """Whether an event of that number raised an alert."""
    found = stored(folder.journal, alert - 1, alert).events if alert > 0 else []
    event = json.loads(found[0][1])["event"] if found else {}
    return event.get("type") == "alert" and event.get("of") is None


def _check_own(folder: CallFolder, line: int, who: Who) -> None:
    """Supervisors may take any note back, agents their own; what a swap did stays told."""
    note = notes.at(folder, line)
    if note.type == "swap" or (who.role is Role.AGENT and note.by != who.name):
        raise Conflict(f"note {line} is not yours to change")
