"""What a sound is made of, 32 ms at a time: steady lines (tones, music), a level, a ceiling that cuts it off.

A voice moves: within a tenth of a second the harmonics of running speech have left the place where they stood. A note,
a ringing tone or a hum stays. So the share of the power that lies in spectral peaks which already stood there 128 ms
ago tells music from speech without knowing either: the low spectral flux of music (Scheirer and Slaney, ICASSP 1997),
taken at the peaks alone, which are the horizontal lines of a spectrogram (Fitzgerald, DAFx 2010).
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft  # type: ignore[import-untyped,unused-ignore]

from models.errors import ModelError
from models.loudness import levels_dbfs
from models.protocols import Samples

RATE = 16_000
WINDOW = 512
"""Samples a step."""
FRAME = 2048
"""Samples of the spectrum: 128 ms, 7.8 Hz a bin, so that lines 40 Hz apart are two."""
LAG = 4
"""Steps between a spectrum and the one it is held against: 128 ms, so that the two share no sample."""
LIKE = 31
"""Steps, about a second, after which music has changed and a hum has not."""
LOW, HIGH = 250.0, 3600.0
"""Hz: what a telephone line passes, with its slopes."""
QUIET_DBFS = -50.0
"""A step under this level is not looked at: codec and line noise lie there."""
STANDS_OUT = 2.5
"""Power of a peak over the mean of its surroundings (13 bins, 100 Hz) from which it is one."""
REACH = 4
"""Bins on either side of a line that belong to it: the main lobe of the window, and a slow modulation."""
PURE = 0.9
"""Share of the power in two lines from which a sound is a tone."""
SECOND = 0.05
"""Share of the power from which a second line counts."""
DRIFT_HZ = 2.5
"""A tone's line stays within this from step to step; the strongest harmonic of a hummed vowel moves more."""
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
"""Hz of the keypad (ITU-T Q.23)."""
KEY = 0.8
"""Share of the power in two lines of the keypad from which a key is pressed: half a window of it blurs them."""
KEY_HZ = 14.0
"""Hz from a keypad's line: 1.8 % of the lowest (ITU-T Q.24 lets 1.5 % pass), and half a bin."""
NEAR_CEILING = 0.85
"""Share of the ceiling that counts as at it: a flat top ripples by so much once 8 kHz has become 16 kHz."""

_HZ = RATE / FRAME
_FIRST, _LAST = round(LOW / _HZ), round(HIGH / _HZ)
_BINS = _LAST - _FIRST
_HANN: Samples = np.hanning(FRAME + 1)[:-1].astype(np.float32)
_SIDE = 6
"""Bins on either side of a bin that are its surroundings; at the edges there are fewer."""
_AROUND = np.minimum(np.arange(_BINS) + _SIDE + 1, _BINS) - np.maximum(np.arange(_BINS) - _SIDE, 0)
_BOUND = _AROUND / STANDS_OUT
"""Times a peak's power that is at least the sum of its surroundings."""

Power = NDArray[np.float32]
Peaks = NDArray[np.bool_]

_NOWHERE: Peaks = np.zeros(_BINS, np.bool_)
_NOTHING: Power = np.zeros(_BINS, np.float32)


class Sound(NamedTuple):
    """One step of 32 ms. Everything but the level is 0 or empty in a quiet step.

    level: dBFS of the step. tonal: 0-1, share of the last 128 ms' power in peaks that stood there 128 ms before.
    lines: Hz, the one or two strongest lines, where they have most of the power (``KEY``).
    held: steps in a row in which nothing but these lines was heard: a tone.
    pair: steps in a row in which they were a key of a telephone's keypad (which one is not worked out).
    like: 0-1, how like the spectrum is to the one a second ago; 0 when that was quiet.
    """

    level: float
    tonal: float = 0.0
    lines: tuple[float, ...] = ()
    held: int = 0
    pair: int = 0
    like: float = 0.0


