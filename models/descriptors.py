"""Descriptors of a voice, one row for each 16 ms: F0, how periodic it is, its level, its spectrum.

They follow eGeMAPS (Eyben et al., IEEE Trans. Affective Computing 7(2), 2016) in spirit;
its bands reach from 50 to 5000 Hz, which no telephone line carries, so everything here but F0 is measured within
300-3400 Hz. Nothing but ``level`` changes with the gain of the line.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.errors import ModelError
from models.protocols import PitchTrack, Samples
from models.timbre import CEPSTRUM, SHAPE, shapes

Rows = NDArray[np.float32]

HOP, FRAME = 256, 512
"""Samples: a row every 16 ms, each of 32 ms."""
ROWS_A_SECOND = 16_000 / HOP
"""Rows a second."""
SIDE = 544
"""Samples by which the ends are mirrored: two periods of the lowest voice (60 Hz)."""
_WAYS, _NEAR = np.array([-1, -1, -1, 1, 1, 1]), np.array([-1, 0, 1, -1, 0, 1])
"""Where a row's like is sought: a period earlier or later, to the sample or one beside."""
VOICED = 0.5
"""Confidence from which a row is voiced. swift-f0 advises 0.9; behind a wall at 300 Hz, as telephone lines have it,
that loses half of the voiced rows; 0.5 loses 1 %, of which 0.1 % are more than 2 semitones off (60 clips of four
corpora, against the wide-band estimate)."""
LLDS: tuple[str, ...] = ("f0", "voicing", "harmonicity", *SHAPE, *CEPSTRUM)
"""f0: semitones over 27.5 Hz, NaN unvoiced. voicing: swift-f0's confidence. harmonicity: dB, harmonics to noise, NaN
unvoiced. The others: ``models.timbre``."""


def frames(audio: Samples, track: PitchTrack) -> Rows:
    """The descriptors of a contiguous stretch, float32 (n, len(LLDS)), one row for each estimate of ``track``.

    audio: float32 (m,), 16 kHz, beginning where the first estimate does, m >= n * 256. Row k sees the 512 samples
    around the middle of hop k; where the audio ends it is mirrored, so blocks of a stretch give nearly the rows of the
    whole (the tests say how nearly). NaN where a value does not exist: F0 without voice, all
    but the level in digital silence. Raises ModelError for another shape, dtype or hop, and for too little audio.
    """
    count = len(track.f0)
    _check(audio, track)
    if count == 0:
        return np.zeros((0, len(LLDS)), np.float32)
    padded = _mirrored(audio[: count * HOP + HOP])
    voiced = track.confidence >= VOICED
    f0 = np.where(voiced, track.f0, np.nan)
    windows = sliding_window_view(padded, FRAME)[SIDE - (FRAME - HOP) // 2 :: HOP][:count]
    rows = np.column_stack((12 * np.log2(f0 / 27.5), track.confidence, _harmonicity(padded, f0), shapes(windows)))
    return rows.astype(np.float32)


def _check(audio: Samples, track: PitchTrack) -> None:
    if audio.ndim != 1 or audio.dtype != np.float32:
        raise ModelError(f"a voice is float32 samples of one channel, got {audio.shape} {audio.dtype}")
    if track.hop != HOP:
        raise ModelError(f"a voice has an F0 estimate every {HOP} samples, got one every {track.hop}")
    if len(audio) < len(track.f0) * HOP:
        raise ModelError(f"{len(track.f0)} F0 estimates describe {len(track.f0) * HOP} samples, got {len(audio)}")


def _mirrored(audio: Samples) -> Samples:
    """With ``SIDE`` samples more on either side."""
    return np.pad(audio, SIDE, mode="reflect" if len(audio) > SIDE else "symmetric")


def _harmonicity(padded: Samples, f0: NDArray[np.floating]) -> NDArray[np.float32]:
    """dB of what repeats after one period over what does not (Boersma 1993): of each voiced row's own 256 samples,
    against those a period later or earlier, whichever is more alike (a block's edge has only one of them)."""
    found = np.full(len(f0), np.nan, np.float32)
    rows = np.flatnonzero(np.isfinite(f0))
    windows = sliding_window_view(padded, HOP)
    place = rows * HOP + SIDE
    period = np.rint(16_000 / f0[rows]).astype(np.int64)
    shifts = _WAYS[:, None] * period + _NEAR[:, None]
    best = _likeness(windows[place], windows[place + shifts]).max(axis=0)
    share = np.clip(best, 0.09, 0.997)
    found[rows] = 10 * np.log10(share / (1 - share))
    return found


def _likeness(one: Samples, others: Samples) -> NDArray[np.float32]:
    """Correlation of each row of one, (n, 256), with that of each of the others, (k, n, 256): (k, n)."""
    power = np.einsum("ij,ij->i", one, one) * np.einsum("kij,kij->ki", others, others)
    alike: NDArray[np.float32] = np.einsum("ij,kij->ki", one, others) / np.sqrt(power + 1e-20)
    return alike
