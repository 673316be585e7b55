"""Silero VAD v6 in numpy: the same sums as its ONNX graph, for several calls at once.

onnxruntime takes one channel a call, and half of its 90 µs for a window are the way into it. Numpy's way in is paid
once here, however many calls there are. Each call is a matrix of its own in a stack, so BLAS adds up its rows as if it
were alone, and its numbers are the same to the bit whoever shares the step. What is computed is spelled out below; the
weights are read from the file, and held against onnxruntime's own answer when it is loaded.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import rfft  # type: ignore[import-untyped,unused-ignore]

from models.errors import ModelError
from models.onnx_weights import Floats, values

HEARD = 576
"""Samples a step: 64 of the window before, and 512."""
STATE = 128
"""Width of the recurrent state."""
FRAME, HOP = 256, 128
"""Samples a spectrum, and from one to the next: four a step, the last one's end mirrored."""
COLUMNS, STRIDES = (4, 2, 1), (2, 2, 1)
"""Of what the second to the fourth convolution in time is given; the first goes over four, one by one."""
NEARLY = 1e-4
"""How far the probability may be from onnxruntime's."""

_HANN: Floats = np.hanning(FRAME + 1)[:-1].astype(np.float32)
_KERNELS = [f"encoder.conv_layers.{layer}.weight" for layer in range(4)]
_BIASES = [f"encoder.conv_layers.{layer}.bias" for layer in range(4)]
_GATES = ("onnx::LSTM_209", "onnx::LSTM_210", "onnx::LSTM_211")
_LAST = ("decoder.conv1d.weight", "decoder.conv1d.bias")


@dataclass(frozen=True, slots=True)
class State:
    """h, c: float32 (calls, channels, 128), of the recurrent layer."""

    h: Floats
    c: Floats

    @classmethod
    def fresh(cls, channels: int) -> "State":
        """Of one call."""
        return cls(np.zeros((1, channels, STATE), np.float32), np.zeros((1, channels, STATE), np.float32))


class Network:
    """Weights alone: shared by every channel of every call, from any thread.

    file: bytes of the ONNX file. Raises ModelError when it holds another network.
    """

    def __init__(self, file: bytes) -> None:
        nothing: Floats = np.zeros((1, 1, STATE), np.float32)
        inputs = {"input": _sample(), "h": nothing, "c": nothing}
        found = values(file, [*_KERNELS, *_BIASES, *_GATES, *_LAST], ["speech_probs"], inputs)
        try:
            self._take(found)
            probability, _ = self.step(_sample()[None], State.fresh(1))
        except (ValueError, IndexError) as error:
            raise ModelError("its weights have other shapes") from error
        if not abs(probability - found["speech_probs"]).max() <= NEARLY:
            raise ModelError("it gives other probabilities than Silero v6 would")

    def _take(self, found: dict[str, Floats]) -> None:
        """Each weight as the matrix that a row is multiplied with."""
        first, *kernels = (found[name].transpose(2, 1, 0) for name in _KERNELS)
        self._first, self._first_bias = np.ascontiguousarray(first).reshape(-1, first.shape[2]), found[_BIASES[0]]
        matrices = [_unrolled(*each) for each in zip(kernels, COLUMNS, STRIDES, strict=True)]
        biases = [np.resize(found[name], each.shape[1]) for name, each in zip(_BIASES[1:], matrices, strict=True)]
        self._layers = list(zip(matrices, biases, strict=True))
        along, back, bias = (found[name][0] for name in _GATES)
        halved = np.repeat(np.array([0.5, 1.0], np.float32), [3 * STATE, STATE])
        # both parts in one, stored by columns: two rows take 7 µs then, 11 by rows
        self._gates = (np.concatenate((along, back), axis=1) * halved[:, None]).T
        self._gate_bias = bias.reshape(2, -1).sum(axis=0) * halved
        self._last, self._last_bias = found[_LAST[0]][0, :, 0], found[_LAST[1]][0]

    def step(self, heard: Floats, state: State) -> tuple[Floats, State]:
        """Probabilities of speech, float32 (calls, channels), and the next state.

        heard: float32 (calls, channels, 576).
        """
        calls, channels, _ = heard.shape
        columns = _beside(_spectra(heard.reshape(-1, HEARD))) @ self._first + self._first_bias
        row = np.maximum(columns, 0.0).reshape(calls, channels, -1)
        for matrix, bias in self._layers:
            row = np.maximum(row @ matrix + bias, 0.0)
        state = self._recur(row, state)
        certainty = np.maximum(state.h, 0.0) @ self._last + self._last_bias
        return 0.5 + 0.5 * np.tanh(0.5 * certainty), state

    def _recur(self, row: Floats, state: State) -> State:
        """An LSTM (Hochreiter and Schmidhuber, 1997), its gates in ONNX's order: input, output, forget, cell.

        A gate opens by the logistic function of x, which is (1 + tanh(x / 2)) / 2; its weights are halved already.
        """
        gates = np.tanh(np.concatenate((row, state.h), axis=2) @ self._gates + self._gate_bias)
        opened, cell = 0.5 + 0.5 * gates[..., : 3 * STATE], gates[..., 3 * STATE :]
        take, give, keep = np.split(opened, 3, axis=2)
        c = keep * state.c + take * cell
        return State(give * np.tanh(c), c)


def _spectra(heard: Floats) -> Floats:
    """Magnitudes, float32 (rows, 4, 129), of (rows, 576): Hann windows of 256 samples, every 128.

    scipy's transform takes several rows at once, in a fifth of numpy's time; a row's numbers are the same in any
    company.
    """
    mirrored = heard[:, -2 : -2 - FRAME // 4 : -1]
    hops = np.concatenate((heard, mirrored), axis=1).reshape(len(heard), -1, HOP)
    frames = np.concatenate((hops[:, :-1], hops[:, 1:]), axis=2)
    magnitudes: Floats = np.abs(rfft(frames * _HANN))
    return magnitudes


def _beside(columns: Floats) -> Floats:
    """Each column with its neighbours, silence beyond the edges: (rows, n, width) to (rows, n, 3 * width).

    Multiplied with a matrix, that is a product for each row of one channel.
    """
    rows, count, width = columns.shape
    wide = np.zeros((rows, count + 2, width), np.float32)
    wide[:, 1:-1] = columns
    return np.concatenate((wide[:, :-2], wide[:, 1:-1], wide[:, 2:]), axis=2)


def _unrolled(kernel: Floats, columns: int, stride: int) -> Floats:
    """A convolution over a few columns as one matrix: (columns * in, places * out). kernel: (3, in, out)."""
    _, width, out = kernel.shape
    places = range(0, columns, stride)
    matrix = np.zeros((columns, width, len(places), out), np.float32)
    for to, place in enumerate(places):
        for tap, seen in enumerate(range(place - 1, place + 2)):
            if 0 <= seen < columns:
                matrix[seen, :, to] = kernel[tap]
    return matrix.reshape(columns * width, -1)


def _sample() -> Floats:
    """A sound to try the network with: the harmonics of a voice at 125 Hz."""
    time = np.arange(HEARD)[None, :] / 16_000
    return np.asarray(sum(0.05 * np.sin(2 * np.pi * 125 * k * time + k) for k in range(1, 20)), np.float32)
