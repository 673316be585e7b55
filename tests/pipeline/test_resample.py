from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.resample import SIDE, resampler
from pipeline.timebase import RATE

Floats = NDArray[np.float32]


def sine(hertz: float, rate: int, seconds: float = 1.0) -> Floats:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def resampled(pcm: Floats, rate: int) -> NDArray[np.float64]:
    stream = resampler(rate)
    return np.concatenate([stream.feed(pcm), stream.flush()]) / 32768


def decibels(error: NDArray[np.float64], of: NDArray[np.floating]) -> float:
    return float(10 * np.log10(np.square(error).mean() / np.square(of).mean()))


@pytest.mark.parametrize("hertz", [100.0, 1000.0, 3000.0, 3400.0, 3600.0])
def test_a_telephone_band_is_kept_in_place_and_level(hertz: float) -> None:
    found, wanted = resampled(sine(hertz, 8_000), 8_000), sine(hertz, RATE)
    assert len(found) == len(wanted)
    middle = slice(4 * SIDE, -4 * SIDE)
    assert decibels(found[middle] - wanted[middle], wanted[middle]) < -75


@pytest.mark.parametrize("hertz", [300.0, 2000.0, 3400.0])
def test_no_mirror_of_it_is_heard_over_4_khz(hertz: float) -> None:
    found = resampled(sine(hertz, 8_000), 8_000)
    power = np.square(np.abs(np.fft.rfft(found * np.hanning(len(found)))))
    above = np.fft.rfftfreq(len(found), 1 / RATE) > 4_000
    assert 10 * np.log10(power[above].sum() / power.sum()) < -75


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.sampled_from([8_000, 44_100, RATE]))
def test_any_chunking_gives_the_same_bits(sizes: list[int], rate: int) -> None:
    pcm = np.random.default_rng(1).uniform(-1, 1, sum(sizes)).astype(np.float32)
    stream = resampler(rate)
    edges = np.cumsum([0, *sizes])
    parts = [stream.feed(pcm[a:b]) for a, b in pairwise(edges)]
    whole = resampler(rate)
    np.testing.assert_array_equal(
        np.concatenate([*parts, stream.flush()]), np.concatenate([whole.feed(pcm), whole.flush()])
    )


def test_a_telephone_line_is_held_back_by_4_ms() -> None:
    stream = resampler(8_000)
    given_, got = 0, 0
    for _ in range(50):
        given_ += 160
        got += len(stream.feed(np.zeros(160, np.float32)))
        assert 2 * given_ - got == 2 * SIDE


def test_what_has_the_rate_already_is_not_changed() -> None:
    pcm = np.arange(-32768, 32768, 7, dtype=np.int16)
    np.testing.assert_array_equal(resampler(RATE).feed((pcm / 32768).astype(np.float32)), pcm)


def test_too_loud_is_clipped_and_not_wrapped() -> None:
    assert resampler(RATE).feed(np.array([-2.0, 2.0], np.float32)).tolist() == [-32768, 32767]
