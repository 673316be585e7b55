"""Tables and clips of our own making, small enough for a test."""

from pathlib import Path

import numpy as np

from models.training.corpus import Clip
from models.training.table import Table
from models.voice import FEATURES

WIDTH = 6
"""Of a made-up encoder's pooled output."""
LOUD = FEATURES.index("alpha_mean")


def spoken(corpora: dict[str, int], clips: int = 12, seed: int = 0, said: float = 1.5, heard: float = 1.5) -> Table:
    """So many speakers of each corpus, each with a voice of its own; a third of the clips angry.

    said, heard: how far anger moves one feature, and one value of the encoder, in spreads within a speaker.
    """
    chance = np.random.default_rng(seed)
    rows, features, pooled = [], [], []
    for corpus, count in corpora.items():
        for speaker in range(count):
            voice, hearing = chance.standard_normal(len(FEATURES)) * 2, chance.standard_normal(WIDTH) * 2
            for n in range(clips):
                emotion = ("anger", "neutral", "happy")[n % 3]
                rows.append(Clip(Path(f"{n}"), corpus, str(speaker), emotion, f"{corpus}{speaker}{n}", "female"))
                features.append(voice + chance.standard_normal(len(FEATURES)))
                pooled.append(hearing + chance.standard_normal(WIDTH))
                features[-1][LOUD] += said * (emotion == "anger")
                pooled[-1][2] += heard * (emotion == "anger")
    numbers = (np.array(each, np.float32) for each in (features, pooled))
    return Table(tuple(rows), *numbers, np.full(len(rows), 3.0))
