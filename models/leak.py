"""How two channels of sound are related: whether one lies in the other, how late and how loud, and what is left of
the other without it.

Written after the literature, in numpy alone: the lag by a whitened cross-correlation (Knapp and Carter, 1976, "The
generalized correlation method for estimation of time delay"), the path by a partitioned frequency-domain Kalman
filter (Enzner and Vary, 2006, "Frequency-domain adaptive Kalman filter for acoustic echo control"; partitions after
Kuech, Mabande and Enzner, 2014), which adapts less the more else is heard and so needs no detector of double-talk.
"""

import math
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.protocols import Samples

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

STEP = 512
"""Samples a step of the canceller and of the judges: 32 ms at 16 kHz."""
BLOCK = 4 * STEP
"""Samples of the victim in one step of the finder: 128 ms."""
WINDOW = 8192
"""Samples of the source in one step of the finder; ``WINDOW - BLOCK`` lags come out without wrapping round."""
REACH = 2 * STEP
"""Samples of path that the canceller knows: 64 ms."""
LEAD = 128
"""Samples of path before the lag that was found, which is where most of the energy is, not where it begins."""


class Past:
    """The latest ``size`` samples of each of ``rows`` signals, contiguous, so that any stretch of them is a view."""

    def __init__(self, rows: int, size: int) -> None:
        self._held = np.zeros((rows, 2 * size), np.float32)
        self._size = size
        self._end = size

    def push(self, samples: Samples) -> None:
        """samples: float32 (rows, n), n at most ``size``."""
        count = samples.shape[1]
        if self._end + count > self._held.shape[1]:
            self._held[:, : self._size] = self._held[:, self._end - self._size : self._end]
            self._end = self._size
        self._held[:, self._end : self._end + count] = samples
        self._end += count

    def last(self, row: int, count: int, ago: int = 0) -> Samples:
        """float32 (count,): the stretch that ended ``ago`` samples ago; zeros before the first. Raises ModelError."""
        if count + ago > self._size:
            raise ModelError(f"{count} samples that ended {ago} ago were asked for; the last {self._size} are kept")
        end = self._end - ago
        view: Samples = self._held[row, end - count : end]
        return view

    def copy(self) -> "Past":
        """Another, with the same past and a future of its own."""
        return deepcopy(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """lag: samples. strength: 0-1, coherent share of the correlation. contrast: that over what lies at other lags.

    breadth: share (0-1) of the bins within 20 dB of the source's mean: a tone fills few. blocks: how many it rests on.
    """

    lag: int
    strength: float
    contrast: float
    breadth: float
    blocks: int


class Finder:
    """Looks for one signal in another over lags from 0 to ``lags`` samples.

    Cross- and auto-spectra are summed over blocks, each at one level, and fade (by e in 14 blocks, 1.8 s); each bin
    under 4 kHz weighs the same wherever it has energy, so a tone, which fills few bins, or mains hum is no relation.
    The energy of the correlation is summed over 4 ms, so that a room's echo counts as one; two voices with one F0
    correlate at every period alike and give no contrast.
    """

    FADE = 0.93
    FLOOR = 1e-3
    """Energy of a bin, against the mean of all, under which it hardly counts."""
    FAR_DB = 15.0
    """Level of the source over the victim from which a block counts in full: who speaks over a leak hides it."""
    SPREAD = 32
    """Lags (at 8 kHz) whose energy is summed: 4 ms."""

    def __init__(self, lags: int) -> None:
        if not 0 < lags <= WINDOW - BLOCK:
            raise ModelError(f"lags must be 1 to {WINDOW - BLOCK} samples, got {lags}")
        bins = WINDOW // 4 + 1
        self._lags = lags // 2 + self.SPREAD
        self._taper = _tapered(BLOCK // 2)
        self._powers: Floats = np.zeros((2, bins))
        self._cross: Complexes = np.zeros(bins, np.complex128)
        self.blocks = 0

    def hear(self, source: Samples, victim: Samples) -> None:
        """source: float32 (8192,). victim: float32 (2048,), which ends where the source does."""
        far, near = _halved(source), _halved(victim) * self._taper
        loud, soft = _mean_square(far), _mean_square(near)
        weight = min(1.0, max(0.0, 10 * math.log10(loud / soft) / self.FAR_DB))
        pair = np.zeros((2, WINDOW // 2))
        pair[0] = far * math.sqrt(weight / loud)
        pair[1, -BLOCK // 2 :] = near * math.sqrt(weight / soft)
        spectra = np.fft.rfft(pair)
        self._powers *= self.FADE
        self._powers += _power(spectra)
        self._cross *= self.FADE
        self._cross += spectra[1] * spectra[0].conj()
        self.blocks += 1

    def find(self, least: float = 0.0) -> Finding | None:
        """What was heard so far comes to, a block at least; None where its strength is under ``least``."""
        floors = self.FLOOR * self._powers.mean(axis=1, keepdims=True) + 1e-30
        x, y = self._powers + floors
        # the victim's block is a quarter of the source's window, so a bin's coherence is a half at most
        correlation = 2 * np.fft.irfft(self._cross / np.sqrt(x * y))[: self._lags]
        summed = np.cumsum(correlation**2)
        energy = summed[self.SPREAD - 1 :].copy()
        energy[1:] -= summed[: -self.SPREAD]
        best = int(energy.argmax())
        strength = math.sqrt(energy[best])
        if strength < least:
            return None
        peak = best + int(np.abs(correlation[best : best + self.SPREAD]).argmax())
        contrast = float(np.sqrt(energy[best] / (np.median(energy) + 1e-30)))
        source = self._powers[0]
        breadth = float(np.count_nonzero(source > source.mean() / 100)) / len(source)
        return Finding(2 * peak, strength, contrast, breadth, self.blocks)

    def forget(self) -> None:
        """Begin anew."""
        self._powers[:] = 0
        self._cross[:] = 0
        self.blocks = 0


class Canceller:
    """Predicts what of the source is in the victim, and learns the path between them as it goes.

    lag: samples, from a ``Finding``. gain: leaked power over the source's own, as far as it is known.
    The path is sought from ``LEAD`` samples before the lag, ``REACH`` samples long.
    """

    KEEP = 0.9995
    """How much of the path is the same 32 ms later; the rest is drift."""
    TAIL = 0.3
    """Power of the path's second half that is thought possible, against its first."""
    FADE = 0.8
    """Of the spectrum of what is not leak, a step of 32 ms."""

    def __init__(self, lag: int, gain: float) -> None:
        if lag < 0 or gain <= 0:
            raise ModelError(f"lag must not be negative and gain must be positive, got {lag} and {gain}")
        self.delay = max(0, lag - LEAD)
        parts = REACH // STEP
        shape = (parts, STEP + 1)
        self._spectra: Complexes = np.zeros(shape, np.complex128)
        self._path: Complexes = np.zeros(shape, np.complex128)
        self._doubt: Floats = gain * np.where(np.arange(parts) == 0, 1.0, self.TAIL)[:, None] * np.ones(shape)
        self._rest: Floats = np.zeros(STEP + 1)

    def predict(self, source: Samples) -> Floats:
        """float64 (512,): the leak in the next step. source: the 1024 samples that end ``delay`` before that step."""
        self._spectra[1:] = self._spectra[:-1]
        self._spectra[0] = np.fft.rfft(source)
        leak: Floats = np.fft.irfft((self._spectra * self._path).sum(axis=0))[STEP:]
        return leak

    def learn(self, residual: Floats) -> None:
        """residual: float64 (512,), the victim less the last prediction."""
        error = np.fft.rfft(np.concatenate((np.zeros(STEP), residual)))
        rest = _power(error)
        power = _power(self._spectra)
        # at least what was heard just now: an own voice that sets in must not be learnt as path
        noise = np.maximum(self._rest, rest)
        self._rest = self.FADE * self._rest + (1 - self.FADE) * rest
        gain = self._doubt / ((power * self._doubt).sum(axis=0) + 2 * noise + 1e-9)
        change = np.fft.irfft(gain * self._spectra.conj() * error)
        change[:, STEP:] = 0
        self._path += np.fft.rfft(change)
        keep = self.KEEP**2
        self._doubt = keep * (1 - 0.5 * gain * power) * self._doubt + (1 - keep) * _power(self._path)

    def peak(self) -> int:
        """Samples from the source to where the path is strongest."""
        response = np.fft.irfft(self._path)[:, :STEP].reshape(-1)
        return self.delay + int(np.abs(response).argmax())


class Judge:
    """Tells a step that holds only leak from one with a voice of its own.

    A codec or a room leaves more of a leak than a straight wire does, so what is usually left is learnt, as the
    third decile of residual over predicted power: a voice of one's own does not move it much.
    """

    MARGIN_DB = 9.0
    """Residual over what is expected, from which there is a voice of its own."""
    HOLD_DB = 5.0
    """The same while it lasts."""
    HOLD = 6
    """Steps it lasts after the last that is over: 192 ms, the hangover of a word."""
    BEST_DB, FIRST_DB, WORST_DB = -20.0, -6.0, 0.0
    """Range of what may be expected: no path is known better, none that was found is worse, a fresh one is poor."""
    REVERB = 0.5
    """Power of the residual's expected decay, a step: 3 dB in 32 ms, a room with 0.64 s of reverberation."""
    RISE_DB, FALL_DB = 0.15, 0.35
    """Steps of the decile up and down."""

    def __init__(self, usual_db: float) -> None:
        self._usual_db = min(max(usual_db, self.FIRST_DB), self.WORST_DB)
        self._expected = 0.0
        self._left = 0

    def own(self, predicted: float, residual: float) -> bool:
        """Whether the step holds more than leak. predicted, residual: mean squares."""
        expected = max(predicted * 10 ** (self._usual_db / 10), self._expected * self.REVERB)
        self._expected = expected
        over = 10 * np.log10((residual + 1e-12) / (expected + 1e-12))
        if over >= (self.HOLD_DB if self._left else self.MARGIN_DB):
            self._left = self.HOLD
        elif self._left:
            self._left -= 1
        return self._left > 0

    def learn(self, predicted: float, residual: float) -> None:
        ratio = 10 * np.log10((residual + 1e-12) / (predicted + 1e-12))
        moved = self._usual_db + (self.RISE_DB if ratio > self._usual_db else -self.FALL_DB)
        self._usual_db = min(max(moved, self.BEST_DB), self.WORST_DB)


def same(first: Samples, second: Samples) -> bool:
    """Whether two steps are one sound: correlation at least 0.95 within 1 ms, levels within 3 dB.

    float32 (512,) both, not silent. A leak is at least 6 dB weaker than its source, so the two are never confused.
    """
    level = float(np.dot(first, first)) / (float(np.dot(second, second)) + 1e-30)
    if not 0.5 <= level <= 2.0:
        return False
    slack = 16
    inner = second[slack:-slack]
    products = np.correlate(first, inner)
    lag = int(np.abs(products).argmax())
    across = float(np.dot(first[lag : lag + len(inner)], first[lag : lag + len(inner)]))
    along = float(np.dot(inner, inner))
    return float(products[lag]) ** 2 >= 0.9 * across * along


def _power(spectrum: Complexes) -> Floats:
    power: Floats = spectrum.real**2 + spectrum.imag**2
    return power


def _mean_square(block: Floats | Samples) -> float:
    return float(np.dot(block, block)) / len(block) + 1e-20


def _halved(block: Samples) -> Samples:
    """At half the rate, by pairs: calls have little over 4 kHz, and what folds back folds back in both."""
    return block[::2] + block[1::2]


def _tapered(count: int) -> Floats:
    """A rectangle whose first and last eighth are raised cosines, so that a tone stays in its bins."""
    edge = count // 8
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    return np.concatenate((rise, np.ones(count - 2 * edge), rise[::-1]))
