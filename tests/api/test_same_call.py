"""One call through every door gives the same overlaps: with the real detector, over real sockets, words off."""

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import sample_audio
from api.app import create_app
from api.config import Config, Limits, Server
from api.doors import mulaw
from api.doors.settings import AudioHook, Doors, Twilio
from benchmarks import senders
from benchmarks.load import Line
from benchmarks.senders import Manner, telephone
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.journal import read_entries
from pipeline.settings import Measures, Storage
from pipeline.timebase import TICK, Span, samples
from tests.api.conftest import Served, follow, serving, upload, wav
from tests.pipeline.drive import engines

SECONDS = 58
"""Of the sample call with the most overlaps: four of them, at 18.9, 36.6, 44.0 and 51.7 s."""
NEAR = samples(1.0)
"""Around a gap a detector and a floor have to find their feet again."""
STALL = (26.0, 3.0)
ON_OVERLAP = (36.0, 3.0)

MANNERS = {
    "as it is": Manner(),
    "outbound 5 s late": Manner(late={"outbound": 5.0}),
    "outbound 5 s late, timestamps of its own": Manner(late={"outbound": 5.0}, own_stamps=True),
    "3 s never sent": Manner(stalled=("outbound", *STALL)),
    "3 s held back": Manner(stalled=("outbound", *STALL), bursts=True),
    "3 s of an overlap held back": Manner(stalled=("inbound", *ON_OVERLAP), bursts=True),
    "half speed": Manner(packet_s=0.04, stamps=0.5, first=2, farewell=False),
    "half speed, 5 s late, 3 s never sent": Manner(
        packet_s=0.04, stamps=0.5, first=2, late={"outbound": 5.0}, stalled=("outbound", *STALL)
    ),
    "snake case in another order": Manner(snake=True),
}


@dataclass(frozen=True)
class Heard:
    """overlaps: span and who came in. judged: span and judgement. gaps: with their channel. end: samples."""

    overlaps: list[tuple[Span, str]]
    judged: list[tuple[Span, str]]
    gaps: list[tuple[str, Span]]
    end: int

    def outside(self, gaps: list[tuple[str, Span]]) -> "Heard":
        def far(span: Span) -> bool:
            return all(span.end + NEAR < gap.start or gap.end + NEAR < span.start for _, gap in gaps)

        overlaps = [each for each in self.overlaps if far(each[0])]
        return Heard(overlaps, [each for each in self.judged if far(each[0])], self.gaps, self.end)


def heard(served: Served, call_id: str) -> Heard:
    follow(served, call_id)
    items: list[Any] = [entry.item for entry in read_entries(served.desk.archive.folder(call_id).journal)]
    return Heard(
        [(item.span, str(item.interrupter)) for item in items if item.type == "overlap"],
        [(item.span, f"{item.kind} {item.interrupter} {item.cut}") for item in items if item.type == "overlap_revised"],
        [(item.channel.value, item.span) for item in items if item.type == "gap"],
        items[-1].span.end,
    )


