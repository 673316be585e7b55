"""One timer for many waits does what a timer for each would."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from api.doors.patience import Patience

LONG = 3600.0


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time stands still until nothing else is to be done, and then jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        timers = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        if not self._ready and timers:  # type: ignore[attr-defined]
            self.now = max(self.now, min(timers))
        super()._run_once()  # type: ignore[misc]


def driven(script: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(script)


async def after(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def test_waits_that_are_short_enough_never_time_out_however_many() -> None:
    async def main() -> float:
        patience = Patience(10.0)
        return sum([await patience.wait(after(9.0)) for _ in range(20)])

    assert driven(main()) == 180.0


@pytest.mark.parametrize("before", [[], [9.0], [9.0, 9.0, 3.0]])
def test_a_wait_that_is_too_long_ends_in_time(before: list[float]) -> None:
    async def main() -> float:
        patience, loop = Patience(10.0), asyncio.get_running_loop()
        for pause in before:
            await patience.wait(after(pause))
        begun = loop.time()
        with pytest.raises(TimeoutError):
            await patience.wait(after(LONG))
        return loop.time() - begun

    assert driven(main()) == 10.0


def test_time_between_two_waits_does_not_count_and_it_can_be_used_again() -> None:
    async def main() -> None:
        patience = Patience(10.0)
        await patience.wait(after(1.0))
        await asyncio.sleep(LONG)
        await patience.wait(after(9.0))
        with pytest.raises(TimeoutError):
            await patience.wait(after(11.0))
        await patience.wait(after(9.0))

    driven(main())


def test_whoever_else_cancels_the_task_is_obeyed() -> None:
    async def main() -> None:
        patience = Patience(10.0)
        waiting = asyncio.create_task(patience.wait(after(LONG)))
        await asyncio.sleep(1.0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    driven(main())


def test_what_the_message_raises_is_raised() -> None:
    async def broken() -> None:
        raise OSError("gone")

    async def main() -> None:
        await Patience(10.0).wait(broken())

    with pytest.raises(OSError, match="gone"):
        driven(main())
