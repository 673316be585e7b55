"""What the pipeline asks of an estimator: arrays in, numbers out.

An engine (weights) is loaded once and shared by every call; what belongs to one channel of one
call lives in the object that ``stream()`` returns. No engine knows of events, channels or calls.

Every ``samples`` argument is float32, shape ``(n,)``, mono, 16 kHz, in [-1, 1). Every time is a sample index
counted from the first sample of the array that was given (transcriber) or of the stream
(detectors, trackers). Engines raise ``models.errors.ModelError`` and nothing else on purpose.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which weights answered: written into every journal's header."""

    name: str
    version: str
    sha256: str


class SpeechStream(Protocol):
    """Speech activity of one channel of one call."""

    def detect(self, window: Samples) -> float:
        """Probability in 0-1 that the next 512 samples (32 ms) hold speech."""
        ...


class SpeechDetector(Protocol):
    @property
    def identity(self) -> Identity: ...

    def stream(self) -> SpeechStream: ...


@dataclass(frozen=True, slots=True)
class PitchTrack:
    """F0 estimates, one a hop.

    f0: float32 (n,), Hz. confidence: float32 (n,), 0-1. hop: samples between two estimates.
    """

    f0: NDArray[np.float32]
    confidence: NDArray[np.float32]
    hop: int


class PitchStream(Protocol):
    """F0 of one channel of one call, pushed in contiguous blocks."""

    def track(self, block: Samples) -> PitchTrack:
        """The estimates that became certain with this block (it may lag by a few hops)."""
        ...

    def finish(self) -> PitchTrack:
        """The estimates still owed; the stream is over."""
        ...


class PitchTracker(Protocol):
    @property
    def identity(self) -> Identity: ...

    def stream(self) -> PitchStream: ...


@dataclass(frozen=True, slots=True)
class TimedWord:
    """start, end: samples from the beginning of the utterance. probability: 0-1."""

    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard in one utterance.

    no_speech: probability 0-1. log_probability: mean per token (nats, <= 0). compression: characters
    per compressed byte (repetition drives it up). emotion: a few numbers of an EmotionScorer, or empty.
    """

    text: str
    words: tuple[TimedWord, ...]
    language: str
    no_speech: float
    log_probability: float
    compression: float
    emotion: tuple[float, ...] = ()


class Transcriber(Protocol):
    """Thread-safe: several calls may ask at once."""

    @property
    def identity(self) -> Identity: ...

    def transcribe(self, samples: Samples) -> Transcript: ...


class EmotionScorer(Protocol):
    """Scores an utterance's pooled encoder output (float32 (d,)) into a few numbers in 0-1."""

    @property
    def identity(self) -> Identity: ...

    def score(self, pooled: NDArray[np.float32]) -> tuple[float, ...]: ...
