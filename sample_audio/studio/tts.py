"""Text to samples with festival or flite, and where in it a word begins and ends."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from sample_audio.studio.script import Voice


@dataclass(frozen=True, slots=True)
class Spoken:
    """One synthesised text."""

    samples: NDArray[np.float64]
    """Mono, full scale 1.0."""
    rate: int
    """Hz."""
    phone_ends: tuple[float, ...]
    """End of each phone in seconds, pauses left out."""


def _festival(text: str, voice: str, folder: Path) -> list[tuple[str, float]]:
    orders = folder / "say.scm"
    orders.write_text(
        f'(voice_{voice})\n(set! u (utt.synth (Utterance Text "{text}")))\n'
        f'(utt.save.wave u "{folder}/out.wav" (quote riff))\n(utt.save.segs u "{folder}/out.segs")\n',
        encoding="ascii",
    )
    subprocess.run(["festival", "-b", str(orders)], check=True, capture_output=True)
    rows = (folder / "out.segs").read_text(encoding="ascii").splitlines()[1:]
    fields = [row.split() for row in rows if row.strip()]
    return [(row[2], float(row[0])) for row in fields]


def _flite(text: str, voice: str, folder: Path) -> list[tuple[str, float]]:
    order = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(folder / "out.wav")]
    done = subprocess.run(order, check=True, capture_output=True, text=True)
    pairs = [field.rpartition(":") for field in done.stdout.split()]
    return [(phone, float(end)) for phone, _, end in pairs]


@cache
def say(text: str, voice: Voice) -> Spoken:
    """Synthesise `text` (ASCII, no double quotes). Raises CalledProcessError if the engine fails."""
    if '"' in text or "\\" in text or not text.isascii():
        raise ValueError(f"only plain ASCII text can be spoken: {text!r}")
    engine = _festival if voice.engine == "festival" else _flite
    with tempfile.TemporaryDirectory() as name:
        phones = engine(text, voice.name, Path(name))
        samples, rate = sf.read(Path(name) / "out.wav", dtype="float64")
    return Spoken(samples, int(rate), tuple(end for phone, end in phones if phone != "pau"))


def cut_second(text: str, complete: str, voice: Voice, share: float = 0.6) -> float:
    """The second at which `share` of the word after `complete` has been said.

    The phones of `complete` alone are counted; the same number of phones of the whole text ends at the word boundary.
    """
    whole, words = say(text, voice).phone_ends, len(complete.split())
    before = len(say(complete, voice).phone_ends)
    with_next = len(say(" ".join(text.split()[: words + 1]), voice).phone_ends)
    start, end = whole[before - 1], whole[with_next - 1]
    return start + share * (end - start)
