"""The spectrum of each frame within the telephone band: its level, its balance, and its cepstrum.

Vocal effort and hot anger move energy upwards: alpha ratio up, Hammarberg index down, slopes flatter. What they do to
the mouth shows in the cepstrum. numpy computes the spectra, not librosa: the first ``librosa.stft`` of a process takes
seconds (it imports numba and scipy.signal).
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples

Floats = NDArray[np.float32]

FRAME = 512
"""Samples a frame: 32 ms, 31.25 Hz a bin."""
LOW, MIDDLE, UPPER, HIGH = 300.0, 1000.0, 2000.0, 3400.0
"""Hz: the telephone band; the split of slopes and alpha ratio (1000), of Hammarberg's index (2000)."""
MELS, COEFFICIENTS = 20, 12
EMPTY = 1e-9
"""Power of a band (re a full-scale sine, about -90 dB) under which there is nothing: digital silence, no voice."""
DEEPEST = np.float32(1e-5)
"""Share of a frame's power (-50 dB) that is the floor of each of its bins. G.711 has its own noise at about -38 dB."""

SHAPE: tuple[str, ...] = ("level", "alpha", "hammarberg", "slope_low", "slope_high", "centroid", "flux")
"""level: dB re a full-scale sine. alpha: dB, 1000-3400 over 300-1000 Hz. hammarberg: dB, strongest bin of 300-2000 over
that of 2000-3400. slope_low, slope_high: dB/kHz in 300-1000 and 1000-3400. centroid: Hz. flux: 0-2, how far the
spectrum (of sum 1) moved from the row before."""
CEPSTRUM: tuple[str, ...] = tuple(f"mfcc{number}" for number in range(1, COEFFICIENTS + 1))

_FREQUENCIES = np.arange(FRAME // 2 + 1) * (16_000 / FRAME)
_INSIDE = (_FREQUENCIES >= LOW) & (_FREQUENCIES < HIGH)
_HERTZ = _FREQUENCIES[_INSIDE].astype(np.float32)
_TAPER = np.hanning(FRAME + 1)[:-1].astype(np.float32)
_UNIT = np.float32(4.0 / (FRAME * float((_TAPER**2).sum())))
"""Brings the bins of a full-scale sine to a sum of 1."""


def shapes(windows: Samples) -> Floats:
    """float32 (n, 512) to float32 (n, 7 + 12): ``SHAPE``, then ``CEPSTRUM``."""
    power = _power(windows)
    total = power.sum(axis=1)
    alive = total > EMPTY
    logs = _decibels(power, total)
    low, high = _HERTZ < MIDDLE, _HERTZ >= MIDDLE
    upper = _HERTZ >= UPPER
    ratio = 10 * np.log10((power[:, high].sum(axis=1) + 1e-12) / (power[:, low].sum(axis=1) + 1e-12))
    shape = np.column_stack(
        (
            ratio,
            logs[:, ~upper].max(axis=1) - logs[:, upper].max(axis=1),
            logs[:, low] @ _LINE_LOW,
            logs[:, high] @ _LINE_HIGH,
            power @ _HERTZ / (total + 1e-20),
            _flux(power / (total[:, None] + 1e-20)),
            _decibels(power @ _FILTERS, total) @ _COSINES,
        )
    )
    shape[~alive] = np.nan
    return np.column_stack((10 * np.log10(np.maximum(total, EMPTY)), shape)).astype(np.float32)


def _power(windows: Samples) -> Floats:
    """Power of each bin within the band; the bins of a full-scale sine add up to 1."""
    spectra = np.fft.rfft(windows * _TAPER, axis=1)[:, _INSIDE]
    return ((spectra.real**2 + spectra.imag**2) * _UNIT).astype(np.float32)


def _decibels(power: Floats, total: Floats) -> Floats:
    """No bin is taken for less than ``DEEPEST`` under the frame's whole power: there a line has its own noise only."""
    decibels: Floats = 10 * np.log10(power + DEEPEST * total[:, None] + np.float32(1e-20))
    return decibels


def _flux(shares: Floats) -> Floats:
    """The first row has none before it and takes that of the second."""
    if len(shares) < 2:
        return np.zeros(len(shares), np.float32)
    moved = np.abs(np.diff(shares, axis=0)).sum(axis=1)
    return np.concatenate((moved[:1], moved))


def _line(hertz: Floats) -> Floats:
    """What a dB spectrum is multiplied by to give the slope of its regression line, dB/kHz."""
    centred = (hertz - hertz.mean()) / 1000
    return np.asarray(centred / (centred**2).sum(), np.float32)


def _triangles() -> Floats:
    """Triangular filters, equally wide in mel (O'Shaughnessy 1987), over the bins of the band: (bins, MELS)."""
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (LOW, HIGH))
    edges = 700 * (10 ** (np.linspace(lowest, highest, MELS + 2) / 2595) - 1)
    left, top, right = edges[:-2], edges[1:-1], edges[2:]
    bins = _HERTZ[:, None]
    rise, fall = (bins - left) / (top - left), (right - bins) / (right - top)
    return np.asarray(np.maximum(0, np.minimum(rise, fall)), np.float32)


def _cosines() -> Floats:
    """The orthonormal cosine transform (type II) without its constant: (MELS, COEFFICIENTS)."""
    bands, orders = np.arange(MELS)[:, None] + 0.5, np.arange(1, COEFFICIENTS + 1)
    return np.asarray(np.cos(np.pi * bands * orders / MELS) * np.sqrt(2 / MELS), np.float32)


_FILTERS, _COSINES = _triangles(), _cosines()
_LINE_LOW, _LINE_HIGH = _line(_HERTZ[_HERTZ < MIDDLE]), _line(_HERTZ[_HERTZ >= MIDDLE])
