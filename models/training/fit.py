"""Logistic regression on what departs from a speaker's usual, and its calibration: tables in, weights out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.affect import OUTPUTS, SPEEDS, Output, Speed
from models.training import metrics
from models.training.corpus import AROUSED, CALM, TENSE
from models.training.errors import TrainingError
from models.training.folds import inner
from models.training.population import Matrix, Population, balanced, departures, population
from models.training.recipe import Recipe
from models.training.table import Index, Names, Table, joined
from models.voice import FEATURES

Flags = NDArray[np.bool_]

FREE = 1e6
"""C without a penalty worth the name."""

SIDES: Mapping[Output, tuple[frozenset[str], frozenset[str] | None]] = {
    "anger": (frozenset({"anger"}), None),
    "arousal": (AROUSED, CALM),
    "tension": (TENSE, CALM),
}
"""Emotions for and against each output; None: all others. What is on neither side is not learnt from."""
RARE = 0.1
"""Share of a call's speech that is taken to be aroused, or tense, before anything was heard. They are learnt against
calm clips alone, of which the corpora have fewer; unless that is set right (King and Zeng 2001), a voice that is as it
always is would be told tense. Anger is learnt against everything and stays as the clips have it."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """nats = bias + steps @ weights."""

    weights: Matrix
    bias: float

    def __call__(self, steps: Matrix) -> Matrix:
        return np.asarray(steps @ self.weights + self.bias, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """arrays: of ``models.affect.write``. held_out: by "fast.anger" and the like, how clips were told apart by weights
    that had not seen them (auc, ece; all training clips together), which is what the calibration was learnt on."""

    arrays: dict[str, Matrix]
    held_out: dict[str, dict[str, float]]


def fit(tables: Sequence[Table], recipe: Recipe, seed: int, outputs: Sequence[Output] = OUTPUTS) -> Fitted:
    """A set of weights. tables: the clips on each of ``recipe.lines``.

    An output that is not asked for has zeros. Raises TrainingError where an output has examples of one side only.
    """
    people = population(tables, FEATURES, recipe, seed)
    sides = [departures(table, people, recipe, seed + turn) for table in tables for turn in range(recipe.orders)]
    labels = joined([table for table in tables for _ in range(recipe.orders)])
    voice, encoder = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    inputs: Mapping[Speed, Matrix] = {"fast": voice, "fused": np.concatenate((voice, encoder), axis=1)}
    arrays, held_out = _shared(people, recipe), {}
    for speed in SPEEDS:
        for output in OUTPUTS:
            found = Linear(np.zeros(inputs[speed].shape[1]), 0.0)
            if output in outputs:
                found, told = calibrated(labels, inputs[speed], output, recipe, speed, seed)
                held_out[f"{speed}.{output}"] = told
            _put(arrays, found, people, recipe.encoder_unit, output, speed)
    return Fitted(arrays, held_out)


def calibrated(
    table: Table, steps: Matrix, output: Output, recipe: Recipe, speed: Speed, seed: int
) -> tuple[Linear, dict[str, float]]:
    """Weights learnt on every row, and a slope and an offset learnt on rows that other weights had not seen.

    For the latter each corpus is left out in turn, or groups of speakers where there is one corpus only (Platt 1999);
    calm speech, a corpus without the other side, is always learnt from and never calibrated on.
    """
    rows, positive = _examples(table, output)
    steps, table = steps[rows], table.take(rows)
    weights, c = balanced(table.corpus), recipe.penalty(speed)
    unseen = np.full(len(table), np.nan)
    for fold in inner(table.take(_of_both_sides(table, positive)), seed):
        train, test = fold.train(table), fold.test(table)
        if _both(positive[train]):
            unseen[test] = _regression(steps[train], positive[train], weights[train], c)(steps[test])
    whole = _regression(steps, positive, weights, c)
    known = np.isfinite(unseen)
    unseen, positive = unseen[known], positive[known]
    scale = _regression(unseen[:, None], positive, balanced(table.corpus[known]), FREE)
    values = 1 / (1 + np.exp(-scale(unseen[:, None])))
    told = {"auc": metrics.auc(unseen, positive), "ece": metrics.calibration_error(values, positive)}
    offset = scale.bias + (_rarer(positive, table.corpus[known]) if SIDES[output][1] else 0.0)
    return Linear(whole.weights * scale.weights, float(whole.bias * scale.weights[0] + offset)), told


def _rarer(positive: Flags, corpus: Names) -> float:
    """Nats from the share of positive rows, each corpus counting alike, to RARE."""
    share = float(np.average(positive, weights=balanced(corpus)))
    return float(np.log(RARE / (1 - RARE)) - np.log(share / (1 - share)))


def _examples(table: Table, output: Output) -> tuple[Index, Flags]:
    """The rows that an output is learnt from, and of these which are on its side."""
    given, against = SIDES[output]
    positive = np.isin(table.emotion, sorted(given))
    rows = np.flatnonzero(positive | (np.isin(table.emotion, sorted(against)) if against else True))
    if not _both(positive[rows]):
        raise TrainingError(f"{output} needs clips of both sides: {', '.join(sorted(given))}, and calm ones")
    return rows, positive[rows]


def _of_both_sides(table: Table, positive: Flags) -> Index:
    """The rows of corpora that have examples of both sides."""
    both = [corpus for corpus in sorted(set(table.corpus.tolist())) if _both(positive[table.corpus == corpus])]
    return np.flatnonzero(np.isin(table.corpus, both))


def _both(positive: Flags) -> bool:
    return bool(positive.any() and not positive.all())


def _regression(steps: Matrix, positive: Flags, weights: Matrix, c: float) -> Linear:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]

    found = LogisticRegression(C=c, solver="newton-cholesky", max_iter=100, tol=1e-5)
    found.fit(steps, positive, weights)
    return Linear(found.coef_[0].astype(np.float64), float(found.intercept_[0]))


def _shared(people: Population, recipe: Recipe) -> dict[str, Matrix]:
    """What every output shares. The encoder's numbers are one for each output, already in nats."""
    return {
        "centre": people.centre,
        "scale": people.scale,
        "strength": np.array(recipe.strength_s),
        "clip": np.array(recipe.clip),
        "projection": np.zeros((len(people.pooled), len(OUTPUTS))),
        "numbers.centre": np.zeros(len(OUTPUTS)),
    }


def _put(
    arrays: dict[str, Matrix], found: Linear, people: Population, unit: float, output: Output, speed: Speed
) -> None:
    """The weights of one output at one speed in their places. unit: of the encoder's steps."""
    d = len(people.centre)
    arrays[f"{speed}.{output}"] = found.weights[:d]
    arrays[f"{speed}.{output}.bias"] = np.array(found.bias)
    if speed == "fused":
        place = OUTPUTS.index(output)
        arrays["projection"][:, place] = found.weights[d:] * unit / people.pooled_scale
        arrays["numbers.centre"][place] = people.pooled @ arrays["projection"][:, place]
        arrays[f"numbers.{output}"] = np.eye(len(OUTPUTS))[place]
