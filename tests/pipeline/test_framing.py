"""What waits for a call is made into frames in one go: nothing of them may differ by how much that is."""

import asyncio
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.doors.mulaw import LEVELS, SILENCE, decode
from pipeline.channel import TWO_CHANNEL
from pipeline.framing import Framing, Sound
from pipeline.inputs import Frame, Loss, Mark
from pipeline.placing import Placing
from pipeline.timebase import RATE, TICK
from pipeline.waiting import Waiting

HZ = 8_000
PACKET = HZ // 50
CALL = np.random.default_rng(0).integers(-9_000, 9_000, (3 * HZ, 2)).astype(np.int16)


def sounds(stalls: dict[int, int], late: int) -> list[Sound]:
    """Three seconds in packets of 20 ms a track. stalls: packets at which the customer's fail, and how many."""
    missing = {number for first, count in stalls.items() for number in range(first, first + count)}
    placing, made = Placing(TWO_CHANNEL, HZ), []
    for number in range(len(CALL) // PACKET):
        part = slice(number * PACKET, (number + 1) * PACKET)
        made.append(placing.push_track(TWO_CHANNEL[0], CALL[part, 0], position=part.start))
        if number not in missing and number >= late:
            made.append(placing.push_track(TWO_CHANNEL[1], CALL[part, 1], position=part.start))
        if number == 100:
            made.append(placing.mark())
    return [*made, placing.finish()]


def plain(items: Iterable[Frame | Loss]) -> list[object]:
    return [(item.start, item.pcm.tobytes()) if isinstance(item, Frame) else item for item in items]


@settings(max_examples=40, deadline=None)
@given(
    stalls=st.dictionaries(st.integers(0, 149), st.integers(1, 60), max_size=3),
    late=st.integers(0, 60),
    together=st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_however_many_are_joined_the_frames_and_losses_are_the_same(
    stalls: dict[int, int], late: int, together: list[int]
) -> None:
    alone = plain(item for sound in sounds(stalls, late) for item in sound.frames())
    joined: list[Sound] = []
    left = 0
    for number, sound in enumerate(sounds(stalls, late)):
        if not (left and joined[-1].join(sound)):
            joined.append(sound)
            left = together[number % len(together)]
        left -= 1
    assert plain(item for sound in joined for item in sound.frames()) == alone
    assert sum(sound.ticks for sound in joined) == sum(isinstance(item, tuple) for item in alone)


def test_losses_and_ends_are_not_joined() -> None:
    first, second = (Placing(TWO_CHANNEL, HZ) for _ in range(2))
    sound = first.push(CALL[:PACKET])
    assert not sound.join(first.lose((PACKET, PACKET), "missing"))
    assert not sound.join(first.finish())
    end = second.finish()
    assert not end.join(sound)


def test_codes_of_a_line_are_what_they_stand_for() -> None:
    codes = np.random.default_rng(1).integers(0, 256, (HZ, 2)).astype(np.uint8)
    coded, plain_ones = Placing(TWO_CHANNEL, HZ, levels=LEVELS), Placing(TWO_CHANNEL, HZ)
    expected = [*plain_ones.push(decode(codes.tobytes()).reshape(-1, 2)).frames(), *plain_ones.finish().frames()]
    assert plain([*coded.push(codes).frames(), *coded.finish().frames()]) == plain(expected)
    assert not LEVELS[SILENCE]
    with pytest.raises(ValueError, match="uint8"):
        Placing(TWO_CHANNEL, HZ).push(codes)


# the queue


def bare(ticks: int) -> Sound:
    return Sound(Framing((RATE, RATE)), [[], []], [], ticks)


def mark() -> Mark:
    return Mark(kind="hold", by="test")


def test_sounds_side_by_side_are_one_and_marks_keep_their_place() -> None:
    async def main() -> list[object]:
        queue = Waiting(100)
        for item in (bare(1), bare(2), mark(), bare(3), bare(4), None):
            await queue.put(item)
        taken = await queue.take(100)
        return [item.ticks if isinstance(item, Sound) else item for item in taken]

    assert asyncio.run(main()) == [3, mark(), 7, None]


def test_no_more_is_taken_than_was_asked_for_beyond_one_item() -> None:
    async def main() -> list[int]:
        queue = Waiting(100)
        for number in range(20):
            await queue.put(Frame(number * TICK, np.zeros((2, TICK), np.int16)))
        return [len(await queue.take(16)), len(await queue.take(16))]

    assert asyncio.run(main()) == [16, 4]


@pytest.mark.parametrize("free", ["take", "clear"])
def test_who_brings_more_waits_until_there_is_room(free: str) -> None:
    async def main() -> None:
        queue = Waiting(10)
        await queue.put(bare(12))
        putting = asyncio.create_task(queue.put(mark()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not putting.done()
        if free == "take":
            assert len(await queue.take(1)) == 1
        else:
            queue.clear()
        await putting
        assert await queue.take(1) == [mark()]

    asyncio.run(main())


def test_takes_wait_for_something() -> None:
    async def main() -> None:
        queue = Waiting(10)
        taking = asyncio.create_task(queue.take(1))
        await asyncio.sleep(0)
        assert not taking.done()
        await queue.put(None)
        assert await taking == [None]

    asyncio.run(main())
