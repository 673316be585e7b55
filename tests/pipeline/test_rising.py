"""``benchmarks.rising`` finds what was put into made-up calls, and nothing in calm ones."""

import numpy as np
import pytest

from benchmarks import rising
from models.voice import FEATURES

ROWS, BEGIN, BLOCK = 80, 40, 0.512
VOICES = (-5.0, 0.0, 5.0, 10.0, 15.0)


def call(name: str, voice: float, *, angry: bool) -> rising.Blocks:
    """80 blocks of a voice of its own; from the 40th on one feature is 4 higher than ever before."""
    at, said = BLOCK * np.arange(1, ROWS + 1), np.full(ROWS, BLOCK)
    features = np.random.default_rng(len(name)).normal(size=(ROWS, len(FEATURES)))
    features[:, 0] += voice
    features[BEGIN:, 0] += 4 * angry
    usual = np.full(features.shape, features[:BEGIN].mean(axis=0))
    moved = ((at[BEGIN] - BLOCK, float(at[-1])),) if angry else ()
    known = np.minimum(np.cumsum(said) - BLOCK, BEGIN * BLOCK)
    return rising.Blocks(name, ROWS * BLOCK, moved, at, said, features, usual, known, rising._angry(at, moved))


@pytest.fixture(scope="module")
def calls() -> list[rising.Blocks]:
    moved = [call(f"x/{'a' * n}-anger-0", voice, angry=True) for n, voice in enumerate(VOICES, 1)]
    return moved + [call(f"calm-x/{'b' * n}", voice, angry=False) for n, voice in enumerate(VOICES, 1)]


def test_a_rise_is_found_against_the_own_usual_of_speakers_that_were_not_learnt_from(
    calls: list[rising.Blocks],
) -> None:
    judged = rising.crossed(calls)
    own, people = rising.bounds(judged, most=0.0)
    delays = [rising._delay(each, own, people) for each in judged if each.call.moved]
    assert all(delay is not None and delay > 0 for delay in delays)
    assert not any(each.raised(own, people) for each in judged if not each.call.moved)


def test_nothing_is_asked_of_the_own_usual_before_it_is_known(calls: list[rising.Blocks]) -> None:
    nats = rising.own_weights(calls)(calls[0])
    assert (nats[calls[0].known <= rising.KNOWN_S] == rising.UNKNOWN).all()
    assert (nats[calls[0].known > rising.KNOWN_S] > rising.UNKNOWN).all()


def test_the_first_angry_blocks_and_what_follows_are_learnt_from_as_neither() -> None:
    at = np.array([1.0, 9.0, 10.4, 11.6, 14.0, 20.3, 21.0])
    assert rising._angry(at, ((10.0, 14.0), (15.0, 20.0))).tolist() == [0, 0, -1, 1, 1, 1, -1]
    assert rising._angry(at, ()).tolist() == [0] * 7


def test_the_customer_is_known_by_the_name_of_the_call(calls: list[rising.Blocks]) -> None:
    assert calls[0].who == "x/a"
    assert calls[-1].who == "x/bbbbb"
    assert call("x/a-anger-1-at0", 0, angry=True).who == "x/a"
