"""What one person's voice says of one output, anger or tension: evidence against the usual, smoothed over own speech.

    smoothed = keep x smoothed + (1 - keep) x evidence        keep = exp(-seconds of speech / attack_s)

All in nats, so that a second of shouting adds what it weighs and no more, and parts stay parts. At first it says
nothing: a voice is as usual until it was heard for a while.
"""

from collections.abc import Mapping, Sequence
from math import exp, isfinite

import numpy as np

from models.affect import AffectModel, Output, Speed, sigmoid
from models.voice import FEATURES
from pipeline.session import Manner
from pipeline.settings import Scores
from pipeline.usual import Floats, Usual

TONE = "tone"
"""The part of the recogniser's encoder: what it hears in a voice beside the words."""
MEASURES = {"level": "level", "pitch": "f0_median"}
"""What people know of a voice, and the feature that it is: dB, semitones."""


class Impression:
    """``hear`` each block of speech, ``read`` each utterance's encoder numbers when its words come.

    Where the voice is more aroused than usual, less is learnt of what is usual: a customer who is angry from the first
    word must not become normal, and one whose voice is merely lively must not be judged by others for ever.
    While little is known of the speaker, what departs from other people counts for less (``stranger``): a line and a
    microphone colour every voice on them, and that looks like a feeling.
    arousal: 0-1, smoothed; None before anything was heard. measures: ``MEASURES`` against the usual, smoothed.
    """

    def __init__(self, model: AffectModel, output: Output, settings: Scores) -> None:
        self._model = model
        self._output = output
        self._settings = settings
        self._nats: dict[Speed, dict[str, float]] = {"fast": {}, "fused": {}}
        self._tone: float | None = None
        self._since_words = 0.0
        self._usual = Usual(len(model.centre), settings.usual_s)
        self._usual_numbers = Usual(len(model.numbers_centre), settings.usual_s)
        self.arousal: float | None = None
        self.measures: dict[str, float] = {}

    @property
    def fused(self) -> float:
        """How much of the evidence (0-1) is the fused kind: all of it when words have just come, then less and less."""
        return 0.0 if self._tone is None else exp(-self._since_words / self._settings.tone_s)

    @property
    def bias(self) -> float:
        fused, model = self.fused, self._model
        return fused * model.bias(self._output, "fused") + (1 - fused) * model.bias(self._output, "fast")

    def nats(self) -> dict[str, float]:
        """The evidence now, by part."""
        fused, fast_nats, fused_nats = self.fused, self._nats["fast"], self._nats["fused"]
        nats = {part: fused * fused_nats[part] + (1 - fused) * fast_nats[part] for part in fast_nats}
        return nats if self._tone is None else nats | {TONE: fused * self._tone}

    def rest(self, seconds: float) -> None:
        """Nothing was said for so long: what was felt then counts less by e in ``fade_s``."""
        kept = exp(-max(0.0, seconds) / self._settings.fade_s)
        for smoothed in (*self._nats.values(), self.measures):
            smoothed.update({name: kept * value for name, value in smoothed.items()})
        self._tone = None if self._tone is None else kept * self._tone

    def hear(self, manner: Manner) -> None:
        """A block of speech has ended."""
        usual, trust = self._model.usual(self._usual.mean, self._usual.seconds), self._trust(self._usual.seconds)
        keep = exp(-manner.seconds / self._settings.attack_s)
        aroused = self._aroused(manner.features, usual, trust)
        self.arousal = aroused if self.arousal is None else keep * self.arousal + (1 - keep) * aroused
        for speed, smoothed in self._nats.items():
            evidence = self._model.evidence(self._output, speed, manner.features, usual)
            _follow(smoothed, {part: trust * nats for part, nats in evidence.items()}, keep)
        _follow(self.measures, _moves(manner.features - usual), keep)
        self._since_words += manner.seconds
        self._usual.learn(manner.features, manner.seconds * self._calm(aroused))

    def read(self, numbers: Sequence[float], seconds: float) -> None:
        """The words of an utterance have come, with what the encoder says of it. seconds: of the utterance."""
        if len(numbers) != len(self._model.numbers_centre) or not numbers:
            return
        own = np.array(numbers, np.float32)
        usual = self._model.usual_numbers(self._usual_numbers.mean, self._usual_numbers.seconds)
        keep = exp(-seconds / self._settings.attack_s)
        before = 0.0 if self._tone is None else self._tone
        nats = self._trust(self._usual_numbers.seconds) * self._model.encoder_evidence(self._output, own, usual)
        self._tone = keep * before + (1 - keep) * nats
        self._since_words = 0.0
        self._usual_numbers.learn(own, seconds * (1.0 if self.arousal is None else self._calm(self.arousal)))

    def _aroused(self, features: Floats, usual: Floats, trust: float) -> float:
        nats = self._model.evidence("arousal", "fast", features, usual)
        return sigmoid(self._model.bias("arousal", "fast") + trust * sum(nats.values()))

    def _calm(self, arousal: float) -> float:
        """1 for a voice no more aroused than is usual, down to 0 for one that is as aroused as can be."""
        return min(1.0, (1 - arousal) / (1 - sigmoid(self._model.bias("arousal", "fast"))))

    def _trust(self, seconds: float) -> float:
        """How much evidence counts (0-1) when so many seconds of the speaker's own speech are known."""
        share = seconds / (seconds + self._model.strength)
        return share + (1 - share) * self._settings.stranger


def _follow(smoothed: dict[str, float], now: Mapping[str, float], keep: float) -> None:
    for name, value in now.items():
        smoothed[name] = keep * smoothed.get(name, 0.0) + (1 - keep) * value


def _moves(departure: Floats) -> dict[str, float]:
    moves = {name: float(departure[place]) for name, place in _PLACES.items()}
    return {name: move for name, move in moves.items() if isfinite(move)}


_PLACES = {name: FEATURES.index(feature) for name, feature in MEASURES.items()}
