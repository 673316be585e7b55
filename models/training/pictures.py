"""The pictures of a report. matplotlib without pyplot; two drawings of the same figures are the same bytes."""

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from models.affect import Speed
from models.training import metrics
from models.training.evaluation import Judged
from models.training.figures import Sides

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.0, 4.2)
"""Inches."""
LOOKS = (("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", "-."), ("#cc79a7", ":"), ("#e69f00", "-"), ("#56b4e9", "--"))
"""Okabe and Ito's palette, and a dash each: to be told apart in grey as well."""
DOTS = "#999999"


def roc(judged: Judged, asked: Sides, speed: Speed) -> bytes:
    """The curve of each corpus, PNG."""

    def fill(axes: "Axes") -> None:
        for (corpus, own), (colour, dash) in zip(_by_corpus(asked.of(judged)), cycle(LOOKS), strict=False):
            false, hits = metrics.roc(own.values[speed], asked.high(own))
            area = metrics.auc(own.values[speed], asked.high(own))
            axes.plot(false, hits, dash, color=colour, label=f"{corpus} ({area:.3f})")
        axes.plot((0, 1), (0, 1), ":", color=DOTS, linewidth=0.8)
        axes.set(xlabel="false alarms among the others", ylabel="found among the positive", title=f"ROC, {speed}")
        axes.legend(loc="lower right", frameon=False)

    return _drawn(fill)


def reliability(judged: Judged, asked: Sides) -> bytes:
    """What a value meant, over all clips, at each speed, PNG."""

    def fill(axes: "Axes") -> None:
        own = asked.of(judged)
        for (speed, values), (colour, dash) in zip(own.values.items(), cycle(LOOKS), strict=False):
            rows = metrics.reliability(values, asked.high(own))
            error = metrics.calibration_error(values, asked.high(own))
            said, true, _ = zip(*rows, strict=True)
            axes.plot(said, true, dash, marker="o", markersize=4, color=colour, label=f"{speed} (error {error:.3f})")
        axes.plot((0, 1), (0, 1), ":", color=DOTS, linewidth=0.8)
        axes.set(xlabel="value of the score", ylabel="share of positive clips", title="Reliability, all clips")
        axes.legend(loc="upper left", frameon=False)

    return _drawn(fill)


def learning(points: Sequence[Mapping[str, Any]]) -> bytes:
    """AUC by number of speakers learnt from, PNG. points: ``figures.curve``."""

    def fill(axes: "Axes") -> None:
        speakers = [point["speakers"] for point in points]
        for speed, (colour, dash) in zip(("fast", "fused"), LOOKS, strict=False):
            area = [np.nan if point[speed] is None else point[speed] for point in points]
            axes.plot(speakers, area, dash, marker="o", markersize=4, color=colour, label=speed)
        axes.set(xlabel="speakers learnt from (mean over the folds)", ylabel="mean AUC", title="Learning curve")
        axes.legend(loc="lower right", frameon=False)

    return _drawn(fill)


def _by_corpus(judged: Judged) -> list[tuple[str, Judged]]:
    names = sorted(set(judged.table.corpus.tolist()))
    return [(name, judged.take(np.flatnonzero(judged.table.corpus == name))) for name in names]


def _drawn(fill: Callable[["Axes"], None]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    fill(axes)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
