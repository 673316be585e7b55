"""A score in words."""

from __future__ import annotations

from pipeline.explain import PARTS, reasons
from pipeline.hints import CUES
from tests.pipeline.affect import scored, speech


def test_measures_are_told_as_people_know_them() -> None:
    parts = {"usual": 0.1, "loudness": 0.2, "pitch": 0.15, "words": 0.1, "cut_off": 0.05, "pace": 0.04}
    measures = {"level": 6.2, "pitch": 4.0, "complaint": 3, "cut_off": 2, "pace": 1.3}
    assert reasons(parts, measures, most=9) == [
        "louder than usual by 6 dB (+0.20)",
        "pitch 4 semitones up (+0.15)",
        "third complaint (+0.10)",
        "cut off twice (+0.05)",
        "speaks 30 % faster than usual (+0.04)",
    ]


def test_the_weightiest_come_first_and_trifles_and_the_usual_not_at_all() -> None:
    parts = {"usual": 0.9, "timbre": -0.2, "melody": 0.3, "rhythm": 0.01, "pitch": 0.05, "tone": 0.1}
    assert reasons(parts, {}, most=3) == [
        "how the pitch moves (+0.30)",
        "how hard the voice sounds (-0.20)",
        "the tone of what was said (+0.10)",
    ]
    assert reasons({"usual": 0.12}, {}) == []


def test_a_measure_that_points_the_other_way_is_not_given_as_the_reason() -> None:
    assert reasons({"loudness": 0.2}, {"level": -3.0}) == ["how loud it is (+0.20)"]
    assert reasons({"loudness": -0.1}, {"level": -3.0}) == ["quieter than usual by 3 dB (-0.10)"]
    assert reasons({"pitch": 0.2}, {"pitch": -1.0}) == ["pitch 1 semitone down (+0.20)"]


def test_several_cues_are_told_together() -> None:
    assert reasons({"words": 0.3}, {"threat": 1, "insult": 7, "pitch": 2}) == ["threat, 7th insult (+0.30)"]


def test_every_part_of_a_real_score_has_words() -> None:
    found = scored([*speech(1, 20, 0.0), *speech(20, 26, 1.0)])
    for score in found:
        assert set(score.parts) - {"usual"} <= set(PARTS)
    assert any("louder than usual by" in line for score in found for line in reasons(score.parts, score.measures))
    assert not {name for cues in CUES.values() for name in cues} & {"level", "pitch", "pace"}
