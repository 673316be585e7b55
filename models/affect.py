"""How aroused, angry or tense somebody sounds, from the features of a voice and the recogniser's encoder.

    nats = bias + sum of weight x clip((feature - usual) / scale) + sum of weight x (number - usual number)
    value = sigmoid(nats)

Evidence is linear, so what is usual for the speaker can be taken away exactly and every score explained exactly.
What is usual is the speaker's own earlier mean, blended with the population's: the more has been heard, the more it is
the speaker's own. No label and nothing later goes into it.

Outputs: arousal; anger, of a customer; tension, of an agent. Nobody has labelled tension: it is trained as high
arousal of the unpleasant kind (anger and fear against neutral, calm and sad). Speeds: fast, the voice alone; fused,
with the encoder's few numbers, which come with the words.

A set of weights is a folder: ``weights.npz`` (arrays alone, never pickled objects) and ``model.json``.

How a set is trained (``models.training`` does it; chosen on four acted corpora at 8 kHz mu-law, leave one corpus out;
every figure is of acted speech). C was chosen by inner folds; the features, the clip and the encoder's spread were
compared with the tested corpora in view, so what is told of those four is somewhat too good:

- What departs from the usual, in units of its own spread (corpora alike), clipped at 3: 2.5 and 4 are alike (0.001).
- The usual is blended with 8 s of the population: 4 to 30 s are alike (0.002), 1 s is a little
  worse (0.004).
- L2 logistic regression, C = 0.01 at a mean weight of 1 a clip, each corpus the same sum of weights: inner
  leave-one-corpus-out chose that C in every fold, at either speed. An RBF machine and a softmax over all emotions were
  no better (mean AUC 0.923 and 0.925 beside 0.924, with the first 79 features), so the evidence stays linear.
- The encoder's values enter with a spread of 0.2 beside the features' 1, one prior for both (mean AUC 0.934; the voice
  alone 0.930). Left to inner folds (they chose 0.1, 0.2, 0.4 and 0.4) it is 0.926, under the voice alone: the encoder's
  knowledge of English carries over to German and hardly to Polish.
- No utterance-bound features (how the level falls towards the end): they gain 0.004 on clips that begin and end with a
  sentence, and a window of a live call does not.
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.protocols import Identity
from models.voice import FEATURES, PART

Output = Literal["arousal", "anger", "tension"]
Speed = Literal["fast", "fused"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
SPEEDS: tuple[Speed, ...] = get_args(Speed)

Floats = NDArray[np.float32]

WEIGHTS, ABOUT = "weights.npz", "model.json"
VERSION = 1
"""Of the format."""


@dataclass(frozen=True, slots=True, eq=False)
class AffectModel:
    """One set of weights, shared by every call; it holds nothing of any. It is the engine's ``EmotionScorer``.

    centre, scale: float32 (d,), the population's mean of each feature (NaN: there is none, only the speaker's own
    counts) and the unit of a step. strength: seconds of the speaker's own speech that weigh as much as the population.
    clip: the most of a step. weights: by speed and output float32 (d,) nats; biases likewise, nats. projection:
    float32 (2 D, m), of the encoder's pooled output onto m numbers (m may be 0); numbers_centre: float32 (m,), the
    population's; number_weights: by output float32 (m,).
    """

    identity: Identity
    about: Mapping[str, Any]
    centre: Floats
    scale: Floats
    strength: float
    clip: float
    weights: Mapping[tuple[Speed, Output], Floats]
    biases: Mapping[tuple[Speed, Output], float]
    projection: Floats
    numbers_centre: Floats
    number_weights: Mapping[Output, Floats]

    @classmethod
    def load(cls, folder: Path) -> "AffectModel":
        """Read a folder. Raises ModelError for anything missing, damaged or of other features, and says what to do."""
        about, blob = _read(folder)
        arrays = _arrays(blob, folder)
        try:
            return cls(_identity(about), about, **_fields(arrays))
        except (KeyError, ValueError) as error:
            raise ModelError(f"{folder / WEIGHTS} has no fitting {error}: train the set again") from error

    @property
    def encoder_name(self) -> str | None:
        """The recogniser whose encoder the numbers were learned on; None when this set does without one."""
        name = self.about.get("encoder")
        return str(name) if name and self.projection.shape[1] else None

    def bias(self, output: Output, speed: Speed) -> float:
        """Nats of a voice that is as usual."""
        return self.biases[speed, output]

    def usual(self, own_mean: Floats | None, seconds: float) -> Floats:
        """What is usual for a speaker's features, float32 (d,).

        own_mean: mean of the features of the speaker's own earlier speech, NaN where there was none; None before any.
        seconds: how much speech that was.
        """
        return self._blended(own_mean, seconds, self.centre)

    def usual_numbers(self, own_mean: Floats | None, seconds: float) -> Floats:
        """The same of the encoder's numbers, float32 (m,). seconds: of the utterances that had such numbers."""
        return self._blended(own_mean, seconds, self.numbers_centre)

    def _blended(self, own: Floats | None, seconds: float, centre: Floats) -> Floats:
        if own is None or seconds <= 0:
            return centre
        share = seconds / (seconds + self.strength)
        mixed = share * own + (1 - share) * centre
        return np.where(np.isnan(own), centre, np.where(np.isnan(centre), own, mixed)).astype(np.float32)

    def evidence(self, output: Output, speed: Speed, features: Floats, usual: Floats) -> dict[str, float]:
        """Nats by part, for what departs from the usual. A feature that is NaN, or has no usual yet, says nothing."""
        steps = np.nan_to_num(np.clip((features - usual) / self.scale, -self.clip, self.clip))
        nats = self.weights[speed, output] * steps
        return {part: float(nats[places].sum()) for part, places in _PLACES.items()}

    def score(self, pooled: Floats) -> tuple[float, ...]:
        """The encoder's numbers: ``EmotionScorer``."""
        return self.encoder(pooled)

    def encoder(self, pooled: Floats) -> tuple[float, ...]:
        """m numbers of the encoder's pooled output, float32 (2 D,). Raises ModelError for another encoder's size."""
        if self.projection.shape[1] == 0:
            return ()
        if pooled.shape != self.projection.shape[:1]:
            raise ModelError(
                f"the scores were trained on {self.encoder_name}, whose encoder has {len(self.projection) // 2} values,"
                f" not {len(pooled) // 2}: use that recogniser, or another set of weights"
            )
        return tuple(float(number) for number in pooled @ self.projection)

    def encoder_evidence(self, output: Output, numbers: Floats, usual_numbers: Floats) -> float:
        """Nats of the encoder's numbers against what is usual."""
        return float(self.number_weights[output] @ (np.asarray(numbers, np.float32) - usual_numbers))


