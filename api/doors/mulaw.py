"""G.711 µ-law, the samples of telephone lines: one byte each, libsndfile's tables."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8_000
"""Hz, on every telephone line."""

_RAW = {"samplerate": RATE, "format": "RAW", "subtype": "ULAW"}


def decode(data: bytes) -> NDArray[np.int16]:
    """int16, shape (len(data),)."""
    return _TABLE[np.frombuffer(data, np.uint8)]


def encode(pcm: NDArray[np.int16]) -> bytes:
    """pcm: int16 (n,). For senders: a door only decodes."""
    file = io.BytesIO()
    soundfile.write(file, pcm, **_RAW)
    return file.getvalue()


def _table() -> NDArray[np.int16]:
    heard, _ = soundfile.read(io.BytesIO(bytes(range(256))), dtype="int16", channels=1, **_RAW)
    return np.asarray(heard, np.int16)


_TABLE = _table()
LEVELS = (_TABLE / 32768).astype(np.float32)
"""What each code stands for, full scale 1.0: for a door that takes codes as they come."""
SILENCE = 0xFF
