"""Turns, overlaps and silences against scripted speech whose truth is known to the sample."""

from __future__ import annotations

import pytest

from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.events import Overlap, OverlapRevised, Silence, SpeechEnded, Turn, Word, Words
from pipeline.nodes.overlaps import OverlapsNode
from pipeline.nodes.revisions import RevisionsNode
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.turns import TurnsNode
from pipeline.session import Entry, Node, Session, Tick
from pipeline.timebase import RATE, TICK, Span, seconds
from tests.pipeline.drive import INFO, STANDARD, ScriptedDetector, Stretches, events, frames, run, scripted

A, C = Channel.AGENT, Channel.CUSTOMER


def turns(agent: Stretches, customer: Stretches, length: float) -> list[Entry]:
    def nodes() -> list[Node]:
        return [TurnsNode(STANDARD.turns), OverlapsNode(TWO_CHANNEL, STANDARD.turns)]

    return scripted(nodes, agent, customer, length)


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


def test_a_pause_of_the_incumbent_inside_an_overlap_changes_nobodys_part() -> None:
    """The incumbent falls silent for 0.35 s while the other talks on: still one overlap, one interrupter."""
    entries = turns([(1, 4.6), (4.95, 8)], [(4, 6)], 10)
    assert len(events(entries, Overlap)) == 1
    assert judgement(entries) == ("interruption", C, False)


def test_two_short_overlaps_are_not_one_long_one() -> None:
    assert not events(turns([(1, 8)], [(3, 3.4), (3.8, 4.2)], 10), Overlap)


def test_a_brief_sound_in_a_pause_takes_no_floor() -> None:
    """Agent pauses, customer says mm-hm, agent goes on and is interrupted: the floor was theirs all along."""
    entries = turns([(1, 3), (3.9, 7)], [(3.3, 3.7), (4.5, 6.5)], 9)
    assert judgement(entries)[:2] == ("interruption", C)
    assert [turn.channel for turn in events(entries, Turn)] == [A]


def test_an_answer_takes_it() -> None:
    entries = turns([(1, 3), (5.2, 7)], [(3.3, 4.8)], 10)
    assert [turn.channel for turn in events(entries, Turn)] == [A, C, A]


def test_a_turn_is_told_once_the_other_has_the_floor_for_longer_than_a_backchannel() -> None:
    first = events(turns([(1, 3)], [(3.3, 14)], 16), Turn)[0]
    assert first.channel is A
    assert first.at / RATE < 4.6


def test_speech_inside_the_others_turn_transfers_nothing() -> None:
    """Heldner and Edlund: an overlap within a speaker's turn has no floor-transfer offset."""
    assert [turn.channel for turn in events(turns([(1, 8)], [(3, 5)], 10), Turn)] == [A]


def test_a_turn_after_ones_own_has_no_offset() -> None:
    first, second = events(turns([(1, 2), (6, 7)], [], 12), Turn)
    assert (first.fto, second.fto) == (None, None)


def test_turns_come_in_order_and_never_overlap_themselves() -> None:
    found = events(turns([(1, 3), (5, 8), (11, 12)], [(3.2, 5.4), (8.1, 10.5)], 14), Turn)
    assert [turn.channel for turn in found] == [A, C, A, C, A]
    assert [turn.span.start for turn in found] == sorted(turn.span.start for turn in found)


