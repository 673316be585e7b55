"""An hour in which nobody speaks: how many words are heard in it (the goal is none), and what was refused why.

    uv run python -m benchmarks.quiet [--minutes 60] [--sounds FOLDER] [--speech INDEX.csv] [--only NAME] [--gullible]

Every sound goes over a telephone line (300-3400 Hz, G.711) on one channel of a recorded call through the whole lane
with the real recogniser, the other channel being a quiet line. Sounds are made here, but for the files of FOLDER (hold
music, ambience, tones; played again from the first if they are short) and the breaths of INDEX.csv: what stands between
the words of clean clips, made as loud as a breath on a headset. ``--minutes`` is the length of all sounds together.
``--gullible`` tries the second line of defence: speech is then heard at random, a third of the time, in anything over
the floor of speech, so that the recogniser is asked about sounds that it would never get.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from models.protocols import Identity, Samples, SpeechStream
from models.silero import WINDOW, SileroDetector
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.door import Door
from pipeline.graph import Engines, build, load
from pipeline.inputs import EngineResult, Frame
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo, Utterance
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE
from tests import noises

SETTINGS = Settings(policy=POLICIES["standard"])
LINE_DBFS = -65.0
AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
CALL_S = 600.0
"""Longest call, in seconds: a longer sound is heard in several."""
Floats = NDArray[np.float64]
Sound = Callable[[float, np.random.Generator], Floats]
"""Seconds and a source of chance to float64 (n,) at 16 kHz."""


class Gullible:
    """A detector that hears speech at random: stretches of 0.1 to 3 s, a third of the time."""

    identity = Identity("gullible", "0", "")

    def stream(self, channels: int = 1) -> "Gullible":
        return Gullible()

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._left, self._speech = 0, True

    def detect_all(self, asked: Sequence[tuple[SpeechStream, Samples]]) -> list[Sequence[float]]:
        return [stream.detect(windows) for stream, windows in asked]

    def detect(self, windows: Samples) -> list[float]:
        if self._left == 0:
            self._speech = not self._speech
            self._left = int(self._rng.integers(3, 94) * (1 if self._speech else 2))
        self._left -= 1
        return [0.9 if self._speech else 0.01] * len(windows)


@dataclass(slots=True)
class Heard:
    """What came of a sound. texts: of lines that were let through."""

    seconds: float = 0.0
    asked: int = 0
    words: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)

    def add(self, other: "Heard") -> None:
        self.seconds += other.seconds
        self.asked += other.asked
        self.words += other.words
        self.refused += other.refused
        self.texts += other.texts


def line_noise(dbfs: float) -> Sound:
    return lambda seconds, rng: noises.noise(seconds, "white", dbfs, int(rng.integers(1 << 31)))


def hum(mains: float) -> Sound:
    return lambda seconds, rng: noises.hum(seconds, mains, float(rng.uniform(-50, -30)))


def nothing(seconds: float, rng: np.random.Generator) -> Floats:
    return np.zeros(round(seconds * RATE))


def scattered(make: Callable[[np.random.Generator], Floats], least: float, most: float) -> Sound:
    """One sound after another, with a pause of ``least`` to ``most`` seconds before each, over a quiet line."""

    def sound(seconds: float, rng: np.random.Generator) -> Floats:
        audio = rng.standard_normal(round(seconds * RATE)) * 10 ** (LINE_DBFS / 20)
        at = round(rng.uniform(least, most) * RATE)
        while at < len(audio):
            part = make(rng)[: len(audio) - at]
            audio[at : at + len(part)] += part
            at += len(part) + round(rng.uniform(least, most) * RATE)
        return audio

    return sound


def breath(rng: np.random.Generator) -> Floats:
    """Noise through a mouth: a broad band round 1 to 2.5 kHz that swells and fades, -45 to -25 dBFS."""
    seconds, centre = rng.uniform(0.2, 0.9), rng.uniform(800, 2500)
    noise = rng.standard_normal(round(seconds * RATE))
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    shape = np.exp(-(((hertz - centre) / rng.uniform(500, 1500)) ** 2)) + 0.05
    swell = np.interp(np.linspace(0, 1, len(noise)), [0, rng.uniform(0.2, 0.6), 1], [0, 1, 0]) ** 1.5
    return noises.at(np.fft.irfft(np.fft.rfft(noise) * shape, len(noise)) * swell, float(rng.uniform(-45, -25)))


def key(rng: np.random.Generator) -> Floats:
    """A key pressed and let go: two clicks of a few milliseconds."""
    press, release = (_click(rng, gain) for gain in (1.0, 0.5))
    gap = np.zeros(round(rng.uniform(0.05, 0.1) * RATE))
    return np.concatenate((press, gap, release)) * 10 ** (float(rng.uniform(-35, -15)) / 20)


def _click(rng: np.random.Generator, gain: float) -> Floats:
    time = np.arange(RATE // 50) / RATE
    ring = np.sin(2 * np.pi * rng.uniform(1000, 3000) * time)
    return np.asarray(gain * (rng.standard_normal(len(time)) + ring) * np.exp(-time / rng.uniform(0.002, 0.006)))


def cough(rng: np.random.Generator) -> Floats:
    """One to three bursts: a sharp onset of coloured noise that dies away, voiced a little at its end."""
    parts = []
    for _ in range(rng.integers(1, 4)):
        time = np.arange(round(rng.uniform(0.2, 0.4) * RATE)) / RATE
        burst = noises.noise(len(time) / RATE, "pink", -20, int(rng.integers(1 << 31))) * np.exp(-time / 0.08)
        voice = 0.02 * np.sign(np.sin(2 * np.pi * rng.uniform(120, 250) * time)) * np.exp(-(((time - 0.2) / 0.08) ** 2))
        parts += [burst + voice, np.zeros(round(rng.uniform(0.05, 0.3) * RATE))]
    return np.concatenate(parts) * 10 ** (float(rng.uniform(-5, 10)) / 20)


def dialled(rng: np.random.Generator) -> Floats:
    digits = rng.integers(1, 10, rng.integers(1, 12)).tolist()
    return noises.dtmf(
        digits, float(rng.uniform(0.06, 0.3)), float(rng.uniform(0.05, 0.3)), float(rng.uniform(-30, -10))
    )


def ringing(rng: np.random.Generator) -> Floats:
    hertz, pattern = list(noises.RINGING.values())[rng.integers(len(noises.RINGING))]
    return noises.cadence(hertz, pattern, 3, float(rng.uniform(-30, -15)))


MADE: dict[str, Sound] = {
    "digital silence": nothing,
    "line noise -70 dBFS": line_noise(-70),
    "line noise -55 dBFS": line_noise(-55),
    "line noise -45 dBFS": line_noise(-45),
    "line noise -35 dBFS": line_noise(-35),
    "mains hum 50 Hz": hum(50),
    "mains hum 60 Hz": hum(60),
    "music, made": lambda seconds, rng: noises.music(seconds, float(rng.uniform(70, 140)), "melody"),
    "ringing": scattered(ringing, 1, 5),
    "DTMF": scattered(dialled, 1, 5),
    "breaths, made": scattered(breath, 0.5, 3),
    "keyboard": scattered(key, 0.03, 0.6),
    "coughs, made": scattered(cough, 1, 6),
}


def breaths_of(index: Path) -> list[Floats]:
    """What is heard between the words of clips: pauses of 0.15 s and more, 6 dB and more over the clip's quietest."""
    detector, found = SileroDetector(), []
    with index.open(encoding="utf-8") as file:
        paths = [index.parent / row["path"] for row in csv.DictReader(file) if "an4" not in row["corpus"]]
    for path in paths[:120]:
        found += _pauses(audio_of(path), detector)
    if not found:
        raise SystemExit(f"no breath in the clips of {index}: name clean speech with pauses")
    return found


