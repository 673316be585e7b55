"""How good scores are: each figure over clips, each interval over speakers.

Two clips of one speaker are no two witnesses, so whole speakers are drawn again (cluster bootstrap: Field and Welsh,
J. Royal Statistical Society B 69(3), 2007).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.chance import seeded
from models.training.table import Names

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DRAWS = 1000
BINS = 10
COVERED = 0.95


def auc(scores: Floats, positive: Flags, weights: Floats | None = None) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN without either side."""
    weights = np.ones(len(scores)) if weights is None else weights
    _, level = np.unique(scores, return_inverse=True)
    above = np.bincount(level, weights * positive)
    below = np.bincount(level, weights * ~positive)
    pairs = above.sum() * below.sum()
    return float(above @ (np.cumsum(below) - below / 2) / pairs) if pairs > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the middle 95 % of its bootstrap; NaN where it is undefined."""

    value: float
    low: float
    high: float


def mean_auc(
    scores: Floats, positive: Flags, who: Names, group: Names, seed: int = 0
) -> tuple[Interval, dict[str, Interval]]:
    """The mean over groups (corpora) of each group's AUC, and each of them.

    Speakers are drawn with replacement within their group, all groups in one draw.
    """
    groups = sorted(set(group.tolist()))
    drawn: dict[str, Floats] = {}
    single: dict[str, Interval] = {}
    for name in groups:
        rows = group == name
        drawn[name] = _draws(scores[rows], positive[rows], who[rows], seed)
        single[name] = _interval(auc(scores[rows], positive[rows]), drawn[name])
    every = np.mean([drawn[name] for name in groups], axis=0)
    return _interval(float(np.mean([single[name].value for name in groups])), every), single


def _draws(scores: Floats, positive: Flags, who: Names, seed: int) -> Floats:
    speakers, speaker = np.unique(who, return_inverse=True)
    chance = seeded(seed, "bootstrap", *speakers.tolist())
    counts = chance.multinomial(len(speakers), np.full(len(speakers), 1 / len(speakers)), size=DRAWS)
    return np.array([auc(scores, positive, count[speaker].astype(np.float64)) for count in counts])


def _interval(value: float, draws: Floats) -> Interval:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return Interval(value, float(low), float(high))


def reliability(values: Floats, positive: Flags) -> list[tuple[float, float, int]]:
    """Of each tenth of 0-1 that has values: their mean, the share of positives, how many there are."""
    which = np.minimum((values * BINS).astype(int), BINS - 1)
    bins = [which == bin for bin in range(BINS)]
    return [(float(values[b].mean()), float(positive[b].mean()), int(b.sum())) for b in bins if b.any()]


def calibration_error(values: Floats, positive: Flags) -> float:
    """Expected calibration error: mean distance of value and truth over the tenths, by how many lie in each.

    Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    return sum(abs(value - share) * count for value, share, count in reliability(values, positive)) / len(values)


def at_bound(values: Floats, positive: Flags, bound: float) -> tuple[float, float]:
    """Precision and recall of values of ``bound`` or more; NaN where nothing was told, or there was nothing to tell."""
    told = values >= bound
    hits = float((told & positive).sum())
    return _share(hits, float(told.sum())), _share(hits, float(positive.sum()))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def roc(scores: Floats, positive: Flags) -> tuple[Floats, Floats]:
    """False and true positive rate, each (k,), from (0, 0) to (1, 1)."""
    _, level = np.unique(-scores, return_inverse=True)
    hits, false = np.bincount(level, positive), np.bincount(level, ~positive)
    return tuple(np.concatenate(([0.0], np.cumsum(each) / max(each.sum(), 1))) for each in (false, hits))  # type: ignore[return-value]
