"""Speech behind a narrow line: how much of what Silero hears wide band it still hears when a line has cut its lows.

    uv run python -m benchmarks.band INDEX.csv [--skip 30]

INDEX.csv names clips of speech in its column ``path``, relative to its own folder. Each is cut to 300-3400 Hz with an
edge of 12, 48 or unlimited dB an octave below, at -26 dBFS with -60 dBFS of noise. With and without the fundamental
put back (``models.fundamental``). Its gain was chosen on the first 30 clips of LibriSpeech's calm set, so skip these.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from models import fundamental
from models.silero import WINDOW, SileroDetector
from pipeline.timebase import RATE

Floats = NDArray[np.float64]
EDGES = {"wide band": None, "12 dB an octave": 4, "48 dB an octave": 16, "a wall": 1000}


def line(audio: Floats, order: int | None) -> Floats:
    """A Butterworth edge of that order at 300 Hz and a steep one at 3400 Hz; None leaves the audio as it is."""
    if order is None:
        return audio
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    with np.errstate(over="ignore"):
        gain = 1 / np.sqrt((1 + (300 / np.maximum(hertz, 1)) ** order) * (1 + (hertz / 3400) ** 24))
    return np.asarray(np.fft.irfft(np.fft.rfft(audio) * gain, len(audio)))


def heard(detector: SileroDetector, audio: Floats) -> NDArray[np.bool_]:
    stream = detector.stream()
    windows = audio[: len(audio) // WINDOW * WINDOW].astype(np.float32).reshape(-1, WINDOW)
    return np.array([stream.detect(window[None])[0] >= 0.5 for window in windows])


def clips(index: Path, skip: int) -> list[Floats]:
    with index.open(encoding="utf-8") as file:
        paths = [index.parent / row["path"] for row in csv.DictReader(file)][skip:]
    found = []
    for path in paths:
        audio, rate = soundfile.read(path, dtype="float64")
        audio = soxr.resample(audio, rate, RATE)
        found.append(audio * float(10 ** (-26 / 20) / np.sqrt(np.mean(audio**2))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--skip", type=int, default=30, metavar="N")
    options = parser.parse_args()
    detector, chosen = SileroDetector(), fundamental.GAIN
    audio = clips(options.index, options.skip)
    fundamental.GAIN = 0.0
    speech = [heard(detector, each) for each in audio]
    print(f"{len(audio)} clips; share of the windows of speech still heard, and of others that become speech")
    for gain in (0.0, chosen):
        fundamental.GAIN = gain
        for name, order in EDGES.items():
            kept, made = [], []
            for number, (each, truth) in enumerate(zip(audio, speech, strict=True)):
                noise = np.random.default_rng(number).normal(0, 10 ** (-60 / 20), len(each))
                found = heard(detector, line(each, order) + noise)
                kept.append(np.mean(found[truth]))
                made.append(np.mean(found[~truth]) if (~truth).any() else 0.0)
            low = np.percentile(kept, 10)
            put = "put back" if gain else "as it is"
            print(f"{put:9s} {name:16s} {np.mean(kept):.3f} (worst tenth {low:.3f})   {np.mean(made):.3f}")


if __name__ == "__main__":
    main()
