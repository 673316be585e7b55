"""Clips scored by weights that have never seen their speakers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from models.affect import SPEEDS, AffectModel, Output, Speed, write
from models.training.fit import fit
from models.training.folds import Fold, Protocol, folds, some_speakers
from models.training.metrics import Floats
from models.training.recipe import Recipe
from models.training.score import Baseline, nats, values
from models.training.table import Index, Table, joined

Tables = Mapping[str, Table]
"""By the name of the line."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the scores. line: of the headline figures. baseline, protocol: as in the commands."""

    output: Output = "anger"
    line: str = "mulaw"
    protocol: Protocol = "loco"
    baseline: Baseline = "blind"
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Clips of one line and the value (0-1) that each has at each speed."""

    table: Table
    values: Mapping[Speed, Floats]

    def take(self, rows: Index) -> "Judged":
        return Judged(self.table.take(rows), {speed: each[rows] for speed, each in self.values.items()})


def judged(tables: Tables, question: Question, model: AffectModel) -> dict[str, Judged]:
    """Every clip of every line by one set of weights, whoever it was trained on."""
    return {line: _values(model, table, question) for line, table in tables.items()}


def retrained(
    tables: Tables,
    question: Question,
    recipe: Recipe,
    *,
    calm: Tables | None = None,
    share: float = 1.0,
    step: Callable[[], object] = lambda: None,
) -> dict[str, Judged]:
    """Every clip of every line by weights trained without its fold. share: of the training side's speakers (0-1).

    tables: also those of the recipe's lines. calm: calm speech on each of these, learnt from in every fold. step:
    called after each fold.
    """
    parts: dict[str, list[Judged]] = {line: [] for line in tables}
    for fold in folds(tables[question.line], question.protocol, question.seed):
        model = _without(fold, tables, question, recipe, share, calm)
        for line, table in tables.items():
            parts[line].append(_values(model, table.take(fold.test(table)), question))
        step()
    return {line: _joined(each) for line, each in parts.items()}


def _without(
    fold: Fold, tables: Tables, question: Question, recipe: Recipe, share: float, calm: Tables | None
) -> AffectModel:
    """Trained on everybody who is not tested, and read back from a folder, as a call reads it."""
    train = [tables[line].take(fold.train(tables[line])) for line in recipe.lines]
    if share < 1.0:
        kept = set(train[0].who[some_speakers(train[0], share, question.seed)].tolist())
        train = [table.take(np.flatnonzero(np.isin(table.who, sorted(kept)))) for table in train]
    if calm is not None:
        train = [joined([table, calm[line]]) for line, table in zip(recipe.lines, train, strict=True)]
    with TemporaryDirectory() as folder:
        found = fit(train, recipe, question.seed, [question.output])
        write(Path(folder), found.arrays, {"name": f"without {fold.name}", "version": "0", "encoder": "as measured"})
        return AffectModel.load(Path(folder))


def _values(model: AffectModel, table: Table, question: Question) -> Judged:
    evidence = nats(model, table, question.output, question.baseline, question.seed)
    return Judged(table, {speed: values(evidence[speed]) for speed in SPEEDS})


def _joined(parts: Sequence[Judged]) -> Judged:
    return Judged(
        joined([part.table for part in parts]),
        {speed: np.concatenate([part.values[speed] for part in parts]) for speed in SPEEDS},
    )
