"""The fundamental that a telephone line has cut off, put back for a detector that listens for it.

Silero v6 hears little of speech whose band ends like a wall at 300 Hz: the pulse of the voice is gone from the
spectrum. It is still in the envelope, and a rectifier brings it back (the difference tones of the harmonics fall on the
fundamental). What is put back lies between 70 and 300 Hz and is heard by the detector alone.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples

RATE = 16_000
WINDOW = 512
"""Samples a step."""
BLOCK = 128
"""Samples filtered at once: matrices of this side fit a processor's cache."""
LOW, HIGH = 70.0, 300.0
"""Hz: from the lowest voices to the edge of the telephone band."""
GAIN = 2.0
"""Of what is put back. 1 to 3 serve alike on 30 clips of LibriSpeech behind a wall at 300 Hz (``benchmarks.band``)."""

Matrix = NDArray[np.float64]


def fresh(channels: int) -> Matrix:
    """The filter's state before anything was heard: float64 (1, channels, 4), of one call."""
    return np.zeros((1, channels, 4))


def restore(windows: Samples, state: Matrix) -> tuple[Samples, Matrix]:
    """The windows with their fundamental, without delay, and the next state.

    windows: float32 (calls, channels, 512), the next of each; neither kept nor changed. state: float64 (calls,
    channels, 4). A call's numbers are the same to the bit whoever shares the step.
    """
    f, (calls, channels, _) = _filter(), windows.shape
    blocks = np.maximum(windows, 0.0).astype(np.float64).reshape(calls * channels, -1, BLOCK)
    taken = (blocks @ f.taken).reshape(calls, channels, -1)
    states = np.concatenate((state, taken), axis=2) @ f.chained
    low = blocks @ f.direct + states[..., :-4].reshape(calls * channels, -1, 4) @ f.carried
    return windows + (GAIN * low).astype(np.float32).reshape(windows.shape), states[..., -4:]


class _Blocks:
    """A recursive filter for rows of blocks: y = x direct + s carried, s' = s A + x taken. Matrices, no loop.

    chained: from (s, x taken of each block of a window), side by side, to the state before each block and after all.
    """

    def __init__(self, a: Matrix, b: Matrix, c: Matrix, d: float) -> None:
        powers = [np.eye(len(a))]
        for _ in range(WINDOW):
            powers.append(a @ powers[-1])
        impulse = np.array([d, *((c @ power @ b).item() for power in powers[: BLOCK - 1])])
        lag = np.arange(BLOCK)[None, :] - np.arange(BLOCK)[:, None]
        self.direct: Matrix = np.where(lag >= 0, impulse[np.maximum(lag, 0)], 0.0)
        self.carried: Matrix = np.stack([(c @ power)[0] for power in powers[:BLOCK]], axis=1)
        self.taken: Matrix = np.stack([(power @ b)[:, 0] for power in reversed(powers[:BLOCK])])
        steps, nothing = range(WINDOW // BLOCK + 1), np.zeros_like(a)
        self.chained: Matrix = np.block(
            [[powers[BLOCK * (to - start)].T if to >= start else nothing for to in steps] for start in steps]
        )


@cache
def _filter() -> _Blocks:
    """Second-order Butterworth high-pass at LOW, then low-pass at HIGH (bilinear transform), as one state space."""
    one, two = _section(LOW, high=True), _section(HIGH, high=False)
    (a1, b1, c1, d1), (a2, b2, c2, d2) = one, two
    a = np.block([[a1, np.zeros((2, 2))], [b2 @ c1, a2]])
    b = np.concatenate([b1, b2 * d1])
    c = np.concatenate([c1 * d2, c2], axis=1)
    return _Blocks(a, b, c, d1 * d2)


def _section(hertz: float, *, high: bool) -> tuple[Matrix, Matrix, Matrix, float]:
    """One biquad in controllable form. Coefficients: Bristow-Johnson, "Audio EQ Cookbook", with Q = 1/sqrt(2)."""
    w = 2 * np.pi * hertz / RATE
    alpha, cos = np.sin(w) / np.sqrt(2), np.cos(w)
    edge = (1 + cos) / 2 if high else (1 - cos) / 2
    numerator = np.array([edge, -2 * edge if high else 2 * edge, edge]) / (1 + alpha)
    a1, a2 = -2 * cos / (1 + alpha), (1 - alpha) / (1 + alpha)
    a = np.array([[-a1, -a2], [1.0, 0.0]])
    b = np.array([[1.0], [0.0]])
    c = np.array([[numerator[1] - a1 * numerator[0], numerator[2] - a2 * numerator[0]]])
    return a, b, c, float(numerator[0])