class SoundStream:
    """State of one channel: the last 128 ms, its last spectra. About 60 µs a step alone, 10 µs when quiet; the many
    channels of many calls take a third of that (``hear_all``).
    """

    def __init__(self) -> None:
        self._audio: Samples = np.zeros(FRAME, np.float32)
        self._peaks: deque[Peaks] = deque([_NOWHERE] * LAG, maxlen=LAG)
        self._shapes: deque[Power] = deque([_NOTHING] * LIKE, maxlen=LIKE)
        self._lines: tuple[float, ...] = ()
        self._held = 0
        self._pair = 0

    def step(self, window: Samples) -> Sound:
        """window: float32 (512,), full scale 1. Raises ModelError for any other shape."""
        return hear_all([((self,), window[None])])[0][0]

    def _take(self, window: Samples) -> None:
        self._audio = np.concatenate((self._audio[WINDOW:], window))

    def _pass(self) -> None:
        """A quiet step."""
        self._lines, self._held, self._pair = (), 0, 0
        self._peaks.append(_NOWHERE)
        self._shapes.append(_NOTHING)

    def _look(self, level: float, seen: "_Seen", row: int) -> Sound:
        self._peaks.append(seen.peaks[row].copy())
        self._shapes.append(seen.shapes[row].copy())
        share = seen.shares[row]
        lines = seen.lines(row) if share >= KEY else ()
        stands = not self._lines or any(abs(line - old) < DRIFT_HZ for line in lines[:1] for old in self._lines)
        self._held = 0 if share < PURE else self._held + 1 if stands else 1
        self._pair = self._pair + 1 if share >= KEY and _on_keypad(lines) else 0
        self._lines = lines
        return Sound(level, seen.tonal[row], lines, self._held, self._pair, seen.likes[row])


def hear_all(asked: Sequence[tuple[Sequence[SoundStream], Samples]]) -> list[list[Sound]]:
    """The next step of the channels of each call: to the bit what each would hear alone. No stream twice.

    asked: the channels' streams, and float32 (channels, 512). Raises ModelError for another shape; nobody has heard
    anything then.
    """
    for streams, windows in asked:
        if windows.shape != (len(streams), WINDOW):
            raise ModelError(f"expected windows of {WINDOW} samples at {RATE} Hz, got shape {windows.shape[1:]}")
    here = [stream for streams, _ in asked for stream in streams]
    heard = np.concatenate([windows for _, windows in asked])
    for stream, window in zip(here, heard, strict=True):
        stream._take(window)
    sounds = iter(_told(here, levels_dbfs(heard)))
    return [list(islice(sounds, len(streams))) for streams, _ in asked]


def _told(streams: list[SoundStream], levels: list[float]) -> Iterator[Sound]:
    """Of each stream, in order."""
    loud = [stream for stream, level in zip(streams, levels, strict=True) if level >= QUIET_DBFS]
    seen = _Seen(loud) if loud else None
    rows = count()
    for stream, level in zip(streams, levels, strict=True):
        if seen is None or level < QUIET_DBFS:
            stream._pass()
            yield Sound(level)
        else:
            yield stream._look(level, seen, next(rows))


class _Seen:
    """What is looked at in several channels at once, a row each.

    tonal, likes: of each row, as in ``Sound``. peaks: bool (rows, bins). shapes: float32 (rows, bins), of unit power,
    as roots; their product with those of before is Bhattacharyya's coefficient. shares: of the power, in the one or two
    strongest lines.
    """

    def __init__(self, streams: list[SoundStream]) -> None:
        spectra = rfft(np.stack([each._audio for each in streams]) * _HANN)[:, _FIRST:_LAST]
        self._power: Power = (spectra.real**2 + spectra.imag**2).astype(np.float32, copy=False)
        totals = self._power.sum(axis=1).astype(np.float64) + 1e-12
        self.peaks = _peaks(self._power)
        stood = _widened(self.peaks & np.stack([each._peaks[0] for each in streams]))
        self.tonal: list[float] = ((self._power * stood).sum(axis=1) / totals).tolist()
        self.shapes: Power = np.sqrt(self._power / totals.astype(np.float32)[:, None])
        before = np.stack([each._shapes[0] for each in streams])
        self.likes: list[float] = (self.shapes[:, None, :] @ before[:, :, None]).ravel().tolist()
        self._strongest(totals)

    def _strongest(self, totals: NDArray[np.float64]) -> None:
        rest = np.pad(self._power, ((0, 0), (REACH, REACH)))
        self._first, one = _taken(rest)
        self._second, two = _taken(rest)
        self._counts = two / totals >= SECOND
        self.shares: list[float] = ((one + two) / totals).tolist()

    def lines(self, row: int) -> tuple[float, ...]:
        """Hz of the one or two strongest lines."""
        places = (self._first[row], self._second[row]) if self._counts[row] else (self._first[row],)
        return tuple(_line(self._power[row], int(place)) for place in places)


