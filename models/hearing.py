"""What a decoder made of one utterance, and when that is to be doubted."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples

RATE, POSITION = 16_000, 320
"""Samples a second, and samples to one position of the encoder's output."""
REPETITIVE = 2.2
"""Characters per compressed byte from which a text repeats itself."""

States = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance as it was understood.

    states: the encoder's output (positions, d), what lies behind the utterance included. foreign: log odds (nats) that
    the language was another than the expected one, as far as the decoder says. The other figures as in ``Transcript``.
    """

    samples: Samples
    states: States
    language: str
    foreign: float
    tokens: list[int]
    text: str
    no_speech: float
    log_probability: float

    @property
    def compression(self) -> float:
        """Characters per compressed byte, as Whisper counts them; 0 without text."""
        raw = self.text.encode()
        return len(raw) / len(zlib.compress(raw)) if raw else 0.0

    @property
    def repetitive(self) -> bool:
        """Whether it may be the decoder's own loop, which a full context ends.

        That a text is unlikely is no reason to hear it again, as it is for Whisper itself: on telephone lines that cost
        a fifth of all recognition, for 0.4 points of WER (half "tune" of ``benchmarks.asr``).
        """
        return self.compression > REPETITIVE or says_twice(self.text)

    @property
    def pooled(self) -> NDArray[np.float32]:
        """Mean, then spread, of the encoder's output over the utterance's own positions: float32 (2 d,)."""
        own = self.states[: max(1, len(self.samples) // POSITION)].astype(np.float32, copy=False)
        return np.concatenate([own.mean(axis=0), own.std(axis=0)])


def better(first: Heard, second: Heard) -> Heard:
    """Of two hearings of one utterance the one that is not repetitive, or else the likelier one."""
    if first.repetitive != second.repetitive:
        return second if first.repetitive else first
    return second if second.log_probability > first.log_probability else first


def says_twice(text: str) -> bool:
    """Whether a text is one phrase of three words or more said twice: too short a loop for the compression ratio."""
    words = [word.strip(".,!?;:").lower() for word in text.split()]
    half = len(words) // 2
    return half >= 3 and words[:half] == words[-half:] and len(words) - 2 * half <= 1
