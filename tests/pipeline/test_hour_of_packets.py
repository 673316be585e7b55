"""An hour of packets as networks deliver them: the clock of the call stays within 10 ms of the truth, throughout."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.channel import TWO_CHANNEL
from pipeline.door import Door
from pipeline.inputs import Frame, Loss
from pipeline.timebase import RATE, TICK

LINE_RATE = 8_000
HOUR = 3600 * LINE_RATE
EVERY = 10 * LINE_RATE
"""Source samples between two clicks, whose places are the truth."""
FIRST = 100
"""The first click: none lies at the edge of a frame, where its ringing would be heard twice."""
BOUND = RATE // 100
"""10 ms."""

Packet = tuple[int, int]
"""Source samples from begin to end."""


def packets(seed: int) -> Iterator[Packet]:
    """20 ms each but for some that are shorter or longer; now and then nothing is sent for up to a minute."""
    rng, at = np.random.default_rng(seed), 0
    while at < HOUR:
        size = int(rng.choice([160, 160, 160, 80, 240, 800]))
        yield at, min(at + size, HOUR)
        at += size
        if rng.random() < 0.0005:
            at += int(rng.integers(1, 60 * LINE_RATE))


def clicks(begin: int, end: int) -> np.ndarray:
    """int16 (n,): full scale every ten seconds, silence between."""
    pcm = np.zeros(end - begin, np.int16)
    pcm[(FIRST - begin) % EVERY :: EVERY] = 30_000
    return pcm


def clicked(begin: int, end: int) -> set[int]:
    """Where they are, in source samples."""
    return set(range(begin + (FIRST - begin) % EVERY, end, EVERY))


class Listener:
    """Where clicks were heard on each channel, by the clock of the frames."""

    def __init__(self) -> None:
        self.end = 0
        self.heard: tuple[list[int], list[int]] = ([], [])

    def take(self, items: list[Frame | Loss]) -> None:
        for item in items:
            if isinstance(item, Frame):
                assert item.start == self.end
                self.end = item.start + TICK
                for row, places in zip(item.pcm, self.heard, strict=True):
                    if row.max() > 5_000:
                        places.append(item.start + int(np.argmax(row)))


def check(listener: Listener, door: Door, sent: set[int], end: int) -> None:
    """Every click that was sent is heard on both channels, within 10 ms of where it was, and nothing else is."""
    assert len(sent) > 150
    for places in listener.heard:
        assert len(places) == len(sent)
        assert max(min(abs(place - 2 * click) for click in sent) for place in places) <= BOUND
    assert end > HOUR - 61 * LINE_RATE
    assert door.heard == 2 * end
    assert 0 <= listener.end - door.heard < TICK


@pytest.mark.parametrize("seed", [1])
def test_interleaved_with_positions_after_pauses_and_bursts(seed: int) -> None:
    """As ``/doors/pcm``: a position where audio was lost. What waited comes in one go, in pieces of any size."""
    rng = np.random.default_rng(100 + seed)
    door, listener, at = Door(TWO_CHANNEL, LINE_RATE, slack_s=0.0), Listener(), 0
    held, sent = list[Packet](), set[int]()
    for packet in packets(seed):
        held.append(packet)
        if packet[1] < HOUR and (rng.random() < 0.02 or len(held) < rng.integers(1, 50)):
            continue  # the network holds everything back for a while
        for begin, end in held:
            sent |= clicked(begin, end)
            both = np.stack([clicks(begin, end)] * 2, axis=1)
            listener.take(door.push(both, position=None if begin == at else begin))
            at = end
        held.clear()
    listener.take(door.finish())
    check(listener, door, sent, at)


@pytest.mark.parametrize("seed", [3])
def test_two_tracks_with_jitter_of_their_own(seed: int) -> None:
    """As media streams: each track's packets come up to 60 ms late, each by its own, with its place in the call."""
    rng = np.random.default_rng(200 + seed)
    sent = list(packets(seed))
    arrivals = sorted(
        (end / LINE_RATE + float(rng.uniform(0.0, 0.06)), number, side)
        for side in (0, 1)
        for number, (_, end) in enumerate(sent)
    )
    door, listener, ready = Door(TWO_CHANNEL, LINE_RATE), Listener(), [0, 0]
    came: list[set[int]] = [set(), set()]
    for _, number, side in arrivals:
        came[side].add(number)
        while ready[side] in came[side]:  # in order: a WebSocket keeps it
            begin, end = sent[ready[side]]
            listener.take(door.push_track(TWO_CHANNEL[side], clicks(begin, end), position=begin))
            ready[side] += 1
    listener.take(door.finish())
    check(listener, door, set[int]().union(*(clicked(*packet) for packet in sent)), sent[-1][1])
