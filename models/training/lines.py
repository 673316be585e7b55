"""What a telephone does to a voice: the lines that clips are sent through before anything is learnt or measured.

Every line begins with the same active level, because the gain of a real line says nothing about a voice, and all but
``clean`` end in a codec at 8 kHz.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples
from models.training import audio
from models.training.audio import RATE
from models.training.chance import seeded
from models.training.errors import TrainingError

LEVEL_DBFS = -26.0
"""Active level of speech before a codec: the nominal level of ITU-T P.56 and G.191 test material."""
FRAME = 512
ACTIVE_DB = 25.0
"""A frame within so many dB of the loudest is speech."""
NARROW = 8_000
LOW, HIGH = 300.0, 3400.0
"""Hz: the telephone band."""
OPUS_LEVEL = 0.992
"""libsndfile's compression level for 8 kbit/s: 6 kbit/s a channel at 1.0, and 250 more on the way to 0.0."""
REVERBERATION_S = (0.2, 0.6)
"""Time to fall by 60 dB in an office, or in a kitchen with a phone on loudspeaker."""
DIRECT_DB = 3.0
"""The direct sound over the room's answer: a handset held near, a phone on a table."""

Chance = np.random.Generator
Step = Callable[[Samples, Chance], Samples]
CODECS: Mapping[str, Mapping[str, Any]] = {
    "mulaw": {"format": "WAV", "subtype": "ULAW"},
    "gsm": {"format": "WAV", "subtype": "GSM610"},
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": OPUS_LEVEL},
}


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines by name. noise, music: recordings to mix in, float32 (n,) each; without, noise is pink, music absent.

    seed: of all that is drawn by chance, for each clip and line anew.
    """

    seed: int = 0
    noise: Sequence[Samples] = ()
    music: Sequence[Samples] = ()
    _steps: dict[str, tuple[Step, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mulaw = partial(_coded, **CODECS["mulaw"])
        steps: dict[str, tuple[Step, ...]] = {"clean": ()}
        steps |= {name: (partial(_coded, **codec),) for name, codec in CODECS.items()}
        steps |= {
            "band": (_band, mulaw),
            "noise15": (partial(_mixed, sources=self.noise, snr_db=15.0), mulaw),
            "up12": (partial(_gained, decibels=12.0), mulaw),
            "down12": (partial(_gained, decibels=-12.0), mulaw),
            "room": (_roomed, mulaw),
            "varied": (partial(_varied, noise=self.noise),),
        }
        if self.music:
            steps["music15"] = (partial(_mixed, sources=self.music, snr_db=15.0), mulaw)
        object.__setattr__(self, "_steps", steps)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._steps)

    def check(self, name: str) -> None:
        """Raises TrainingError for a name that is no line."""
        if name == "music15" and name not in self._steps:
            raise TrainingError("the line music15 needs --music FILE")
        if name not in self._steps:
            raise TrainingError(f"{name} is no line; there are: {', '.join(self.names)}")

    def send(self, name: str, samples: Samples, clip: str) -> Samples:
        """A clip as it arrives: float32 (n,), 16 kHz, as long as it was. clip: its digest, for what is drawn."""
        self.check(name)
        chance, sent = seeded(self.seed, name, clip), levelled(samples)
        for step in self._steps[name]:
            sent = step(sent, chance)
        return np.clip(sent, -1.0, 1.0 - 2.0**-15).astype(np.float32)

    def key(self, name: str) -> str:
        """What ``send`` depends on beside the clip, for a cache."""
        parts: list[object] = [name]
        if name in ("noise15", "room", "music15", "varied"):
            parts.append(self.seed)
        sources = {"noise15": self.noise, "varied": self.noise, "music15": self.music}.get(name, ())
        parts += [f"{len(each)}:{float(np.abs(each).sum()):.3f}" for each in sources]
        return "/".join(map(str, parts))


def background(files: Sequence[Path]) -> tuple[Samples, ...]:
    """Noise or music from files. Raises TrainingError."""
    return tuple(audio.load(file) for file in files)


def levelled(samples: Samples, dbfs: float = LEVEL_DBFS) -> Samples:
    """The clip with its active level at ``dbfs``; silence as it is."""
    level = active_power(samples)
    if level == 0.0:
        return samples
    return np.asarray(samples * (10.0 ** (dbfs / 20.0) / np.sqrt(level)), np.float32)


def active_power(samples: Samples) -> float:
    """Mean square over the frames of 32 ms within ``ACTIVE_DB`` of the loudest."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) if len(samples) >= FRAME else samples[None]
    powers = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return float(powers[powers >= powers.max() * 10.0 ** (-ACTIVE_DB / 10.0)].mean())