def _taken(rest: Power) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The bin of each row's strongest line, and its power, which is taken out. rest: (rows, bins), wider by REACH."""
    places = rest[:, REACH:-REACH].argmax(axis=1)
    around = places[:, None] + np.arange(2 * REACH + 1)
    power = np.take_along_axis(rest, around, axis=1).sum(axis=1).astype(np.float64)
    np.put_along_axis(rest, around, 0.0, axis=1)
    return places, power


class Clip(NamedTuple):
    """ceiling: 0-1, the highest magnitude of the last second heard.

    share: 0-1, samples of that second near the ceiling. here: the same share of this step alone.
    """

    ceiling: float
    share: float
    here: float


class Ceiling:
    """How much of a voice lies at one ceiling: what clipping does, wherever the rail is (µ-law's is 0.98).

    A voice touches its own maximum with a few samples a second; a clipped one stays at it. Feed it speech alone: a
    pure tone spends a third of its time near its maximum.
    """

    def __init__(self) -> None:
        self._audio: Samples = np.zeros((LIKE, WINDOW), np.float32)
        self._tops = [0.0] * LIKE
        self._near = [0] * LIKE
        self._ceiling = 0.0
        self._steps = 0

    def step(self, window: Samples) -> Clip:
        """window: float32 (512,), full scale 1. About 7 µs."""
        row = self._steps % LIKE
        np.abs(window, out=self._audio[row])
        self._tops[row] = float(self._audio[row].max())
        self._steps += 1
        before, self._ceiling = self._ceiling, max(self._tops)
        for changed in (row,) if self._ceiling == before else range(LIKE):
            self._near[changed] = self._count(changed)
        known = min(self._steps, LIKE)
        return Clip(self._ceiling, sum(self._near) / (known * WINDOW), self._near[row] / WINDOW)

    def _count(self, row: int) -> int:
        """Samples near the ceiling; where the highest is not, there is none."""
        bound = np.float32(NEAR_CEILING * self._ceiling)
        return int(np.count_nonzero(self._audio[row] > bound)) if self._tops[row] > bound else 0


def _peaks(power: Power) -> Peaks:
    """Local maxima that stand out of their surroundings."""
    sums = np.zeros((len(power), _BINS + 2 * _SIDE + 1))
    np.add.accumulate(power.astype(np.float64), axis=1, out=sums[:, _SIDE + 1 : -_SIDE])
    sums[:, -_SIDE:] = sums[:, -_SIDE - 1 : -_SIDE]
    found: Peaks = power * _BOUND > sums[:, 2 * _SIDE + 1 :] - sums[:, : -2 * _SIDE - 1]
    rises = power[:, 1:] > power[:, :-1]
    found[:, 1:-1] &= rises[:, :-1] & ~rises[:, 1:]
    found[:, 0] = found[:, -1] = False
    return found


def _widened(peaks: Peaks) -> Peaks:
    """Two bins more on either side: the main lobe of a Hann window."""
    wide = peaks.copy()
    for step in (1, 2):
        wide[:, step:] |= peaks[:, :-step]
        wide[:, :-step] |= peaks[:, step:]
    return wide


def _line(power: Power, place: int) -> float:
    """Hz of a peak: the top of a parabola through the logarithms of three bins."""
    if not 0 < place < _BINS - 1:
        return _HZ * (_FIRST + place)
    left, top, right = (math.log(float(value) + 1e-20) for value in power[place - 1 : place + 2])
    bend = left - 2 * top + right
    return _HZ * (_FIRST + place + (0.5 * (left - right) / bend if bend < 0.0 else 0.0))


def _on_keypad(lines: tuple[float, ...]) -> bool:
    if len(lines) < 2:
        return False
    low, high = sorted(lines)
    return any(abs(low - hz) < KEY_HZ for hz in ROWS) and any(abs(high - hz) < KEY_HZ for hz in COLUMNS)
