"""The scores set by hand: what the literature says a moved voice does, as weights. No recording went into them.

Revised by hand once, after the first table was measured (mean AUC 0.838 for anger on four acted corpora): anger's
weights of F0 were halved or more, because of joy and surprise. Now 0.845.

That arousal and hot anger come with higher and more varied F0, more level, more energy in the high frequencies and
quicker speech is the common finding (Banse and Scherer 1996, of actors; reviewed by Juslin and Laukka 2003 and by
Scherer 2003). All else is set by hand: how much each counts; that anger weighs level and spectrum more and F0 less,
because joy and surprise raise F0 as well; that tension weighs F0 more.

Each row: the unit of a step (about the spread of one speaker's everyday clips), and nats a step for arousal, anger and
tension. There is no population norm for the telephone band, so every centre is the speaker's own; only the spectral
balance has one, set by hand: -9 dB, about what ordinary speech has there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.voice import FEATURES


@dataclass(frozen=True, slots=True)
class Row:
    """scale: in the feature's unit. arousal, anger, tension: nats a step. centre: the population's, where known."""

    scale: float
    arousal: float
    anger: float
    tension: float
    centre: float = float("nan")


TABLE: Mapping[str, Row] = {
    "f0_median": Row(3.0, 0.40, 0.10, 0.35),
    "f0_high": Row(3.5, 0.30, 0.05, 0.25),
    "f0_range": Row(4.0, 0.15, 0.05, 0.05),
    "f0_movement": Row(12.0, 0.10, 0.10, 0.05),
    "level": Row(4.0, 0.40, 0.45, 0.35),
    "level_rise": Row(25.0, 0.15, 0.20, 0.10),
    "level_fall": Row(25.0, 0.10, 0.15, 0.10),
    "alpha_mean": Row(4.0, 0.30, 0.35, 0.30, -9.0),
    "alpha_loud": Row(4.0, 0.20, 0.25, 0.20, -9.0),
    "hammarberg_mean": Row(4.0, -0.20, -0.25, -0.20),
    "slope_low_mean": Row(5.0, 0.20, 0.30, 0.20),
    "centroid_mean": Row(150.0, 0.20, 0.25, 0.20),
    "flux_mean": Row(0.1, 0.05, 0.10, 0.05),
    "harmonicity_mean": Row(2.5, -0.05, -0.15, -0.05),
    "peak_rate": Row(1.0, 0.05, 0.05, 0.05),
}

BIAS = {"arousal": -1.0, "anger": -2.0, "tension": -1.5}
"""Nats of a voice that is as usual: moved moments are a minority of a call."""
STRENGTH = 4.0
"""Seconds of own speech that weigh as much as the population, where it has a centre."""
CLIP = 3.0
"""Steps beyond which a feature says no more: a single outlier is an error of measurement."""


def arrays() -> dict[str, NDArray[np.float32]]:
    """The table in the form that ``models.affect.write`` takes; no encoder."""
    rows = [TABLE.get(name, Row(1.0, 0.0, 0.0, 0.0)) for name in FEATURES]
    made: dict[str, object] = {
        "centre": [row.centre for row in rows],
        "scale": [row.scale for row in rows],
        "strength": STRENGTH,
        "clip": CLIP,
        "projection": np.zeros((0, 0)),
        "numbers.centre": np.zeros(0),
    }
    for output, bias in BIAS.items():
        made[f"numbers.{output}"] = np.zeros(0)
        for speed in ("fast", "fused"):
            made[f"{speed}.{output}"] = [getattr(row, output) for row in rows]
            made[f"{speed}.{output}.bias"] = bias
    return {name: np.asarray(values, np.float32) for name, values in made.items()}
