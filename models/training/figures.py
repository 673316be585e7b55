"""Everything that a report says of judged clips, as plain numbers that JSON can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np

from models.affect import SPEEDS, Output, Speed
from models.training import metrics
from models.training.corpus import CALM
from models.training.evaluation import Judged
from models.training.fit import SIDES
from models.training.metrics import Flags, Interval

Against = Literal["all", "calm"]
NOTE = (
    "All of this is acted speech, most of it recorded in studios and sent through a simulated line. "
    "None of it is real telephone anger: on real calls expect less, and measure it on your own."
)
FEW = 5
"""Speakers under which an interval over speakers says little."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Which emotions should score high, and which low; None: every other."""

    positive: frozenset[str]
    against: frozenset[str] | None

    def rows(self, judged: Judged) -> Flags:
        """The clips on either side."""
        high = self.high(judged)
        return high | (np.isin(judged.table.emotion, sorted(self.against)) if self.against else ~high)

    def high(self, judged: Judged) -> Flags:
        return np.isin(judged.table.emotion, sorted(self.positive))

    def of(self, judged: Judged) -> Judged:
        return judged.take(np.flatnonzero(self.rows(judged)))


def sides(output: Output, positive: str | None = None, against: Against | None = None) -> Sides:
    """positive: an emotion; None takes what the output is trained for, as ``against`` does."""
    high, low = SIDES[output]
    high = frozenset({positive}) if positive else high
    if against:
        low = CALM if against == "calm" else None
    return Sides(high, low - high if low else None)


def figures(judged: Judged, asked: Sides, bound: float, seed: int) -> dict[str, Any]:
    """By speed: the mean over corpora with its interval, and each corpus. bound: value (0-1) at which one is told."""
    chosen, calm = asked.of(judged), Sides(asked.positive, CALM - asked.positive).of(judged)
    return {speed: _speed(chosen, calm, asked, speed, bound, seed) for speed in SPEEDS}


def _speed(chosen: Judged, calm: Judged, asked: Sides, speed: Speed, bound: float, seed: int) -> dict[str, Any]:
    mean, single = _auc(chosen, asked, speed, seed)
    calm_mean, calm_single = _auc(calm, asked, speed, seed)
    corpora = {}
    for corpus, interval in single.items():
        own = chosen.take(np.flatnonzero(chosen.table.corpus == corpus))
        corpora[corpus] = {
            "auc": _plain(interval),
            "auc_calm": _plain(calm_single[corpus]) if corpus in calm_single else None,
            **_counts(own, asked),
            **_values(own, asked, speed, bound),
            "sex": _by_sex(own, asked, speed),
        }
    return {
        "auc": _plain(mean),
        "auc_calm": _plain(calm_mean),
        "ece": _number(float(np.mean([each["ece"] for each in corpora.values()]))),
        "all_clips": {**_counts(chosen, asked), **_values(chosen, asked, speed, bound)},
        "sex": _mean_by_sex(corpora),
        "corpora": corpora,
    }


def _auc(judged: Judged, asked: Sides, speed: Speed, seed: int) -> tuple[Interval, dict[str, Interval]]:
    table = judged.table
    return metrics.mean_auc(judged.values[speed], asked.high(judged), table.who, table.corpus, seed)


def _counts(judged: Judged, asked: Sides) -> dict[str, int]:
    speakers = len(set(judged.table.who.tolist()))
    return {"clips": len(judged.table), "positive": int(asked.high(judged).sum()), "speakers": speakers}


def _values(judged: Judged, asked: Sides, speed: Speed, bound: float) -> dict[str, float | None]:
    values, high = judged.values[speed], asked.high(judged)
    precision, recall = metrics.at_bound(values, high, bound)
    error = metrics.calibration_error(values, high)
    return {"ece": _number(error), "precision": _number(precision), "recall": _number(recall)}


def _by_sex(judged: Judged, asked: Sides, speed: Speed) -> dict[str, float]:
    found = {}
    for sex in sorted(set(judged.table.sex.tolist()) - {""}):
        own = judged.take(np.flatnonzero(judged.table.sex == sex))
        area = metrics.auc(own.values[speed], asked.high(own))
        if isfinite(area):
            found[sex] = area
    return found


def _mean_by_sex(corpora: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each sex the mean over the corpora that have it."""
    every = sorted({sex for each in corpora.values() for sex in each["sex"]})
    known = {sex: [name for name, each in corpora.items() if sex in each["sex"]] for sex in every}
    return {
        sex: {"auc": float(np.mean([corpora[name]["sex"][sex] for name in names])), "corpora": names}
        for sex, names in known.items()
    }


def robustness(lines: Mapping[str, Judged], headline: str, asked: Sides) -> dict[str, Any]:
    """By line and speed: mean AUC over the corpora, and how far the value of the same clip moves, in the median."""
    return {
        line: {speed: _moved(judged, lines[headline], asked, speed) for speed in SPEEDS}
        for line, judged in lines.items()
    }


def _moved(judged: Judged, headline: Judged, asked: Sides, speed: Speed) -> dict[str, float | None]:
    there = {clip.digest: row for row, clip in enumerate(headline.table.clips)}
    pairs = [(row, there[clip.digest]) for row, clip in enumerate(judged.table.clips) if clip.digest in there]
    mine, its = (np.array(each, np.intp) for each in zip(*pairs, strict=True))
    change = np.median(np.abs(judged.values[speed][mine] - headline.values[speed][its]))
    return {"auc": _number(area(judged, asked, speed)), "change": float(change)}


def area(judged: Judged, asked: Sides, speed: Speed) -> float:
    """Mean over the corpora of the area under the curve."""
    own = asked.of(judged)
    high, corpus = asked.high(own), own.table.corpus
    found = [
        metrics.auc(own.values[speed][corpus == name], high[corpus == name]) for name in sorted(set(corpus.tolist()))
    ]
    return float(np.mean(found))


def curve(points: Sequence[tuple[int, Judged]], asked: Sides) -> list[dict[str, Any]]:
    """points: how many speakers were learnt from (the mean over the folds), and what came of it."""
    return [
        {"speakers": speakers, **{speed: _number(area(judged, asked, speed)) for speed in SPEEDS}}
        for speakers, judged in points
    ]


def _plain(interval: Interval) -> dict[str, float | None]:
    return {"value": _number(interval.value), "low": _number(interval.low), "high": _number(interval.high)}


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return float(value) if isfinite(value) else None
