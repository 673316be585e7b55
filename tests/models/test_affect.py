import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import formula
from models.affect import ABOUT, OUTPUTS, SPEEDS, WEIGHTS, AffectModel, Output, explain, sigmoid, write
from models.errors import ModelError
from models.voice import FEATURES, PART

FOLDER = Path(formula.__file__).with_name("weights") / "formula"
ENCODED, NUMBERS = 8, 3
AT = {name: place for place, name in enumerate(FEATURES)}
Arrays = dict[str, NDArray[np.float32]]

nats = st.floats(-30, 30, allow_nan=False)


def trained() -> Arrays:
    """A set of weights with an encoder, of no meaning."""
    chance = np.random.default_rng(5)
    arrays = formula.arrays()
    arrays["projection"] = chance.normal(size=(ENCODED, NUMBERS)).astype(np.float32)
    arrays["numbers.centre"] = np.array([1.0, 2.0, 3.0], np.float32)
    for output in OUTPUTS:
        arrays[f"numbers.{output}"] = chance.normal(size=NUMBERS).astype(np.float32)
    return arrays


def stored(folder: Path, arrays: Arrays, encoder: str | None = "tiny.en") -> AffectModel:
    write(folder, arrays, {"name": "test", "version": "7", "encoder": encoder})
    return AffectModel.load(folder)


@pytest.fixture(scope="module")
def by_hand() -> AffectModel:
    return AffectModel.load(FOLDER)


def moved(model: AffectModel, name: str, steps: float, output: Output) -> float:
    """Evidence of one feature that lies so many of its units over the usual."""
    usual = np.zeros(len(FEATURES), np.float32)
    features = usual.copy()
    features[AT[name]] = steps * model.scale[AT[name]]
    return sum(model.evidence(output, "fast", features, usual).values())


def test_the_formula_folder_is_the_table(by_hand: AffectModel, tmp_path: Path) -> None:
    write(tmp_path, formula.arrays(), by_hand.about)
    fresh = AffectModel.load(tmp_path)
    assert fresh.strength == by_hand.strength
    np.testing.assert_array_equal(fresh.centre, by_hand.centre)
    np.testing.assert_array_equal(fresh.scale, by_hand.scale)
    for speed in SPEEDS:
        for output in OUTPUTS:
            np.testing.assert_array_equal(fresh.weights[speed, output], by_hand.weights[speed, output])
            assert fresh.bias(output, speed) == by_hand.bias(output, speed)


def test_every_row_of_the_table_is_a_feature() -> None:
    assert set(formula.TABLE) <= set(FEATURES)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", ["f0_median", "f0_range", "level", "level_rise", "alpha_mean", "slope_low_mean"])
def test_more_effort_is_more_of_everything(by_hand: AffectModel, name: str, output: Output) -> None:
    evidence = [moved(by_hand, name, steps, output) for steps in (-2, -1, 0, 1, 2)]
    assert evidence == sorted(evidence)
    assert evidence[0] < evidence[2] < evidence[4]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_harsh_flat_spectrum_is_more_of_everything(by_hand: AffectModel, output: Output) -> None:
    assert moved(by_hand, "hammarberg_mean", -1, output) > 0 > moved(by_hand, "hammarberg_mean", 1, output)


def test_a_high_voice_is_more_tense_than_angry(by_hand: AffectModel) -> None:
    assert moved(by_hand, "f0_median", 2, "tension") > moved(by_hand, "f0_median", 2, "anger")


def test_evidence_is_clipped(by_hand: AffectModel) -> None:
    assert moved(by_hand, "level", 50, "anger") == pytest.approx(moved(by_hand, "level", formula.CLIP, "anger"))


def test_evidence_comes_by_part_and_unknown_features_say_nothing(by_hand: AffectModel) -> None:
    usual = np.zeros(len(FEATURES), np.float32)
    features = usual.copy()
    features[AT["level"]] = 4.0
    features[AT["f0_median"]] = np.nan
    evidence = by_hand.evidence("anger", "fast", features, usual)
    assert set(evidence) == set(PART.values())
    assert evidence["loudness"] > 0
    assert all(its == 0 for part, its in evidence.items() if part != "loudness")