class Doubting:
    """Doubts the customer's channel for a while, in seconds."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end = start, end

    def step(self, tick: Tick) -> None:
        if self._start <= tick.start / RATE < self._end:
            tick.doubt.add(C)


@pytest.mark.parametrize(("until", "kinds"), [(6.5, []), (4.3, ["interruption"])])
def test_what_may_be_an_echo_interrupts_nobody_and_is_not_shown(until: float, kinds: list[str]) -> None:
    def nodes() -> list[Node]:
        return [Doubting(4, until), TurnsNode(STANDARD.turns), OverlapsNode(TWO_CHANNEL, STANDARD.turns)]

    entries = scripted(nodes, [(1, 8)], [(4, 6.5)], 10)
    assert [each.kind for each in events(entries, OverlapRevised) if each.because != "ended"] == kinds
    assert len(events(entries, Overlap)) == len(kinds)


class Says:
    """Emits words at their second: (seconds, channel, text, start, end)."""

    def __init__(self, *lines: tuple[float, Channel, str, float, float]) -> None:
        self._lines = list(lines)

    def step(self, tick: Tick) -> None:
        while self._lines and self._lines[0][0] * RATE <= tick.start:
            _, channel, text, start, end = self._lines.pop(0)
            tick.emit(said(channel, text, start, end, tick.end))


def said(channel: Channel, text: str, start: float, end: float, at: int) -> Words:
    """Words that lie evenly over their seconds."""
    parts = text.split()
    edges = [round((start + (end - start) * i / len(parts)) * RATE) for i in range(len(parts) + 1)]
    words = tuple(
        Word(text=part, span=Span(one, two), probability=0.9)
        for part, one, two in zip(parts, edges, edges[1:], strict=False)
    )
    span = Span(round(start * RATE), round(end * RATE))
    return Words(span=span, at=at, channel=channel, utterance=1, text=text, words=words, late=False)


def spoken(agent: Stretches, customer: Stretches, *lines: tuple[float, Channel, str, float, float]) -> list[Entry]:
    def nodes() -> list[Node]:
        return [Says(*lines), TurnsNode(STANDARD.turns), OverlapsNode(TWO_CHANNEL, STANDARD.turns), RevisionsNode()]

    return scripted(nodes, agent, customer, 14)


LONG = "i have looked into the order and it was sent to the old address last week on monday"


def test_words_make_a_long_overlap_a_backchannel() -> None:
    entries = spoken([(1, 9)], [(4, 5.3)], (6, C, "yeah okay right okay", 4, 5.3), (10, A, LONG, 1, 9))
    assert [each.because for each in events(entries, OverlapRevised)] == ["length", "ended", "words"]
    assert judgement(entries) == ("backchannel", C, False)


def test_words_make_an_overlap_a_completion() -> None:
    """The customer supplies the incumbent's own words."""
    entries = spoken(
        [(1, 5)], [(4, 4.9)], (6, A, "so it was sent to the wrong address", 1, 5), (6, C, "wrong address", 4, 4.9)
    )
    assert judgement(entries)[0] == "completion"


def test_a_short_attempt_that_is_no_backchannel_is_neutral() -> None:
    entries = spoken([(1, 9)], [(4, 4.8)], (6, C, "wait a minute", 4, 4.8), (10, A, LONG, 1, 9))
    assert [each.kind for each in events(entries, OverlapRevised)] == ["backchannel", "overlap"]


def test_an_interruption_with_words_of_its_own_stays_one_and_is_revised_once() -> None:
    lines = ((7, C, "no that is not what i said", 4, 6), (10, A, LONG, 1, 9), (11, C, "yeah", 4.1, 4.4))
    entries = spoken([(1, 9)], [(4, 6)], *lines)
    assert judgement(entries)[0] == "interruption"
    assert "words" not in [each.because for each in events(entries, OverlapRevised)]


def test_words_decide_whether_a_short_contribution_is_a_turn() -> None:
    agent, customer = [(1, 3), (4.4, 7)], [(3.3, 4.1)]
    answer = spoken(agent, customer, (3.7, A, "what is your name", 1, 3), (5, C, "jack tilley", 3.3, 4.1))
    assert [turn.channel for turn in events(answer, Turn)] == [A, C, A]
    listening = spoken(agent, customer, (3.7, A, "i will look that up", 1, 3), (5, C, "okay great", 3.3, 4.1))
    assert [turn.channel for turn in events(listening, Turn)] == [A]
    asked = spoken(agent, customer, (3.7, A, "is that right?", 1, 3), (5, C, "yeah sure", 3.3, 4.1))
    assert [turn.channel for turn in events(asked, Turn)] == [A, C, A]


class OneSound:
    """From a second on both channels carry the same sound: one unknown speaker."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end = start, end

    def step(self, tick: Tick) -> None:
        if self._start <= tick.start / RATE < self._end:
            tick.channels, tick.samples = MONO, tick.samples[:1]


def test_dual_mono_is_one_unknown_speaker() -> None:
    detector = ScriptedDetector([(1, 3), (9, 10)], [(1, 3), (9, 10)], [(1.5, 3)])
    nodes = [
        OneSound(2, 8),
        SpeechNode(TWO_CHANNEL, STANDARD.speech, detector),
        TurnsNode(STANDARD.turns),
        OverlapsNode(TWO_CHANNEL, STANDARD.turns),
    ]
    entries = run(Session(INFO, nodes), frames(12))
    told = [(each.channel, round(each.span.seconds, 1)) for each in events(entries, SpeechEnded)]
    assert told[:3] == [(A, 1.0), (C, 1.0), (Channel.UNKNOWN, 1.5)]
    assert {each.channel for each in events(entries, SpeechEnded)[3:]} == {A, C}
