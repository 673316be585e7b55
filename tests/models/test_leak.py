"""Finding one signal in another, and taking it out, on signals whose relation is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import ModelError
from models.leak import BLOCK, REACH, STEP, WINDOW, Canceller, Finder, Finding, Judge, Past, same
from tests.synth import Line, say

Samples = NDArray[np.float32]
SECONDS = 4.0
LAGS = 4800


def voice(f0: float = 120.0, seed: int = 1) -> Samples:
    return say(Line("agent", 0.0, SECONDS, f0_hz=f0), seed=seed).astype(np.float32)


def late(sound: Samples, lag: int, gain_db: float) -> Samples:
    return np.concatenate((np.zeros(lag), sound))[: len(sound)].astype(np.float32) * np.float32(10 ** (gain_db / 20))


def findings(source: Samples, victim: Samples) -> list[Finding]:
    finder = Finder(LAGS)
    ends = range(WINDOW, len(source) + 1, BLOCK)
    return [heard(finder, source[end - WINDOW : end], victim[end - BLOCK : end]) for end in ends]


def heard(finder: Finder, source: Samples, victim: Samples) -> Finding:
    finder.hear(source, victim)
    found = finder.find()
    assert found is not None
    return found


def left_db(source: Samples, victim: Samples, own: Samples, lag: int, after: int) -> float:
    """Power of the leak that is left after `after` steps over the leak's own, in dB."""
    canceller, left, leak = Canceller(lag, 0.1), 0.0, 0.0
    padded = np.concatenate((np.zeros(2 * WINDOW, np.float32), source))
    for step in range(len(source) // STEP):
        end = (step + 1) * STEP
        shifted = 2 * WINDOW + end - canceller.delay
        residual = victim[end - STEP : end] - canceller.predict(padded[shifted - REACH : shifted])
        canceller.learn(residual)
        if step >= after:
            left += float(np.sum((residual - own[end - STEP : end]) ** 2))
            leak += float(np.sum((victim - own)[end - STEP : end] ** 2))
    return 10 * float(np.log10(left / leak))


@pytest.mark.parametrize("lag", [0, 320, 1281, 2400, 4800])
@pytest.mark.parametrize("gain_db", [-6, -30])
def test_the_lag_is_found_to_a_quarter_of_a_millisecond(lag: int, gain_db: int) -> None:
    noise = np.random.default_rng(3).normal(0, 1e-4, round(SECONDS * 16_000)).astype(np.float32)
    found = findings(voice(), late(voice(), lag, gain_db) + noise)
    assert all(abs(each.lag - lag) <= 4 for each in found[3:])
    assert all(each.strength > 0.2 and each.contrast > 4 for each in found[3:])


@pytest.mark.parametrize("f0", [121.0, 180.0])
def test_two_voices_are_no_relation_even_at_one_pitch(f0: float) -> None:
    found = findings(voice(120.0, seed=1), voice(f0, seed=2))[2:]
    assert not any(each.strength >= 0.2 and each.contrast >= 4 for each in found)


def test_a_tone_is_too_narrow_for_a_voice() -> None:
    time = np.arange(round(SECONDS * 16_000)) / 16_000
    tone = (0.1 * (np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 480 * time))).astype(np.float32)
    assert max(each.breadth for each in findings(tone, tone * np.float32(0.4))) < 0.25
    assert min(each.breadth for each in findings(voice(), voice())) > 0.25


def test_a_finder_that_forgot_is_as_new() -> None:
    finder = Finder(LAGS)
    first = heard(finder, voice()[:WINDOW], voice()[WINDOW - BLOCK : WINDOW])
    finder.hear(voice()[BLOCK : WINDOW + BLOCK], voice()[WINDOW : WINDOW + BLOCK])
    finder.forget()
    assert finder.blocks == 0
    assert heard(finder, voice()[:WINDOW], voice()[WINDOW - BLOCK : WINDOW]) == first


