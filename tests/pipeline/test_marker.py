"""Whole calls, the real recogniser: a word at known samples is found there, and where nobody speaks none is heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import marker, quiet
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.graph import Engines, load
from pipeline.pool import EnginePool
from pipeline.timebase import RATE, Span
from pipeline.view import LineView, View, WordView
from tests import noises


@pytest.fixture(scope="module")
def engines() -> Engines:
    return load(marker.SETTINGS, Path("models"))


@pytest.fixture(scope="module")
def pool(engines: Engines) -> Iterator[EnginePool]:
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)
    yield pool
    pool.close()


def test_a_word_is_found_within_150_ms_whatever_came_before(engines: Engines, pool: EnginePool) -> None:
    audio, markers = marker.scene(marker.sample_marker(), marker.sample_lines(), 60.0, 7)
    assert {each.channel for each in markers} == set(TWO_CHANNEL)
    found = list(marker.matched(marker.heard(audio, engines, pool), markers, "goodbye"))
    assert len(found) >= 4
    assert [each for each in found if not each.right] == []


def test_the_places_of_the_word_do_not_depend_on_what_is_said_before_it() -> None:
    word, others = marker.sample_marker(), marker.sample_lines()
    one, two = (marker.scene(word, others, 75.0, seed) for seed in (1, 2))
    assert [each.span for each in one[1]] == [each.span for each in two[1]]
    assert not np.array_equal(one[0], two[0])
    assert {each.before for each in one[1]} != {each.before for each in two[1]}


def test_a_word_that_is_missing_or_late_is_told_so() -> None:
    markers = [
        marker.Marker(Channel.AGENT, Span(RATE, 2 * RATE), 0),
        marker.Marker(Channel.AGENT, Span(9 * RATE, 10 * RATE), 0),
    ]
    word = WordView(begin_ms=1200, end_ms=1900, text="Goodbye.", probability=0.9)
    line = LineView(n=1, channel=Channel.AGENT, begin_ms=0, end_ms=0, text="", late=False, words=[word])
    late, missing = marker.matched(View(transcript=[line]), markers, "goodbye")
    assert (late.start, late.end, late.right) == (RATE // 5, -RATE // 10, False)
    assert (missing.start, missing.right) == (None, False)
    assert marker.told([late, missing])["heard"] == 1


@pytest.mark.parametrize("name", ["line noise -35 dBFS", "breaths, made", "coughs, made", "mains hum 50 Hz"])
def test_nothing_is_heard_in_sounds_even_where_a_detector_takes_them_for_speech(
    name: str, engines: Engines, pool: EnginePool
) -> None:
    fooled = replace(engines, detector=quiet.Gullible())
    found = quiet.heard(quiet.MADE[name](20.0, np.random.default_rng(3)), fooled, pool)
    assert found.asked >= 2, "the recogniser was never asked"
    assert (found.words, found.texts) == (0, [])
    assert sum(found.refused.values()) >= 2


def test_what_is_heard_is_counted(engines: Engines, pool: EnginePool) -> None:
    """A voice among the sounds is words, so that a report of none can be believed."""
    speech = np.concatenate([clip.audio for clip in marker.sample_lines()[:2]])
    found = quiet.heard(np.concatenate((noises.noise(2.0, dbfs=-60), speech, np.zeros(RATE))), engines, pool)
    assert found.words > 5
    assert found.asked >= 1
