"""Another language than the recogniser knows: how soon is it told, and how often is it told of English?

    uv run python -m benchmarks.foreign INDEX.csv ... --other CORPUS,CORPUS [--most 100] [--calls 300]

Each INDEX.csv names clips (columns path, corpus, speaker); corpora after ``--other`` are not English, all the rest are.
Every clip is heard as it is and through 8 kHz mu-law with noise (19 dB; ``harsh``: 6 dB, of English corpora alone). For
each corpus: the share of clips whose own evidence speaks for another language at all, and of calls in which text was
withheld by the 1st, 3rd, 5th and 10th utterance. A call is ten clips of one speaker, drawn from a seed.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmarks import clips
from benchmarks.clips import Clip
from benchmarks.turns import coded, narrow, noisy
from models.protocols import Samples, Transcriber
from pipeline.graph import load
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE
from pipeline.tongue import Tongue

SETTINGS = Settings(policy=POLICIES["standard"])
LONGEST = 14 * RATE
PAD = np.zeros(round(SETTINGS.words.pad_s * RATE), np.float32)
TURNS = (1, 3, 5, 10)
HARSH_DBFS = -32.0
"""Noise 6 dB under the speech."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One clip. call: who spoke on which line. foreign: log odds (nats)."""

    corpus: str
    way: str
    speaker: str
    foreign: float


def picked(indexes: Sequence[Path], most: int) -> Iterator[tuple[str, Clip]]:
    """Corpus and clip, evenly taken."""
    rows: defaultdict[str, list[tuple[Path, str]]] = defaultdict(list)
    for index in indexes:
        with index.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows[row["corpus"]].append((index.parent / row["path"], row["speaker"]))
    for corpus, mine in rows.items():
        for place in np.linspace(0, len(mine) - 1, min(most, len(mine))).round().astype(int).tolist():
            path, speaker = mine[place]
            audio, rate = soundfile.read(path, dtype="float32")
            yield corpus, Clip(path.stem, speaker, soxr.resample(audio, rate, RATE)[:LONGEST], "")


def harsh(clip: Clip, seed: int) -> Samples:
    audio = clip.samples.astype(np.float64)
    audio *= 10 ** (clips.LEVEL_DBFS / 20) / np.sqrt(np.mean(audio**2))
    line = noisy(narrow(np.stack([audio, audio], axis=1)), HARSH_DBFS, np.random.default_rng(seed))
    return np.asarray(soxr.resample(coded(line, "WAV", "ULAW")[:, 0], 8000, RATE), np.float32)


def ways(clip: Clip, seed: int, *, english: bool) -> dict[str, Samples]:
    heard = {"wide": clip.samples, "telephone": clips.telephone(clip, seed).samples}
    return heard | ({"harsh": harsh(clip, seed)} if english else {})


def heard(indexes: Sequence[Path], others: set[str], most: int, transcriber: Transcriber) -> Iterator[Heard]:
    for seed, (corpus, clip) in enumerate(picked(indexes, most)):
        for way, audio in ways(clip, seed, english=corpus not in others).items():
            whole = np.ascontiguousarray(np.concatenate([PAD, audio, PAD]), dtype=np.float32)
            yield Heard(corpus, way, clip.speaker, transcriber.transcribe([whole])[0].foreign)


def withheld(mine: Sequence[Heard], calls: int) -> NDArray[np.float64]:
    """Share of calls in which text had been withheld by each of ten utterances."""
    rng, spoken = np.random.default_rng(0), defaultdict(list)
    for each in mine:
        spoken[each.speaker].append(each.foreign)
    speakers = list(spoken.values())
    shares = np.zeros(max(TURNS))
    for number in range(calls):
        drawn = rng.choice(speakers[number % len(speakers)], len(shares))
        tongue = Tongue(SETTINGS.words.foreign)
        shares += np.maximum.accumulate([tongue.take(float(each)) for each in drawn])
    return shares / calls


def report(found: Sequence[Heard], others: set[str], calls: int) -> None:
    print(
        f"{'corpus':24s} line       clips  speaks for another   withheld in calls by utterance "
        + ", ".join(map(str, TURNS))
    )
    groups = defaultdict(list)
    for each in found:
        groups[each.corpus in others, each.corpus, each.way].append(each)
        groups[each.corpus in others, "another language" if each.corpus in others else "English", each.way].append(
            replace(each, speaker=f"{each.corpus} {each.speaker}")
        )
    for (_, corpus, way), mine in sorted(groups.items()):
        share = np.mean([each.foreign > 0 for each in mine])
        shares = withheld(mine, calls)
        by = "  ".join(f"{shares[turn - 1]:6.1%}" for turn in TURNS)
        print(f"{corpus:24.24s} {way:9s} {len(mine):6d}  {share:8.1%}             {by}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("indexes", type=Path, nargs="+", metavar="INDEX.csv")
    parser.add_argument("--other", default="", metavar="CORPUS,...", help="corpora that are not English")
    parser.add_argument("--most", type=int, default=100, help="clips of a corpus (default 100)")
    parser.add_argument("--calls", type=int, default=300, help="calls a corpus and line (default 300)")
    options = parser.parse_args()
    others = set(filter(None, options.other.split(",")))
    transcriber = load(SETTINGS, Path("models")).transcriber
    assert transcriber is not None
    report(list(heard(options.indexes, others, options.most, transcriber)), others, options.calls)


if __name__ == "__main__":
    main()
