"""What the pipeline asks of an estimator: arrays in, numbers out.

An engine (weights) is loaded once and shared by every call; what belongs to one channel of one
call (speech activity: to all its channels, which are heard together) lives in the object that ``stream()`` returns.
No engine knows of events, channels or calls.

Every ``samples`` argument is float32, shape ``(n,)``, mono, 16 kHz, in [-1, 1). Every time is a sample index
counted from the first sample of the array that was given (transcriber) or of the stream
(detectors, trackers). Engines raise ``models.errors.ModelError`` and nothing else on purpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
    """Speech activity of some channels of one call."""

    def detect(self, windows: Samples) -> Sequence[float]:
        """Probability in 0-1, for each channel, that its next 512 samples (32 ms) hold speech.

        windows: float32 (channels, 512).
        """
        ...


class SpeechDetector(Protocol):
    @property
    def identity(self) -> Identity: ...

    def stream(self, channels: int = 1) -> SpeechStream: ...

    def detect_all(self, asked: Sequence[tuple[Any, Samples]]) -> Sequence[Sequence[float]]:
        """What each of these streams of its own, none of them twice, answers to its windows: to the bit what
        ``detect`` would give, whoever else is asked for."""
        ...


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

    def finish(self, block: Samples | None = None) -> PitchTrack:
        """The estimates of a last block and those still owed; the stream is over."""
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

    words: empty in a draft. no_speech: probability 0-1. log_probability: mean per token (nats, <= 0). compression:
    characters per compressed byte (repetition drives it up). language: code of what was heard. foreign: log odds (nats)
    that it was another language than the expected one; whoever judges adds them up over utterances.
    emotion: a few numbers of an EmotionScorer, or empty.
    """

    text: str
    words: tuple[TimedWord, ...]
    language: str
    no_speech: float
    log_probability: float
    compression: float
    foreign: float = 0.0
    emotion: tuple[float, ...] = ()


class Transcriber(Protocol):
    """Thread-safe. workers: batches that it hears at once; more wait for one another."""

    @property
    def identity(self) -> Identity: ...

    @property
    def workers(self) -> int: ...

    def context(self, length: int) -> int:
        """Samples of audio in which an utterance of ``length`` samples is heard; only equals share a batch."""
        ...

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        """The words of each utterance of a batch, all of one ``context``, none changed by its neighbours.

        draft: text alone, as fast as it can be had: no word times, no second hearing, no emotion.
        """
        ...


class EmotionScorer(Protocol):
    """Scores an utterance's pooled encoder output (float32 (d,)) into a few numbers in 0-1."""

    @property
    def identity(self) -> Identity: ...

    def score(self, pooled: NDArray[np.float32]) -> tuple[float, ...]: ...