def _gained(samples: Samples, chance: Chance, *, decibels: float) -> Samples:
    return samples * np.float32(10.0 ** (decibels / 20.0))


def _coded(samples: Samples, chance: Chance, **codec: Any) -> Samples:
    """Through a codec at 8 kHz and back. A file in memory is the codec: libsndfile holds them all."""
    import soundfile
    import soxr

    narrow = np.clip(soxr.resample(samples, RATE, NARROW), -1.0, 1.0 - 2.0**-15)
    file = io.BytesIO()
    soundfile.write(file, narrow, NARROW, **codec)
    file.seek(0)
    heard = soundfile.read(file, dtype="float32")[0]
    wide: Samples = np.asarray(soxr.resample(heard, NARROW, RATE), np.float32)
    return _fitted(wide, len(samples))


def _band(samples: Samples, chance: Chance) -> Samples:
    """300-3400 Hz, edges 100 Hz wide, without delay."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    passed = np.clip((hertz - LOW) / 100.0 + 0.5, 0, 1) * np.clip((HIGH - hertz) / 100.0 + 0.5, 0, 1)
    return np.fft.irfft(spectrum * passed, len(samples)).astype(np.float32)


def _varied(samples: Samples, chance: Chance, *, noise: Sequence[Samples]) -> Samples:
    """Another line for every clip: some have a room, most have noise, a third is cut at 300 Hz; any codec, any gain.

    To learn on, not to measure on.
    """
    heard = _roomed(samples, chance) if chance.random() < 0.2 else samples
    if chance.random() < 0.7:
        heard = _mixed(heard, chance, sources=noise, snr_db=chance.uniform(10.0, 35.0))
    if chance.random() < 0.33:
        heard = _band(heard, chance)
    heard = _gained(heard, chance, decibels=chance.uniform(-12.0, 6.0))
    return _coded(heard, chance, **CODECS[("mulaw", "mulaw", "gsm", "opus")[int(chance.integers(4))]])


def _mixed(samples: Samples, chance: Chance, *, sources: Sequence[Samples], snr_db: float) -> Samples:
    """Another sound under the voice, from a random place of a random recording."""
    if sources:
        source = sources[int(chance.integers(len(sources)))]
        under = np.roll(source, -int(chance.integers(len(source))))
        under = np.resize(under, len(samples))
    else:
        under = _pink(len(samples), chance)
    power = float(np.mean(np.square(under, dtype=np.float64)))
    if power == 0.0:
        return samples
    ratio = active_power(samples) / power / 10.0 ** (snr_db / 10.0)
    return np.asarray(samples + under * np.sqrt(ratio), np.float32)


def _pink(length: int, chance: Chance) -> Samples:
    """Power falling by 3 dB an octave, as in rooms and streets."""
    spectrum = np.fft.rfft(chance.standard_normal(length))
    shape = 1 / np.sqrt(np.maximum(np.fft.rfftfreq(length, 1 / RATE), 50.0))
    return np.asarray(np.fft.irfft(spectrum * shape, length), np.float32)


def _roomed(samples: Samples, chance: Chance) -> Samples:
    """A room's answer under the direct sound: noise that decays exponentially (Polack's model)."""
    seconds = chance.uniform(*REVERBERATION_S)
    times = np.arange(round(seconds * RATE)) / RATE
    answer: NDArray[np.float64] = chance.standard_normal(len(times)) * 10.0 ** (-3.0 * times / seconds)
    answer *= 10.0 ** (-DIRECT_DB / 20.0) / np.sqrt(np.sum(answer**2))
    answer[0] = 1.0
    length = len(samples) + len(answer)
    wet = np.fft.irfft(np.fft.rfft(samples, length) * np.fft.rfft(answer, length), length)
    return levelled(wet[: len(samples)].astype(np.float32))


def _fitted(samples: Samples, length: int) -> Samples:
    """Cut or filled with zeros: some codecs know whole frames only."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
