"""Turns, overlaps and silences against scripted speech whose truth is known to the sample."""

from __future__ import annotations

import pytest

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Overlap, OverlapRevised, Silence, Turn
from pipeline.nodes.turns import TurnsNode
from pipeline.session import Entry
from pipeline.timebase import RATE, TICK, seconds
from tests.pipeline.drive import STANDARD, Stretches, events, scripted

A, C = Channel.AGENT, Channel.CUSTOMER


def turns(agent: Stretches, customer: Stretches, length: float) -> list[Entry]:
    return scripted(lambda: [TurnsNode(TWO_CHANNEL, STANDARD.turns)], agent, customer, length)


def judgement(entries: list[Entry]) -> tuple[str, Channel | None, bool]:
    last = events(entries, OverlapRevised)[-1]
    return last.kind, last.interrupter, last.cut


def test_a_gap_is_the_floor_transfer_offset() -> None:
    first, second = events(turns([(1.024, 3.008)], [(3.52, 5.12)], 7), Turn)
    assert (first.channel, first.fto) == (A, None)
    assert second.channel is C
    assert second.fto is not None
    assert abs(seconds(second.fto) - 0.5) < 0.05


def test_an_overlapping_start_gives_a_negative_offset() -> None:
    turn = events(turns([(1, 4)], [(3.7, 6)], 8), Turn)[1]
    assert turn.channel is C
    assert turn.fto is not None
    assert -0.4 < seconds(turn.fto) < -0.2


def test_a_pause_stays_inside_the_turn() -> None:
    (turn,) = events(turns([(1, 2), (3, 4)], [], 8), Turn)
    assert abs(turn.span.seconds - 3) < 0.1
    assert abs(seconds(turn.talk) - 2) < 0.1


def test_the_last_turn_ends_with_the_call() -> None:
    (turn,) = events(turns([(1, 4)], [], 4.5), Turn)
    assert abs(turn.span.seconds - 3) < 0.1
    assert turn.at < 7 * RATE


def test_a_short_overlap_is_no_event() -> None:
    assert not events(turns([(1, 4)], [(3.6, 7)], 9), Overlap)


def test_overlap_is_known_within_a_tick_of_its_threshold() -> None:
    overlap = events(turns([(1, 6)], [(4, 4.8)], 9), Overlap)[0]
    assert overlap.kind == "overlap"
    assert 0 <= overlap.at - (4 * RATE + 0.5 * RATE) <= 2 * TICK


def test_a_second_of_overlap_is_an_interruption_by_the_later_starter() -> None:
    entries = turns([(1, 8)], [(4, 6)], 10)
    assert judgement(entries) == ("interruption", C, False)
    first = events(entries, OverlapRevised)[0]
    assert first.because == "length"
    assert first.at - 5 * RATE <= 2 * TICK


def test_a_cut_is_an_interruption_before_the_second_is_full() -> None:
    entries = turns([(1, 4.7)], [(4, 7)], 9)
    assert judgement(entries) == ("interruption", C, True)
    assert events(entries, OverlapRevised)[-1].because == "cut"


def test_who_goes_on_is_not_cut() -> None:
    assert judgement(turns([(1, 7)], [(4, 4.7)], 9)) == ("backchannel", C, False)


def test_a_floor_held_for_a_moment_cannot_be_interrupted() -> None:
    entries = turns([(3.5, 7)], [(4, 6)], 9)
    assert judgement(entries)[0] == "overlap"


def test_a_floor_held_across_a_pause_can() -> None:
    entries = turns([(1, 3.4), (3.9, 7)], [(4.3, 6)], 9)
    assert judgement(entries)[:2] == ("interruption", C)


def test_starting_together_counts_for_neither() -> None:
    assert judgement(turns([(3, 7)], [(3.1, 5)], 9)) == ("dual_start", None, False)


def test_stopping_together_leaves_it_neutral() -> None:
    assert judgement(turns([(1, 5)], [(4.3, 5)], 9))[0] == "overlap"


def test_an_incumbent_who_resumes_was_not_cut() -> None:
    entries = turns([(1, 4.7), (5.0, 8)], [(4, 5.6)], 10)
    assert not events(entries, OverlapRevised)[0].cut


@pytest.mark.parametrize("agent", [[], [(0.5, 2.0)]])
def test_silence_opens_after_three_seconds_and_closes_with_speech(agent: Stretches) -> None:
    opened, closed = events(turns(agent, [(8, 9)], 10), Silence)
    start = agent[0][1] if agent else 0.0
    assert opened.open
    assert abs(opened.at - (start + 3) * RATE) <= 2 * TICK
    assert not closed.open
    assert abs(closed.span.seconds - (8 - start)) < 0.1


def test_a_silence_at_the_end_closes_with_the_call() -> None:
    closed = events(turns([(0.5, 1)], [], 10), Silence)[-1]
    assert not closed.open
    assert abs(seconds(closed.span.end) - 10) < 0.05


def test_the_tail_after_the_call_is_no_silence() -> None:
    assert not events(turns([(0.5, 4)], [], 5), Silence)


def test_swapping_channels_mirrors_overlaps() -> None:
    one, two = [(1, 8)], [(4, 6), (7, 9.5)]
    straight, mirrored = turns(one, two, 12), turns(two, one, 12)

    def told(entries: list[Entry], swap: bool) -> list[tuple[object, ...]]:
        who = {A: C, C: A, None: None} if swap else {A: A, C: C, None: None}
        return [(e.span, e.kind, who[e.interrupter], e.cut) for e in events(entries, OverlapRevised)]

    assert told(straight, False) == told(mirrored, True)
    assert told(straight, False)
