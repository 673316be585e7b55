"""Calls with known truth, built in numpy alone and fast: a 20 s call takes well under a second.

The voice is no one's: glottal pulses with a little jitter through four moving formants, new vowels each
syllable, a fricative before most of them, a rhythm that never falls to silence. Silero v6 hears it as speech, both
wide band and with `telephone=True`; the bounds of a line are the truth to the sample, so boundary errors in ms can
be asserted.

Words need a real voice: `sample_line` cuts the heard audio of one line from our own sample calls, and a
`Line(..., voice=that)` places it at an exact sample, its length decided by the material.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

import sample_audio

Channel = Literal["agent", "customer"]
CHANNELS: tuple[Channel, Channel] = ("agent", "customer")
Floats = NDArray[np.float64]
Pcm = NDArray[np.int16]

# F1 to F4 in Hz of five open to close vowels (round numbers after Peterson and Barney, 1952).
VOWELS = np.array(
    [
        [730.0, 1090.0, 2440.0, 3400.0],
        [530.0, 1840.0, 2480.0, 3500.0],
        [300.0, 2250.0, 2950.0, 3600.0],
        [570.0, 860.0, 2410.0, 3300.0],
        [440.0, 1020.0, 2240.0, 3300.0],
    ]
)
CLOSED = np.array([[250.0, 1000.0, 2200.0, 3300.0], [250.0, 1700.0, 2600.0, 3500.0], [280.0, 2100.0, 2500.0, 3500.0]])
"""Loci of lip, tongue-tip and tongue-back consonants in Hz."""
WIDTHS = np.array([80.0, 100.0, 140.0, 200.0])
BREATH = 0.01
"""Aspiration in the glottal source, against pulses of height 1."""
GRID = 256
"""Samples a spectral frame (half overlapped) at any rate."""
BAND = (300.0, 3400.0)


@dataclass(frozen=True, slots=True)
class Line:
    """One stretch of unbroken speech."""

    channel: Channel
    start_s: float
    seconds: float
    f0_hz: float = 120.0
    """Median F0."""
    f0_move_st: float = 2.0
    """Half the F0 excursion around the median, semitones."""
    level_dbfs: float = -26.0
    """RMS of the whole line."""
    rate_syllables: float = 4.5
    """Syllables a second."""
    voice: Floats | None = None
    """Material to use instead of the synthetic voice; then `seconds` is its length."""


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open stretch in samples of the built audio."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A line as it was placed."""

    channel: Channel
    span: Span
    f0_hz: float
    f0_move_st: float
    level_dbfs: float
    syllables: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known about a built call."""

    rate: int
    """Hz."""
    samples: int
    lines: tuple[SaidLine, ...]
    speech: dict[Channel, tuple[Span, ...]] = field(default_factory=dict)
    """Speech of each channel; lines that touch are joined."""
    overlaps: tuple[Span, ...] = ()
    """Stretches where both speak, however short."""

    def ms(self, span: Span) -> tuple[float, float]:
        """A span in ms."""
        return 1000 * span.start / self.rate, 1000 * span.end / self.rate


def _f0(line: Line, count: int, rate: int, rng: np.random.Generator) -> Floats:
    """F0 in Hz a sample: two slow waves whose median is the line's F0, and 0.5 % jitter."""
    t = np.arange(count) / rate
    phase = rng.uniform(0, 2 * np.pi, 2)
    wave = 0.7 * np.sin(2 * np.pi * 0.8 * t + phase[0]) + 0.3 * np.sin(2 * np.pi * 2.1 * t + phase[1])
    wave -= np.median(wave)
    knots = rng.normal(0, 0.005, count // (rate // 100) + 2)
    jitter = np.interp(np.arange(count), np.arange(len(knots)) * (rate // 100), knots)
    return np.asarray(line.f0_hz * 2 ** (line.f0_move_st * wave / 12) * (1 + jitter))


def _pulses(f0: Floats, rate: int) -> Floats:
    """A sum-free glottal source: one impulse a period, split over two samples, with a falling spectrum."""
    phase = np.cumsum(f0) / rate
    at = np.flatnonzero(np.diff(np.floor(phase), prepend=0.0) > 0)
    source = np.zeros(len(f0))
    late = np.clip((phase[at] - np.floor(phase[at])) * rate / f0[at], 0, 1)
    source[at] += 1 - late
    source[np.maximum(at - 1, 0)] += late
    return source


def _gains(formants: Floats, hz: Floats) -> Floats:
    """Magnitude of the vocal tract for each frame's formants, (frames, bins): resonances in cascade."""
    gain = 1 / np.sqrt(1 + (hz / 150.0) ** 2) * np.ones((len(formants), 1))
    for centre, width in zip(formants.T, WIDTHS, strict=True):
        c, b = centre[:, None], width
        gain = gain * c**2 / np.sqrt((hz**2 - c**2) ** 2 + (b * hz) ** 2)
    return np.asarray(gain)


def _filtered(source: Floats, gains: Floats) -> Floats:
    """Overlap-add of half-overlapped Hann frames, each with its own zero-phase gain (half a frame late: no wrap)."""
    hop = GRID // 2
    delay = np.exp(-2j * np.pi * np.arange(GRID + 1) * hop / (2 * GRID))
    padded = np.concatenate((np.zeros(hop), source, np.zeros(len(gains) * hop + GRID - hop - len(source))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, GRID)[::hop][: len(gains)]
    window = np.hanning(GRID + 1)[:GRID]
    done = np.fft.irfft(np.fft.rfft(frames * window, 2 * GRID, axis=1) * gains * delay, 2 * GRID, axis=1)
    out = np.zeros((len(gains) + 4) * hop)
    for part in range(4):
        piece = done[:, part * hop : (part + 1) * hop].reshape(-1)
        out[part * hop : part * hop + len(piece)] += piece
    return out[2 * hop : 2 * hop + len(source)]


def _formants(beats: int, frames: int, rng: np.random.Generator) -> Floats:
    """F1 to F4 a frame, (frames, 4): from a closed mouth to one vowel, glide to another, close again."""
    knots, spots = [], []
    for beat in range(beats):
        first, second = VOWELS[rng.choice(len(VOWELS), 2, replace=False)]
        knots += [CLOSED[rng.integers(0, len(CLOSED))], first, second]
        spots += [beat, beat + 0.3, beat + 0.75]
    at = np.linspace(0, beats, frames)
    columns = np.array(knots).T * rng.uniform(0.95, 1.05, (4, 1))
    return np.stack([np.interp(at, spots, column) for column in columns], axis=1)


def _swell(place: Floats) -> Floats:
    """Loudness inside a syllable: quick rise, slow fall, never silent."""
    return np.asarray(np.interp(place, [0.0, 0.12, 0.3, 0.7, 1.0], [0.12, 0.6, 1.0, 0.75, 0.12]))


def _hiss(number: NDArray[np.intp], place: Floats, beats: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Fricative noise and the gate (0 to 1) that lets it in at the start of most syllables but the first."""
    noisy = (rng.random(beats) < 0.6) & (np.arange(beats) > 0)
    gate = noisy[number] * np.clip(1 - place / 0.3, 0, 1) ** 0.5
    return np.diff(rng.standard_normal(len(place) + 1)) * gate * 0.3, gate


def _voice(line: Line, count: int, rate: int, rng: np.random.Generator) -> Floats:
    """The synthetic voice, at an arbitrary level."""
    beats = max(1, round(line.seconds * line.rate_syllables))
    beat = np.arange(count) / count * beats
    number = beat.astype(np.intp)
    frames = count // (GRID // 2) + 2
    hz: Floats = np.fft.rfftfreq(2 * GRID, 1 / rate).astype(np.float64)
    source = _pulses(_f0(line, count, rate, rng), rate) + BREATH * rng.standard_normal(count)
    voiced = _filtered(source, _gains(_formants(beats, frames, rng), hz))
    voiced /= np.sqrt(np.mean(voiced**2))
    hiss, gate = _hiss(number, beat - number, beats, rng)
    stress = rng.uniform(0.6, 1.0, beats)[number]
    return np.asarray(voiced * _swell(beat - number) * stress * (1 - 0.85 * gate) + hiss)


def _edges(audio: Floats, rate: int) -> Floats:
    """Fade 5 ms in and 10 ms out so that a line does not click."""
    rise, fall = rate // 200, rate // 100
    audio[:rise] *= np.linspace(0, 1, rise)
    audio[-fall:] *= np.linspace(1, 0, fall)
    return audio


def telephone_band(audio: Floats, rate: int) -> Floats:
    """300 to 3400 Hz, zero phase, for a whole signal."""
    hz = np.fft.rfftfreq(len(audio), 1 / rate)
    low = 1 / (1 + (BAND[0] / np.maximum(hz, 1e-3)) ** 4)
    high = 1 / (1 + (hz / BAND[1]) ** 24)
    return np.asarray(np.fft.irfft(np.fft.rfft(audio) * np.sqrt(low * high), len(audio)))


def say(line: Line, rate: int = 16_000, seed: int = 0, telephone: bool = False) -> Floats:
    """One line alone, full scale 1.0, exactly `seconds` long, at its level."""
    count = round(line.seconds * rate) if line.voice is None else len(line.voice)
    voice = _voice(line, count, rate, np.random.default_rng(seed)) if line.voice is None else line.voice.copy()
    audio = _edges(telephone_band(voice, rate) if telephone else voice, rate)
    return audio * float(10 ** (line.level_dbfs / 20) / np.sqrt(np.mean(audio**2)))


def _join(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: s.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


def _both(one: tuple[Span, ...], two: tuple[Span, ...]) -> tuple[Span, ...]:
    shared = [Span(max(a.start, b.start), min(a.end, b.end)) for a in one for b in two]
    return tuple(sorted((s for s in shared if s.end > s.start), key=lambda s: s.start))


def truth_of(said: list[SaidLine], samples: int, rate: int) -> Truth:
    """Speech and overlaps that follow from the placed lines."""
    speech = {who: _join([line.span for line in said if line.channel == who]) for who in CHANNELS}
    return Truth(rate, samples, tuple(said), speech, _both(speech["agent"], speech["customer"]))


def _place(line: Line, audio: Floats, rate: int) -> SaidLine:
    start = round(line.start_s * rate)
    syllables = max(1, round(line.seconds * line.rate_syllables))
    span = Span(start, start + len(audio))
    return SaidLine(line.channel, span, line.f0_hz, line.f0_move_st, line.level_dbfs, syllables)


def build(
    lines: list[Line],
    seconds: float,
    rate: int = 16_000,
    noise_dbfs: float = -60.0,
    seed: int = 0,
    telephone: bool = False,
) -> tuple[Pcm, Truth]:
    """A call as int16 (n, 2), agent first, and its truth. Raises ValueError if a line ends after the call."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    mix = rng.standard_normal((count, 2)) * 10 ** (noise_dbfs / 20)
    said = []
    for number, line in enumerate(lines):
        audio = say(line, rate, seed + 1 + number, telephone)
        placed = _place(line, audio, rate)
        if placed.span.end > count:
            raise ValueError(f"line {number} ends at {placed.span.end}, the call at {count}")
        mix[placed.span.start : placed.span.end, CHANNELS.index(line.channel)] += audio
        said.append(placed)
    pcm = np.clip(np.rint(mix * 32767), -32768, 32767).astype(np.int16)
    return pcm, truth_of(said, count, rate)


def sample_line(call: str, index: int, rate: int = 16_000) -> Floats:
    """The audio of line `index` of one of our sample calls, resampled: material for `Line(voice=...)`."""
    import soxr

    row = json.loads(sample_audio.path(call).with_suffix(".truth.json").read_text(encoding="utf-8"))["lines"][index]
    audio, own = sf.read(sample_audio.path(call), dtype="float64")
    part = audio[row["begin_ms"] * own // 1000 : row["end_ms"] * own // 1000, CHANNELS.index(row["channel"])]
    return np.asarray(soxr.resample(part, own, rate), dtype=np.float64)
