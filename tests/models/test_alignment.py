from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alignment import between_pauses, pauses
from models.protocols import Samples

RATE = 16_000
edges = st.integers(0, 10 * RATE)


def voice(seconds: float, seed: int = 0, dbfs: float = -26.0) -> Samples:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (noise * 10 ** (dbfs / 20)).astype(np.float32)


def test_a_boundary_goes_to_the_pause_beside_it_and_the_pause_to_no_word() -> None:
    assert between_pauses([8_000, 20_000], [(9_000, 12_000)], 20_000) == [(0, 9_000), (12_000, 20_000)]


def test_silence_before_the_first_word_and_after_the_last_is_not_theirs() -> None:
    assert between_pauses([30_000], [(0, 16_000), (24_000, 32_000)], 32_000) == [(16_000, 24_000)]


def test_a_boundary_without_a_pause_near_it_stays() -> None:
    assert between_pauses([8_000, 30_000], [(13_000, 15_000)], 30_000) == [(0, 8_000), (8_000, 30_000)]


def test_a_pause_between_two_boundaries_belongs_to_the_nearer() -> None:
    heard = between_pauses([8_000, 10_000, 20_000], [(10_500, 12_000)], 20_000)
    assert heard == [(0, 8_000), (8_000, 10_500), (12_000, 20_000)]


@given(st.lists(edges, max_size=8), st.lists(st.tuples(edges, edges), max_size=8), edges)
def test_words_are_in_order_and_inside_whatever_is_given(
    ends: list[int], quiet: list[tuple[int, int]], length: int
) -> None:
    spans = between_pauses(ends, [(min(pair), max(pair)) for pair in quiet], length)
    flat = [edge for span in spans for edge in span]
    assert len(spans) == len(ends)
    assert all(a <= b for a, b in pairwise([0, *flat, length]))


def test_hears_pauses_and_where_they_are() -> None:
    quiet = voice(0.5, 1, -65.0)
    samples = np.concatenate([quiet, voice(0.6), quiet[: RATE // 5], voice(0.4, 2), quiet])
    found = [(start / RATE, end / RATE) for start, end in pauses(samples)]
    assert len(found) == 3
    np.testing.assert_allclose(found, [(0.0, 0.5), (1.1, 1.3), (1.7, 2.2)], atol=0.03)


@pytest.mark.parametrize("samples", [voice(2.0), np.zeros(RATE, np.float32), np.zeros(100, np.float32)])
def test_what_is_even_has_no_pauses(samples: Samples) -> None:
    assert pauses(samples) == []
