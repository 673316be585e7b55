"""The outline of stored audio: how loud each moment of each channel was, for drawing a call without its samples."""

from pathlib import Path

import numpy as np
import soundfile

from pipeline.errors import BadInput
from pipeline.timebase import RATE

POINTS = 4000
"""Moments at most: twice the pixels of a wide screen."""
SHORTEST = RATE // 100
"""Samples of a moment at least: 10 ms."""


def peaks(path: Path) -> tuple[int, list[list[int]]]:
    """Samples a moment lasts, and for each channel its greatest magnitude in each moment, 0-255 of full scale.

    Raises BadInput when there is no readable audio.
    """
    try:
        with soundfile.SoundFile(path) as file:
            step = max(SHORTEST, -(-file.frames // POINTS))
            highest = [
                np.abs(block.astype(np.int32)).max(axis=0) for block in file.blocks(step, dtype="int16", always_2d=True)
            ]
            channels = file.channels
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadInput(f"cannot read the stored audio {path}: {error}") from error
    outline = np.array(highest, np.int32).reshape(-1, channels) * 255 // 32768
    return step, [column.tolist() for column in outline.T]
