"""Fan-out to pages.

A page that follows a call gets every event after the number it names. While it is behind it reads the journal at its
own pace; once it has caught up it joins the call's topic, in the same breath, so nothing is missed and nothing comes
twice. What waits for one page is bounded in bytes; a page that is slower still is dropped and resumes by number.
A page that watches an agent gets the latest state only.
Drafts (words still being spoken) have no number and are kept nowhere: a page gets them where it asks for them, as long
as there is room.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from pipeline.channel import Channel
from pipeline.drafts import Draft
from pipeline.events import Alert, Event
from pipeline.journal import EVENT, CallFolder, is_event
from pipeline.live import LiveCall
from pipeline.session import Entry

BATCH = 200
"""Journal lines read in one go."""
PACE_S = 0.1
"""Seconds between two states sent to a page that watches an agent, at least."""
RESTLESS_S = 1.0
"""Seconds after which a restless page looks again, though its call has no news: a notice must go by itself."""

_DRAFT = TypeAdapter(Draft)
_LINE = re.compile(rb'\{"n":(\d+),"at":(\d+),"ev":')


class TooSlow(Exception):
    """More waits for the page than may."""


def message(entry: Entry) -> bytes:
    """An event as pages get it."""
    return b'{"n":%d,"at":%d,"event":%b}' % (entry.n, entry.at, EVENT.dump_json(cast(Event, entry.item)))


def draft_message(draft: Draft) -> bytes:
    """Words still being spoken, as pages get them; without any, those shown are taken back."""
    return b'{"type":"draft","draft":%b}' % _DRAFT.dump_json(draft)


def line_message(*, lost: bool) -> bytes:
    """Whether a call waits for its sender, as pages get it."""
    return b'{"type":"line","lost":%b}' % (b"true" if lost else b"false")


@dataclass(frozen=True, slots=True)
class Stored:
    """events: number and message. offset: byte where reading goes on, None at the end."""

    events: list[tuple[int, bytes]]
    offset: int | None


def stored(path: Path, after: int, upto: int | None = None, *, offset: int = 0, limit: int = BATCH) -> Stored:
    """The journal's events with ``after < n <= upto``, from a byte offset on; a torn last line is left out."""
    events: list[tuple[int, bytes]] = []
    with path.open("rb") as file:
        file.seek(offset)
        while len(events) < limit:
            line = file.readline()
            if not line.endswith(b"\n"):
                return Stored(events, None)
            offset += len(line)
            head = _LINE.match(line)
            number = int(head[1]) if head else 0
            if upto is not None and number > upto:
                return Stored(events, None)
            if head and number > after:
                events.append((number, b'{"n":%b,"at":%b,"event":%b' % (head[1], head[2], line[head.end() : -1])))
    return Stored(events, offset)


class Page:
    """What waits for one page. limit: bytes. after: number up to which it has everything. drafts: it wants them."""

    def __init__(self, limit: int, after: int = 0, *, drafts: bool = False) -> None:
        self.drafts = drafts
        self._limit = limit
        self._after = after
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._over = False
        self._slow = False
        self._wake = asyncio.Event()

    def put(self, number: int, text: bytes) -> bool:
        """False when the page is too slow; it keeps nothing then."""
        if number <= self._after:
            return True
        self._bytes += len(text)
        self._slow = self._slow or self._bytes > self._limit
        if self._slow:
            self._waiting.clear()
        else:
            self._waiting.append((number, text))
        self._wake.set()
        return not self._slow

    def tell(self, text: bytes) -> None:
        """What has no number, and is left out where there is no room. It comes with the number 0."""
        if not self._slow and self._bytes + len(text) <= self._limit:
            self._bytes += len(text)
            self._waiting.append((0, text))
            self._wake.set()

    def end(self) -> None:
        """Nothing follows."""
        self._over = True
        self._wake.set()

    async def take(self) -> tuple[int, bytes] | None:
        """The next number and message, None after the last one. Raises TooSlow."""
        while not self._waiting:
            if self._slow:
                raise TooSlow
            if self._over:
                return None
            self._wake.clear()
            await self._wake.wait()
        number, text = self._waiting.popleft()
        self._bytes -= len(text)
        return number, text


@dataclass(slots=True, eq=False)
class Topic:
    """One call in progress. last: number of its last published entry. alerts: numbers of those raised.

    drafts: the words that are being spoken now. lost: the connection broke, and the call waits for its sender.
    """

    last: int = 0
    pages: set[Page] = field(default_factory=set)
    alerts: set[int] = field(default_factory=set)
    drafts: dict[Channel, Draft] = field(default_factory=dict)
    lost: bool = False


