"""Prosody and baseline: against synthetic voices whose F0 and level are known, on the real pitch tracker."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.baseline import Baseline
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Prosody
from pipeline.inputs import Mark
from pipeline.nodes.prosody import ProsodyNode
from pipeline.nodes.speech import SpeechNode
from pipeline.session import Session
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE
from tests.pipeline.drive import INFO, STANDARD, detector, events, frames_of, heard, run, tracker
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
