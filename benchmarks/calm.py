"""False alarms on calm speech: how often advice about feelings is raised when nobody is upset.

    uv run python -m benchmarks.calm INDEX.csv

INDEX.csv names one clip of calm speech a speaker in its column ``path``, relative to its own folder. Two speakers make
a call: they take turns of four seconds, band-limited to a telephone's 300-3400 Hz (12 dB an octave below, as a handset
does) at -26 dBFS with -60 dBFS of noise. Words are left out, so this is what voices and turn-taking alone raise.
Read speech is calmer than any call.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from models.pitch import SwiftF0Tracker
from models.silero import SileroDetector
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.door import Door
from pipeline.graph import Engines, build
from pipeline.inputs import Frame
from pipeline.playbook import load_playbook
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE
from pipeline.view import View

TURN = 4 * RATE
SETTINGS = Settings(policy=POLICIES["standard"])
Floats = NDArray[np.float64]


def clip(path: Path) -> Floats:
    """Telephone band, -26 dBFS."""
    audio, rate = soundfile.read(path, dtype="float64")
    audio = soxr.resample(audio, rate, RATE)
    spectrum = np.fft.rfft(audio)
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    spectrum /= np.sqrt((1 + (300 / np.maximum(hertz, 1)) ** 4) * (1 + (hertz / 3400) ** 24))
    audio = np.fft.irfft(spectrum, len(audio))
    return audio * float(10 ** (-26 / 20) / np.sqrt(np.mean(audio**2)))


def conversation(agent: Floats, customer: Floats, seed: int) -> NDArray[np.int16]:
    """Turns of four seconds and half a second between them: int16 (n, 2)."""
    parts = []
    for start in range(0, max(len(agent), len(customer)), TURN):
        for column, voice in enumerate((agent, customer)):
            piece = voice[start : start + TURN]
            both = np.zeros((len(piece) + RATE // 2, 2))
            both[: len(piece), column] = piece
            parts.append(both)
    mix = np.concatenate(parts)
    mix += np.random.default_rng(seed).normal(0, 10 ** (-60 / 20), mix.shape)
    return (mix.clip(-1, 1) * 32767).astype(np.int16)


def heard(pcm: NDArray[np.int16], engines: Engines) -> View:
    door = Door(TWO_CHANNEL, RATE)

    def frames() -> Iterator[Frame]:
        yield from (item for item in [*door.push(pcm), *door.finish()] if isinstance(item, Frame))

    call = Call(build(CallInfo(call_id="calm", channels=TWO_CHANNEL), SETTINGS, engines))
    return Recorder(call, None, 1.0).run(frames(), lambda: door.heard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    index = parser.parse_args().index
    with index.open(encoding="utf-8") as file:
        clips = [index.parent / row["path"] for row in csv.DictReader(file)]
    engines = Engines(SileroDetector(), SwiftF0Tracker(), None, load_playbook())
    views = [
        heard(conversation(clip(one), clip(two), seed), engines)
        for seed, (one, two) in enumerate(zip(clips[::2], clips[1::2], strict=False))
    ]
    hours = sum(view.duration_s for view in views) / 3600
    kinds = Counter(alert.kind for view in views for alert in view.alerts)
    print(f"{2 * len(views)} speakers, {hours * 60:.0f} minutes; alerts raised: {dict(kinds) or 'none'}")
    for name in ("anger", "tension"):
        peaks = [max((point.value for point in getattr(view.scores, name)), default=0.0) for view in views]
        low, high, most = np.percentile(peaks, (50, 90, 100))
        print(f"peak {name} of a call: median {low:.2f}, 90th percentile {high:.2f}, most {most:.2f}")


if __name__ == "__main__":
    main()