class _Watcher:
    """A page that watches an agent. changed: there is news for it. told: it has been sent all there is."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.told = asyncio.Event()

    def wake(self) -> None:
        self.told.clear()
        self.changed.set()

    def sent(self) -> None:
        if not self.changed.is_set():
            self.told.set()


@dataclass(slots=True, eq=False)
class _Seat:
    """One agent: calls in progress, oldest first, and who wants to know when something changes."""

    calls: list[LiveCall] = field(default_factory=list)
    watchers: set[_Watcher] = field(default_factory=set)


class Hub:
    """The pages' side of every call in progress: an ``Audience``. Everything runs on the event loop.

    queue_bytes: what may wait for one page.
    """

    def __init__(self, queue_bytes: int, pace_s: float = PACE_S) -> None:
        self._queue_bytes = queue_bytes
        self._pace = pace_s
        self._topics: dict[str, Topic] = {}
        self._seats: dict[str, _Seat] = {}

    def open(self, call_id: str) -> None:
        """A call begins; from now on it can be followed."""
        self._topics[call_id] = Topic()

    def topic(self, call_id: str) -> Topic | None:
        """None when the call is not in progress."""
        return self._topics.get(call_id)

    def publish(self, call_id: str, entries: list[Entry]) -> None:
        """Entries that are in the journal already, in order."""
        topic = self._topics[call_id]
        for entry in entries:
            topic.last = entry.n
            if not is_event(entry):
                continue
            if isinstance(entry.item, Alert) and entry.item.of is None:
                topic.alerts.add(entry.n)
            if topic.pages:
                self._send(topic, entry.n, message(entry))

    def shut(self, call_id: str) -> None:
        """The call has ended and its journal is finished."""
        topic = self._topics.pop(call_id, None)
        for page in topic.pages if topic else ():
            page.end()

    def started(self, live: LiveCall) -> None:
        self._seat(live.info.agent_id).calls.append(live)
        self._changed(live.info.agent_id)

    def heard(self, live: LiveCall, entries: list[Entry]) -> None:
        self.publish(live.call_id, entries)
        self._changed(live.info.agent_id)

    def drafted(self, live: LiveCall, draft: Draft) -> None:
        topic = self._topics[live.call_id]
        topic.drafts[draft.channel] = draft
        for page in topic.pages:
            if page.drafts:
                page.tell(draft_message(draft))
        self._changed(live.info.agent_id)

    def line(self, live: LiveCall, *, lost: bool) -> None:
        """The call's connection broke, or is there again: no event, for without audio no time passes in a call."""
        topic = self._topics.get(live.call_id)
        if topic is None:
            return
        topic.lost = lost
        for page in topic.pages:
            if page.drafts:
                page.tell(line_message(lost=lost))
        self._changed(live.info.agent_id)

    def lost(self, call_id: str) -> bool:
        """Whether the call waits for its sender."""
        topic = self._topics.get(call_id)
        return topic is not None and topic.lost

    def drafts(self, call_id: str) -> dict[Channel, Draft]:
        """The words that are being spoken now, the latest of each channel; empty ones are over."""
        topic = self._topics.get(call_id)
        return {} if topic is None else dict(topic.drafts)

    def ended(self, live: LiveCall) -> None:
        self.shut(live.call_id)
        self._seat(live.info.agent_id).calls.remove(live)
        self._changed(live.info.agent_id)
        self._tidy(live.info.agent_id)

    def at(self, agent_id: str) -> LiveCall | None:
        """The agent's latest call in progress."""
        seat = self._seats.get(agent_id)
        return seat.calls[-1] if seat and seat.calls else None

    async def follow(self, folder: CallFolder, after: int, *, drafts: bool = False) -> AsyncGenerator[bytes, None]:
        """Every event after a number, to the end of the call, and drafts between them. Raises TooSlow."""
        call_id = folder.path.name
        while (topic := self._topics.get(call_id)) is not None and after < topic.last:
            upto = topic.last
            async for _, text in _read(folder.journal, after, upto):
                yield text
            after = upto
        if topic is None:
            async for _, text in _read(folder.journal, after, None):
                yield text
            return
        page = Page(self._queue_bytes, after, drafts=drafts)
        topic.pages.add(page)
        if drafts and topic.lost:
            page.tell(line_message(lost=True))
        try:
            while (waited := await page.take()) is not None:
                number, text = waited
                after = max(after, number)
                yield text
        finally:
            topic.pages.discard(page)
        async for _, text in _read(folder.journal, after, None):  # what was written but never published
            yield text

    async def watch(
        self, agent_id: str, restless: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[LiveCall | None, None]:
        """The agent's call (None between calls), now and whenever something changed, at the pace of a page.

        restless: whether something else may change, so that a page must look again every RESTLESS_S.
        """
        watcher = _Watcher()
        watchers = self._seat(agent_id).watchers
        watchers.add(watcher)
        try:
            while True:
                watcher.changed.clear()
                yield self.at(agent_id)
                watcher.sent()
                await asyncio.sleep(self._pace)
                with suppress(TimeoutError):
                    async with asyncio.timeout(RESTLESS_S if restless() else None):
                        await watcher.changed.wait()
        finally:
            watcher.told.set()
            watchers.discard(watcher)
            self._tidy(agent_id)

    async def settled(self, patience: float) -> None:
        """Until every page that watches an agent was sent its last state, for ``patience`` seconds at most.

        A server that goes away with its call waits for this: a page that had not heard of the end would stay "live".
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for watcher in [each for seat in self._seats.values() for each in seat.watchers]:
                    await watcher.told.wait()

    def _send(self, topic: Topic, number: int, text: bytes) -> None:
        for page in [page for page in topic.pages if not page.put(number, text)]:
            topic.pages.discard(page)

    def _seat(self, agent_id: str) -> _Seat:
        return self._seats.setdefault(agent_id, _Seat())

    def _changed(self, agent_id: str) -> None:
        for watcher in self._seat(agent_id).watchers:
            watcher.wake()

    def _tidy(self, agent_id: str) -> None:
        seat = self._seats.get(agent_id)
        if seat and not seat.calls and not seat.watchers:
            del self._seats[agent_id]


async def _read(path: Path, after: int, upto: int | None) -> AsyncGenerator[tuple[int, bytes], None]:
    offset: int | None = 0
    while offset is not None:
        batch = await asyncio.to_thread(stored, path, after, upto, offset=offset)
        for item in batch.events:
            yield item
        offset = batch.offset
