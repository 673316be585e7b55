"""``evaluate``: how well scores tell emotions apart in speakers that they have never heard."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.table import Table as Grid
from rich.text import Text

from api.commands.clips import Heard, bar, failures, measured
from api.commands.console import note, out
from api.config import Config
from models.affect import SPEEDS, AffectModel
from models.training import corpus, report
from models.training.evaluation import Judged, Question, Tables, judged, retrained
from models.training.figures import NOTE, Against, Sides, curve, figures, robustness, sides
from models.training.folds import folds, some_speakers
from models.training.recipe import Recipe
from pipeline.errors import BadInput
from pipeline.graph import SETS, WEIGHTS

RETRAINED = ("acted", "train")
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training speakers, for a learning curve."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """scorer: acted or train (the recipe, trained again in each fold), formula, or a folder. lines: the first one has
    the figures, the others are compared with it. bound: value (0-1) from which somebody is told. learn_on: lines to
    train on; None takes the recipe's. calm: tables of calm speech that are learnt from as well."""

    tables: list[Path]
    scorer: str = "train"
    question: Question = field(default_factory=Question)
    lines: tuple[str, ...] = ("mulaw",)
    positive: str | None = None
    against: Against | None = None
    bound: float = 0.5
    curve: bool = False
    json: bool = False
    report: Path | None = None
    learn_on: tuple[str, ...] | None = None
    calm: tuple[Path, ...] = ()


def run(config: Config, wanted: Wanted, how: Heard) -> int:
    """Raises BadInput for tables and options, EngineFault for models."""
    with failures():
        asked = sides(wanted.question.output, wanted.positive, wanted.against)
        clips = corpus.read(wanted.tables)
        corpus.check_enough(clips, asked.positive)
        model = _model(wanted.scorer)
        recipe = replace(Recipe(), lines=wanted.learn_on) if wanted.learn_on else Recipe()
        tables = measured(config, clips, (*wanted.lines, *(() if model else recipe.lines)), how)
        calm = measured(config, corpus.calm(wanted.calm), recipe.lines, how) if wanted.calm and not model else None
        found = judged(tables, wanted.question, model) if model else _retrained(tables, wanted.question, recipe, calm)
        found = {line: found[line] for line in wanted.lines}
        result = _result(found, wanted, asked, model)
        if wanted.curve and model is None:
            result["curve"] = _curve(tables, wanted.question, recipe, asked, calm)
    if wanted.report:
        _reported(wanted.report, result, found[wanted.lines[0]], asked)
    if wanted.json:
        out.file.write(json.dumps(result) + "\n")
    else:
        _tell(result)
    return 0


def _model(scorer: str) -> AffectModel | None:
    """The weights to be judged as they are; None where the recipe is trained again. Raises BadInput."""
    if scorer in RETRAINED:
        return None
    folder = WEIGHTS / scorer if scorer in SETS else Path(scorer).expanduser()
    if not folder.is_dir():
        raise BadInput(f"{scorer} is no scorer: acted, formula, train, or a folder that calmline train wrote")
    return AffectModel.load(folder)


def _retrained(tables: Tables, question: Question, recipe: Recipe, calm: Tables | None) -> dict[str, Judged]:
    count = len(folds(tables[question.line], question.protocol, question.seed))
    with bar() as progress:
        task = progress.add_task("learning without each fold", total=count)
        return retrained(tables, question, recipe, calm=calm, step=lambda: progress.advance(task))


def _curve(
    tables: Tables, question: Question, recipe: Recipe, asked: Sides, calm: Tables | None
) -> list[dict[str, Any]]:
    """Each share of the training speakers, the same folds."""
    table, points = tables[question.line], []
    sets = [table.take(fold.train(table)) for fold in folds(table, question.protocol, question.seed)]
    only = {line: tables[line] for line in {question.line, *recipe.lines}}
    with bar() as progress:
        for share in progress.track(SHARES, description="learning curve"):
            learnt = [len(set(each.who[some_speakers(each, share, question.seed)].tolist())) for each in sets]
            found = retrained(only, question, recipe, calm=calm, share=share)[question.line]
            points.append((round(sum(learnt) / len(learnt)), found))
    return curve(points, asked)


def _result(found: Mapping[str, Judged], wanted: Wanted, asked: Sides, model: AffectModel | None) -> dict[str, Any]:
    """What ``--json`` prints."""
    question, headline = wanted.question, found[wanted.lines[0]]
    return {
        "note": NOTE,
        "scorer": wanted.scorer,
        "scorer_note": _about(model, question, headline),
        "output": question.output,
        "positive": sorted(asked.positive),
        "against": sorted(asked.against) if asked.against else None,
        "protocol": question.protocol,
        "baseline": question.baseline,
        "line": wanted.lines[0],
        "seed": question.seed,
        "bound": wanted.bound,
        "clips": len(headline.table),
        "speakers": len(set(headline.table.who.tolist())),
        "speeds": figures(headline, asked, wanted.bound, question.seed),
        "lines": robustness(found, wanted.lines[0], asked),
    }


def _about(model: AffectModel | None, question: Question, headline: Judged) -> str:
    """Whether the speakers were strangers to the weights."""
    if model is None:
        without = "the corpus" if question.protocol == "loco" else "the speakers"
        return f"the recipe of the set acted, trained again without {without} that is tested".replace(
            "speakers that is", "speakers that are"
        )
    known = set(model.about.get("trained_on", {})) & set(headline.table.corpus.tolist())
    if known:
        return f"evaluated as it is, and trained on {', '.join(sorted(known))}: those speakers were no strangers to it"
    return "evaluated as it is"


def _reported(folder: Path, result: dict[str, Any], headline: Judged, asked: Sides) -> None:
    written = report.write(folder, result, headline, asked)
    (folder / "figures.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    note(f"the report is {written}")


def _tell(result: dict[str, Any]) -> None:
    against = "all others" if result["against"] is None else ", ".join(result["against"])
    asked = f"{result['output']}: {', '.join(result['positive'])} against {against}"
    title = f"{asked} · {result['clips']} clips · {result['line']}"
    out.print(Text(title, style="bold"), soft_wrap=True)
    out.print(Text(f"{result['scorer']}: {result['scorer_note']}"), soft_wrap=True)
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("speed", "corpus", "speakers", "AUC", "95 %", "calm", "ECE", "precision", "recall"):
        grid.add_column(column, no_wrap=True)
    for speed in SPEEDS:
        its = result["speeds"][speed]
        for corpus_name, each in its["corpora"].items():
            grid.add_row(speed, corpus_name, str(each["speakers"]), *_row(each))
        grid.add_row(speed, Text("mean", style="bold"), "", *_row(its))
    out.print(grid)
    for line, its in result["lines"].items():
        if line != result["line"]:
            told = ", ".join(
                f"{speed} AUC {_three(its[speed]['auc'])}, moved {_three(its[speed]['change'])}" for speed in SPEEDS
            )
            out.print(Text(f"{line}  {told}"), soft_wrap=True)
    note(result["note"])


def _row(its: dict[str, Any]) -> tuple[str, ...]:
    area, calm = its["auc"], its["auc_calm"] or {"value": None}
    between = "-" if area["low"] is None else f"{area['low']:.3f}-{area['high']:.3f}"
    rest = (_three(its.get(name)) for name in ("ece", "precision", "recall"))
    return (_three(area["value"]), between, _three(calm["value"]), *rest)


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
