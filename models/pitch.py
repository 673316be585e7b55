"""F0: the network of swift-f0 (weights inside its wheel), run over blocks of a stretch with the hops around them.

Push blocks of about 512 ms: at 32 ms a push costs several times as much a second of audio, because each push
runs the network again over the 21 hops around the new ones. swift-f0's own streaming interface gives the same
estimates; it also measures levels that nobody asked for, and the end of a stretch costs it one run more.
"""

import hashlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.protocols import Identity, PitchTrack, Samples

HOP = 256
"""Samples between two estimates: 16 ms."""
AHEAD, BEHIND = 10, 11
"""Hops on either side of an estimate's own that the network needs for it."""
LAG = AHEAD * HOP
"""Samples of future that an estimate waits for, beyond its own hop: 160 ms."""
SILENT = 1e-3
"""Peak of a hop under which it has no F0: digital silence is a texture that the network never saw."""
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
        return SwiftF0Stream(self._estimate)

    def _estimate(self, audio: Samples) -> tuple[Samples, Samples]:
        """F0 and confidence of each hop of float32 (n,)."""
        low, high = (np.asarray(edge, np.float32) for edge in self._range)
        heard = {"audio": audio[None], "fmin": low, "fmax": high}
        f0, confidence = (answer[0] for answer in self._network.session.run(["pitch", "confidence"], heard))
        hops = audio[: len(f0) * HOP].reshape(len(f0), -1)
        return f0, np.where(np.abs(hops).max(axis=1) < SILENT, np.float32(0), confidence)


class SwiftF0Stream:
    """F0 of one contiguous stretch of one channel. Drive it from one thread at a time.

    Estimate k of the stream, counted over all its answers, describes the audio around sample ``k * HOP`` of the stream.
    It is certain, and returned, once ``LAG + HOP`` samples after that point have arrived (176 ms): a first block of
    8,192 samples (512 ms) brings 22 estimates, each later one 32, and ``finish()`` the last 10. Any chunking gives the
    same estimates to rounding. When the channel pauses, ``finish()`` and take a new stream for the next stretch:
    joining two stretches would invent F0 at the seam. The first and last 11 estimates of a stretch see less context
    and are a little less sure, so let a stretch begin a little before the speech.
    """

    def __init__(self, estimate: Callable[[Samples], tuple[Samples, Samples]]) -> None:
        self._estimate = estimate
        self._heard: Samples = np.zeros(0, np.float32)
        self._told = 0
        self._answered = 0
        self._over = False

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
        self._take(block)
        return self._answer(len(self._heard) // HOP - AHEAD)

    def finish(self, block: Samples | None = None) -> PitchTrack:
        """The estimates of a last block, if there is one, and those that still waited for more audio.

        The stream ends here; a second call raises ModelError. Cheaper than ``track(block)`` and then ``finish()``.
        """
        self._take(np.zeros(0, np.float32) if block is None else block)
        self._over = True
        short = 0 < len(self._heard) < HOP and self._answered == 0
        return self._answer(1 if short else len(self._heard) // HOP)

    def _take(self, block: Samples) -> None:
        if self._over:
            raise ModelError("F0: the stretch is finished; take a new stream for the next one")
        if block.ndim != 1 or block.dtype != np.float32:
            raise ModelError(f"F0 takes float32 samples of one channel, got {block.shape} {block.dtype}")
        if not np.isfinite(block).all():
            raise ModelError("F0 takes finite samples")
        self._heard = np.concatenate((self._heard, block))

    def _answer(self, until: int) -> PitchTrack:
        """Estimates up to a hop of what is kept: of the hops already told, BEHIND."""
        if until <= self._told:
            return PitchTrack(np.zeros(0, np.float32), np.zeros(0, np.float32), HOP)
        f0, confidence = (each[self._told : until] for each in self._estimate(self._heard))
        self._answered += len(f0)
        self._told = min(until, BEHIND)
        self._heard = self._heard[(until - self._told) * HOP :]
        return PitchTrack(f0, confidence, HOP)


def _sha256() -> str:
    import swift_f0

    return hashlib.sha256(Path(swift_f0.__file__).with_name("model.onnx").read_bytes()).hexdigest()
