"""Nobody is on both sides; baselines know the past alone."""

from pathlib import Path

import numpy as np
import pytest

from models.training.baseline import earlier
from models.training.corpus import Clip
from models.training.errors import TrainingError
from models.training.folds import folds, inner, some_speakers
from models.training.table import Table


def table(corpora: dict[str, int], per_speaker: int = 3) -> Table:
    """So many speakers in each corpus."""
    clips = tuple(
        Clip(Path(f"{corpus}{speaker}{n}"), corpus, str(speaker), "anger" if n else "calm", "digest")
        for corpus, count in corpora.items()
        for speaker in range(count)
        for n in range(per_speaker)
    )
    nothing = np.zeros((len(clips), 1), np.float32)
    return Table(clips, nothing, nothing, np.ones(len(clips)))


def test_loco_leaves_out_each_corpus_once():
    all_of_it = table({"a": 2, "b": 3, "c": 1})
    found = folds(all_of_it, "loco")
    assert [fold.name for fold in found] == ["a", "b", "c"]
    for fold in found:
        train, test = fold.train(all_of_it), fold.test(all_of_it)
        assert set(all_of_it.corpus[test]) == {fold.name}
        assert fold.name not in all_of_it.corpus[train]
        assert len(train) + len(test) == len(all_of_it)


def test_no_speaker_is_learnt_from_and_tested():
    all_of_it = table({"a": 10, "b": 2})
    tested = []
    for fold in folds(all_of_it, "speaker", seed=3):
        assert not set(all_of_it.who[fold.train(all_of_it)]) & set(all_of_it.who[fold.test(all_of_it)])
        tested += fold.test(all_of_it).tolist()
    assert sorted(tested) == list(range(len(all_of_it)))


def test_the_training_side_is_divided_by_corpus_while_it_can():
    assert [fold.name for fold in inner(table({"a": 2, "b": 2}))] == ["a", "b"]
    assert all(fold.name.startswith("fold") for fold in inner(table({"a": 6})))


@pytest.mark.parametrize(
    ("corpora", "protocol", "said"),
    [({"a": 5}, "loco", "two corpora; --protocol speaker works on one"), ({"a": 1}, "speaker", "two speakers")],
)
def test_nothing_to_leave_out_is_told(corpora, protocol, said):
    with pytest.raises(TrainingError, match=said):
        folds(table(corpora), protocol)


def test_a_learning_curve_takes_whole_speakers_of_every_corpus():
    all_of_it = table({"a": 10, "b": 2})
    half = all_of_it.take(some_speakers(all_of_it, 0.5, seed=0))
    assert len(half) == (5 + 2) * 3
    assert set(half.corpus) == {"a", "b"}
    assert len(some_speakers(all_of_it, 1.0, seed=0)) == len(all_of_it)


def test_a_baseline_is_the_mean_of_what_the_same_speaker_said_before():
    numbers, seconds = np.array([[1.0], [5.0], [7.0], [9.0]], np.float32), np.array([1.0, 3.0, 2.0, 1.0])
    who = np.array(["x", "x", "x", "y"])
    means, heard = earlier(numbers, seconds, who, seed=0)
    order = np.argsort(heard[:3])
    assert heard[order[0]] == heard[3] == 0.0
    assert np.isnan(means[[order[0], 3], 0]).all()
    assert means[order[1], 0] == numbers[order[0], 0]
    first, second = order[0], order[1]
    both = seconds[first] + seconds[second]
    expected = (numbers[first, 0] * seconds[first] + numbers[second, 0] * seconds[second]) / both
    assert means[order[2], 0] == pytest.approx(expected)
    assert heard[order[2]] == both


def test_a_baseline_depends_on_nothing_later():
    chance = np.random.default_rng(0)
    numbers, seconds, who = chance.standard_normal((20, 2)).astype(np.float32), np.ones(20), np.full(20, "x")
    means, heard = earlier(numbers, seconds, who, seed=0)
    last = int(np.argmax(heard))
    changed = numbers.copy()
    changed[last] += 100
    assert np.array_equal(earlier(changed, seconds, who, seed=0)[0], means, equal_nan=True)


def test_what_was_not_measured_has_no_part_in_a_mean():
    numbers = np.array([[np.nan, 1.0], [4.0, 3.0], [4.0, 5.0]], np.float32)
    means, heard = earlier(numbers, np.ones(3), np.full(3, "x"), seed=0)
    later = means[heard > 0]
    assert set(later[np.isfinite(later[:, 0]), 0]) == {4.0}
    assert np.isfinite(later[:, 1]).all()
