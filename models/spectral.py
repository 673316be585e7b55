"""Shape of the spectrum within the telephone band, 300-3400 Hz: how hard a voice works.

Vocal effort and hot anger move energy upwards: alpha ratio up, Hammarberg index down, slope flatter.
The features follow eGeMAPS (Eyben et al., IEEE Trans. Affective Computing 7(2), 2016) in spirit; its bands reach from
50 to 5000 Hz, which no G.711 call carries, so each band here is cut to what a line passes and is named with the
feature.

numpy computes the spectrum, not librosa: the first ``librosa.stft`` of a process takes about 4 s (it imports numba and
scipy.signal), the first call here under 10 ms. The tests hold the result against ``librosa.stft``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.loudness import level_dbfs
from models.protocols import Samples

RATE = 16_000
FRAME = 512
"""Samples a frame: 32 ms, 31.25 Hz a bin."""
HOP = 256
LOW, MIDDLE, UPPER, HIGH = 300.0, 1000.0, 2000.0, 3400.0
"""Hz: the edges of the telephone band, the split of the alpha ratio (1000) and of the Hammarberg index (2000)."""
QUIET_DBFS = -80.0
"""A block under this level is line noise and quantisation and has no shape."""

Power = NDArray[np.float64]

_FREQUENCIES: Power = np.arange(FRAME // 2 + 1, dtype=np.float64) * (RATE / FRAME)
# Periodic Hann, as librosa's and scipy's default for spectra.
_HANN: Samples = np.hanning(FRAME + 1)[:-1].astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SpectralShape:
    """One block's shape; none of it depends on the level. Each figure is worked out when it is asked for.

    power: float64 (257,), from ``long_term_power``.
    """

    power: Power

    @property
    def alpha_ratio_db(self) -> float:
        """Energy in 1000-3400 Hz over energy in 300-1000 Hz, dB. Rises with vocal effort."""
        return _db(_band(self.power, MIDDLE, HIGH).sum() / _band(self.power, LOW, MIDDLE).sum())

    @property
    def hammarberg_db(self) -> float:
        """Strongest bin in 300-2000 Hz over strongest bin in 2000-3400 Hz, dB. Falls with vocal effort."""
        return _db(_band(self.power, LOW, UPPER).max() / _band(self.power, UPPER, HIGH).max())

    @property
    def slope_db_per_khz(self) -> float:
        """Regression line through the dB spectrum of 300-3400 Hz. Flatter (nearer 0) with vocal effort."""
        khz = _band(_FREQUENCIES, LOW, HIGH) / 1000.0
        return float(np.polyfit(khz, 10.0 * np.log10(_band(self.power, LOW, HIGH)), 1)[0])

    @property
    def centroid_hz(self) -> float:
        """Energy-weighted mean frequency of 300-3400 Hz, Hz. Rises with vocal effort."""
        return float(np.average(_band(_FREQUENCIES, LOW, HIGH), weights=_band(self.power, LOW, HIGH)))


def spectral_shape(samples: Samples) -> SpectralShape | None:
    """The shape of the long-term spectrum of ``samples``, or None if they are under 32 ms or under ``QUIET_DBFS``.

    samples: float32 (n,), 16 kHz. The power spectra of 32 ms Hann frames, one every 16 ms, are averaged before
    anything is taken from them: loud frames count most, pauses hardly. About 0.2 ms for 512 ms of audio.
    """
    if samples.size < FRAME or level_dbfs(samples) < QUIET_DBFS:
        return None
    return SpectralShape(long_term_power(samples))


def long_term_power(samples: Samples) -> Power:
    """Mean power of each of the 257 bins of 31.25 Hz over the frames wholly within ``samples``, float64 (257,).

    A tiny constant (about -120 dB re a full-scale sine) keeps logarithms of empty bins finite.
    """
    frames = sliding_window_view(samples, FRAME)[::HOP]
    spectra = np.fft.rfft(frames * _HANN, axis=1)
    power: Power = np.mean(spectra.real**2 + spectra.imag**2, axis=0, dtype=np.float64)
    return power + 1e-12 * (FRAME / 4) ** 2


def _band(values: Power, low: float, high: float) -> Power:
    return values[(low <= _FREQUENCIES) & (high > _FREQUENCIES)]


def _db(ratio: float) -> float:
    return float(10.0 * np.log10(ratio))
