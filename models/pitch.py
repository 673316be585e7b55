"""F0: swift-f0 on its streaming interface (weights inside its wheel).

Push blocks of about 512 ms: at 32 ms a push costs several times as much a second of audio, because each push
runs the network again over the 21 hops around the new ones.
"""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError
from models.protocols import Identity, PitchTrack, Samples

HOP = 256
"""Samples between two estimates: 16 ms."""
LAG = 10 * HOP
"""Samples of future that an estimate waits for, beyond its own hop: 160 ms."""
FMIN = 60.0
"""Hz. The lowest voices reach 65-75 Hz. swift-f0's own floor, 46.9 Hz, would take mains hum at 50 Hz for a voice."""
FMAX = 500.0
"""Hz. Shouting women reach about 450 Hz. Above lie whistles, call tones and the octave errors of female voices."""


class SwiftF0Tracker:
    """One network, shared by every channel of every call; ``stream()`` holds what belongs to one stretch of speech.

    fmin, fmax: Hz, the range that F0 is sought in (the network knows 46.9-2093.8 Hz). It runs on the caller's thread
    and may be used from several at once. Raises ModelError if the range is empty or the weights do not load.
    """

    def __init__(self, fmin: float = FMIN, fmax: float = FMAX) -> None:
        try:
            from swift_f0 import SwiftF0

            self._network = SwiftF0(threads=1, spin=False)
            self._network.stream(fmin, fmax)
        except (TypeError, ValueError) as error:
            raise ModelError(f"F0 range {fmin}-{fmax} Hz: {error}") from error
        except Exception as error:  # onnxruntime has no common base class for its errors
            raise ModelError(f"cannot load swift-f0, reinstall it: {error}") from error
        self._range = (fmin, fmax)
        self._identity = Identity("swift-f0", metadata.version("swift-f0"), _sha256())

    @property
    def identity(self) -> Identity:
        return self._identity

    def stream(self) -> "SwiftF0Stream":
        """A new stretch of contiguous audio."""
        return SwiftF0Stream(self._network.stream(*self._range))


class SwiftF0Stream:
    """F0 of one contiguous stretch of one channel. Drive it from one thread at a time.

    Estimate k of the stream, counted over all its answers, describes the audio around sample ``k * HOP`` of the stream.
    It is certain, and returned, once ``LAG + HOP`` samples after that point have arrived (176 ms): a first block of
    8,192 samples (512 ms) brings 22 estimates, each later one 32, and ``finish()`` the last 10. Any chunking gives the
    same estimates to rounding. When the channel pauses, ``finish()`` and take a new stream for the next stretch:
    joining two stretches would invent F0 at the seam. The first and last 11 estimates of a stretch see less context
    and are a little less sure, so let a stretch begin a little before the speech.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._answered = 0

    @property
    def position(self) -> int:
        """The sample, from the beginning of the stream, that the next estimate will describe."""
        return self._answered * HOP

    def track(self, block: Samples) -> PitchTrack:
        """The estimates that became certain with this block: possibly none.

        block: float32 (n,), the audio that follows the previous block; any n. f0 in Hz; confidence 0-1, voiced from
        0.5; audio under -60 dBFS peak gets confidence 0. Raises ModelError for another shape or dtype, for samples
        that are not finite, and after ``finish()``.
        """
        if block.ndim != 1 or block.dtype != np.float32:
            raise ModelError(f"F0 takes float32 samples of one channel, got {block.shape} {block.dtype}")
        return self._answer(self._push, block)

    def finish(self) -> PitchTrack:
        """The estimates that still waited for more audio. The stream ends here; a second call raises ModelError."""
        return self._answer(self._stream.flush)

    def _push(self, block: Samples) -> Any:
        from swift_f0.core import SAMPLE_RATE

        return self._stream.push(block, SAMPLE_RATE)

    def _answer(self, ask: Any, *block: Samples) -> PitchTrack:
        try:
            result = ask(*block)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"F0: {error}") from error
        self._answered += len(result.pitch_hz)
        return PitchTrack(result.pitch_hz.astype(np.float32), result.confidence.astype(np.float32), HOP)


def _sha256() -> str:
    import swift_f0

    return hashlib.sha256(Path(swift_f0.__file__).with_name("model.onnx").read_bytes()).hexdigest()
