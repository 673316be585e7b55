"""Prosody, baseline and scores: against synthetic voices whose F0 and level are known, on the real pitch tracker."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.baseline import Baseline
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Cue, Event, Pace, Prosody, Score
from pipeline.inputs import Mark
from pipeline.nodes.prosody import ProsodyNode
from pipeline.nodes.scores import FORMULAS, ScoresNode
from pipeline.nodes.speech import SpeechNode
from pipeline.session import Entry, Session, Tick
from pipeline.settings import POLICIES, Scores, Settings
from pipeline.timebase import RATE, Span, samples
from tests.pipeline.drive import INFO, STANDARD, detector, events, frames, frames_of, heard, run, tracker
from tests.synth import Line, build

C = Channel.CUSTOMER
CALM = [Line("customer", 1 + 3 * i, 2.5, f0_hz=180, level_dbfs=-28) for i in range(5)]


def prosody(lines: list[Line], seconds: float, inputs: list[tuple[float, Mark]] | None = None) -> list[Prosody]:
    pcm, _ = build(lines, seconds, telephone=True)
    speech = SpeechNode(TWO_CHANNEL, STANDARD.speech, detector())
    node = ProsodyNode(frozenset(TWO_CHANNEL), TWO_CHANNEL, STANDARD.voice, tracker())
    return events(run(Session(INFO, [speech, node]), frames_of(pcm), inputs or []), Prosody)


def after(found: list[Prosody], second: float) -> list[Prosody]:
    return [event for event in found if event.span.start > second * RATE]


@pytest.mark.parametrize("move", [-3.0, 0.0, 3.0, 5.0])
def test_f0_movement_is_within_half_a_semitone(move: float) -> None:
    raised = [Line("customer", 17 + 3 * i, 2.5, f0_hz=180 * 2 ** (move / 12), level_dbfs=-28) for i in range(3)]
    found = [event.f0_move for event in after(prosody(CALM + raised, 27), 16.5) if event.f0_move is not None]
    assert len(found) >= 8
    assert abs(float(np.median(found)) - move) < 0.5


@pytest.mark.parametrize("move", [-6.0, 5.0, 8.0])
def test_level_movement_is_within_a_decibel(move: float) -> None:
    louder = [Line("customer", 17 + 3 * i, 2.5, f0_hz=180, level_dbfs=-28 + move) for i in range(3)]
    found = [event.level_move for event in after(prosody(CALM + louder, 27), 16.5) if event.level_move is not None]
    assert abs(float(np.median(found)) - move) < 1.5


def test_nothing_is_said_of_movement_before_a_baseline_stands() -> None:
    first = prosody(CALM, 17)[0]
    assert (first.level_move, first.f0_move, first.alpha_move) == (None, None, None)


def test_a_rise_does_not_become_the_baseline() -> None:
    shouting = [Line("customer", 17 + 3 * i, 2.5, f0_hz=270, level_dbfs=-18) for i in range(8)]
    found = after(prosody(CALM + shouting, 42), 35)
    assert all(event.baseline_seconds < 14 for event in found)
    assert float(np.median([event.f0_move for event in found if event.f0_move is not None])) > 5


def test_a_transfer_forgets_the_agents_voice_only() -> None:
    both = CALM + [Line("agent", 1 + 3 * i, 2.5, f0_hz=110, level_dbfs=-28) for i in range(5)]
    found = after(prosody(both, 17, [(12.5, Mark(kind="transfer"))]), 13)
    assert all(event.baseline_seconds < 4 for event in found if event.channel is Channel.AGENT)
    assert all(event.baseline_seconds > 5 for event in found if event.channel is C)


def test_the_agents_voice_quality_is_not_measured_under_the_eu_policy() -> None:
    both = [Line("customer", 1, 3, f0_hz=200), Line("agent", 5, 3, f0_hz=110)]
    pcm, _ = build(both, 9)
    found = events(heard(pcm, settings=Settings(policy=POLICIES["eu-workplace"])), Prosody)
    agents = [event for event in found if event.channel is Channel.AGENT]
    assert agents
    assert all((event.f0, event.f0_range, event.alpha_ratio) == (None, None, None) for event in agents)
    assert all(event.level < 0 for event in agents)
    assert any(event.f0 is not None for event in found if event.channel is C)


def test_a_baseline_needs_seconds_and_is_a_median() -> None:
    baseline = Baseline(-40, -16, prior=4, full=30)
    baseline.learn(-30, 1.0)
    assert baseline.centre is None
    for value in (-30, -28, -10):
        baseline.learn(value, 1.0)
    assert baseline.centre == -29


def test_a_centre_outside_the_ordinary_range_is_drawn_back_and_less_so_with_time() -> None:
    baseline = Baseline(-40, -16, prior=4, full=60)
    for _ in range(4):
        baseline.learn(-6, 1.0)
    assert baseline.centre == pytest.approx(-11)
    for _ in range(36):
        baseline.learn(-6, 1.0)
    assert baseline.centre == pytest.approx(-6 - 10 * 4 / 44)


def test_a_full_baseline_stands() -> None:
    baseline = Baseline(-40, -16, prior=4, full=3)
    for value in (-30, -30, -30, -20, -20, -20, -20):
        baseline.learn(value, 1.0)
    assert baseline.centre == -30


class Script:
    def __init__(self, *script: tuple[float, Event]) -> None:
        self._script = list(script)

    def step(self, tick: Tick) -> None:
        while self._script and self._script[0][0] * RATE <= tick.start:
            tick.emit(self._script.pop(0)[1])


def voice(at: float, level: float, f0: float, channel: Channel = C) -> tuple[float, Event]:
    end = samples(at)
    event = Prosody(
        span=Span(end - 8192, end),
        at=end,
        channel=channel,
        level=-25,
        level_move=level,
        f0=200,
        f0_move=f0,
        f0_range=3,
        voiced=0.6,
        alpha_ratio=-8,
        alpha_move=level / 2,
        baseline_seconds=12,
    )
    return at, event


def scores(*script: tuple[float, Event], length: float = 20) -> list[Score]:
    return events(run(Session(INFO, [Script(*script), ScoresNode(TWO_CHANNEL, Scores())]), frames(length)), Score)


def test_a_score_is_the_sum_of_its_parts() -> None:
    for found in scores(*(voice(2 + 0.5 * i, 6, 4) for i in range(10))):
        assert found.value == pytest.approx(min(1, sum(found.parts.values())), abs=0.002)
        assert set(found.parts) <= set(FORMULAS[found.kind])


def test_louder_and_higher_is_angrier() -> None:
    calm = max(found.value for found in scores(*(voice(2 + 0.5 * i, 0.5, 0.5) for i in range(12))))
    hot = max(found.value for found in scores(*(voice(2 + 0.5 * i, 9, 7) for i in range(12))))
    assert calm < 0.05
    assert hot > 0.55


def test_no_score_without_evidence() -> None:
    assert scores(length=6) == []


def test_coverage_grows_with_evidence() -> None:
    span = Span(samples(5), samples(6))
    pace = Pace(span=span, at=span.end, channel=C, talk_speed=150, articulation_rate=5, words=15, relative=1.0)
    found = scores(*(voice(2 + 0.5 * i, 1, 1) for i in range(6)), (6.5, pace), *(voice(7 + i, 1, 1) for i in range(3)))
    assert found[0].coverage < found[-1].coverage == 1.0


def test_words_count_and_thanks_calm() -> None:
    def cue(at: float, name: str) -> tuple[float, Event]:
        span = Span(samples(at) - RATE, samples(at))
        return at, Cue(span=span, at=span.end, channel=C, name=name, phrase="x", of=1)

    span = Span(samples(1), samples(2))
    pace = (2.0, Pace(span=span, at=span.end, channel=C, talk_speed=150, articulation_rate=5, words=9, relative=None))
    steady = [voice(2.1 + 0.5 * i, 0, 0) for i in range(4)]
    found = scores(pace, *steady, cue(6, "threat"), cue(10, "relief"), cue(11, "relief"), length=14)
    peak = max(found, key=lambda each: each.value)
    assert peak.parts["words"] > 0.2
    assert found[-1].parts["words"] < 0.05


def test_evidence_fades_when_nobody_speaks() -> None:
    found = scores(*(voice(2 + 0.5 * i, 9, 7) for i in range(10)), length=60)
    assert found[-1].value < 0.25 * max(each.value for each in found)


def heard_scores(policy: str) -> set[str]:
    lines = CALM + [Line("agent", 3.6 + 3 * i, 0.35 + 2, f0_hz=110) for i in range(4)]
    pcm, _ = build(lines, 18)
    entries: list[Entry] = heard(pcm, settings=Settings(policy=POLICIES[policy]))
    return {score.kind for score in events(entries, Score)}


def test_policy_decides_which_scores_exist() -> None:
    assert heard_scores("standard") == {"anger", "tension"}
    assert heard_scores("eu-workplace") == {"anger"}
    assert heard_scores("measures-only") == set()
