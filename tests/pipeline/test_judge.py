"""The judge: what the definitions make of speech, how found and true overlaps are paired, what is counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Event, Overlap, OverlapKind, OverlapRevised, SpeechEnded
from pipeline.judge import Found, Heard, Tally, compare, figures, heard, match
from pipeline.session import Entry
from pipeline.timebase import Span, samples
from pipeline.truth import Truth, derive, joined, truth_of
from tests.pipeline.drive import Stretches

A, C = Channel.AGENT, Channel.CUSTOMER


def span(start: float, end: float) -> Span:
    return Span(samples(start), samples(end))


def speech(agent: Stretches, customer: Stretches) -> dict[Channel, list[Span]]:
    return {A: [span(*each) for each in agent], C: [span(*each) for each in customer]}


def kinds(agent: Stretches, customer: Stretches) -> list[tuple[str, Channel | None, bool]]:
    """Of the overlaps that would be shown."""
    return [(k.kind, k.interrupter, k.cut) for k in derive(speech(agent, customer)) if k.shown]


def found(begin: float, end: float, kind: OverlapKind, who: Channel | None, accused: float | None = None) -> Found:
    at = None if accused is None else samples(accused)
    return Found(span(begin, end), kind, who, False, samples(begin + 0.53), at)


def called(*overlaps: Found, agent: Stretches = (), customer: Stretches = ()) -> Heard:
    return Heard({who: tuple(spans) for who, spans in speech(agent, customer).items()}, overlaps)


@pytest.mark.parametrize(
    ("agent", "customer", "expected"),
    [
        pytest.param([(0, 5)], [(3, 7)], [("interruption", C, True)], id="two seconds, and the floor taken"),
        pytest.param([(0, 8)], [(3, 5)], [("interruption", C, False)], id="two seconds, the incumbent goes on"),
        pytest.param([(0, 5)], [(4.3, 7)], [("interruption", C, True)], id="a cut"),
        pytest.param([(0, 5)], [(4.3, 5.2)], [("overlap", C, False)], id="the interrupter stops as well"),
        pytest.param([(0, 5)], [(4.7, 7)], [], id="a terminal overlap is no event"),
        pytest.param([(0, 6)], [(3, 3.8)], [("backchannel", C, False)], id="a backchannel"),
        pytest.param([(0, 4), (4.5, 6)], [(3.4, 4.2)], [("backchannel", C, False)], id="the incumbent goes on later"),
        pytest.param([(0, 4), (5.5, 6)], [(3.4, 4.2)], [("overlap", C, False)], id="the incumbent goes on much later"),
        pytest.param([(1, 6)], [(1.1, 4)], [("dual_start", None, False)], id="both start"),
        pytest.param([(1, 6)], [(1.6, 4)], [("overlap", C, False)], id="the floor not yet held"),
        pytest.param([(1, 2), (2.5, 6)], [(3, 5)], [("interruption", C, False)], id="held over a pause"),
        pytest.param([(1, 2), (5.5, 9)], [(6, 8)], [("overlap", C, False)], id="not over 3 s of silence"),
        pytest.param(
            [(1, 3), (4.5, 8)], [(3.2, 4), (5, 7)], [("interruption", C, False)], id="held over short words in a pause"
        ),
        pytest.param([(1, 3), (5.5, 8)], [(3.2, 5.2), (6, 8)], [("overlap", C, False)], id="lost to a turn in a pause"),
        pytest.param([(0, 2.9), (3.1, 5)], [(2, 8)], [("interruption", C, True)], id="a short pause is speech"),
    ],
)
def test_kinds_follow_from_speech(
    agent: Stretches, customer: Stretches, expected: list[tuple[str, Channel, bool]]
) -> None:
    assert kinds(agent, customer) == expected
    assert kinds(customer, agent) == [(kind, who and who.other, cut) for kind, who, cut in expected]


@pytest.mark.parametrize(
    ("agent", "customer"),
    [
        pytest.param([(0, 8)], [(3, 3.55)], id="barely shown"),
        pytest.param([(0, 8)], [(3, 3.45)], id="barely not shown"),
        pytest.param([(0, 8)], [(3, 4.05)], id="a backchannel or an interruption"),
        pytest.param([(1, 6)], [(1.25, 4)], id="nearly together"),
        pytest.param([(1, 6)], [(2.05, 5)], id="the floor just held"),
        pytest.param([(0, 5)], [(4.3, 5.55)], id="alone for half a second"),
        pytest.param([(0, 3), (3.3, 8)], [(2, 6)], id="a pause that some would join"),
        pytest.param([(0, 4), (4.45, 6)], [(3.3, 8)], id="a pause shorter than a cut"),
        pytest.param([(0, 3), (4, 8)], [(3.2, 3.8), (4.6, 6.5)], id="a word in a pause"),
    ],
)
def test_near_a_threshold_the_truth_is_doubtful(agent: Stretches, customer: Stretches) -> None:
    told = truth_of(speech(agent, customer)).overlaps
    assert not all(known.clear for known in told)
    assert all(known.clear for known in truth_of(speech(agent, customer), 0).overlaps)


def test_far_from_thresholds_the_truth_is_clear() -> None:
    told = truth_of(speech([(0, 8), (9, 12)], [(3, 3.8), (5, 7), (11.3, 15)])).overlaps
    assert [(known.kind, known.clear) for known in told] == [
        ("backchannel", True),
        ("interruption", True),
        ("interruption", True),
    ]


def test_short_pauses_are_joined_in_any_order() -> None:
    assert joined([span(2, 3), span(0, 1), span(1.2, 1.5)], 0.256) == (span(0, 1.5), span(2, 3))


def test_pairs_share_the_most_time() -> None:
    true = [span(0, 1), span(1.1, 2), span(5, 6)]
    assert match(true, [span(0.1, 1), span(1.2, 2.1), span(7, 8)]) == [(0, 0), (1, 1)]
    assert match(true, [span(0.7, 2)]) == [(1, 0)]


def test_touching_is_no_pair() -> None:
    assert match([span(0, 1)], [span(0.8, 3)]) == []


@given(st.lists(st.integers(1, 40), max_size=8), st.lists(st.integers(1, 40), max_size=8))
def test_no_other_pairs_share_more(one: list[int], two: list[int]) -> None:
    """Against trying every alignment."""
    from pipeline.judge import _shared

    true, others = ([Span(10 * sum(w[:i]), 10 * sum(w[: i + 1])) for i in range(0, len(w), 2)] for w in (one, two))

    def most(i: int, j: int) -> int:
        if i == len(true) or j == len(others):
            return 0
        return max(most(i + 1, j), most(i, j + 1), _shared(true[i], others[j]) + most(i + 1, j + 1))

    pairs = match(true, others)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert sum(_shared(true[i], others[j]) for i, j in pairs) == most(0, 0)


TALK = speech([(0, 8), (10, 16), (17, 20)], [(3, 5), (11.5, 12.3), (19.3, 25)])
"""An interruption of 2 s, a backchannel, a cut of 0.7 s."""


def test_a_perfect_call_has_no_error() -> None:
    right = called(
        found(3, 5, "interruption", C, 4.1),
        found(11.5, 12.3, "backchannel", C),
        found(19.3, 20, "interruption", C, 20.6),
    )
    row = figures(compare(truth_of(TALK), Heard({who: tuple(TALK[who]) for who in TWO_CHANNEL}, right.overlaps)))
    assert [row[name]["f1"] for name in ("interruptions", "shorter", "every")] == [1, 1, 1]
    assert row["interrupter"] == {"right": 3, "of": 3, "share": 1}
    assert row["backchannels_accused"] == {"part": 0, "of": 1, "share": 0}
    assert row["bounds_ms"] == {"p50": 0, "p90": 0, "bias": 0}
    assert row["speech_bounds_ms"] == {"p50": 0, "p90": 0, "bias": 0}
    assert row["talk"]["agent"] == {"true_ms": 17000, "error_ms": 0, "error_share": 0}
    assert row["latency_ms"]["length"]["p50"] == pytest.approx(100, abs=0.1)
    assert row["latency_ms"]["cut"]["p50"] == pytest.approx(100, abs=0.1)
    assert row["latency_ms"]["shown"]["p50"] == pytest.approx(30, abs=0.1)


def test_every_kind_of_mistake_is_counted() -> None:
    wrong = called(
        found(3.1, 5, "overlap", C),  # an interruption not seen
        found(11.5, 12.3, "interruption", A, 12),  # a backchannel accused, of the wrong party
        found(22, 23, "overlap", C),  # invented; and the cut at 19.3 s missed
    )
    tally = compare(truth_of(TALK), wrong)
    assert (tally.interruptions.hits, tally.interruptions.false, tally.interruptions.missed) == (0, 1, 2)
    assert (tally.shorter.hits, tally.shorter.false, tally.shorter.missed) == (0, 2, 1)
    assert (tally.every.hits, tally.every.false, tally.every.missed) == (2, 1, 1)
    assert (tally.interrupter.part, tally.interrupter.whole) == (1, 2)
    assert (tally.accused.part, tally.accused.whole) == (1, 1)
    assert tally.kinds == {
        ("interruption", "overlap"): 1,
        ("backchannel", "interruption"): 1,
        ("interruption", "none"): 1,
        ("none", "overlap"): 1,
    }
    assert tally.starts == [samples(0.1), 0]


def test_an_overlap_too_short_to_show_is_invented_when_shown() -> None:
    truth = truth_of(speech([(0, 5)], [(4.8, 9)]))
    tally = compare(truth, called(found(4.4, 5, "overlap", C)))
    assert (tally.every.false, tally.every.missed) == (1, 0)


def test_what_is_doubtful_counts_only_when_asked_for() -> None:
    truth = truth_of(speech([(0, 8)], [(3, 3.55)]))
    assert compare(truth, called()).every.missed == 0
    assert compare(truth, called()).doubtful == 1
    assert compare(truth, called(found(3, 3.55, "overlap", C))).every.hits == 0
    assert compare(truth, called(found(3.3, 4.4, "overlap", C))).every.false == 0
    assert compare(truth, called(), every=True).every.missed == 1


def test_talk_time_and_bounds_are_told_with_their_sign() -> None:
    truth = Truth({A: (span(1, 3),), C: ()}, ())
    row = figures(compare(truth, called(agent=[(1.1, 2.8)])))
    assert row["talk"]["agent"]["error_ms"] == -300
    assert row["talk"]["customer"]["error_share"] is None
    assert row["speech_bounds_ms"] == {"p50": 150, "p90": 190, "bias": -50}


def test_tallies_add_up() -> None:
    one = compare(truth_of(TALK), called(found(3, 5, "interruption", C, 4.1)))
    total = Tally()
    total.add(one)
    total.add(one)
    assert total.interruptions.missed == 2 * one.interruptions.missed
    assert figures(total)["interruptions"]["f1"] == figures(one)["interruptions"]["f1"]
    assert total.talk_true[A] == 2 * one.talk_true[A]


def test_nothing_to_count_is_none_and_no_number() -> None:
    row = figures(Tally())
    assert row["every"] == {"hits": 0, "false": 0, "missed": 0, "precision": None, "recall": None, "f1": None}
    assert row["latency_ms"]["cut"] == {"p50": None, "p95": None}


def entries(*items: Event) -> Sequence[Entry]:
    return [Entry(number, 0, item) for number, item in enumerate(items, start=1)]


def test_the_last_judgement_holds() -> None:
    def revised(end: float, kind: OverlapKind, because: str) -> OverlapRevised:
        return OverlapRevised(
            span=span(3, end),
            at=samples(end),
            of=2,
            kind=kind,
            interrupter=C,
            cut=False,
            because=because,  # type: ignore[arg-type]
        )

    call = heard(
        entries(
            SpeechEnded(span=span(0, 8), at=samples(8.3), channel=A),
            Overlap(span=span(3, 3.5), at=samples(3.52), kind="overlap", interrupter=C),
            revised(4, "interruption", "length"),
            revised(5, "interruption", "ended"),
            revised(5, "backchannel", "words"),
        )
    )
    assert call.speech == {A: (span(0, 8),), C: ()}
    assert call.overlaps == (Found(span(3, 5), "backchannel", C, False, samples(3.52), samples(4)),)
