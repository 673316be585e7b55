"""People at large: what is usual for them, how far one departs from one's own usual, and how far a clip does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.baseline import Floats, earlier
from models.training.recipe import Recipe
from models.training.table import Names, Table, joined

Matrix = NDArray[np.float64]

GAIN_BOUND = ("level",)
"""Features that move with the gain of a line: no population has a usual one, only a speaker on one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """centre, scale: of the features (d,), the usual and the spread of what departs from it. pooled, pooled_scale: the
    same of the encoder's pooled output (2 D,)."""

    centre: Matrix
    scale: Matrix
    pooled: Matrix
    pooled_scale: Matrix


def population(tables: Sequence[Table], features: Sequence[str], recipe: Recipe, seed: int) -> Population:
    """Of clips on some lines. Every corpus counts alike, whatever its size; labels count for nothing."""
    every = joined(tables)
    weights = balanced(every.corpus)
    centre = np.where(np.isin(features, GAIN_BOUND), np.nan, _mean(every.features, weights))
    pooled = _mean(every.pooled, weights)
    spoken = [each.features - _usual(each, each.features, centre, recipe, seed) for each in tables]
    heard = [each.pooled - _usual(each, each.pooled, pooled, recipe, seed) for each in tables]
    return Population(centre, _spread(np.concatenate(spoken), weights), pooled, _spread(np.concatenate(heard), weights))


def balanced(corpus: Names) -> Matrix:
    """A weight for each clip, 1 on average: the same sum for each corpus."""
    _, which, counts = np.unique(corpus, return_inverse=True, return_counts=True)
    return np.asarray(len(corpus) / len(counts) / counts[which], np.float64)


def _mean(numbers: Floats, weights: Matrix) -> Matrix:
    known = np.isfinite(numbers) * weights[:, None]
    total = (np.nan_to_num(numbers) * known).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1e-9), np.float64)


def _spread(departures: Matrix, weights: Matrix) -> Matrix:
    """Root of the weighted mean square; what never moves has the unit 1."""
    known = np.isfinite(departures) * weights[:, None]
    power = (np.nan_to_num(departures) ** 2 * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1e-9)
    return np.where(power > 1e-12, np.sqrt(power), 1.0)


def departures(table: Table, people: Population, recipe: Recipe, seed: int) -> tuple[Matrix, Matrix]:
    """Steps of the features (n, d) and of the encoder's pooled output (n, 2 D), each from the speaker's blind usual.

    The same sums as ``AffectModel.usual`` and ``evidence``, over all clips at once; the tests hold them together.
    """
    spoken = (table.features - _usual(table, table.features, people.centre, recipe, seed)) / people.scale
    heard = (table.pooled - _usual(table, table.pooled, people.pooled, recipe, seed)) / people.pooled_scale
    return np.nan_to_num(np.clip(spoken, -recipe.clip, recipe.clip)), heard * recipe.encoder_unit


def _usual(table: Table, numbers: Floats, centre: Matrix, recipe: Recipe, seed: int) -> Matrix:
    own, heard = earlier(numbers, table.seconds, table.who, seed)
    share = (heard / (heard + recipe.strength_s))[:, None]
    mixed = share * own + (1 - share) * centre
    return np.where(np.isnan(own), centre, np.where(np.isnan(centre), own, mixed))