def test_before_anything_was_heard_the_population_is_usual(by_hand: AffectModel) -> None:
    usual = by_hand.usual(None, 0.0)
    np.testing.assert_array_equal(usual, by_hand.centre)
    features = np.full(len(FEATURES), 5.0, np.float32)
    assert by_hand.evidence("anger", "fast", features, usual)["loudness"] == 0, "no level is known to be loud"


def test_a_level_without_a_population_is_the_speakers_own(by_hand: AffectModel) -> None:
    own = np.full(len(FEATURES), np.nan, np.float32)
    own[AT["level"]], own[AT["alpha_mean"]] = -31.0, -3.0
    usual = by_hand.usual(own, by_hand.strength)
    assert usual[AT["level"]] == -31.0
    assert usual[AT["alpha_mean"]] == pytest.approx((-3.0 - 9.0) / 2)
    assert np.isnan(usual[AT["f0_median"]])


@given(gain=st.floats(-12, 12), seconds=st.floats(0, 60))
def test_gain_of_a_whole_call_changes_no_evidence(gain: float, seconds: float) -> None:
    model = AffectModel.load(FOLDER)
    chance = np.random.default_rng(2)
    own, features = (chance.normal(size=len(FEATURES)).astype(np.float32) for _ in range(2))

    def evidence(db: float) -> list[float]:
        louder = np.zeros(len(FEATURES), np.float32)
        louder[AT["level"]] = db
        usual = model.usual(own + louder, seconds)
        return list(model.evidence("anger", "fast", features + louder, usual).values())

    assert evidence(gain) == pytest.approx(evidence(0.0), abs=1e-5)


@given(own=st.floats(-50, 50), seconds=st.floats(0.1, 1000))
def test_the_usual_lies_between_the_population_and_the_speaker(own: float, seconds: float) -> None:
    model = AffectModel.load(FOLDER)
    place = AT["alpha_mean"]
    usual = model.usual(np.full(len(FEATURES), own, np.float32), seconds)[place]
    low, high = sorted((own, float(model.centre[place])))
    assert low - 1e-4 <= usual <= high + 1e-4


def test_the_encoder_gives_a_few_numbers_and_exact_evidence(tmp_path: Path) -> None:
    arrays = trained()
    model = stored(tmp_path, arrays)
    assert model.encoder_name == "tiny.en"
    pooled, earlier = (np.random.default_rng(seed).normal(size=ENCODED).astype(np.float32) for seed in (1, 2))
    numbers, own = np.array(model.encoder(pooled)), np.array(model.encoder(earlier))
    assert model.score(pooled) == tuple(numbers)
    evidence = model.encoder_evidence("anger", numbers, own)
    expected = (pooled - earlier) @ arrays["projection"] @ arrays["numbers.anger"]
    assert evidence == pytest.approx(float(expected), rel=1e-4)
    np.testing.assert_array_equal(model.usual_numbers(None, 0), [1, 2, 3])


def test_a_set_without_encoder_gives_no_numbers(by_hand: AffectModel) -> None:
    assert by_hand.encoder_name is None
    assert by_hand.encoder(np.zeros(768, np.float32)) == ()
    assert by_hand.encoder_evidence("anger", np.zeros(0, np.float32), by_hand.usual_numbers(None, 0)) == 0


def test_another_recognisers_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"trained on tiny\.en, whose encoder has 4 values, not 512"):
        stored(tmp_path, trained()).encoder(np.zeros(1024, np.float32))


