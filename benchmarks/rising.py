"""What two sets of weights would find of anger in calls: one against the speaker's own usual, one against people.

    python -m benchmarks.rising --tune FOLDER --test FOLDER [--most 1.0]

An experiment: no scorer of the product works so yet. FOLDER: caches that ``benchmarks.anger`` filled, one of each half
of the speakers. Both sets are logistic regressions on the blocks of the tune half's calls, each speaker and side
counting alike:

- own: what departs from the speaker's mean so far; asked only after ``KNOWN_S`` of speech.
- people: what departs from the mean of everybody's blocks; asked from the first word.

Anger is told when either is over its bound for as long as the alert wants. The bounds are those that find most calls
of the tune half with at most ``--most`` false alerts an hour there, each call judged by weights of other speakers
(five folds); then everything is learnt from the whole tune half, and the test half is told once.
"""

import argparse
import pickle
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.anger import Heard, Moment, Point, interval, raisings, spoken
from models.affect import AffectModel, sigmoid
from models.voice import FEATURES
from pipeline.channel import Channel
from pipeline.graph import WEIGHTS
from pipeline.timebase import RATE, TICK
from pipeline.triggers import OnScore
from pipeline.usual import Usual

Matrix = NDArray[np.float64]
Weights = Callable[["Blocks"], Matrix]

