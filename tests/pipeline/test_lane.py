import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pipeline.lane import Lane
from pipeline.strain import Shed


def driven(script: Callable[[Lane], Awaitable[Any]], pace_s: float = 0.0) -> Any:
    async def main() -> Any:
        lane = Lane(pace_s)
        try:
            return await script(lane)
        finally:
            lane.close()

    return asyncio.run(asyncio.wait_for(main(), 60))


def test_gives_what_the_work_gives_from_a_thread_of_its_own() -> None:
    async def script(lane: Lane) -> list[str]:
        return [await lane.run(lambda: threading.current_thread().name) for _ in range(3)]

    names = driven(script)
    assert len(set(names)) == 1
    assert names[0].startswith("lane")


def test_works_are_done_in_order_and_never_two_at_a_time() -> None:
    inside, seen = threading.Lock(), []

    def work(number: int) -> int:
        assert inside.acquire(blocking=False)
        seen.append(number)
        inside.release()
        return number

    async def script(lane: Lane) -> list[int]:
        return list(await asyncio.gather(*(lane.run(lambda n=n: work(n)) for n in range(50))))  # type: ignore[misc]

    assert driven(script) == list(range(50)) == seen


def test_what_comes_while_it_is_busy_goes_in_one_turn() -> None:
    go, turns = threading.Event(), []

    async def script(lane: Lane) -> None:
        submit = lane._thread.submit

        def counted(do: Any, works: list[Any]) -> Any:
            turns.append(len(works))
            return submit(do, works)

        lane._thread.submit = counted  # type: ignore[method-assign, assignment]
        first = asyncio.ensure_future(lane.run(lambda: go.wait(60)))
        while not turns:
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(lane.run(lambda: None)) for _ in range(7)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, *others)

    driven(script)
    assert turns == [1, 7]


def test_a_work_that_fails_raises_where_it_was_asked_for_and_harms_no_other() -> None:
    def broken() -> None:
        raise ValueError("broken")

    async def script(lane: Lane) -> list[Any]:
        works: list[Callable[[], Any]] = [lambda: 1, broken, lambda: 3]
        return list(await asyncio.gather(*map(lane.run, works), return_exceptions=True))

    one, error, three = driven(script)
    assert (one, three) == (1, 3)
    with pytest.raises(ValueError, match="broken"):
        raise error


def test_who_no_longer_waits_is_passed_over() -> None:
    async def script(lane: Lane) -> int:
        given_up = asyncio.ensure_future(lane.run(lambda: 1))
        kept = asyncio.ensure_future(lane.run(lambda: 2))
        await asyncio.sleep(0)
        given_up.cancel()
        return await kept

    assert driven(script) == 2


def test_turns_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [100.0], []

    async def script(lane: Lane) -> None:
        loop = asyncio.get_running_loop()

        def later(delay: float, callback: Callable[[], None]) -> asyncio.Handle:
            waits.append(round(delay, 3))
            now[0] += delay
            return loop.call_soon(callback)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda: now[0])
            patch.setattr(loop, "call_later", later)
            for taken in (0.01, 0.02, 0.5):
                await lane.run(lambda: None)
                now[0] += taken
            await lane.run(lambda: None)

    driven(script, pace_s=0.04)
    assert waits == [0.0, 0.03, 0.02, 0.0]


def test_nothing_is_left_out_any_more_once_no_call_is_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words may still be waited for then, and all workers are to hear them."""
    monkeypatch.setattr("pipeline.lane.IDLE_S", 0.0)
    told: list[Shed] = []

    async def main() -> None:
        easy = asyncio.Event()

        def shed(what: Shed) -> None:
            told.append(what)
            if not what:
                easy.set()

        lane = Lane(0.0, shed)
        lane.strain.rest(asyncio.get_running_loop().time())
        await lane.run(lambda: None)
        lane.strain.shed = Shed.WORKERS
        await lane.run(lambda: None)
        await easy.wait()
        lane.close()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert told[-1] is Shed.NOTHING
