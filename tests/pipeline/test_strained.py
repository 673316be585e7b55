"""A stretch in which a busy server leaves the voice out: told, without scores, replayed alike, and over by itself."""

import pytest

from pipeline.events import Event, Overlap, OverlapRevised, Prosody, Region, Score, SpeechEnded, Turn
from pipeline.graph import build
from pipeline.inputs import Input, Strained
from pipeline.reducer import BUSY, Reducer
from pipeline.session import CallInfo, Entry
from pipeline.timebase import RATE, Span
from tests.pipeline.drive import INFO, STANDARD, engines, events, frames_of, run
from tests.synth import Line
from tests.synth import build as synth

LINES = [
    Line("agent", 1, 3),
    Line("customer", 4.5, 5, f0_hz=200),
    Line("agent", 7, 3),
    Line("customer", 11, 4),
    Line("agent", 16, 3),
]
PCM = synth(LINES, 20)[0]
ON, OFF = 6.4, 12.8
STRAIN: list[tuple[float, Input]] = [(ON, Strained(on=True)), (OFF, Strained(on=False))]
TURN_TAKING = (SpeechEnded, Turn, Overlap, OverlapRevised)


def heard(inputs: list[tuple[float, Input]], info: CallInfo = INFO) -> list[Entry]:
    return run(build(info, STANDARD, engines()), frames_of(PCM), inputs)


@pytest.fixture(scope="module")
def strained() -> list[Entry]:
    return heard(STRAIN)


def told(entries: list[Entry], kind: type[Event]) -> list[tuple[Span, int]]:
    return [(event.span, event.at) for event in events(entries, kind)]


def test_the_stretch_is_told_with_its_beginning_and_end(strained: list[Entry]) -> None:
    opened, closed = (each for each in events(strained, Region) if each.kind == "busy")
    assert (opened.open, opened.channel, opened.span.start) == (True, None, round(ON * RATE))
    assert (closed.open, closed.span) == (False, Span(round(ON * RATE), round(OFF * RATE)))


def test_turn_taking_is_what_it_is_without(strained: list[Entry]) -> None:
    plain = heard([])
    assert all(told(strained, kind) == told(plain, kind) for kind in TURN_TAKING)
    assert told(strained, Overlap)


def test_nothing_of_a_voice_and_no_score_is_told_in_it_and_both_come_back(strained: list[Entry]) -> None:
    within = Span(round(ON * RATE), round(OFF * RATE))
    for kind in (Prosody, Score):
        found = events(strained, kind)
        assert not [each for each in found if within.start < each.at <= within.end]
        assert [each for each in found if each.at <= within.start]
        assert [each for each in found if each.at > within.end]
    resumed = next(each for each in events(strained, Prosody) if each.at > within.end)
    assert resumed.span.start >= within.end


def test_a_view_has_no_score_while_it_lasts_and_keeps_other_reasons(strained: list[Entry]) -> None:
    seen: list[dict[str, str]] = []
    reducer = Reducer(live=True)
    for entry in strained:
        reducer.apply(entry)
        if isinstance(entry.item, Region) and entry.item.kind == "busy":
            seen.append(dict(reducer.view.unavailable))
    assert seen == [{"anger": BUSY, "tension": BUSY}, {}]


def test_a_call_that_ends_in_it_closes_it() -> None:
    closed = [each for each in events(heard(STRAIN[:1]), Region) if each.kind == "busy"]
    assert [each.open for each in closed] == [True, False]


def test_a_second_beginning_or_end_is_none() -> None:
    doubled = [*STRAIN, (ON + 1.6, Strained(on=True)), (OFF + 1.6, Strained(on=False))]
    found = [each for each in events(heard(doubled), Region) if each.kind == "busy"]
    assert [each.open for each in found] == [True, False]
