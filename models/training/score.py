"""What a set of weights says of clips, by the very code that says it in a call."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.affect import AffectModel, Output, Speed
from models.training.baseline import Floats, earlier
from models.training.table import Table

Baseline = Literal["blind", "none"]
Nats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What is usual for the speaker of each clip. features: (n, d). numbers: (n, m), of the encoder."""

    features: Floats
    numbers: Floats


def numbers(model: AffectModel, table: Table) -> Floats:
    """The encoder's numbers of each clip, float32 (n, m)."""
    return np.array([model.encoder(pooled) for pooled in table.pooled], np.float32).reshape(len(table), -1)


def usual(model: AffectModel, table: Table, baseline: Baseline, seed: int) -> Usual:
    """blind: the speaker's own earlier clips, blended by the model. none: the population alone."""
    own, heard = earlier(table.features, table.seconds, table.who, seed)
    said, _ = earlier(numbers(model, table), table.seconds, table.who, seed)
    if baseline == "none":
        heard = np.zeros(len(table))
    rows = [model.usual(mean, seconds) for mean, seconds in zip(own, heard, strict=True)]
    encoded = [model.usual_numbers(mean, seconds) for mean, seconds in zip(said, heard, strict=True)]
    return Usual(np.array(rows, np.float32), np.array(encoded, np.float32).reshape(len(table), -1))


def nats(model: AffectModel, table: Table, output: Output, baseline: Baseline, seed: int) -> dict[Speed, Nats]:
    """The calibrated evidence of each clip at each speed, float64 (n,)."""
    known, encoded = usual(model, table, baseline, seed), numbers(model, table)
    fast, fused = np.zeros(len(table)), np.zeros(len(table))
    for row, features in enumerate(table.features):
        fast[row] = sum(model.evidence(output, "fast", features, known.features[row]).values())
        fused[row] = sum(model.evidence(output, "fused", features, known.features[row]).values())
        fused[row] += model.encoder_evidence(output, encoded[row], known.numbers[row])
    return {"fast": fast + model.bias(output, "fast"), "fused": fused + model.bias(output, "fused")}


def values(evidence: Nats) -> Nats:
    """Nats to 0-1."""
    return 1 / (1 + np.exp(-evidence))
