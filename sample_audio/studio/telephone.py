"""A telephone line: 300-3400 Hz, 8 kHz, light line noise, G.711 mu-law."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

RATE = 8_000
BAND = (300.0, 3400.0)
NOISE_DBFS = -59.0
BIAS = 0x84
TREBLE_CORNER = 1_000.0
Floats = NDArray[np.float64]


def _shape(samples: Floats, treble_db: float) -> Floats:
    """Zero-phase telephone band with a smooth treble lift: a gain for each bin of the whole line."""
    pad = RATE // 10
    size = len(samples) + 2 * pad
    hz = np.fft.rfftfreq(size, 1 / RATE)
    low = 1 / (1 + (BAND[0] / np.maximum(hz, 1e-3)) ** 4)
    high = 1 / (1 + (hz / BAND[1]) ** 24)
    lift = 10 ** (treble_db / 20 / (1 + (TREBLE_CORNER / np.maximum(hz, 1e-3)) ** 2))
    spectrum = np.fft.rfft(np.pad(samples, pad)) * np.sqrt(low * high) * lift
    shaped: Floats = np.fft.irfft(spectrum, size)
    return shaped[pad : pad + len(samples)]


def through(samples: Floats, rate: int, treble_db: float) -> Floats:
    """One line's samples as the telephone passes them, at 8 kHz."""
    return _shape(soxr.resample(samples, rate, RATE, quality="VHQ"), treble_db)


def noise(count: int, rng: np.random.Generator) -> Floats:
    """Half pink, half white line noise in the telephone band at `NOISE_DBFS`."""
    hz = np.fft.rfftfreq(count, 1 / RATE)
    pinkish = np.sqrt(0.5 + 0.5 * 1000.0 / np.maximum(hz, 50.0))
    raw = _shape(np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * pinkish, count), 0.0)
    return raw * float(10 ** (NOISE_DBFS / 20) / np.sqrt(np.mean(raw**2)))


def _levels() -> NDArray[np.int64]:
    """The 255 values a mu-law byte can mean on the 16 bit scale, ascending (G.711, table 2a)."""
    code = np.arange(128)
    positive = ((((code & 0x0F) << 3) + BIAS) << (code >> 4)) - BIAS
    return np.unique(np.concatenate((-positive, positive)))


def mu_law(samples: Floats) -> NDArray[np.int16]:
    """Samples (full scale 1.0) after G.711 mu-law coding and decoding: the nearest of its levels."""
    levels = _levels()
    borders = (levels[1:] + levels[:-1]) / 2
    return levels[np.searchsorted(borders, samples * 32768.0)].astype(np.int16)