@given(bias=nats, parts=st.dictionaries(st.sampled_from(("pitch", "timbre", "words", "turns")), nats))
def test_parts_add_up_to_the_value(bias: float, parts: dict[str, float]) -> None:
    value, shares = explain(bias, parts)
    assert 0 <= value <= 1
    assert value == pytest.approx(sigmoid(bias + sum(parts.values())), abs=1e-9)
    assert math.fsum(shares.values()) == pytest.approx(value, abs=1e-9)
    assert set(shares) == {"usual", *parts}
    assert all(shares[part] * its >= 0 for part, its in parts.items()), "what speaks for it never lowers it"


def test_without_evidence_the_value_is_the_usual() -> None:
    assert explain(-2.0, {"pitch": 0.0}) == (sigmoid(-2.0), {"usual": sigmoid(-2.0), "pitch": 0.0})
    value, shares = explain(0.0, {"pitch": 2.0, "timbre": -2.0})
    assert value == 0.5
    assert shares == pytest.approx({"usual": 0.5, "pitch": 0.5, "timbre": -0.5})


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no set of weights"):
        AffectModel.load(tmp_path)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    stored(tmp_path, trained())
    blob = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(blob[: len(blob) // 2])
    with pytest.raises(ModelError, match="sha256"):
        AffectModel.load(tmp_path)
    _vouch(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        AffectModel.load(tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    stored(tmp_path, trained())
    numbers: Any = {**trained(), "centre": np.array([{"evil": 1}], dtype=object)}
    np.savez(tmp_path / WEIGHTS, **numbers)
    _vouch(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        AffectModel.load(tmp_path)


@pytest.mark.parametrize("name", ["centre", "fast.anger", "fused.tension.bias", "numbers.anger", "projection"])
def test_a_missing_array_is_named(tmp_path: Path, name: str) -> None:
    arrays = trained()
    del arrays[name]
    with pytest.raises(ModelError, match=name):
        stored(tmp_path, arrays)


@pytest.mark.parametrize("name", ["scale", "fast.anger", "numbers.centre", "numbers.arousal", "strength"])
def test_an_array_of_another_shape_is_named(tmp_path: Path, name: str) -> None:
    arrays = trained()
    arrays[name] = np.zeros(2, np.float32)
    with pytest.raises(ModelError, match=name):
        stored(tmp_path, arrays)


@pytest.mark.parametrize("name", ["scale", "fast.anger", "projection"])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, name: str) -> None:
    arrays = trained()
    arrays[name] = arrays[name] * np.float32(np.nan)
    with pytest.raises(ModelError, match=name):
        stored(tmp_path, arrays)


def test_a_unit_of_nothing_is_refused(tmp_path: Path) -> None:
    arrays = trained()
    arrays["scale"] = np.zeros_like(arrays["scale"])
    with pytest.raises(ModelError, match="scale"):
        stored(tmp_path, arrays)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"format": 99}, "format 1"), ({"features": ["pitch"]}, "other features"), ({"sha256": "0"}, "sha256")],
)
def test_another_versions_set_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    stored(tmp_path, trained())
    about = json.loads((tmp_path / ABOUT).read_text())
    (tmp_path / ABOUT).write_text(json.dumps({**about, **change}))
    with pytest.raises(ModelError, match=told):
        AffectModel.load(tmp_path)


def test_a_broken_description_is_refused(tmp_path: Path) -> None:
    stored(tmp_path, trained())
    (tmp_path / ABOUT).write_text("{")
    with pytest.raises(ModelError, match="holds no set of weights"):
        AffectModel.load(tmp_path)


def test_the_identity_names_the_set(tmp_path: Path) -> None:
    model = stored(tmp_path, trained())
    assert (model.identity.name, model.identity.version) == ("test", "7")
    assert model.identity.sha256 == hashlib.sha256((tmp_path / WEIGHTS).read_bytes()).hexdigest()
    assert replace(model, clip=1.0).clip == 1.0


def _vouch(folder: Path) -> None:
    """Make the description vouch for the bytes that lie there."""
    about = json.loads((folder / ABOUT).read_text())
    about["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / ABOUT).write_text(json.dumps(about))
