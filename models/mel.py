"""Whisper's log-mel features, right-sized: the speech, and true silence behind it up to the context.

The numbers are faster-whisper's (``FeatureExtractor``, whose filters are used) within 1e-3; the work is done in
float32 and in short pieces, because the pages of large temporary arrays cost more than the transform itself.
"""

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples

Features = NDArray[np.float32]

HOP, WINDOW = 160, 400
"""Samples: 10 and 25 ms at 16 kHz, as Whisper was trained."""
PIECE = 64
"""Frames transformed at once: some 100 kB, which stays in the cache."""
DECADES, QUIETEST = 8, 1e-10
"""Whisper hears nothing this far (in decades of power) under the strongest value, or of less power than this."""
SILENCE = -1.5
"""The mel value of digital silence where nothing else is heard: the quietest, on Whisper's scale (decades + 4) / 4."""


class Mel:
    """filters: float (mels, 201), one row a band over the bins of a window, as faster-whisper makes them."""

    def __init__(self, filters: NDArray[np.floating]) -> None:
        self._filters = np.ascontiguousarray(filters.T, dtype=np.float32)
        self._taper = np.hanning(WINDOW + 1)[:-1].astype(np.float32)

    @property
    def bands(self) -> int:
        return int(self._filters.shape[1])

    def __call__(self, samples: Samples, frames: int) -> Features:
        """float32 (mels, frames). samples: (n,), n // HOP of them at most ``frames``; the rest becomes silence."""
        own = len(samples) // HOP
        features = np.full((self.bands, frames), SILENCE, np.float32)
        if own:
            power = self._power(samples, own)
            logs = np.log10(np.maximum(power, QUIETEST))
            floor = max(logs.max() - DECADES, np.log10(QUIETEST))
            features[:, :own] = (np.maximum(logs, floor).T + 4) / 4
            features[:, own:] = (floor + 4) / 4
        return features

    def _power(self, samples: Samples, own: int) -> Features:
        """Power in each band, float32 (own, mels)."""
        edged = np.zeros(max(len(samples) + WINDOW, 2 * WINDOW), np.float32)
        edged[WINDOW // 2 : WINDOW // 2 + len(samples)] = samples
        edged[: WINDOW // 2] = edged[WINDOW : WINDOW // 2 : -1]
        windows = np.lib.stride_tricks.sliding_window_view(edged, WINDOW)[::HOP]
        power = np.empty((own, self.bands), np.float32)
        for start in range(0, own, PIECE):
            bins = np.fft.rfft(windows[start : min(start + PIECE, own)] * self._taper)
            power[start : start + PIECE] = (bins.real**2 + bins.imag**2) @ self._filters
        return power