_PLACES: Mapping[str, list[int]] = {
    part: [place for place, name in enumerate(FEATURES) if PART[name] == part] for part in dict.fromkeys(PART.values())
}


def sigmoid(nats: float) -> float:
    """Nats to 0-1."""
    return 1 / (1 + math.exp(-nats)) if nats >= 0 else math.exp(nats) / (1 + math.exp(nats))


def explain(bias: float, nats: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """The value 0-1 of a bias and the nats of some parts, and the share that each part has in it.

    The shares add up to the value; "usual" is what a voice without any evidence has. A part's share is its nats times
    the mean slope of the sigmoid on the straight way from the bias to the whole (Aumann-Shapley; Sundararajan et al.
    2017, "integrated gradients").
    """
    total = math.fsum(nats.values())
    usual, value = sigmoid(bias), sigmoid(bias + total)
    slope = (value - usual) / total if abs(total) > 1e-6 else usual * (1 - usual)
    return value, {"usual": usual, **{part: its * slope for part, its in nats.items()}}


def write(folder: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write a set of weights that ``AffectModel.load`` reads.

    arrays: ``centre``, ``scale`` (d,), ``strength``, ``clip`` (), ``projection`` (2 D, m), ``numbers.centre`` (m,),
    and for each output ``fast.anger``, ``fused.anger`` (d,), ``fast.anger.bias``, ``fused.anger.bias`` (),
    ``numbers.anger`` (m,). about: name, version, encoder (name of the recogniser, or None), calibration (figures),
    whatever else helps; format, features and sha256 are added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    stored: dict[str, Any] = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    np.savez(stream, **stored)
    (folder / WEIGHTS).write_bytes(stream.getvalue())
    sha256 = hashlib.sha256(stream.getvalue()).hexdigest()
    told = {**about, "format": VERSION, "features": list(FEATURES), "sha256": sha256}
    (folder / ABOUT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _read(folder: Path) -> tuple[dict[str, Any], bytes]:
    """What ``model.json`` tells, and the bytes it vouches for."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        blob = (folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no set of weights ({WEIGHTS} and {ABOUT}): {error}") from error
    if not isinstance(about, dict) or about.get("format") != VERSION:
        raise ModelError(f"{folder / ABOUT} is not of format {VERSION}: train the set again with this version")
    if about.get("features") != list(FEATURES):
        raise ModelError(f"{folder} was trained on other features than this version measures: train it again")
    if hashlib.sha256(blob).hexdigest() != about.get("sha256"):
        raise ModelError(f"{folder / WEIGHTS} is not the file that {ABOUT} names by its sha256: restore it")
    return about, blob


def _arrays(blob: bytes, folder: Path) -> dict[str, Floats]:
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name], np.float32) for name in stored.files}
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise ModelError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    return arrays


def _fields(arrays: Mapping[str, Floats]) -> dict[str, Any]:
    """The model's own fields. Raises KeyError or ValueError that names the array."""
    if arrays["projection"].ndim != 2:
        raise ValueError("projection")
    d, (width, m) = len(FEATURES), arrays["projection"].shape
    each = [(speed, output) for speed in SPEEDS for output in OUTPUTS]
    return {
        "centre": _shaped(arrays, "centre", (d,), gaps=True),
        "scale": _above(_shaped(arrays, "scale", (d,)), "scale"),
        "strength": float(_shaped(arrays, "strength", ())),
        "clip": float(_shaped(arrays, "clip", ())),
        "weights": {(s, o): _shaped(arrays, f"{s}.{o}", (d,)) for s, o in each},
        "biases": {(s, o): float(_shaped(arrays, f"{s}.{o}.bias", ())) for s, o in each},
        "projection": _shaped(arrays, "projection", (width, m)),
        "numbers_centre": _shaped(arrays, "numbers.centre", (m,)),
        "number_weights": {output: _shaped(arrays, f"numbers.{output}", (m,)) for output in OUTPUTS},
    }


def _shaped(arrays: Mapping[str, Floats], name: str, shape: tuple[int, ...], *, gaps: bool = False) -> Floats:
    array = arrays[name]
    if array.shape != shape or not (gaps or np.isfinite(array).all()):
        raise ValueError(name)
    return array


def _above(array: Floats, name: str) -> Floats:
    if not (array > 0).all():
        raise ValueError(name)
    return array


def _identity(about: Mapping[str, Any]) -> Identity:
    return Identity(str(about.get("name", "")), str(about.get("version", "")), str(about["sha256"]))