def test_a_finding_that_is_too_weak_is_none() -> None:
    finder = Finder(LAGS)
    found = heard(finder, voice()[:WINDOW], voice()[WINDOW - BLOCK : WINDOW])
    assert finder.find(found.strength) == found
    assert finder.find(found.strength * 1.001) is None


def test_a_copy_has_the_past_and_a_future_of_its_own() -> None:
    past = Past(1, 8)
    past.push(np.full((1, 4), 1, np.float32))
    other = past.copy()
    past.push(np.full((1, 4), 2, np.float32))
    other.push(np.full((1, 4), 3, np.float32))
    assert past.last(0, 8).tolist() == [1] * 4 + [2] * 4
    assert other.last(0, 8).tolist() == [1] * 4 + [3] * 4


@pytest.mark.parametrize("lags", [0, WINDOW])
def test_a_finder_refuses_lags_that_wrap_round(lags: int) -> None:
    with pytest.raises(ModelError, match="lags must be 1 to 6144 samples"):
        Finder(lags)


@pytest.mark.parametrize("lag", [0, 1281])
def test_a_plain_leak_is_lowered_by_10_db_after_two_seconds(lag: int) -> None:
    silence = np.zeros(round(SECONDS * 16_000), np.float32)
    assert left_db(voice(), late(voice(), lag, -12), silence, lag, after=62) < -10


def test_a_voice_of_ones_own_over_the_leak_is_not_learnt_as_path() -> None:
    own = voice(190.0, seed=2)
    own[:32_000] = 0
    assert left_db(voice(), late(voice(), 1281, -12) + own, own, 1281, after=66) < -6


def test_the_peak_of_the_path_is_its_delay() -> None:
    canceller, sound = Canceller(1281, 0.25), voice()
    victim = late(sound, 1281, -6)
    for end in range(2 * REACH + 1281, len(sound), STEP):
        shifted = end - canceller.delay
        canceller.learn(victim[end - STEP : end] - canceller.predict(sound[shifted - REACH : shifted]))
    assert canceller.peak() == 1281


@pytest.mark.parametrize(("lag", "gain"), [(-1, 0.1), (0, 0.0)])
def test_a_canceller_refuses_what_is_no_leak(lag: int, gain: float) -> None:
    with pytest.raises(ModelError, match="lag must not be negative and gain must be positive"):
        Canceller(lag, gain)


def test_the_past_gives_any_stretch_and_refuses_what_it_has_not() -> None:
    past = Past(2, 4 * STEP)
    for step in range(11):
        past.push(np.full((2, STEP), step, np.float32) * np.array([[1], [-1]], np.float32))
    assert past.last(0, STEP).tolist() == [10] * STEP
    assert past.last(1, 2 * STEP, STEP).tolist() == [-8] * STEP + [-9] * STEP
    with pytest.raises(ModelError, match="the last 2048 are kept"):
        past.last(0, STEP, 4 * STEP)


def test_a_judge_learns_what_is_usually_left_and_hears_what_is_more() -> None:
    judge = Judge(-3.0)
    assert not judge.own(1.0, 1.0)
    for _ in range(200):
        judge.learn(1.0, 0.02)
    assert not judge.own(1.0, 0.02)
    assert judge.own(1.0, 1.0)
    assert [judge.own(1.0, 0.001) for _ in range(7)] == [True] * 5 + [False] * 2


def test_reverberation_after_the_voice_is_no_voice() -> None:
    judge = Judge(-6.0)
    assert not judge.own(1.0, 0.25)
    assert not any(judge.own(0.0, 0.25 * 0.5**step) for step in range(1, 8))


def test_one_sound_is_told_from_two_and_from_a_leak() -> None:
    sound = voice()[20_000 : 20_000 + STEP]
    assert same(sound, sound)
    assert same(sound, np.roll(sound, 10) * np.float32(0.8))
    assert not same(sound, sound * np.float32(0.5))
    assert not same(sound, voice(190.0, seed=2)[20_000 : 20_000 + STEP])
