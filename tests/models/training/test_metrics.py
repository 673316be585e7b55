"""Figures of scores against sums done by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.training.metrics import at_bound, auc, calibration_error, mean_auc, reliability, roc

NAN = float("nan")


def test_auc_counts_pairs_in_order_and_ties_half():
    scores, positive = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True])
    assert auc(scores, positive) == (1 + 0.5 + 1 + 1) / 4


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 3)), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn(rows):
    scores, positive, weights = (np.array(column) for column in zip(*rows, strict=True))
    if positive.all() or not positive.any():
        assert np.isnan(auc(scores.astype(float), positive))
    else:
        expected = roc_auc_score(positive, scores, sample_weight=weights)
        assert auc(scores.astype(float), positive, weights.astype(float)) == pytest.approx(expected)


def test_the_roc_curve_has_the_same_area():
    chance = np.random.default_rng(1)
    positive = chance.random(200) < 0.3
    scores = np.round(chance.standard_normal(200) + positive, 1)
    false, hits = roc(scores, positive)
    assert np.trapezoid(hits, false) == pytest.approx(auc(scores, positive))


def clips(per_speaker: int, speakers: int, chance: np.random.Generator):
    who = np.repeat([f"s{n}" for n in range(speakers)], per_speaker)
    positive = np.tile(np.arange(per_speaker) % 2 == 0, speakers)
    return who, positive, chance.standard_normal(len(who)) + positive


def test_an_interval_is_over_speakers_and_not_over_clips():
    """Ten copies of every clip of a speaker tell nothing new, so the interval stays as wide."""
    who, positive, scores = clips(10, 8, np.random.default_rng(2))
    group = np.full(len(who), "all")
    once, _ = mean_auc(scores, positive, who, group)
    often, _ = mean_auc(*(np.repeat(each, 10) for each in (scores, positive, who, group)))
    assert once.low < once.value < once.high
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_the_mean_is_over_corpora_whatever_their_size():
    positive = np.array([True, False, True, False, True, False])
    scores = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    group = np.array(["small", "small", "large", "large", "large", "large"])
    mean, single = mean_auc(scores, positive, group, group)
    assert mean.value == 0.5
    assert (single["small"].value, single["large"].value) == (1.0, 0.0)


def test_calibration_error_is_the_mean_distance_of_the_bins():
    values = np.array([0.05, 0.05, 0.95, 0.95])
    positive = np.array([False, True, True, True])
    assert reliability(values, positive) == [(0.05, 0.5, 2), (0.95, 1.0, 2)]
    assert calibration_error(values, positive) == pytest.approx((0.45 + 0.05) / 2)


def test_a_value_of_one_has_a_bin():
    assert reliability(np.array([1.0]), np.array([True])) == [(1.0, 1.0, 1)]


def test_precision_and_recall_at_a_bound():
    values, positive = np.array([0.9, 0.6, 0.6, 0.1]), np.array([True, False, True, True])
    assert at_bound(values, positive, 0.6) == (2 / 3, 2 / 3)
    assert at_bound(values, positive, 0.95) == (pytest.approx(NAN, nan_ok=True), 0.0)
