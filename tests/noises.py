"""Sounds that are no conversation, made in numpy: tones and their cadences, music, noise, clipping, a telephone line.

All are float64 at 16 kHz, full scale 1.0; each has the level it is asked for (RMS in dBFS while it sounds).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from tests.synth import telephone_band

RATE = 16_000
Floats = NDArray[np.float64]

RINGING: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "us": ((440, 480), (2.0, 4.0)),
    "uk": ((400, 450), (0.4, 0.2, 0.4, 2.0)),
    "germany": ((425,), (1.0, 4.0)),
    "france": ((440,), (1.5, 3.5)),
    "spain": ((425,), (1.5, 3.0)),
    "japan": ((384, 416), (1.0, 2.0)),
    "china": ((450,), (1.0, 4.0)),
    "australia": ((400, 425, 450), (0.4, 0.2, 0.4, 2.0)),
}
"""Lines in Hz, then seconds on and off, of one ring and the pause after it."""

TONES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "dial us": ((350, 440), (8.0,)),
    "dial germany": ((425,), (8.0,)),
    "busy us": ((480, 620), (0.5, 0.5)),
    "busy germany": ((425,), (0.48, 0.48)),
    "busy uk": ((400,), (0.375, 0.375)),
    "reorder": ((480, 620), (0.25, 0.25)),
    "fax calling": ((1100,), (0.5, 3.0)),
    "fax answer": ((2100,), (3.0,)),
    "beep": ((1400,), (0.4, 20.0)),
}

DTMF = ((697, 770, 852, 941), (1209, 1336, 1477))


def _edges(audio: Floats) -> Floats:
    ramp = np.linspace(0, 1, 80)
    audio[:80] *= ramp
    audio[-80:] *= ramp[::-1]
    return audio


def at(audio: Floats, dbfs: float) -> Floats:
    return np.asarray(audio * 10 ** (dbfs / 20) / np.sqrt(np.mean(audio**2)))


def tone(hz: Sequence[float], seconds: float, dbfs: float = -20.0) -> Floats:
    time = np.arange(round(seconds * RATE)) / RATE
    return _edges(at(np.sum([np.sin(2 * np.pi * f * time + i) for i, f in enumerate(hz)], axis=0), dbfs))


def cadence(hz: Sequence[float], pattern: Sequence[float], times: int, dbfs: float = -20.0) -> Floats:
    """On, off, on, off ..., the whole of it `times`; silence where it is off."""
    parts = []
    for _ in range(times):
        for place, seconds in enumerate(pattern):
            parts.append(np.zeros(round(seconds * RATE)) if place % 2 else tone(hz, seconds, dbfs))
    return np.concatenate(parts)


def dtmf(digits: Sequence[int], on: float = 0.1, off: float = 0.1, dbfs: float = -20.0) -> Floats:
    """Digits 1 to 9."""
    pairs = [(DTMF[0][(digit - 1) // 3], DTMF[1][(digit - 1) % 3]) for digit in digits]
    return np.concatenate([np.concatenate((tone(pair, on, dbfs), np.zeros(round(off * RATE)))) for pair in pairs])


def _note(hz: float, seconds: float, decay: float) -> Floats:
    """Six harmonics, struck and dying away; decay: 1/s."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.sum([np.sin(2 * np.pi * hz * k * time + k) / k**1.2 for k in range(1, 7) if hz * k < 7000], axis=0)
    return _edges(wave * np.exp(-decay * time))


def _drum(rng: np.random.Generator, seconds: float) -> Floats:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(rng.standard_normal(len(time)) * np.exp(-time / 0.04))


def music(seconds: float, bpm: float = 100, style: str = "chords", drums: bool = True, seed: int = 0) -> Floats:
    """chords: three notes held for two beats. arpeggio: one note each half beat, ringing on. melody over both: pad."""
    rng = np.random.default_rng(seed)
    beat = 60 / bpm
    out = np.zeros(round((seconds + 4) * RATE))
    progression = [(57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62)]

    def place(audio: Floats, when: float, gain: float) -> None:
        start = round(when * RATE)
        part = audio[: max(0, len(out) - start)]
        out[start : start + len(part)] += gain * part

    for number in range(int(seconds / beat)):
        chord = progression[number // 2 % 4]
        when = number * beat
        if style == "chords" and number % 2 == 0:
            for key in chord:
                place(_note(440 * 2 ** ((key - 69) / 12), 2 * beat, 0.8), when, 1.0)
        if style == "arpeggio":
            for half in (0, 1):
                key = chord[(2 * number + half) % 3] + 12
                place(_note(440 * 2 ** ((key - 69) / 12), 2 * beat, 2.0), when + half * beat / 2, 1.0)
        if style == "melody":
            for key in chord if number % 2 == 0 else ():
                place(_note(440 * 2 ** ((key - 69) / 12), 2 * beat, 0.5), when, 0.5)
            place(_note(440 * 2 ** ((rng.choice(chord) + 24 - 69) / 12), beat, 1.5), when, 1.0)
        if drums:
            place(_drum(rng, 0.2), when, 1.5)
    return at(out[: round(seconds * RATE)], -24.0)


def noise(seconds: float, colour: str = "white", dbfs: float = -35.0, seed: int = 0) -> Floats:
    """white: flat; pink: power falls with the frequency; brown: with its square."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0)
    spectrum *= hz ** {"white": 0.0, "pink": -0.5, "brown": -1.0}[colour]
    return at(np.fft.irfft(spectrum, count), dbfs)


def hum(seconds: float, mains: float = 50.0, dbfs: float = -35.0) -> Floats:
    """Mains hum with twenty harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    return at(np.sum([np.sin(2 * np.pi * mains * k * time + k * k) / k**0.5 for k in range(1, 21)], axis=0), dbfs)


def mulaw(audio: Floats) -> Floats:
    """Once over a telephone line: 300-3400 Hz, then G.711."""
    return g711(telephone_band(audio, RATE))


def g711(audio: Floats) -> Floats:
    """To 8 kHz, µ-law (its continuous form) and back to 16 kHz; what is over full scale is cut off there."""
    narrow = np.clip(soxr.resample(audio, RATE, RATE // 2), -1, 1)
    code = np.round(127 * np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log1p(255)) / 127
    heard = soxr.resample(np.sign(code) * np.expm1(np.abs(code) * np.log1p(255)) / 255, RATE // 2, RATE).clip(-1, 1)
    return np.asarray(np.pad(heard, (0, max(0, len(audio) - len(heard))))[: len(audio)])
