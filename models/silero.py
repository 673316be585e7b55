"""Speech activity: Silero VAD v6, the ONNX file that ships inside faster-whisper.

faster-whisper's own wrapper is not used: it resets the recurrent state at every call and overwrites
the last 64 samples of the caller's array. Here the state lives in the stream, so a call can be fed window by window.
What it hears has the fundamental put back that a telephone line cuts off (``models.fundamental``).
"""

import hashlib
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from models import fundamental
from models.errors import ModelError
from models.protocols import Identity, Samples
from models.silero_network import HEARD, Network, State

WINDOW = 512
"""Samples a window: 32 ms."""
CONTEXT = HEARD - WINDOW
"""Samples of the previous window that the network sees before each window."""

_ASSET = Path("assets", "silero_vad_v6.onnx")


class SileroDetector:
    """One network, shared by every call; ``stream()`` holds what belongs to the channels of one.

    path: the ONNX file, by default the one inside faster-whisper. It runs on the caller's thread and may be used from
    several at once. About 0.17 ms a window of two channels alone, a third of that for each of many calls together
    (``benchmarks.lane``). Raises ModelError if the file is absent or no Silero v6 network.
    """

    def __init__(self, path: Path | None = None) -> None:
        file = path or bundled()
        weights = _read(file)
        try:
            self._network = Network(weights)
        except ModelError as error:
            raise ModelError(f"{file} is no Silero v6 network: {error}; reinstall faster-whisper") from error
        self._identity = Identity("silero-vad-v6", _version(), hashlib.sha256(weights).hexdigest())

    @property
    def identity(self) -> Identity:
        return self._identity

    def stream(self, channels: int = 1) -> "SileroStream":
        """Channels side by side, which have heard nothing yet."""
        return SileroStream(self, channels)

    def detect_all(self, asked: Sequence[tuple["SileroStream", Samples]]) -> list[list[float]]:
        """What ``SileroStream.detect`` would give for each, to the bit, at less cost. No stream twice.

        Raises ModelError as that does; nobody has heard anything then.
        """
        for stream, windows in asked:
            stream.check(windows)
        answers: list[list[float]] = [[] for _ in asked]
        for channels in {stream.channels for stream, _ in asked}:
            places = [place for place, (stream, _) in enumerate(asked) if stream.channels == channels]
            heard = self._together([asked[place] for place in places])
            for place, probabilities in zip(places, heard, strict=True):
                answers[place] = probabilities
        return answers

    def _together(self, asked: list[tuple["SileroStream", Samples]]) -> list[list[float]]:
        """The same for streams with as many channels each."""
        streams = [stream for stream, _ in asked]
        windows = np.stack([windows for _, windows in asked])
        restored, fundamentals = fundamental.restore(windows, np.concatenate([each.fundamental for each in streams]))
        heard = np.concatenate((np.stack([each.context for each in streams]), restored), axis=2)
        before = State(
            np.concatenate([each.state.h for each in streams]), np.concatenate([each.state.c for each in streams])
        )
        probabilities, after = self._network.step(heard, before)
        for place, stream in enumerate(streams):
            here = slice(place, place + 1)
            stream.fundamental, stream.context = fundamentals[here], heard[place, :, -CONTEXT:]
            stream.state = State(after.h[here], after.c[here])
        answers: list[list[float]] = probabilities.tolist()
        return answers


class SileroStream:
    """Speech activity of some channels of one call. Drive it from one thread at a time.

    fundamental, state: of the networks, see there. context: float32 (channels, 64), the end of the last windows.
    """

    def __init__(self, detector: SileroDetector, channels: int) -> None:
        self.channels = channels
        self.fundamental = fundamental.fresh(channels)
        self.state = State.fresh(channels)
        self.context: Samples = np.zeros((channels, CONTEXT), np.float32)
        self._detector = detector

    def detect(self, windows: Samples) -> list[float]:
        """Probability in 0-1, for each channel, that its window holds speech.

        windows: float32 (channels, 512), the 32 ms that follow the previous windows. They are neither kept nor changed.
        Raises ModelError for another shape or dtype.
        """
        return self._detector.detect_all([(self, windows)])[0]

    def check(self, windows: Samples) -> None:
        """Raises as ``detect`` does."""
        expected = (self.channels, WINDOW)
        if windows.shape != expected or windows.dtype != np.float32:
            raise ModelError(f"speech activity takes {expected} float32 samples, got {windows.shape} {windows.dtype}")


def bundled() -> Path:
    """Where faster-whisper keeps the ONNX file; found without importing faster-whisper. Raises ModelError."""
    spec = find_spec("faster_whisper")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModelError("speech activity needs the package faster-whisper, which is not installed")
    return Path(folders[0]) / _ASSET


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}; install faster-whisper 1.2 or later") from error


def _version() -> str:
    try:
        return f"faster-whisper {metadata.version('faster-whisper')}"
    except metadata.PackageNotFoundError:
        return "unknown"
