from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.fundamental import fresh, restore
from models.protocols import Samples
from models.silero import CONTEXT, WINDOW, SileroDetector, bundled
from models.silero_network import STATE


@pytest.fixture(scope="module")
def detector() -> SileroDetector:
    return SileroDetector()


def noise(windows: int, level: float = 0.1, seed: int = 1) -> Samples:
    return (np.random.default_rng(seed).standard_normal((windows, WINDOW)) * level).astype(np.float32)


def run(detector: SileroDetector, windows: Samples) -> list[float]:
    stream = detector.stream()
    return [stream.detect(window[None])[0] for window in windows]


def reference(windows: Samples) -> list[float]:
    """onnxruntime's own answers, driven by hand over the whole array, the fundamental put back."""
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    session = onnxruntime.InferenceSession(str(bundled()), providers=["CPUExecutionProvider"])
    state, restored = fresh(1), []
    for window in windows:
        heard_so, state = restore(window[None, None], state)
        restored.append(heard_so[0, 0])
    flat = np.concatenate([np.zeros(CONTEXT, np.float32), *restored])
    h = c = np.zeros((1, 1, STATE), np.float32)
    heard = []
    for at in range(0, windows.size, WINDOW):
        probability, h, c = session.run(None, {"input": flat[None, at : at + CONTEXT + WINDOW], "h": h, "c": c})
        heard.append(float(probability.item()))
    return heard


def test_equals_the_network_over_the_whole_recording(detector: SileroDetector, speech: Samples) -> None:
    windows = speech[: speech.size // WINDOW * WINDOW].reshape(-1, WINDOW)
    assert run(detector, windows) == pytest.approx(reference(windows), abs=2e-5)


@pytest.mark.parametrize("level", [1e-4, 0.01, 1.0])
def test_equals_the_network_at_any_level(detector: SileroDetector, level: float) -> None:
    assert run(detector, noise(60, level)) == pytest.approx(reference(noise(60, level)), abs=2e-5)


def test_is_deterministic(detector: SileroDetector) -> None:
    assert run(detector, noise(40)) == run(detector, noise(40))


def test_streams_do_not_influence_each_other(detector: SileroDetector) -> None:
    first, second = noise(30, seed=1), noise(30, seed=2)
    one, two = detector.stream(), detector.stream()
    both = [(one.detect(a[None])[0], two.detect(b[None])[0]) for a, b in zip(first, second, strict=True)]
    assert [a for a, _ in both] == run(detector, first)
    assert [b for _, b in both] == run(detector, second)


def test_channels_heard_together_are_heard_as_each_alone(detector: SileroDetector, speech: Samples) -> None:
    first = speech[: 100 * WINDOW].reshape(-1, WINDOW)
    second = noise(len(first))
    stream = detector.stream(2)
    both = np.array([stream.detect(np.stack(pair)) for pair in zip(first, second, strict=True)])
    assert both[:, 0] == pytest.approx(run(detector, first), abs=1e-5)
    assert both[:, 1] == pytest.approx(run(detector, second), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_many_calls_together_hear_to_the_bit_what_each_hears_alone(
    detector: SileroDetector, speech: Samples, seed: int
) -> None:
    """Calls of one and of two channels, some of which wait, in another order each time."""
    rng = np.random.default_rng(seed)
    heard = speech[: 60 * WINDOW].reshape(-1, WINDOW)
    calls = [np.stack([np.roll(heard, int(rng.integers(60)), 0)] * int(rng.integers(1, 3)), 1) for _ in range(23)]
    for call in calls:
        call[:, 0] *= rng.uniform(0.001, 1.0)
    streams = [detector.stream(call.shape[1]) for call in calls]
    together: list[list[list[float]]] = [[] for _ in calls]
    while any(len(found) < len(call) for found, call in zip(together, calls, strict=True)):
        there = [n for n in rng.permutation(len(calls)) if len(together[n]) < len(calls[n]) and rng.random() < 0.8]
        answers = detector.detect_all([(streams[n], calls[n][len(together[n])]) for n in there])
        for n, answer in zip(there, answers, strict=True):
            together[n].append(answer)
    for call, found in zip(calls, together, strict=True):
        alone = detector.stream(call.shape[1])
        assert found == [alone.detect(windows) for windows in call]


def test_leaves_the_window_as_it_was(detector: SileroDetector) -> None:
    window = noise(1)
    before = window.copy()
    detector.stream().detect(window)
    np.testing.assert_array_equal(window, before)


def test_a_reused_buffer_does_not_leak_into_the_next_window(detector: SileroDetector) -> None:
    windows, buffer, stream = noise(10), np.empty((1, WINDOW), np.float32), detector.stream()
    heard = []
    for window in windows:
        buffer[0] = window
        heard += stream.detect(buffer)
    assert heard == run(detector, windows)


def test_tells_speech_from_silence_and_noise(detector: SileroDetector, speech: Samples) -> None:
    windows = speech[: speech.size // WINDOW * WINDOW].reshape(-1, WINDOW)
    assert max(run(detector, np.zeros((60, WINDOW), np.float32))) < 0.2
    assert np.mean(run(detector, noise(60))) < 0.3
    assert np.mean(np.array(run(detector, windows)) > 0.5) > 0.5


@pytest.mark.parametrize("shape", [(512,), (1, 511), (2, 512)])
def test_refuses_another_shape_or_dtype(detector: SileroDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"\(1, 512\) float32"):
        detector.stream().detect(np.zeros(shape, np.float32))
    with pytest.raises(ModelError, match="float64"):
        detector.stream().detect(np.zeros((1, 512)))  # type: ignore[arg-type]


def test_names_its_weights(detector: SileroDetector) -> None:
    assert detector.identity.name == "silero-vad-v6"
    assert len(detector.identity.sha256) == 64


def test_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        SileroDetector(tmp_path / "absent.onnx")


def test_names_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        SileroDetector(tmp_path / "broken.onnx")


def test_refuses_another_network() -> None:
    import swift_f0

    other = Path(swift_f0.__file__).with_name("model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx is no Silero v6 network: .* other weights"):
        SileroDetector(other)


def test_refuses_a_network_that_computes_something_else(tmp_path: Path) -> None:
    """The same weights under the same names, but the spectrum's squares are cubes."""
    file = bundled().read_bytes()
    name = file.rindex(b"/encoder/feature_extractor/Constant_17_output_0")
    at = file.index(np.float32(2).tobytes(), name)
    (tmp_path / "cubes.onnx").write_bytes(file[:at] + np.float32(3).tobytes() + file[at + 4 :])
    with pytest.raises(ModelError, match="other probabilities"):
        SileroDetector(tmp_path / "cubes.onnx")
