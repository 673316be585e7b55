"""The labelled lines of tests/cues as a telephone and the embedded recogniser give them back.

    uv run python -m benchmarks.cues tests/cues/customer.jsonl [--out FILE.recognised.jsonl] [--part fresh]

Each line is spoken by one of ``VOICES`` in turn (Debian's espeak-ng, flite, and festival with festvox-us-slt-hts), goes
through the line of the sample calls (300-3400 Hz, 8 kHz, mu-law, light noise: ``sample_audio.studio.telephone``) and is
heard as a final utterance of its own. Written are id, voice and text, one JSON object a line, so that figures with real
recognition errors need no speech. With ``--part`` only its lines are spoken, in the voice and the noise of their place
in the whole file, and the rows of the others stay in ``--out`` as they are. Printed is the share of words wrong, as
``benchmarks.clips.wrong`` counts them, a voice a line.
"""

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from itertools import cycle
from pathlib import Path
from typing import TypedDict

import numpy as np
import soundfile
import soxr

from benchmarks.asr import engine, ours
from benchmarks.clips import LEVEL_DBFS, Clip, wrong
from models.protocols import Samples
from pipeline.timebase import RATE
from sample_audio.studio import telephone
from sample_audio.studio.script import Voice
from sample_audio.studio.tts import say

VOICES = (
    "espeak-ng en-us",
    "flite slt",
    "espeak-ng en-gb",
    "festival cmu_us_slt_arctic_hts",
    "espeak-ng en-us+f3",
    "flite rms",
    "espeak-ng en-us+m3",
    "flite awb",
)
Floats = telephone.Floats
BATCH = 8
QUIET_S = 0.2
"""Silence before and after the words, as the cutter leaves it."""


class Line(TypedDict):
    """What this file needs of a labelled line."""

    id: str
    text: str
    part: str


def read(file: Path) -> list[Line]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def spoken(text: str, voice: str) -> tuple[Floats, int]:
    """Mono samples and their rate. Raises CalledProcessError or FileNotFoundError if the synthesiser is missing."""
    program, _, name = voice.partition(" ")
    if program == "espeak-ng":
        return _espeak(text, name)
    said = say(text, Voice("festival" if program == "festival" else "flite", name, 1.0))
    return said.samples, said.rate


def _espeak(text: str, voice: str) -> tuple[Floats, int]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", "165", "-w", str(file), text], check=True)
        samples, rate = soundfile.read(file, dtype="float64")
    return samples, int(rate)


def phoned(samples: Floats, rate: int, seed: int) -> Samples:
    """float32 (n,) at 16 kHz: what comes out of the line. seed: of its noise."""
    line = np.pad(telephone.through(samples, rate, treble_db=0.0), round(QUIET_S * telephone.RATE))
    line *= 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(line**2))
    line += telephone.noise(len(line), np.random.default_rng(seed))
    heard: Samples = soxr.resample(telephone.mu_law(line).astype(np.float32) / 32768.0, telephone.RATE, RATE)
    return heard


def clips(lines: list[Line], part: str) -> list[Clip]:
    """Each line of the part (empty: each of all) in the voice whose turn it is in the whole file."""
    return [
        Clip(line["id"], voice, phoned(*spoken(line["text"], voice), seed), line["text"])
        for seed, (line, voice) in enumerate(zip(lines, cycle(VOICES), strict=False))
        if not part or line["part"] == part
    ]


def write(file: Path, lines: list[Line], said: list[Clip], texts: list[str]) -> None:
    """One row a line in the order of the lines; of a line not said now, the row that the file has."""
    known = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    rows = {row["id"]: row for row in map(json.loads, known)}
    rows |= {c.name: {"id": c.name, "voice": c.speaker, "text": text} for c, text in zip(said, texts, strict=True)}
    kept = (rows[line["id"]] for line in lines if line["id"] in rows)
    file.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")


def report(said: list[Clip], texts: list[str]) -> None:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for clip, text in zip(said, texts, strict=True):
        errors, words = wrong(clip.text, text)
        for row in (counts[clip.speaker], counts["all"]):
            row[0] += errors
            row[1] += words
    for voice, (errors, words) in sorted(counts.items()):
        print(f"{voice:34s} WER {errors / words:6.1%} ({errors}/{words})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path, help="labelled lines: id, text")
    parser.add_argument("--out", type=Path, help="without it, figures alone")
    parser.add_argument("--part", default="", help="speak only the lines of this part")
    options = parser.parse_args()
    lines = read(options.lines)
    said = clips(lines, options.part)
    if not said:
        parser.error(f"no line of {options.lines} has the part {options.part!r}")
    texts = [text.strip() for text in ours(engine(), BATCH)(said)]
    report(said, texts)
    if options.out:
        write(options.out, lines, said, texts)


if __name__ == "__main__":
    main()
