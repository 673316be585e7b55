"""The live driver: the only asyncio of the pipeline.

One ``LiveCall`` steps one call in the ``lane`` that all share, batch by batch; one ``EnginePool`` (``pool``) answers
for all calls; ``Switchboard`` opens calls, refuses what cannot be taken, and drains at the end.
Overflow: a feed waits while 2 s of audio are queued (the sender's own buffer fills, nothing is lost here; capture
devices cannot wait and drop their oldest audio, see ``sources.microphone``); answers that come late are admitted late,
drafts are left out (see ``scheduler``). No step waits for the recogniser.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from threading import Lock
from typing import Protocol, TypeVar

import numpy as np

from models.protocols import Transcript
from pipeline.call import Call
from pipeline.channel import Channel
from pipeline.drafts import Agreement, Draft
from pipeline.errors import Conflict, NotFound, StorageFault
from pipeline.events import Rejected, Words
from pipeline.framing import Sound
from pipeline.hush import Hush
from pipeline.inputs import ChatLine, Command, EngineResult, Frame, Input, Mark, Strained
from pipeline.lane import Lane
from pipeline.pool import EnginePool, fault
from pipeline.session import TAIL, CallInfo, Entry, Step, Utterance
from pipeline.strain import Shed, Strain
from pipeline.timebase import RATE, TICK, samples, seconds
from pipeline.together import Asking
from pipeline.view import VIEW, View
from pipeline.waiting import Item, Waiting

T = TypeVar("T")

QUEUE = 2 * RATE // TICK
"""Ticks that may wait: 2 s."""

BATCH = 16
"""Frames stepped in one go when they have piled up: half a second, so commands never wait longer."""

UNHEARD = 64
"""Commands and marks that may wait for audio: more is no person."""

LAG = 30.0
"""Seconds of audio that may be on its way from a sender; a sender that is further behind has stalled."""

PATIENCE = 60.0
"""Seconds an ended call waits for its last words before it ends with a fault in their place."""


_GOING_DOWN = "the server is going down and takes no further calls"


class Audience(Protocol):
    """Who is told what happens; called on the event loop, in order."""

    def started(self, live: "LiveCall") -> None: ...

    def heard(self, live: "LiveCall", entries: list[Entry]) -> None: ...

    def drafted(self, live: "LiveCall", draft: Draft) -> None:
        """Words that may still change; nothing of them is journaled. An empty draft takes them back."""
        ...

    def ended(self, live: "LiveCall") -> None: ...


class LiveCall:
    """One call in progress. ``feed``, ``admit`` and ``close`` from the event loop; ``run`` is its one task."""

    def __init__(self, call: Call, pool: EnginePool | None, lane: Lane, audience: Audience) -> None:
        self.info: CallInfo = call.session.info
        self._call = call
        self._pool = pool
        self._lane = lane
        self._audience = audience
        self._queue = Waiting(QUEUE)
        self._ready: deque[Input | Frame] = deque()  # made of what was taken, and not stepped yet
        self._last = False
        self._inbox: list[Input] = []
        self._closing: tuple[str, int | None] | None = None
        self._over = asyncio.Event()
        self._lock = Lock()
        self._hush = Hush()
        self._unheard = 0
        self._fed = 0
        self._began = math.inf
        self._loop = asyncio.get_running_loop()
        self._strained = False
        self._withheld: set[Channel] = set()  # whose language is not the recogniser's: no draft of it either
        self._answers: set[asyncio.Future[EngineResult]] = set()
        self._agreement = Agreement()

    @property
    def call_id(self) -> str:
        return self.info.call_id

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def snapshot(self) -> bytes:
        """The live view as JSON."""
        return self.look(VIEW.dump_json)

    def look(self, read: Callable[[View], T]) -> T:
        """What ``read`` makes of the live view, while no step changes it. Blocks for the rest of a step."""
        with self._lock:
            return read(self._call.view)

    async def feed(self, items: Sequence[Item]) -> None:
        """Hand over what the door gave; waits while 2 s are queued. Raises Conflict when the call is over.

        The sender's marks, and the lines of a chat, go the same way and keep their place between its frames.
        """
        for item in items:
            self._check_open()
            if isinstance(item, Sound | Frame):
                self._comes(item.ticks * TICK if isinstance(item, Sound) else TICK)
            await self._queue.put(item)

    def _comes(self, count: int) -> None:
        """So many more samples."""
        if count:
            self._unheard = 0
            self._fed += count
            self._began = min(self._began, self._loop.time() - seconds(self._fed))

    async def mark(self, mark: Mark) -> None:
        """A mark from outside: queued, for a ``resume`` must not overtake card data. Raises as ``admit`` does.

        A ``pause`` is never refused and withholds at once what is queued before it. A ``resume`` waits for audio that
        was spoken before it and is still on its way, as the clock tells, for at most LAG.
        """
        self._check_open()
        if mark.kind != "pause":
            self._count()
        spoken = samples(self._loop.time() - self._began) if self._fed else 0
        self._hush.announce(mark, min(spoken, self._fed + samples(LAG)))
        await self.feed([mark])

    def admit(self, item: Command) -> None:
        """Let a command take effect with the next audio. Raises Conflict when the call is over, or too many wait."""
        self._check_open()
        self._count()
        self._inbox.append(item)

    def _check_open(self) -> None:
        if self._closing is not None or self.over:
            raise Conflict(f"call {self.call_id} has ended")

    def _count(self) -> None:
        if self._unheard >= UNHEARD:
            raise Conflict(f"call {self.call_id}: {UNHEARD} commands wait for its next audio; try again then")
        self._unheard += 1

    async def close(self, reason: str, end: int | None = None) -> None:
        """The audio is over at sample ``end``; idempotent. Does not wait for the last words."""
        if self._closing is None and not self.over:
            self._closing = (reason, end)
            await self._queue.put(None)

    async def wait(self) -> None:
        """Until the call has ended and its files are finished."""
        await self._over.wait()

    async def run(self) -> None:
        """Step until closed; an unexpected failure ends this call with a Fault and no other."""
        self._audience.started(self)
        try:
            while await self._batch():
                pass
            await self._finish()
        except Exception as error:  # noqa: BLE001 - whatever fails here must end this call, loudly, and no other
            self._publish(await self._in_lane(partial(self._fail, error)))
        finally:
            self._over.set()
            self._discard()
            if self._pool is not None:
                self._pool.forget(self.call_id)
            self._audience.ended(self)

    async def _batch(self) -> bool:
        """Step what has come. False once the end marker was reached."""
        items: list[Item | None] = [] if self._ready else await self._queue.take(BATCH)
        self._last = self._last or None in items
        inbox, self._inbox = [*self._strain(), *self._inbox], []
        audio = [item for item in items if item is not None]
        self._take(await self._lane.run(partial(self._advance, inbox, audio)))
        return bool(self._ready) or not self._last

    def _strain(self) -> list[Input]:
        """Whether the voice is left out, where that has changed."""
        strained = self._lane.strain.shed >= Shed.VOICE
        if strained is self._strained or self.info.attribution == "written":
            return []
        self._strained = strained
        return [Strained(on=strained)]

    def _advance(self, inbox: list[Input], items: list[Item]) -> Asking[list[Step]]:
        """A BATCH of frames at most: a long gap, which comes in one piece, holds nobody up."""
        for command in inbox:
            self._admit(command)
        for item in items:
            self._ready.extend(item.frames() if isinstance(item, Sound) else [item])
        steps: list[Step] = []
        while self._ready and len(steps) < BATCH:
            here = self._ready.popleft()
            if isinstance(here, Frame):
                tick = yield from self._call.hearing(self._hush.pass_on(here))
                with self._lock:
                    steps.append(self._call.think(tick))
            elif not (isinstance(here, ChatLine) and self._hush.withholds(self._call.session.heard)):
                self._admit(here)
        return steps

    def _admit(self, item: Input) -> None:
        self._call.admit(item)
        if isinstance(item, Mark):
            self._hush.obey(item, self._call.session.heard)

    async def _finish(self) -> None:
        assert self._closing is not None
        self._call.close(*self._closing)
        for begin in range(0, TAIL, BATCH):
            self._take(await self._lane.run(partial(self._drain, min(BATCH, TAIL - begin))))
        if self._answers:
            await asyncio.wait(self._answers, timeout=PATIENCE)
            await asyncio.sleep(0)  # the answers' callbacks run before the last step
        self._take(await self._in_lane(self._end))

    def _drain(self, count: int) -> Asking[list[Step]]:
        """So much of the tail: a BATCH at most, for others end at the same moment, and others go on."""
        steps: list[Step] = []
        for _ in range(count):
            tick = yield from self._call.draining()
            with self._lock:
                steps.append(self._call.think(tick))
        return steps

    def _end(self) -> list[Step]:
        """Admit what waits, and a fault for every answer that did not come in time."""
        answered = {item.utterance for item in self._inbox if isinstance(item, EngineResult)}
        for item in self._inbox:
            self._call.admit(item)
        for number, utterance in list(self._call.session.pending.items()):
            if number not in answered:
                self._call.admit(fault(utterance, f"no answer within {PATIENCE:g} s of the end of the call"))
        return [self._call.end()]

    def _fail(self, error: Exception) -> list[Entry]:
        return self._call.fail("storage" if isinstance(error, StorageFault) else "call", error)

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            self._request(step.asked)
        entries = [entry for step in steps for entry in step.entries]
        self._publish(entries)
        for entry in entries:
            match entry.item:
                case EngineResult() as answer:
                    self._show(self._agreement.end(_asked(answer)))
                case Rejected(reason="unsupported_language", channel=channel):
                    self._withheld.add(channel)
                case Words(channel=channel):
                    self._withheld.discard(channel)
                case _:
                    pass

    def _request(self, asked: list[Utterance]) -> None:
        if self._pool is None:
            return
        for utterance in asked:
            if utterance.stage == "final":
                answer = asyncio.wrap_future(self._pool.ask(utterance, self.call_id), loop=self._loop)
                self._answers.add(answer)
                answer.add_done_callback(self._answered)
            else:
                draft = asyncio.wrap_future(self._pool.draft(utterance, self.call_id), loop=self._loop)
                draft.add_done_callback(partial(self._drafted, utterance))

    def _answered(self, answer: "asyncio.Future[EngineResult]") -> None:
        self._answers.discard(answer)
        if not answer.cancelled() and not self.over:
            self._inbox.append(answer.result())

    def _drafted(self, utterance: Utterance, answer: "asyncio.Future[Transcript | None]") -> None:
        heard = None if answer.cancelled() else answer.result()
        if heard is not None and not self.over and utterance.channel not in self._withheld:
            self._show(self._agreement.take(utterance, heard.text))

    def _show(self, draft: Draft | None) -> None:
        if draft is not None:
            self._audience.drafted(self, draft)

    def _publish(self, entries: list[Entry]) -> None:
        if entries:
            self._audience.heard(self, entries)

    def _discard(self) -> None:
        """Free a feeder that waits for room."""
        self._queue.clear()

    async def _in_lane(self, work: Callable[[], T]) -> T:
        """Run blocking work of this call in the lane while nobody looks, never two at a time."""

        def locked() -> T:
            with self._lock:
                return work()

        return await self._lane.run(locked)


def _asked(result: EngineResult) -> Utterance:
    """What it answers, without its audio."""
    return Utterance(result.utterance, result.channel, result.span, np.zeros(0, np.int16))


class Switchboard:
    """Every call in progress. prepare: makes the Call of an id (folder, journal, session), or raises."""

    def __init__(self, prepare: Callable[[CallInfo], Call], pool: EnginePool | None, audience: Audience) -> None:
        self._prepare = prepare
        self._pool = pool
        self._audience = audience
        self._lane = Lane(shed=self._shed)
        self._calls: dict[str, LiveCall] = {}
        self._opening: set[str] = set()
        self._draining = False

    @property
    def calls(self) -> dict[str, LiveCall]:
        """Calls in progress by id."""
        return self._calls

    @property
    def strain(self) -> Strain:
        """Whether calls are stepped in time, and what is left out where they are not."""
        return self._lane.strain

    def _shed(self, shed: Shed) -> None:
        if self._pool is not None:
            self._pool.shed(shed)

    def get(self, call_id: str) -> LiveCall:
        """Raises NotFound when no such call is in progress."""
        try:
            return self._calls[call_id]
        except KeyError:
            raise NotFound(f"no call {call_id} is in progress") from None

    @asynccontextmanager
    async def open(self, info: CallInfo) -> AsyncIterator[LiveCall]:
        """A call that lives as long as the block; leaving it closes the call and waits for its last words.

        Raises Conflict when the id is in use or the server is going down, and whatever ``prepare`` raises.
        """
        live = await self._start(info)
        task = asyncio.create_task(live.run(), name=f"call {info.call_id}")
        reason = "end of audio"
        try:
            yield live
        except BaseException:
            reason = "connection lost"
            raise
        finally:
            await live.close(reason)
            await asyncio.shield(task)
            del self._calls[info.call_id]
            if not self._calls:
                self._lane.rest()

    async def _start(self, info: CallInfo) -> LiveCall:
        """Prepare in a thread, for it looks at every stored file; the id is taken meanwhile."""
        self._check(info)
        self._opening.add(info.call_id)
        try:
            call = await asyncio.to_thread(self._prepare, info)
        finally:
            self._opening.remove(info.call_id)
        if self._draining:
            call.release()
            raise Conflict(_GOING_DOWN)
        live = self._calls[info.call_id] = LiveCall(call, self._pool, self._lane, self._audience)
        return live

    def _check(self, info: CallInfo) -> None:
        if self._draining:
            raise Conflict(_GOING_DOWN)
        if info.call_id in self._calls or info.call_id in self._opening:
            raise Conflict(f"call {info.call_id} is in progress already; use another call_id")

    async def drain(self) -> None:
        """Close every call and wait for its last words; no further call is taken."""
        self._draining = True
        live = list(self._calls.values())
        for call in live:
            await call.close("server stopped")
        for call in live:
            await call.wait()
        self._lane.close()