FULL_S, KNOWN_S, ATTACK_S, FADE_S, HOP_S = 60.0, 8.0, 1.0, 20.0, 0.512
SETTLED_S = 1.5
"""Seconds after the first angry word whose blocks are not learnt from: their window is half calm."""
FOLDS, C, CLIP = 5, 0.01, 3.0
UNKNOWN = -9.0
"""Nats while nothing is asked."""
BOUNDS = np.arange(-1.5, 2.0, 0.25)
"""Nats that are tried."""
WHEN = OnScore(on="score", score="anger", above=0.5, below=0.3, for_s=0.5)
"""Of the evidence less its bound, as a share; as far apart as the playbook's 0.4 and 0.22."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """One call, a row for each block of the customer's speech. usual: the own mean before it (NaN: none). known: the
    seconds behind it. angry: 1, 0, or -1 where it is learnt from as neither."""

    name: str
    seconds: float
    moved: tuple[tuple[float, float], ...]
    at: Matrix
    said: Matrix
    features: Matrix
    usual: Matrix
    known: Matrix
    angry: Matrix

    @property
    def who(self) -> str:
        """The customer, as corpus/speaker."""
        calm = self.name.removeprefix("calm-")
        return calm if calm != self.name else self.name.removesuffix("-at0").rsplit("-", 2)[0]

    @property
    def at_once(self) -> bool:
        return self.name.endswith("-at0")


def blocks(heard: Heard) -> Blocks | None:
    spoke = [moment for moment in heard.moments if Channel.CUSTOMER in moment.manners]
    rows = [(moment.start, moment.manners[Channel.CUSTOMER]) for moment in spoke]
    if not rows:
        return None
    at = np.array([(start + TICK) / RATE for start, _ in rows])
    said = np.array([manner.seconds for _, manner in rows])
    features = np.array([manner.features for _, manner in rows], np.float64)
    usual, known = _usual(features, said)
    return Blocks(heard.name, heard.seconds, heard.moved, at, said, features, usual, known, _angry(at, heard.moved))


def _usual(features: Matrix, said: Matrix) -> tuple[Matrix, Matrix]:
    """As ``pipeline.impression`` learns it, less where the voice is aroused by the weights that no data made."""
    model, usual = AffectModel.load(WEIGHTS / "formula"), Usual(len(FEATURES), FULL_S)
    bias, means, known = model.bias("arousal", "fast"), np.full(features.shape, np.nan), np.zeros(len(said))
    for row, (own, seconds) in enumerate(zip(features.astype(np.float32), said, strict=True)):
        known[row] = usual.seconds
        means[row] = np.nan if usual.mean is None else usual.mean
        nats = sum(model.evidence("arousal", "fast", own, model.usual(usual.mean, usual.seconds)).values())
        usual.learn(own, seconds * min(1.0, (1 - sigmoid(bias + nats)) / (1 - sigmoid(bias))))
    return means, known


def _angry(at: Matrix, moved: Sequence[tuple[float, float]]) -> Matrix:
    if not moved:
        return np.zeros(len(at))
    begin, end = moved[0][0], moved[-1][1]
    angry = np.where(at <= begin - 0.1, 0.0, -1.0)
    return np.where((at > begin + SETTLED_S) & (at <= end + HOP_S), 1.0, angry)


def own_weights(calls: Sequence[Blocks]) -> Weights:
    """Fitted on blocks of speakers of whom something is known."""
    scale = np.nanstd(np.concatenate([call.features - call.usual for call in calls]), axis=0)
    found = _fitted(calls, lambda call: _steps(call.features - call.usual, scale), lambda call: call.known > 5.0)
    return lambda call: np.where(call.known > KNOWN_S, found(call), UNKNOWN)


def people_weights(calls: Sequence[Blocks]) -> Weights:
    """Fitted on all blocks; the level has no usual one among people."""
    every = np.concatenate([call.features for call in calls])
    centre = np.where(np.array(FEATURES) == "level", np.nan, np.nanmean(every, axis=0))
    scale = np.nanstd(every, axis=0)
    return _fitted(calls, lambda call: _steps(call.features - centre, scale), lambda call: np.full(len(call.at), True))


def _steps(departure: Matrix, scale: Matrix) -> Matrix:
    return np.nan_to_num(np.clip(departure / scale, -CLIP, CLIP))


def _fitted(calls: Sequence[Blocks], steps: Weights, used: Callable[[Blocks], NDArray[np.bool_]]) -> Weights:
    """Logistic regression; the blocks of each speaker and side weigh the same together."""
    kept = [used(call) & (call.angry >= 0) for call in calls]
    side = np.concatenate([call.angry[keep] for call, keep in zip(calls, kept, strict=True)])
    who = np.concatenate([[call.who] * int(keep.sum()) for call, keep in zip(calls, kept, strict=True)])
    weights = np.zeros(len(side))
    for group in set(zip(who, side, strict=True)):
        rows = (who == group[0]) & (side == group[1])
        weights[rows] = 1 / rows.sum()
    inputs = np.concatenate([steps(call)[keep] for call, keep in zip(calls, kept, strict=True)])
    model = LogisticRegression(C=C, solver="newton-cholesky").fit(inputs, side, weights * 2000 / weights.sum())
    return lambda call: np.asarray(steps(call) @ model.coef_[0] + model.intercept_[0])


def followed(call: Blocks, nats: Matrix) -> list[Point]:
    """Smoothed over own speech, fading in silence, on the clock of the scores."""
    points, smoothed, heard, row = [], 0.0, -1.0, 0
    for at in np.arange(HOP_S, call.seconds + 2, HOP_S):
        while row < len(call.at) and call.at[row] <= at:
            rest = 0.0 if heard < 0 else max(0.0, call.at[row] - heard - call.said[row])
            keep = exp(-call.said[row] / ATTACK_S) * exp(-rest / FADE_S)
            smoothed, heard = keep * smoothed + (1 - exp(-call.said[row] / ATTACK_S)) * nats[row], call.at[row]
            row += 1
        if heard >= 0:
            points.append(Point(round(at * RATE), smoothed * exp(-(at - heard) / FADE_S)))
    return points


@dataclass(frozen=True, slots=True)
class Told:
    """One call: when each evidence was over what bound is asked later."""

    call: Blocks
    own: list[Point]
    people: list[Point]

    def raised(self, own: float, people: float) -> list[float]:
        pairs = zip(self.own, self.people, strict=True)
        return raisings([Point(o.at, sigmoid(max(o.value - own, p.value - people))) for o, p in pairs], WHEN)


def told(calls: Sequence[Blocks], own: Weights, people: Weights) -> list[Told]:
    return [Told(call, followed(call, own(call)), followed(call, people(call))) for call in calls]


def crossed(calls: Sequence[Blocks]) -> list[Told]:
    """Every call by weights of other speakers."""
    groups: dict[str, list[str]] = defaultdict(list)
    for who in sorted({call.who for call in calls}):
        groups[who.partition("/")[0]].append(who)
    fold = {who: number % FOLDS for number, who in enumerate(who for group in groups.values() for who in group)}
    found = []
    for part in range(FOLDS):
        others = [call for call in calls if fold[call.who] != part]
        found += told([call for call in calls if fold[call.who] == part], own_weights(others), people_weights(others))
    return found


def bounds(tune: Sequence[Told], most: float) -> tuple[float, float]:
    """Those that find most of the angry calls with at most so many false alerts an hour; of equals the higher."""
    angry = [each for each in tune if "-anger-" in each.call.name]
    calm = [each for each in tune if not each.call.moved]
    best, chosen = -1, (float("inf"), float("inf"))
    for own, people in product(BOUNDS, BOUNDS):
        false = sum(len(each.raised(own, people)) for each in calm)
        if false <= most * sum(each.call.seconds for each in calm) / 3600:
            found = sum(_delay(each, own, people) is not None for each in angry)
            if found >= best:
                best, chosen = found, (own, people)
    return chosen


def _delay(each: Told, own: float, people: float) -> float | None:
    """Seconds of angry speech until it was told."""
    begin, end = each.call.moved[0][0], each.call.moved[-1][1] + 1.0
    within = [at for at in each.raised(own, people) if begin <= at <= end]
    return spoken(each.call.moved, within[0]) if within else None


def report(name: str, calls: Sequence[Told], own: float, people: float) -> None:
    for moved, at_once in product(("anger", "happy", "surprise"), (False, True)):
        mine = [each for each in calls if f"-{moved}-" in each.call.name and each.call.at_once is at_once]
        delays = [delay for each in mine if (delay := _delay(each, own, people)) is not None]
        late = "/".join(f"{each:.1f}" for each in np.percentile(delays, (50, 90))) if delays else "-"
        print(f"{name} {moved}, {'from the start' if at_once else 'after calm'}: {len(delays)}/{len(mine)}, {late} s")
    calm = [each for each in calls if not each.call.moved]
    false = [(each.call.name, at) for each in calm for at in each.raised(own, people)]
    hours = sum(each.call.seconds for each in calm) / 3600
    low, high = interval(len(false), hours)
    print(
        f"{name} calm: {len(false)} false in {hours:.2f} h = {len(false) / hours:.2f} [{low:.2f}, {high:.2f}] an hour"
    )
    print("  " + ", ".join(f"{call} {at:.0f} s" for call, at in false))


def read(folder: Path) -> list[Blocks]:
    for kind in (Heard, Moment):  # the caches were pickled by benchmarks.anger as the program
        setattr(sys.modules["__main__"], kind.__name__, kind)
    found = [blocks(pickle.loads(file.read_bytes())) for file in sorted(folder.glob("*+0.pickle"))]
    return [call for call in found if call is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--test", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--most", type=float, default=1.0, metavar="N", help="false alerts an hour in the tune half")
    options = parser.parse_args()
    tune = read(options.tune)
    judged = crossed(tune)
    own, people = bounds(judged, options.most)
    print(f"bounds: own {own:.2f}, people {people:.2f} nats")
    report("tune, crossed:", judged, own, people)
    report("test:", told(read(options.test), own_weights(tune), people_weights(tune)), own, people)


if __name__ == "__main__":
    main()