@pytest.fixture(scope="module")
def line() -> Line:
    """As a telephone line has it: µ-law at 8 kHz."""
    whole = telephone(senders.read(sample_audio.path("billing_dispute")))
    pcm = whole.pcm[: SECONDS * mulaw.RATE]
    return Line(np.stack([mulaw.decode(mulaw.encode(side)) for side in pcm.T], axis=1), mulaw.RATE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = Config(
        storage=Storage(folder=str(tmp_path_factory.mktemp("doors") / "calls")),
        policy="standard",
        measures=Measures(words=False, voice=False, sounds=False, echo=False),
        limits=Limits(messages_per_s=100_000),
        doors=Doors(twilio=Twilio(unsigned=True), audiohook=AudioHook(unsigned=True)),
        server=Server(),
    )
    with serving(create_app(config, engines())) as served:
        yield served


def recorded(served: Served, line: Line, call_id: str) -> Heard:
    """The same call as a file, analysed."""
    assert upload(served.http, wav(line.pcm, line.rate), call_id=call_id).status_code == 202
    return heard(served, call_id)


@pytest.fixture(scope="module")
def file(served: Served, line: Line) -> Heard:
    """What the doors are held against."""
    found = recorded(served, line, "file")
    assert len(found.overlaps) == 4
    return found


def silenced(line: Line, gaps: list[tuple[str, Span]]) -> Line:
    """The recording that a recorder would have made of what came."""
    pcm = line.pcm.copy()
    for channel, gap in gaps:
        pcm[gap.start // 2 : gap.end // 2, TWO_CHANNEL.index(Channel(channel))] = 0
    return Line(pcm, line.rate)


def at(served: Served, door: str) -> str:
    return f"ws://127.0.0.1:{served.port}/doors/{door}"


def check_same(found: Heard, file: Heard, least: int, bound: int = TICK) -> None:
    """Within 32 ms, outside what is marked as a gap."""
    assert found.end == file.end
    one, two = found.outside(found.gaps), file.outside(found.gaps)
    assert len(two.overlaps) >= least
    for mine, theirs in ((one.overlaps, two.overlaps), (one.judged, two.judged)):
        assert [what for _, what in mine] == [what for _, what in theirs]
        for (span, _), (other, _) in zip(mine, theirs, strict=True):
            assert abs(span.start - other.start) <= bound
            assert abs(span.end - other.end) <= bound


def check_gaps(served: Served, line: Line, found: Heard, file: Heard, call_id: str, least: int) -> None:
    """As the file that lacks the same audio, and as the whole file but for what the detector remembers.

    Silero's state remembers for half a minute what it heard: behind a gap it may take a soft onset two ticks later or
    sooner (1 of 88 overlaps behind 3 s of silence put anywhere into three sample calls moved by 64 ms, none by more).
    """
    check_same(found, recorded(served, silenced(line, found.gaps), f"{call_id}-file"), least)
    check_same(found, file, least, 2 * TICK)


def test_pcm(served: Served, line: Line, file: Heard) -> None:
    asyncio.run(senders.pcm(at(served, "pcm"), line, speed=math.inf, call_id="pcm"))
    found = heard(served, "pcm")
    assert found.gaps == []
    check_same(found, file, 4)


@pytest.mark.parametrize("name", MANNERS)
def test_twilio(served: Served, line: Line, file: Heard, name: str) -> None:
    manner, call_id = MANNERS[name], f"twilio{list(MANNERS).index(name)}"
    asyncio.run(senders.twilio(at(served, "twilio"), line, speed=math.inf, call_id=call_id, manner=manner))
    found = heard(served, call_id)
    begun, lost = manner.late.get("outbound", 0.0), manner.stalled[2] if manner.stalled else 0.0
    assert sum(gap.end - gap.start for _, gap in found.gaps) == pytest.approx(samples(begun + lost), abs=samples(0.25))
    least = 3 if name == "3 s of an overlap held back" else 4
    if found.gaps:
        check_gaps(served, line, found, file, call_id, least)
    else:
        check_same(found, file, least)


def test_audiohook(served: Served, line: Line, file: Heard) -> None:
    asyncio.run(senders.audiohook(at(served, "audiohook"), line, speed=math.inf, call_id="hook"))
    found = heard(served, "hook")
    assert found.gaps == []
    check_same(found, file, 4)


def test_audiohook_with_a_pause_and_a_gap(served: Served, line: Line, file: Heard) -> None:
    sender = senders.audiohook(
        at(served, "audiohook"), line, speed=math.inf, call_id="paused", pauses=[(26.0, 3.0)], discards=[(40.0, 1.0)]
    )
    asyncio.run(sender)
    found = heard(served, "paused")
    assert {(gap.start, gap.end) for _, gap in found.gaps} == {
        (samples(26.0), samples(29.0)),
        (samples(40.0), samples(41.0)),
    }
    check_gaps(served, line, found, file, "paused", 4)
