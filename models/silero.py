"""Speech activity: Silero VAD v6, the ONNX file that ships inside faster-whisper.

faster-whisper's own wrapper is not used: it resets the recurrent state at every call and overwrites
the last 64 samples of the caller's array. Here the state lives in the stream, so a call can be fed window by window.
What it hears has the fundamental put back that a telephone line cuts off (``models.fundamental``).
"""

import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.fundamental import Fundamental
from models.protocols import Identity, Samples

WINDOW = 512
"""Samples a window: 32 ms."""
CONTEXT = 64
"""Samples of the previous window that the network sees before each window."""
STATE = 128
"""Width of the recurrent state."""

_ASSET = Path("assets", "silero_vad_v6.onnx")


class SileroDetector:
    """One ONNX session, shared by every channel of every call; ``stream()`` holds what belongs to one.

    path: the ONNX file, by default the one inside faster-whisper. The session runs on the caller's thread
    (one intra-op thread, no spinning) and may be used from several threads at once. About 0.1 ms a window.
    Raises ModelError if the file is absent or no Silero v6 network.
    """

    def __init__(self, path: Path | None = None) -> None:
        file = path or bundled()
        weights = _read(file)
        self._session = _session(weights, file)
        self._identity = Identity("silero-vad-v6", _version(), hashlib.sha256(weights).hexdigest())

    @property
    def identity(self) -> Identity:
        return self._identity

    def stream(self) -> "SileroStream":
        """A new channel, which has heard nothing yet."""
        return SileroStream(self._session)


class SileroStream:
    """Speech activity of one channel of one call. Drive it from one thread at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._h: NDArray[np.float32] = np.zeros((1, 1, STATE), dtype=np.float32)
        self._c: NDArray[np.float32] = np.zeros((1, 1, STATE), dtype=np.float32)
        self._fundamental = Fundamental()
        self._heard: Samples = np.zeros((1, CONTEXT + WINDOW), dtype=np.float32)

    def detect(self, window: Samples) -> float:
        """Probability in 0-1 that ``window`` holds speech.

        window: float32 (512,), the 32 ms that follow the previous window. It is neither kept nor changed.
        Raises ModelError for another shape or dtype.
        """
        if window.shape != (WINDOW,) or window.dtype != np.float32:
            raise ModelError(f"speech activity takes {WINDOW} float32 samples, got {window.shape} {window.dtype}")
        self._heard[0, :CONTEXT] = self._heard[0, -CONTEXT:]
        self._heard[0, CONTEXT:] = self._fundamental.restore(window)
        probability, self._h, self._c = self._session.run(None, {"input": self._heard, "h": self._h, "c": self._c})
        return float(np.asarray(probability).item())


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


def _session(weights: bytes, file: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common base class for its errors
        raise ModelError(f"{file} is no readable ONNX network; reinstall faster-whisper") from error
    if [entry.name for entry in session.get_inputs()] != ["input", "h", "c"]:
        raise ModelError(f"{file} is no Silero v6 network; reinstall faster-whisper")
    return session
