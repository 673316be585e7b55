"""Scores: what they do with evidence that is made up, and with our own sample calls."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sample_audio
from models.affect import explain
from pipeline import hints
from pipeline.channel import Channel
from pipeline.events import Cue, Event, OverlapRevised, Pace, Score, Words
from pipeline.graph import build
from pipeline.inputs import Frame, Mark
from pipeline.nodes.scores import ScoresNode, rounded_parts
from pipeline.playbook import load_playbook
from pipeline.session import Session
from pipeline.settings import Scores
from pipeline.sources.recording import open_recording
from pipeline.timebase import RATE, TICK, Span, samples
from pipeline.triggers import OnScore
from tests.pipeline.affect import A, C, Stage, at, plain, scored, speech, with_tone
from tests.pipeline.drive import INFO, STANDARD, engines, events, frames, run

CALM = speech(1, 20, 0.0)
BOUND = next(
    each.when.above
    for each in load_playbook().advice
    if each.kind == "customer_anger" and isinstance(each.when, OnScore)
)
"""From which the agent is told of anger."""


def cue(second: float, name: str, channel: Channel = C) -> tuple[float, Event]:
    span = Span(samples(second) - RATE, samples(second))
    return second, Cue(span=span, at=span.end, channel=channel, name=name, phrase="x", of=1)


def pace(second: float, relative: float | None) -> tuple[float, Event]:
    span = Span(samples(second) - RATE, samples(second))
    it = Pace(span=span, at=span.end, channel=C, talk_speed=150, articulation_rate=5, words=9, relative=relative)
    return second, it


def words(second: float, *emotion: float, seconds: float = 2.0) -> tuple[float, Event]:
    span = Span(samples(second - seconds), samples(second))
    it = Words(span=span, at=span.end, channel=C, utterance=1, text="", words=(), late=False, emotion=emotion)
    return second, it


def overlap(second: float, kind: str, of: int, who: Channel = C) -> tuple[float, Event]:
    span = Span(samples(second) - RATE, samples(second))
    it = OverlapRevised(span=span, at=span.end, of=of, kind=kind, interrupter=who, cut=False, because="length")  # type: ignore[arg-type]
    return second, it


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=12), st.sampled_from(["insult", "relief", "complaint"]))
@settings(deadline=None, max_examples=15)
def test_a_score_is_the_sum_of_its_parts(shares: list[float], name: str) -> None:
    spoken = [each for i, share in enumerate(shares) for each in speech(1 + i, 2 + i, share)]
    found = scored(spoken, [cue(3, name), overlap(4, "interruption", 99)], length=16)
    assert found
    for score in found:
        assert score.value == pytest.approx(sum(score.parts.values()), abs=1e-6)
        assert 0 <= score.value <= 1
        assert "usual" in score.parts


def test_rounding_puts_no_value_under_zero() -> None:
    for bias in (-8.9, -7.8, -7.0):
        _, parts = explain(bias, {"pitch": -1.6, "loudness": -0.8, "timbre": -1.6})
        assert sum(round(part, 4) for part in parts.values()) < 0
        assert sum(rounded_parts(parts).values()) == pytest.approx(0, abs=1e-9)


def test_a_voice_that_rises_is_angrier_and_one_that_stays_is_not() -> None:
    calm = scored([*CALM, *speech(20, 30, 0.0)])
    hot = scored([*CALM, *speech(20, 30, 1.0)])
    assert max(score.value for score in calm) < 0.25
    assert at(hot, 26) > BOUND + 0.1


def test_a_single_loud_second_does_not_raise_anger() -> None:
    """Three seconds of features hold it, a third of it each, as in a call."""
    found = scored([*CALM, *speech(20, 23, 0.35), *speech(23, 30, 0.0)])
    assert max(score.value for score in found) < BOUND


def test_a_voice_is_scored_as_soon_as_a_block_of_it_is_heard_and_silence_now_and_then() -> None:
    """Waiting for a clock of its own would cost an alert a quarter of a second."""
    ends = [samples(begin) + TICK for begin in (2.112, 2.624, 3.136)]
    told = [score.at for score in scored(speech(2.112, 3.3, 1.5), length=12)]
    assert set(ends) <= set(told)
    assert [at for at in told if at <= ends[-1]] == ends
    quiet = [at - ends[-1] for at in told if at > ends[-1]]
    assert quiet
    assert all(at % samples(0.512) == 0 for at in quiet)


def test_a_steady_slow_rise_does() -> None:
    found = scored([*CALM, *speech(20, 60, 0.0, 1.0)], length=62)
    assert at(found, 60) > BOUND
    assert at(found, 40) < at(found, 50) < at(found, 60)


def test_a_customer_who_is_angry_from_the_first_word_is_found_and_does_not_become_normal() -> None:
    """By what is known of other people's voices, which counts by half: a line may colour a voice as much."""
    found = scored(speech(0.5, 30, 2.0))
    calm = scored(speech(0.5, 30, 0.0))
    assert max(score.value for score in found if score.at < samples(12)) > BOUND
    assert at(found, 29) > at(calm, 29) + 0.1


def test_of_a_stranger_less_is_believed() -> None:
    spoken = speech(0.5, 6, 1.0)
    half, whole, nothing = (scored(spoken, length=7, stranger=share) for share in (0.5, 1.0, 0.0))
    assert at(nothing, 2) < at(half, 2) < at(whole, 2)


def test_what_is_usual_is_hardly_learnt_from_an_aroused_voice() -> None:
    moved = [*CALM, *speech(20, 50, 1.0)]
    found = scored(moved, length=52)
    assert at(found, 49) > 0.8 * max(score.value for score in found)


