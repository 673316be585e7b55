"""Real speech without a recording: espeak-ng says a sentence."""

import io
import os
import shutil
import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from models.protocols import Samples

RATE = 16_000
SENTENCE = "I would like to cancel my order and get my money back today."


@pytest.fixture(scope="session")
def say() -> Callable[..., Samples]:
    """Text, and the name of a voice, to samples: float32 (n,), 16 kHz."""
    program = shutil.which("espeak-ng")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("espeak-ng is not installed: these tests may not be skipped here")
        pytest.skip("espeak-ng is not installed")

    def speak(text: str, voice: str = "en") -> Samples:
        import soundfile
        import soxr

        wave = subprocess.run(
            [program, "-v", voice, "-s", "140", "--stdout", text], check=True, capture_output=True
        ).stdout
        audio, rate = soundfile.read(io.BytesIO(wave), dtype="float32")
        return np.ascontiguousarray(soxr.resample(audio, rate, RATE), dtype=np.float32)

    return speak


@pytest.fixture(scope="session")
def speech(say: Callable[[str], Samples]) -> Samples:
    return say(SENTENCE)