def _pauses(audio: Floats, detector: SileroDetector) -> list[Floats]:
    stream = detector.stream()
    windows = audio[: len(audio) // WINDOW * WINDOW].reshape(-1, WINDOW)
    speech = np.array([stream.detect(window[None].astype(np.float32))[0] >= 0.15 for window in windows])
    level = 10 * np.log10(np.mean(windows**2, axis=1) + 1e-12)
    breathy = ~speech & (level > np.percentile(level, 5) + 6)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], breathy.astype(np.int8), [0]))))
    runs = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 5]
    return [audio[a * WINDOW : b * WINDOW] for a, b in runs]


def real_breath(breaths: Sequence[Floats]) -> Callable[[np.random.Generator], Floats]:
    """One of them, up to a tenth slower or faster, -45 to -25 dBFS."""

    def make(rng: np.random.Generator) -> Floats:
        one = soxr.resample(breaths[int(rng.integers(len(breaths)))], RATE, RATE * float(rng.uniform(0.9, 1.1)))
        fade = np.clip(np.minimum(np.arange(len(one)), np.arange(len(one))[::-1]) / (0.02 * RATE), 0, 1)
        return noises.at(one * fade, float(rng.uniform(-45, -25)))

    return make


def heard(audio: Floats, engines: Engines, pool: EnginePool) -> Heard:
    """One call, its sound on the customer's channel."""
    quiet = np.random.default_rng(1).standard_normal(len(audio)) * 10 ** (LINE_DBFS / 20)
    pcm = (np.stack([quiet, noises.mulaw(audio)], axis=1).clip(-1, 1) * 32767).astype(np.int16)
    door = Door(TWO_CHANNEL, RATE)
    frames = [item for item in (*door.push(pcm), *door.finish()) if isinstance(item, Frame)]
    call = Call(build(CallInfo(call_id="quiet", channels=TWO_CHANNEL), SETTINGS, engines))
    asked: list[Utterance] = []

    def ask(utterance: Utterance) -> Future[EngineResult]:
        asked.append(utterance)
        return pool.ask(utterance)

    view = Recorder(call, ask, SETTINGS.words.nominal_delay_s).run(frames, lambda: door.heard)
    words = sum(len(line.words) for line in view.transcript)
    refused: Counter[str] = Counter({str(reason): count for reason, count in view.refused.items()})
    return Heard(len(audio) / RATE, len(asked), words, refused, [line.text for line in view.transcript])


