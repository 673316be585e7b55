"""What a report says of judged clips: which count, on which side, and that JSON can hold it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.training.evaluation import Judged, Question, judged, retrained
from models.training.figures import NOTE, Sides, area, curve, figures, robustness, sides
from models.training.recipe import Recipe
from models.training.report import markdown
from tests.models.training.made import spoken

TABLE = spoken({"a": 4, "b": 4})
ANGRY = (TABLE.emotion == "anger").astype(float)
HAPPY = (TABLE.emotion == "happy").astype(float)
RECIPE = Recipe(lines=("mulaw",), encoder_unit=1.0)


def scored(values: np.ndarray) -> Judged:
    return Judged(TABLE, {"fast": values, "fused": values})


def test_joy_taken_for_anger_costs_nothing_against_calm():
    asked = sides("anger")
    found = figures(scored(np.maximum(ANGRY, HAPPY)), asked, bound=0.5, seed=0)["fast"]
    assert found["auc"]["value"] == pytest.approx(0.75)
    assert found["auc_calm"]["value"] == 1.0
    assert found["corpora"]["a"]["precision"] == pytest.approx(0.5)
    assert found["corpora"]["a"]["recall"] == 1.0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (sides("anger"), Sides(frozenset({"anger"}), None)),
        (sides("anger", against="calm"), Sides(frozenset({"anger"}), frozenset({"neutral", "calm", "sad"}))),
        (sides("anger", "calm", "calm"), Sides(frozenset({"calm"}), frozenset({"neutral", "sad"}))),
        (sides("tension"), Sides(frozenset({"anger", "fear", "tense"}), frozenset({"neutral", "calm", "sad"}))),
    ],
)
def test_the_sides_are_those_of_the_score_unless_others_are_asked_for(asked, expected):
    assert asked == expected


def test_who_is_on_neither_side_is_not_counted():
    found = figures(scored(ANGRY), sides("anger", against="calm"), bound=0.5, seed=0)["fast"]
    assert found["corpora"]["a"]["clips"] == 32
    assert found["corpora"]["a"]["positive"] == 16


def test_a_line_is_compared_clip_by_clip_though_some_are_missing():
    low = scored(ANGRY * 0.5)
    fewer = low.take(np.arange(5, len(TABLE)))
    found = robustness({"mulaw": scored(ANGRY), "opus": fewer}, "mulaw", sides("anger"))
    assert found["mulaw"]["fast"] == {"auc": 1.0, "change": 0.0}
    moved = np.median(np.abs(ANGRY[5:] * 0.5))
    assert found["opus"]["fast"] == {"auc": 1.0, "change": moved}


def test_what_is_undefined_is_null_and_the_report_says_so():
    calm = Judged(TABLE.take(np.flatnonzero(ANGRY == 0)), {"fast": ANGRY[ANGRY == 0], "fused": ANGRY[ANGRY == 0]})
    found = figures(calm, sides("anger"), bound=0.5, seed=0)
    assert "NaN" not in json.dumps(found)
    assert found["fast"]["auc"]["value"] is None


def test_the_report_shows_every_corpus_and_the_warning():
    asked = sides("anger")
    result = {
        "note": NOTE,
        "scorer": "acted",
        "scorer_note": "as it is",
        "output": "anger",
        "positive": ["anger"],
        "against": None,
        "baseline": "blind",
        "line": "mulaw",
        "seed": 0,
        "bound": 0.4,
        "clips": 96,
        "speakers": 8,
        "speeds": figures(scored(ANGRY), asked, 0.4, 0),
        "lines": robustness({"mulaw": scored(ANGRY), "opus": scored(HAPPY)}, "mulaw", asked),
        "curve": curve([(4, scored(ANGRY))], asked),
    }
    text = markdown(result)
    assert NOTE in text
    assert "| a | 48 | 16 | 4 | 1.000 (1.000-1.000) |" in text
    assert "female 1.000" in text
    assert "| opus | 0.250 |" in text
    assert "| 4 | 1.000 | 1.000 |" in text


def test_retraining_judges_every_clip_once_and_only_by_strangers():
    found = retrained({"mulaw": TABLE}, Question(), RECIPE)["mulaw"]
    assert sorted(clip.digest for clip in found.table.clips) == sorted(clip.digest for clip in TABLE.clips)
    flipped = spoken({"a": 4, "b": 4}, said=-1.5, heard=-1.5)
    mixed = replace(TABLE, features=np.where((TABLE.corpus == "a")[:, None], flipped.features, TABLE.features))
    mixed = replace(mixed, pooled=np.where((TABLE.corpus == "a")[:, None], flipped.pooled, TABLE.pooled))
    backwards = retrained({"mulaw": mixed}, Question(), RECIPE)["mulaw"]
    assert area(found, sides("anger"), "fused") > 0.7
    assert area(backwards, sides("anger"), "fused") < 0.3


def test_calm_speech_is_learnt_from_and_never_judged():
    calm = spoken({"read": 4}, seed=3, said=0, heard=0)
    calm = replace(calm, clips=tuple(replace(clip, emotion="neutral", piece=0) for clip in calm.clips))
    without = retrained({"mulaw": TABLE}, Question(), RECIPE)["mulaw"]
    found = retrained({"mulaw": TABLE}, Question(), RECIPE, calm={"mulaw": calm})["mulaw"]
    assert set(found.table.corpus) == {"a", "b"}
    assert not np.array_equal(found.values["fast"], without.values["fast"])


def test_fewer_speakers_are_learnt_from_when_asked():
    few, all_of_them = (retrained({"mulaw": TABLE}, Question(), RECIPE, share=share)["mulaw"] for share in (0.5, 1.0))
    assert not np.array_equal(few.values["fast"], all_of_them.values["fast"])


def test_a_set_is_judged_as_it_is(tmp_path):
    from models.affect import AffectModel, write
    from models.training.fit import fit

    write(tmp_path, fit([TABLE], RECIPE, 0).arrays, {"name": "own", "version": "1", "encoder": "tiny.en"})
    found = judged({"mulaw": TABLE}, Question(), AffectModel.load(tmp_path))["mulaw"]
    assert area(found, sides("anger"), "fused") > 0.9
