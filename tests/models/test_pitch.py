from typing import Any

import numpy as np
import pytest

from models.errors import ModelError
from models.pitch import FMAX, FMIN, HOP, LAG, SwiftF0Stream, SwiftF0Tracker
from models.protocols import PitchTrack, Samples

RATE = 16_000
BLOCK = 8_192


@pytest.fixture(scope="module")
def tracker() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def voice(f0: float, seconds: float = 2.0, low: float = 0.0, high: float = 7000.0) -> Samples:
    """Harmonics of f0 that lie in low-high Hz, falling by 6 dB an octave."""
    time = np.arange(round(seconds * RATE)) / RATE
    numbers = [n for n in range(1, 200) if low <= n * f0 <= high]
    wave = np.sum([np.sin(2 * np.pi * n * f0 * time) / n for n in numbers], axis=0)
    scaled: Samples = (0.3 * wave / np.abs(wave).max()).astype(np.float32)
    return scaled


def track(stream: SwiftF0Stream, samples: Samples, block: int = BLOCK) -> PitchTrack:
    parts = [stream.track(samples[at : at + block]) for at in range(0, samples.size, block)] + [stream.finish()]
    return PitchTrack(
        np.concatenate([p.f0 for p in parts]), np.concatenate([p.confidence for p in parts]), parts[0].hop
    )


@pytest.mark.parametrize("f0", [120.0, 220.0])
@pytest.mark.parametrize("band", [(0.0, 7000.0), (300.0, 3400.0)], ids=["wide band", "telephone band"])
def test_finds_f0_of_a_voice_even_without_its_fundamental(
    tracker: SwiftF0Tracker, f0: float, band: tuple[float, float]
) -> None:
    found = track(tracker.stream(), voice(f0, low=band[0], high=band[1]))
    voiced = found.f0[found.confidence >= 0.5]
    assert voiced.size > 0.8 * found.f0.size
    assert abs(12 * np.log2(np.median(voiced) / f0)) < 0.2


def test_any_chunking_gives_the_same_estimates(tracker: SwiftF0Tracker) -> None:
    samples = voice(150.0)
    whole, pieces = track(tracker.stream(), samples), track(tracker.stream(), samples, block=1_000)
    assert whole.f0.size == samples.size // HOP
    np.testing.assert_allclose(pieces.f0, whole.f0, rtol=1e-3)
    np.testing.assert_allclose(pieces.confidence, whole.confidence, atol=1e-3)


def test_a_last_block_may_come_with_the_end(tracker: SwiftF0Tracker) -> None:
    samples = voice(150.0, seconds=1.3)
    apart, at_once = tracker.stream(), tracker.stream()
    for stream in (apart, at_once):
        stream.track(samples[:BLOCK])
    rest = [apart.track(samples[BLOCK:]), apart.finish()]
    found = at_once.finish(samples[BLOCK:])
    np.testing.assert_allclose(found.f0, np.concatenate([part.f0 for part in rest]), rtol=1e-3)
    np.testing.assert_allclose(found.confidence, np.concatenate([part.confidence for part in rest]), atol=1e-3)
    assert at_once.position == samples.size // HOP * HOP


@pytest.mark.parametrize("count", [1, HOP - 1, HOP, BLOCK, BLOCK + 100, 5 * BLOCK])
def test_equals_the_networks_own_estimates_of_the_whole(tracker: SwiftF0Tracker, count: int) -> None:
    from swift_f0 import SwiftF0

    samples = np.resize(np.concatenate([voice(150.0, 0.7), np.zeros(3_000, np.float32)]), count)
    whole = SwiftF0(threads=1, spin=False).detect(samples, RATE, FMIN, FMAX)
    found = track(tracker.stream(), samples)
    np.testing.assert_allclose(found.f0, whole.pitch_hz, rtol=1e-3)
    np.testing.assert_allclose(found.confidence, whole.confidence, atol=1e-3)
    assert not (found.confidence == 0).all() or count < BLOCK


def test_lags_by_what_it_says(tracker: SwiftF0Tracker) -> None:
    stream, samples = tracker.stream(), voice(150.0)
    first = stream.track(samples[:BLOCK])
    assert first.f0.size == (BLOCK - LAG) // HOP
    assert stream.position == BLOCK - LAG
    assert stream.track(samples[BLOCK : 2 * BLOCK]).f0.size == BLOCK // HOP
    assert stream.finish().f0.size == LAG // HOP


def test_streams_do_not_influence_each_other(tracker: SwiftF0Tracker) -> None:
    low, high = voice(120.0), voice(220.0)
    one, two = tracker.stream(), tracker.stream()
    one.track(low[:BLOCK])
    two.track(high[:BLOCK])
    assert np.median(one.track(low[BLOCK : 2 * BLOCK]).f0) == pytest.approx(120.0, rel=0.012)
    assert np.median(two.track(high[BLOCK : 2 * BLOCK]).f0) == pytest.approx(220.0, rel=0.012)


def test_silence_and_short_blocks_are_unvoiced_or_empty(tracker: SwiftF0Tracker) -> None:
    assert not (track(tracker.stream(), np.zeros(2 * BLOCK, np.float32)).confidence > 0).any()
    empty = tracker.stream().track(np.zeros(0, np.float32))
    assert empty.f0.shape == empty.confidence.shape == (0,)
    assert empty.f0.dtype == empty.confidence.dtype == np.float32


def test_a_finished_stream_refuses_more(tracker: SwiftF0Tracker) -> None:
    stream = tracker.stream()
    stream.finish()
    with pytest.raises(ModelError, match="finished"):
        stream.track(voice(120.0)[:BLOCK])


def test_refuses_other_dtypes_shapes_and_infinities(tracker: SwiftF0Tracker) -> None:
    wrongs: list[Any] = [np.zeros(10), np.zeros((10, 2), np.float32), np.full(10, np.inf, np.float32)]
    for wrong in wrongs:
        with pytest.raises(ModelError, match="F0"):
            tracker.stream().track(wrong)


def test_refuses_an_empty_range() -> None:
    with pytest.raises(ModelError, match=r"500\.0-60\.0 Hz"):
        SwiftF0Tracker(fmin=500.0, fmax=60.0)


def test_names_its_weights(tracker: SwiftF0Tracker) -> None:
    assert tracker.identity.name == "swift-f0"
    assert len(tracker.identity.sha256) == 64
