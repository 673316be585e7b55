"""The numbers of a clip, by the code that hears the live call: features of the voice, and the encoder's output."""

import hashlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import descriptors, mel, timbre, voice
from models.hearing import Heard
from models.pitch import SwiftF0Tracker
from models.protocols import PitchTracker, Samples
from models.whisper import WhisperTranscriber

Row = NDArray[np.float32]
POOLED = inspect.getsource(Heard.pooled.fget)  # type: ignore[attr-defined]


class Measure(Protocol):
    """One kind of numbers of a clip. key: changes whenever the numbers would."""

    @property
    def key(self) -> str: ...

    def __call__(self, samples: Samples) -> Row:
        """float32 (d,); empty where there is too little speech to say anything."""
        ...


class Voice:
    """``models.voice`` over a whole clip. tracker: swift-f0 when left out."""

    def __init__(self, tracker: PitchTracker | None = None) -> None:
        self._tracker = tracker or SwiftF0Tracker()
        code = _digest("".join(map(_source, (voice, descriptors, timbre))))
        self.key = f"voice/{self._tracker.identity.sha256[:16]}/{code}"

    def __call__(self, samples: Samples) -> Row:
        rows = voice.frames(samples, self._tracker.stream().finish(samples))
        described = voice.describe(rows)
        return np.zeros(0, np.float32) if described is None else described


class Encoder:
    """Mean and spread of the recogniser's encoder over a clip, as the live call pools an utterance. No decoding."""

    def __init__(self, transcriber: WhisperTranscriber) -> None:
        self._transcriber = transcriber
        self.key = f"encoder/{transcriber.identity.sha256[:16]}/{_digest(POOLED + _source(mel))}"

    def __call__(self, samples: Samples) -> Row:
        return self._transcriber.pooled(samples)


def _source(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def _digest(code: str) -> str:
    """Of the code behind some numbers, so that those of an older one are not taken for its own."""
    return hashlib.sha256(code.encode()).hexdigest()[:16]
