"""What waits for a page is bounded, and the seam between journal and topic has no gap."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.hub import Hub, Page, TooSlow, message, stored
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Cue
from pipeline.inputs import Mark
from pipeline.journal import CallFolder, Header, Journal
from pipeline.session import CallInfo, Entry
from pipeline.settings import Settings
from pipeline.timebase import Span


def entry(n: int) -> Entry:
    if n % 3 == 0:
        return Entry(n, n * 512, Mark(kind="hold"))
    cue = Cue(span=Span(0, n), at=n, channel=Channel.AGENT, name="x", phrase=f'number {n} {{"ev":1}}', of=1)
    return Entry(n, n * 512, cue)


def events(after: int, upto: int) -> list[bytes]:
    return [message(entry(n)) for n in range(after + 1, upto + 1) if n % 3]


class Written:
    """A call whose journal and hub are fed by hand."""

    def __init__(self, root: Path, limit: int = 10**6) -> None:
        self.folder = CallFolder(root / "c1")
        self.folder.path.mkdir(parents=True)
        self.journal = Journal(self.folder.journal, Header(CallInfo(call_id="c1", channels=TWO_CHANNEL), Settings()))
        self.hub = Hub(limit)
        self.hub.open("c1")
        self.last = 0

    def write(self, count: int, *, publish: int | None = None) -> None:
        """The journal is ahead of the hub, never behind."""
        entries = [entry(n) for n in range(self.last + 1, self.last + count + 1)]
        self.journal.write(entries)
        self.last += count
        self.hub.publish("c1", entries[:publish])

    def end(self) -> None:
        self.hub.shut("c1")
        self.journal.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    after=st.integers(0, 40),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=12),
)
def test_the_seam_is_exact(tmp_path_factory: pytest.TempPathFactory, after: int, steps: list[tuple[int, int]]) -> None:
    """Whatever is written between any two messages that a page takes, it gets each event once."""

    async def run() -> None:
        call = Written(tmp_path_factory.mktemp("hub"))
        call.write(20)
        got: list[bytes] = []

        async def page() -> None:
            async with aclosing(call.hub.follow(call.folder, after)) as messages:
                async for text in messages:
                    got.append(text)

        task = asyncio.create_task(page())
        for count, turns in steps:
            call.write(count)
            for _ in range(turns):
                await asyncio.sleep(0)
        call.end()
        await asyncio.wait_for(task, 20)
        assert got == events(after, call.last)

    asyncio.run(run())


def test_entries_that_were_written_but_not_published_come_in_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        call = Written(tmp_path)
        call.write(10, publish=5)
        follower = call.hub.follow(call.folder, 0)
        got = [await anext(follower) for _ in events(0, 5)]
        call.end()
        got += [text async for text in follower]
        assert got == events(0, 10)

    asyncio.run(run())


def test_a_page_that_waits_gets_what_was_written_but_not_published(tmp_path: Path) -> None:
    """It has caught up and hears the topic, so only the journal can tell it the rest."""

    async def run() -> None:
        call = Written(tmp_path)
        call.write(2)
        follower = call.hub.follow(call.folder, 0)
        got = [await anext(follower) for _ in events(0, 2)]
        waiting = asyncio.ensure_future(anext(follower))
        topic = call.hub.topic("c1")
        assert topic is not None
        while not topic.pages:
            await asyncio.sleep(0)
        call.write(6, publish=2)
        got.append(await waiting)
        assert got == events(0, 4)
        call.end()
        got += [text async for text in follower]
        assert got == events(0, 8)

    asyncio.run(run())


def test_what_waits_is_bounded_in_bytes(tmp_path: Path) -> None:
    async def run() -> None:
        call = Written(tmp_path, limit=1000)
        call.write(1)
        slow, fast = (call.hub.follow(call.folder, 0) for _ in range(2))
        got = [await anext(slow)]
        assert await anext(fast)
        waiting = asyncio.ensure_future(anext(slow)), asyncio.ensure_future(anext(fast))
        await asyncio.sleep(0)
        call.write(4)
        got.append(await waiting[0])
        assert await waiting[1] == got[1]
        for _ in range(40):
            call.write(3)
            assert await anext(fast)
            assert await anext(fast)
        with pytest.raises(TooSlow):
            while True:
                got.append(await anext(slow))
        topic = call.hub.topic("c1")
        assert topic is not None
        assert len(topic.pages) == 1
        resumed = call.hub.follow(call.folder, 2)
        call.end()
        assert got + [text async for text in resumed] == events(0, call.last)
        await fast.aclose()

    asyncio.run(run())


def test_a_page_keeps_nothing_once_it_was_too_slow() -> None:
    async def run() -> None:
        page = Page(10)
        assert page.put(1, b"12345")
        assert not page.put(2, b"123456")
        assert not page.put(3, b"")
        page.end()
        with pytest.raises(TooSlow):
            await page.take()

    asyncio.run(run())


def test_numbers_below_after_are_not_sent_again() -> None:
    async def run() -> None:
        page = Page(100, after=5)
        assert page.put(5, b"old")
        assert page.put(6, b"new")
        page.end()
        assert await page.take() == (6, b"new")
        assert await page.take() is None

    asyncio.run(run())


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    call = Written(tmp_path)
    call.write(5)
    call.end()
    with call.folder.journal.open("ab") as file:
        file.write(b'{"n":6,"at":3072,"ev":{"type":"cu')
    assert [text for _, text in stored(call.folder.journal, 0).events] == events(0, 5)


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_reading_in_batches(tmp_path: Path, limit: int) -> None:
    call = Written(tmp_path)
    call.write(50)
    call.end()
    got: list[bytes] = []
    offset: int | None = 0
    while offset is not None:
        batch = stored(call.folder.journal, 7, 44, offset=offset, limit=limit)
        got += [text for _, text in batch.events]
        offset = batch.offset
    assert got == events(7, 44)


def test_watching_is_paced_by_the_hub() -> None:
    async def run() -> None:
        hub = Hub(1000, pace_s=0.0)
        states = hub.watch("bob")
        assert await anext(states) is None
        hub._changed("bob")
        hub._changed("bob")
        assert await anext(states) is None
        pending = asyncio.ensure_future(anext(states))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not pending.done()
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await states.aclose()
        assert hub._seats == {}

    asyncio.run(run())


def test_a_server_that_goes_waits_until_its_pages_have_seen_the_end() -> None:
    async def run() -> list[str]:
        hub, said = Hub(1000, pace_s=0.0), []
        sending, line = asyncio.Event(), asyncio.Semaphore(0)

        async def page() -> None:
            async for _ in hub.watch("bob"):
                sending.set()
                await line.acquire()
                said.append("sent")

        async def leave() -> None:
            await hub.settled(60.0)
            said.append("goes")

        watching = asyncio.create_task(page())
        await sending.wait()
        hub._changed("bob")  # while the page is being sent an older state
        leaving = asyncio.create_task(leave())
        sending.clear()
        line.release()
        await sending.wait()  # now the last one
        assert not leaving.done()
        line.release()
        await leaving
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await leave()
        return said

    assert asyncio.run(asyncio.wait_for(run(), 60)) == ["sent", "sent", "goes", "goes"]


def test_a_page_that_takes_nothing_keeps_no_server_up() -> None:
    async def run() -> None:
        hub = Hub(1000, pace_s=0.0)
        states = hub.watch("bob")
        await anext(states)
        await asyncio.wait_for(hub.settled(0.01), 60)
        await states.aclose()

    asyncio.run(run())
