"""Training on tables with a known truth: it is found, it is the model's own arithmetic, and it is calibrated."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.affect import AffectModel, write
from models.training.baseline import earlier
from models.training.errors import TrainingError
from models.training.fit import calibrated, fit
from models.training.metrics import auc, calibration_error
from models.training.population import departures, population
from models.training.recipe import Recipe
from models.training.score import nats, usual, values
from models.training.table import Table
from models.voice import FEATURES
from tests.models.training.made import LOUD, spoken

RECIPE = Recipe(lines=("mulaw",), fast_c=0.1, fused_c=0.1, encoder_unit=1.0)
TABLE = spoken({"a": 15, "b": 15}, said=2.5, heard=2.5)
OTHERS = spoken({"c": 30}, seed=1, said=2.5, heard=2.5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write(folder, fit([TABLE], RECIPE, seed=0).arrays, {"name": "test", "version": "1", "encoder": "tiny.en"})
    return AffectModel.load(folder)


def test_anger_is_found_in_strangers(model):
    positive = OTHERS.emotion == "anger"
    found = nats(model, OTHERS, "anger", "blind", seed=5)
    assert auc(found["fast"], positive) > 0.7
    assert auc(found["fused"], positive) > auc(found["fast"], positive) + 0.03


def test_the_baseline_of_the_own_voice_helps(model):
    positive = OTHERS.emotion == "anger"
    blind, none = (nats(model, OTHERS, "anger", which, seed=5)["fused"] for which in ("blind", "none"))
    assert auc(blind, positive) > auc(none, positive) + 0.05


def test_values_are_calibrated_for_strangers(model):
    positive = OTHERS.emotion == "anger"
    found = values(nats(model, OTHERS, "anger", "blind", seed=5)["fused"])
    assert calibration_error(found, positive) < 0.1
    assert found.mean() == pytest.approx(positive.mean(), abs=0.08)


def test_what_moves_is_what_is_weighed(model):
    for speed in ("fast", "fused"):
        weights = model.weights[speed, "anger"]
        assert np.argmax(np.abs(weights)) == LOUD
        assert weights[LOUD] > 0


def test_training_and_the_call_have_the_same_usual_and_steps(model):
    """``departures`` is over all clips at once; the model's own methods are what a call uses."""
    people = population([TABLE], FEATURES, RECIPE, seed=0)
    steps, _ = departures(TABLE, people, RECIPE, seed=3)
    known = usual(model, TABLE, "blind", seed=3)
    for row in (0, 17, 100):
        mine = steps[row] * model.weights["fast", "anger"]
        its = model.evidence("anger", "fast", TABLE.features[row], known.features[row])
        assert sum(its.values()) == pytest.approx(mine.sum(), abs=1e-4)


def test_the_gain_of_a_line_has_no_usual_but_a_speakers_own(model):
    assert np.isnan(model.centre[FEATURES.index("level")])
    assert np.isfinite(np.delete(model.centre, FEATURES.index("level"))).all()


def test_a_run_can_be_repeated_to_the_bit():
    one, two = (fit([TABLE], RECIPE, seed=0, outputs=["anger"]).arrays for _ in range(2))
    assert all(np.array_equal(one[name], two[name], equal_nan=True) for name in one)


def test_an_output_that_was_not_asked_for_says_nothing():
    arrays = fit([TABLE], RECIPE, seed=0, outputs=["anger"]).arrays
    assert arrays["fast.anger"].any()
    assert not arrays["fast.tension"].any()


def test_corpora_count_alike_whatever_their_size():
    """A large corpus in which nothing moves does not drown a small one in which something does."""
    still, moved = spoken({"large": 30}, said=0, heard=0), spoken({"small": 3}, said=3)
    arrays = fit([_both(still, moved)], RECIPE, seed=0, outputs=["anger"]).arrays
    assert np.argmax(np.abs(arrays["fast.anger"])) == LOUD


def _both(one, two):
    from models.training.table import joined

    return joined([one, two])


def still(speakers: int, seed: int = 5) -> Table:
    """Calm speech of voices of their own, on a line that colours all of them as anger does."""
    table = spoken({"read": speakers}, seed=seed, said=0, heard=0)
    table.features[:, LOUD] += 6.0
    calm = tuple(replace(clip, emotion="neutral", piece=n) for n, clip in enumerate(table.clips))
    return replace(table, clips=calm)


def test_calm_speech_of_another_line_is_no_longer_taken_for_anger(tmp_path):
    """Of voices that nobody has heard, and of which nothing is known."""
    told = {}
    for name, tables in {"without": [TABLE], "with": [_both(TABLE, still(30))]}.items():
        write(tmp_path / name, fit(tables, RECIPE, 0).arrays, {"name": name, "version": "1", "encoder": "tiny.en"})
        found = nats(AffectModel.load(tmp_path / name), still(20, seed=9), "anger", "none", seed=0)
        told[name] = values(found["fast"]).mean()
    assert told["with"] < told["without"] - 0.25


def test_calm_speech_changes_nothing_in_what_a_value_means():
    """It is learnt from, and values are calibrated on labelled clips as before."""
    for tables in ([TABLE], [_both(TABLE, still(30))]):
        told = fit(tables, RECIPE, 0, ["anger"]).held_out["fast.anger"]
        assert told["ece"] < 0.05


def test_nan_is_no_evidence():
    gaps = replace(TABLE, features=TABLE.features.copy())
    gaps.features[::2, 3] = np.nan
    assert np.isfinite(fit([gaps], RECIPE, seed=0, outputs=["anger"]).arrays["fast.anger"]).all()


def test_one_side_alone_is_refused():
    angry = TABLE.take(np.flatnonzero(TABLE.emotion == "anger"))
    with pytest.raises(TrainingError, match="tension needs clips of both sides: anger, fear"):
        calibrated(angry, np.zeros((len(angry), 2)), "tension", RECIPE, "fast", 0)


def test_a_baseline_is_asked_for_no_label():
    """The same numbers under shuffled labels have the same usual."""
    shuffled = replace(TABLE, clips=tuple(replace(clip, emotion="other") for clip in TABLE.clips))
    for table in (TABLE, shuffled):
        means, _ = earlier(table.features, table.seconds, table.who, 0)
        assert np.array_equal(means, earlier(TABLE.features, TABLE.seconds, TABLE.who, 0)[0], equal_nan=True)


def test_weights_are_read_back(model, tmp_path):
    write(tmp_path, fit([TABLE], RECIPE, seed=0).arrays, {"name": "test", "version": "1", "encoder": "tiny.en"})
    again = AffectModel.load(tmp_path)
    assert again.identity == model.identity
    assert json.loads((tmp_path / "model.json").read_text())["features"] == list(FEATURES)