def test_peak_and_recovery_are_visible() -> None:
    found = scored([*CALM, *speech(20, 28, 1.0), *speech(28, 40, 0.0)], length=42)
    assert at(found, 28) > BOUND + 0.1
    assert at(found, 36) < 0.25


def test_evidence_fades_when_nobody_speaks_and_does_not_come_back() -> None:
    found = scored([*CALM, *speech(20, 28, 1.0), *speech(88, 88.4, 0.5)], length=90)
    assert at(found, 87) < at(found, 30) / 3
    assert at(found, 90) < 0.35


def test_gain_changes_no_score() -> None:
    def values(gain: float) -> list[float]:
        return [s.value for s in scored([*speech(1, 20, 0.0, level=gain), *speech(20, 30, 1.0, level=gain)])]

    quiet, loud = values(-12), values(12)
    assert loud == pytest.approx(quiet, abs=1e-3)


def test_no_score_without_evidence_or_a_set_of_weights() -> None:
    assert scored(length=6) == []
    assert scored(told=[cue(2, "threat"), overlap(3, "interruption", 9)], length=8) == []
    node = ScoresNode((A, C), Scores(), None)
    assert events(run(Session(INFO, [Stage(CALM, []), node]), frames(25)), Score) == []


def test_coverage_grows_with_evidence() -> None:
    found = scored(CALM, [words(8), pace(12, 1.0)])
    assert [score.coverage for score in (found[0], found[-1])] == [0.75, 1.0]
    assert at(found, 19) < 0.2


def test_cues_count_fade_and_thanks_calm() -> None:
    found = scored(speech(1, 40, 0.0), [cue(10, "threat"), cue(14, "insult"), cue(20, "relief"), cue(21, "relief")], 42)
    before, peak = at(found, 9), at(found, 15)
    assert peak > before + 0.15
    assert found[-1].parts["words"] < peak / 3
    assert max(score.measures.get("threat", 0) for score in found) == 1


def test_words_alone_are_bounded() -> None:
    found = scored(CALM, [cue(5 + i / 4, "insult") for i in range(20)])
    assert max(score.value for score in found) < 0.55
    assert hints.MOST == 2.0


def test_an_interruption_counts_once_for_each_party_and_is_taken_back() -> None:
    both = [*CALM, *speech(1, 20, 0.0, channel=A)]
    told = [overlap(5, "interruption", 7, A), overlap(6, "interruption", 7, A), overlap(12, "backchannel", 7, A)]
    found = scored(both, told)
    tension = [score for score in found if score.kind == "tension"]
    anger = [score for score in found if score.kind == "anger"]
    assert max(score.parts.get("interruptions", 0) for score in tension) > 0
    assert max(score.parts.get("cut_off", 0) for score in anger) > 0
    assert max(score.measures.get("cut_off", 0) for score in anger) == 1
    assert "cut_off" not in anger[-1].parts
    assert "interruptions" not in tension[-1].parts


def test_the_tone_counts_when_words_come_and_less_with_time() -> None:
    spoken = speech(1, 40, 0.0)
    found = scored(spoken, [words(4, 0.0), words(15, 1.5, seconds=8)], model=with_tone(), length=42)
    assert at(found, 16) > at(found, 14) + 0.2
    assert next(s.parts["tone"] for s in found if s.at > samples(16)) > 0.2
    assert found[-1].parts["tone"] < 0.05
    assert found[-1].coverage == 0.95


def test_the_tone_of_what_may_be_another_voice_does_not_count() -> None:
    model = with_tone()
    told = [words(10, 3.0, seconds=3)]
    assert all("tone" not in s.parts for s in scored(CALM, told, model=model, doubt=(8.0, 8.5)))
    assert any("tone" in s.parts for s in scored(CALM, told, model=model))


def test_a_transfer_forgets_the_agents_usual_and_hints_only() -> None:
    both = [*speech(1, 12, 0.0), *speech(1, 12, 1.0, channel=A)]
    node = ScoresNode((A, C), Scores(), plain())
    session = Session(INFO, [Stage(both, [cue(5, "blame", A), cue(5, "threat")]), node])
    found = events(run(session, frames(16), [(13.0, Mark(kind="transfer"))]), Score)
    after = [score for score in found if score.at > samples(13.2)]
    assert all(score.kind == "anger" for score in after)
    assert after[-1].measures["threat"] == 1


def test_evidence_names_the_events() -> None:
    found = scored(CALM, [cue(5, "threat")])[-1]
    assert len(found.evidence) == len(set(found.evidence)) == 2


def sample(name: str) -> list[Score]:
    recording = open_recording([sample_audio.path(name)])
    session = build(INFO, STANDARD, engines())
    return events(run(session, (item for item in recording.frames() if isinstance(item, Frame))), Score)


def test_the_disputed_sample_rises_and_falls_where_its_truth_says() -> None:
    truth = json.loads(sample_audio.path("billing_dispute").with_suffix("").with_suffix(".truth.json").read_text())
    spans = {(each["channel"], each["state"]): each for each in truth["states"]}
    angry = spans["customer", "angry"]
    found = [score for score in sample("billing_dispute") if score.kind == "anger"]
    peak = max(found, key=lambda score: score.value)
    calm = [score.value for score in found if score.at < samples(25.6)]
    assert angry["begin_ms"] < peak.at / 16 < angry["end_ms"] + 13_000  # its voice is tense until 86 s
    assert peak.value > 2.5 * max(calm)
    assert found[-1].value < 0.25


def test_nobody_is_angry_in_the_calm_sample() -> None:
    assert max(score.value for score in sample("calm_order")) < 0.45
