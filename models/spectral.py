"""The balance of the spectrum within the telephone band, 300-3400 Hz: how hard a voice works.

Vocal effort and hot anger move energy upwards. The alpha ratio is that of eGeMAPS (Eyben et al., IEEE Trans. Affective
Computing 7(2), 2016) in spirit; its bands reach from 50 to 5000 Hz, which no G.711 call carries, so they are cut to
what a line passes. What the scores measure of a spectrum is in ``models.timbre``.

numpy computes the spectrum, not librosa: the first ``librosa.stft`` of a process takes about 4 s (it imports numba and
scipy.signal), the first call here under 10 ms. The tests hold the result against ``librosa.stft``.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.loudness import level_dbfs
from models.protocols import Samples

RATE = 16_000
FRAME = 512
"""Samples a frame: 32 ms, 31.25 Hz a bin."""
HOP = 256
LOW, MIDDLE, HIGH = 300.0, 1000.0, 3400.0
"""Hz: the edges of the telephone band, and the split of the alpha ratio."""
QUIET_DBFS = -80.0
"""A block under this level is line noise and quantisation and has no balance."""

Power = NDArray[np.float64]

_FREQUENCIES: Power = np.arange(FRAME // 2 + 1, dtype=np.float64) * (RATE / FRAME)
# Periodic Hann, as librosa's and scipy's default for spectra.
_HANN: Samples = np.hanning(FRAME + 1)[:-1].astype(np.float32)


def alpha_ratio_db(samples: Samples) -> float | None:
    """Energy in 1000-3400 Hz over energy in 300-1000 Hz, dB: rises with vocal effort, whatever the level.

    samples: float32 (n,), 16 kHz; None if they are under 32 ms or under ``QUIET_DBFS``. The power spectra of 32 ms Hann
    frames, one every 16 ms, are averaged first: loud frames count most, pauses hardly. About 0.1 ms for 512 ms.
    """
    if samples.size < FRAME or level_dbfs(samples) < QUIET_DBFS:
        return None
    power = long_term_power(samples)
    return float(10.0 * np.log10(_band(power, MIDDLE, HIGH) / _band(power, LOW, MIDDLE)))


def long_term_power(samples: Samples) -> Power:
    """Mean power of each of the 257 bins of 31.25 Hz over the frames wholly within ``samples``, float64 (257,).

    A tiny constant (about -120 dB re a full-scale sine) keeps logarithms of empty bins finite.
    """
    frames = sliding_window_view(samples, FRAME)[::HOP]
    spectra = np.fft.rfft(frames * _HANN, axis=1)
    power: Power = np.mean(spectra.real**2 + spectra.imag**2, axis=0, dtype=np.float64)
    return power + 1e-12 * (FRAME / 4) ** 2


def _band(power: Power, low: float, high: float) -> float:
    return float(power[(low <= _FREQUENCIES) & (high > _FREQUENCIES)].sum())
