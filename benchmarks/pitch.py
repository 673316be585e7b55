"""The pitch tracker beside librosa.pyin, on one core and the same audio: cost, and how far they differ.

    uv run python -m benchmarks.pitch [FILE]

FILE: its first channel is used (default: our own billing_dispute).
"""

import argparse
import os
import time
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from models.pitch import FMAX, FMIN, HOP, SwiftF0Tracker
from pipeline.timebase import RATE

BLOCK = 8192
"""512 ms, as the prosody node pushes it."""
SURE = 0.9
Floats = NDArray[np.float32]


def ours(tracker: SwiftF0Tracker, audio: Floats) -> Floats:
    """F0 in Hz a hop, NaN where not sure."""
    stream = tracker.stream()
    tracks = [stream.track(audio[at : at + BLOCK]) for at in range(0, len(audio), BLOCK)] + [stream.finish()]
    f0 = np.concatenate([track.f0 for track in tracks])
    sure = np.concatenate([track.confidence for track in tracks]) >= SURE
    return np.where(sure, f0, np.nan).astype(np.float32)


def theirs(audio: Floats) -> Floats:
    f0, _, _ = librosa.pyin(audio, fmin=FMIN, fmax=FMAX, sr=RATE, frame_length=1024, hop_length=HOP)
    return np.asarray(f0, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=sample_audio.path("billing_dispute"))
    audio, rate = soundfile.read(parser.parse_args().file, dtype="float32", always_2d=True)
    mono = soxr.resample(audio[: 60 * rate, 0], rate, RATE)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = {}
    for name, track in (("swift-f0", partial(ours, SwiftF0Tracker())), ("librosa.pyin", theirs)):
        track(mono[: 4 * BLOCK])  # load, compile
        begin = time.process_time()
        found[name] = track(mono)
        cost = (time.process_time() - begin) / (len(mono) / RATE)
        voiced = np.isfinite(found[name]).mean()
        print(f"{name:13s} {1 / cost:6.1f} x real time, {voiced:.0%} of hops voiced")
    one, two = (each[: min(map(len, found.values()))] for each in found.values())
    apart = 12 * np.abs(np.log2(one / two))
    apart = apart[np.isfinite(apart)]
    print(f"both sure in {len(apart)} hops: {np.median(apart):.2f} semitones apart at the median, ", end="")
    print(f"{np.mean(apart > 1):.1%} of hops more than one semitone")


if __name__ == "__main__":
    main()
