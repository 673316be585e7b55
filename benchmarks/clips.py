"""Single utterances with their words, as they are or through a telephone line, and how to count wrong words in them."""

import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from benchmarks.turns import TELEPHONE, coded, narrow, noisy
from benchmarks.words import difference
from models.protocols import Samples
from pipeline.text import plain
from pipeline.timebase import RATE

LEVEL_DBFS, NOISE_DBFS = -26.0, -45.0
"""Of the speech, and of the noise on the simulated line: 19 dB apart."""
_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["", "", *["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]]
_ALIKE = {"first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine"}
_ALIKE |= {"twelfth": "twelve", "oh": "zero", "mr": "mister", "mrs": "missus", "dr": "doctor", "okay": "ok"}
_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)?|[^\W\d]+(?:['\u2019][^\W\d]+)*")


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance. samples: float32 (n,) at 16 kHz. text: its words."""

    name: str
    speaker: str
    samples: Samples
    text: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def load(index: Path, half: str = "all") -> list[Clip]:
    """Clips of an index (path, corpus, speaker, text). half: "tune" or "test", every second speaker of each corpus."""
    with index.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["text"]]
    speakers = sorted({(row["corpus"], row["speaker"]) for row in rows})
    kept = {"all": speakers, "tune": speakers[::2], "test": speakers[1::2]}[half]
    return [_clip(index, row) for row in rows if (row["corpus"], row["speaker"]) in kept]


def _clip(index: Path, row: dict[str, str]) -> Clip:
    samples, rate = soundfile.read(index.parent / row["path"], dtype="float32")
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    return Clip(Path(row["path"]).stem, f"{row['corpus']} {row['speaker']}", samples, row["text"])


def telephone(clip: Clip, seed: int) -> Clip:
    """The clip at 8 kHz, 300-3400 Hz, white noise of ``NOISE_DBFS`` under it, through mu-law and back."""
    audio = clip.samples.astype(np.float64)
    audio *= 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(audio**2))
    line = noisy(narrow(np.stack([audio, audio], axis=1)), NOISE_DBFS, np.random.default_rng(seed))
    heard = soxr.resample(coded(line, "WAV", "ULAW")[:, 0], TELEPHONE, RATE)
    return replace(clip, samples=np.ascontiguousarray(heard[: len(audio)], dtype=np.float32))


def tokens(text: str) -> list[str]:
    """Words of a text, alike however it writes numbers and spelled letters: digit by digit, letter by letter.

    "sixty one", "61" and "6-1" are one; "R.E.W.Y.", "REWY" and "r e w y" are one.
    """
    found: list[str] = []
    for token in _TOKEN.findall(text):
        number = re.match(r"\d+", token)
        if number:
            found += number[0]
        elif len(token) > 1 and token.isupper():
            found += token.lower()
        else:
            found.append(_ALIKE.get(token.lower(), token.lower()))
    return _digits([word for token in found for word in (plain(token).split() if token.isalpha() else [token])])


def _digits(words: list[str]) -> list[str]:
    """Number words as single digits; a ten before a unit is one number."""
    found: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        stem = word.removesuffix("ieth") + "y" if word.endswith("ieth") else word.removesuffix("th")
        if stem in _UNITS:
            found.append(str(_UNITS.index(stem)))
        elif stem in _TEENS:
            found += ["1", str(_TEENS.index(stem))]
        elif stem and stem in _TENS:
            ones = following.removesuffix("th") in _UNITS[1:]
            found += [str(_TENS.index(stem))] + ([] if ones else ["0"])
        else:
            found.append(word)
    return found


def wrong(text: str, heard: str) -> tuple[int, int]:
    """Words wrong, missing or too many in what was heard, and words there are."""
    reference = tokens(text)
    return round(difference(reference, tokens(heard)) * len(reference)), len(reference)
