"""A report in Markdown: the figures, what they were measured on, and the pictures beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.affect import SPEEDS
from models.training import pictures
from models.training.evaluation import Judged
from models.training.figures import FEW, Sides
from models.training.metrics import BINS, DRAWS

Figures = Mapping[str, Any]


def write(folder: Path, result: Figures, judged: Judged, asked: Sides) -> Path:
    """``report.md`` and its pictures as PNG. Returns the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {f"roc_{speed}.png": pictures.roc(judged, asked, speed) for speed in SPEEDS}
    drawn["reliability.png"] = pictures.reliability(judged, asked)
    if result.get("curve"):
        drawn["learning_curve.png"] = pictures.learning(result["curve"])
    for name, picture in drawn.items():
        (folder / name).write_bytes(picture)
    report = folder / "report.md"
    report.write_text(markdown(result, tuple(drawn)), encoding="utf-8")
    return report


def markdown(result: Figures, drawn: Sequence[str] = ()) -> str:
    """The text. result: as ``calmline evaluate --json`` prints it. drawn: names of pictures to show."""
    parts = [_head(result), *(_speed(speed, result) for speed in SPEEDS)]
    if len(result["lines"]) > 1:
        parts.append(_lines(result))
    if result.get("curve"):
        parts.append(_curve(result["curve"]))
    parts += [f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in drawn]
    return "\n\n".join(parts) + "\n"


def _head(result: Figures) -> str:
    against = "every other emotion" if result["against"] is None else ", ".join(result["against"])
    how = (
        f"Scorer {result['scorer']}: {result['scorer_note']}. Baseline {result['baseline']}; line {result['line']}, "
        f"each clip at the same active level; {result['clips']} clips of {result['speakers']} speakers; "
        f"seed {result['seed']}."
    )
    read = (
        "AUC: probability that a positive clip scores above another. In brackets the middle 95 % of "
        f"{DRAWS:,} bootstraps over speakers; under {FEW} speakers they say little. ECE: expected calibration error, "
        f"{BINS} bins. Precision and recall are those at {result['bound']:g}, by clip, at the share of positives that "
        "each corpus happens to have."
    )
    title = f"# {result['output'].capitalize()}: {', '.join(result['positive'])} against {against}"
    facts = [title, f"**{result['note']}**", how, read]
    return "\n\n".join(facts)


def _speed(speed: str, result: Figures) -> str:
    its = result["speeds"][speed]
    head = (
        "corpus",
        "clips",
        "positive",
        "speakers",
        "AUC",
        "AUC against calm",
        "ECE",
        "precision",
        "recall",
        "by sex",
    )
    rows = [_corpus(name, each) for name, each in its["corpora"].items()]
    sexes = _sexes({sex: each["auc"] for sex, each in its["sex"].items()})
    mean = (
        "**mean**",
        "",
        "",
        "",
        _interval(its["auc"]),
        _interval(its["auc_calm"]),
        _three(its["ece"]),
        "",
        "",
        sexes,
    )
    return f"## {speed.capitalize()}\n\n" + _table(head, [*rows, mean])


def _corpus(name: str, its: Figures) -> tuple[str, ...]:
    counts = (str(its["clips"]), str(its["positive"]), str(its["speakers"]))
    areas = (_interval(its["auc"]), _interval(its["auc_calm"]))
    rest = (_three(its["ece"]), _three(its["precision"]), _three(its["recall"]), _sexes(its["sex"]))
    return (name, *counts, *areas, *rest)


def _lines(result: Figures) -> str:
    head = ("line", *(f"{speed}: {what}" for speed in SPEEDS for what in ("AUC", "median change of the value")))
    rows = [
        (line, *(_three(its[speed][what]) for speed in SPEEDS for what in ("auc", "change")))
        for line, its in result["lines"].items()
    ]
    return f"## Lines\n\nThe change is of the same clip, against {result['line']}.\n\n" + _table(head, rows)


def _curve(points: Sequence[Figures]) -> str:
    head = ("speakers learnt from", *(f"{speed}: mean AUC" for speed in SPEEDS))
    rows = [(str(point["speakers"]), *(_three(point[speed]) for speed in SPEEDS)) for point in points]
    return "## Learning curve\n\n" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _interval(its: Mapping[str, float | None] | None) -> str:
    if its is None or its["value"] is None:
        return "-"
    return f"{its['value']:.3f} ({_three(its['low'])}-{_three(its['high'])})"


def _sexes(areas: Mapping[str, float]) -> str:
    return ", ".join(f"{sex} {area:.3f}" for sex, area in areas.items())


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
