"""A clip's samples."""

from pathlib import Path

import numpy as np

from models.protocols import Samples
from models.training.errors import TrainingError

RATE = 16_000
SHORTEST, LONGEST = RATE // 10, 30 * RATE
"""Samples: under 0.1 s there is no speech; 30 s is what the recogniser's encoder can hear at once."""


PIECE = 3 * RATE
"""Samples of a piece of a longer recording: as much speech as a score of a live call describes."""


def pieces(file: Path) -> int:
    """How many pieces a recording has, one at least. Raises TrainingError."""
    import soundfile

    try:
        return max(1, int(soundfile.info(file).duration * RATE) // PIECE)
    except soundfile.LibsndfileError as error:
        raise TrainingError(f"{file}: cannot be read as audio: {error.error_string}") from error


def load(file: Path, piece: int | None = None) -> Samples:
    """One channel as float32 (n,) at 16 kHz; of a longer clip the first 30 s. Raises TrainingError.

    piece: the number of the piece that is wanted; None is all of it.
    """
    import soundfile
    import soxr

    try:
        wave, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise TrainingError(f"{file}: cannot be read as audio: {error.error_string}") from error
    if wave.shape[1] != 1:
        raise TrainingError(f"{file}: has {wave.shape[1]} channels; a clip is one person's: write that channel alone")
    whole = np.asarray(soxr.resample(wave[:, 0], rate, RATE), np.float32)
    samples: Samples = whole[:LONGEST] if piece is None else whole[piece * PIECE : (piece + 1) * PIECE]
    if len(samples) < SHORTEST or not np.isfinite(samples).all():
        raise TrainingError(
            f"{file}: {len(samples) / RATE:.2f} s of audio, or samples that are no numbers: leave it out"
        )
    return samples