def report(sounds: dict[str, Sound], seconds: float, seed: int, *, gullible: bool) -> None:
    """seconds: of each sound, in calls of ``CALL_S`` at most."""
    engines = load(SETTINGS, Path("models"))
    engines = replace(engines, detector=Gullible()) if gullible else engines
    assert engines.transcriber is not None
    pool, total = EnginePool(engines.transcriber), Heard()
    print(f"{'sound':32s} minutes   asked   words   refused")
    for number, (name, sound) in enumerate(sounds.items()):
        found, rng = Heard(), np.random.default_rng((seed, number))
        while found.seconds < seconds - 1:
            found.add(heard(sound(min(CALL_S, seconds - found.seconds), rng), engines, pool))
        told(name, found)
        total.add(found)
    pool.close()
    told("all", total)
    print(f"{total.words * 3600 / total.seconds:.1f} words an hour")


def told(name: str, found: Heard) -> None:
    why = ", ".join(f"{reason} {count}" for reason, count in sorted(found.refused.items())) or "-"
    print(f"{name:32.32s} {found.seconds / 60:7.1f} {found.asked:7d} {found.words:7d}   {why}", flush=True)
    for text in found.texts if name != "all" else ():
        print(f"    heard: {text}", flush=True)


def sounds_of(folder: Path) -> dict[str, Sound]:
    """The files of a folder; those shorter than 2 s come in any order, with pauses."""
    found: dict[str, Sound] = {}
    short: list[Floats] = []
    for file in sorted(each for each in folder.iterdir() if each.suffix in AUDIO):
        audio = audio_of(file)
        if len(audio) < 2 * RATE:
            short.append(audio)
        else:
            found[file.stem] = partial(again, audio)
    if short:
        found["short files"] = scattered(lambda rng: short[int(rng.integers(len(short)))], 0.05, 2)
    return found


def again(audio: Floats, seconds: float, rng: np.random.Generator) -> Floats:
    """From anywhere, and from the beginning again where it ends."""
    return np.resize(np.roll(audio, -int(rng.integers(len(audio)))), round(seconds * RATE))


def audio_of(file: Path) -> Floats:
    audio, rate = soundfile.read(file, dtype="float64", always_2d=True)
    return np.asarray(soxr.resample(audio[:, 0], rate, RATE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--sounds", type=Path, metavar="FOLDER")
    parser.add_argument("--speech", type=Path, metavar="INDEX.csv")
    parser.add_argument("--only", default="", metavar="NAME", help="sounds whose name begins so")
    parser.add_argument("--gullible", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sounds = MADE | (sounds_of(options.sounds) if options.sounds else {})
    if options.speech:
        sounds["breaths, real"] = scattered(real_breath(breaths_of(options.speech)), 0.5, 3)
    sounds = {name: sound for name, sound in sounds.items() if name.startswith(options.only)}
    if not sounds:
        parser.error(f"no sound begins with {options.only!r}")
    report(sounds, options.minutes * 60 / len(sounds), options.seed, gullible=options.gullible)


if __name__ == "__main__":
    main()
