"""The fundamental comes back where a line has cut it, and Silero hears the speech again."""

from __future__ import annotations

import numpy as np
import pytest

from models.fundamental import GAIN, HIGH, LOW, RATE, fresh, restore
from models.protocols import Samples
from models.silero import WINDOW as BLOCK
from models.silero import SileroDetector
from tests.synth import Floats, Line, say


def restored(samples: Floats) -> Floats:
    return through(samples.astype(np.float32)[None])[0].astype(np.float64)


def through(channels: Samples) -> Samples:
    """One call: float32 (channels, n)."""
    state, found = fresh(len(channels)), []
    for at in range(0, channels.shape[1], BLOCK):
        block, state = restore(channels[None, :, at : at + BLOCK], state)
        found.append(block[0])
    return np.concatenate(found, axis=1)


def walled(samples: Floats) -> Floats:
    """300 to 3400 Hz and nothing else."""
    spectrum, hertz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / RATE)
    return np.asarray(np.fft.irfft(np.where((hertz >= 300) & (hertz <= 3400), spectrum, 0), len(samples)))


def harmonics(f0: float, count: int = 64 * BLOCK) -> Floats:
    t = np.arange(count) / RATE
    return np.asarray(sum(np.sin(2 * np.pi * f0 * k * t + k) for k in range(1, int(3400 / f0))) * 0.02)


def power_at(samples: Floats, hertz: float) -> float:
    t = np.arange(len(samples)) / RATE
    return float(np.abs(np.mean(samples * np.exp(-2j * np.pi * hertz * t))))


@pytest.mark.parametrize("f0", [100.0, 140.0, 210.0])
def test_a_missing_fundamental_is_put_back(f0: float) -> None:
    line = walled(harmonics(f0))
    assert power_at(line, f0) < 1e-4
    assert power_at(restored(line), f0) > 5e-3


def test_the_band_itself_is_left_alone() -> None:
    line = walled(harmonics(140.0))
    assert power_at(restored(line), 1400.0) == pytest.approx(power_at(line, 1400.0), rel=0.05)


def test_silence_stays_silence_and_blocks_join_without_a_seam() -> None:
    assert not restored(np.zeros(4 * BLOCK)).any()
    added = restored(harmonics(120.0)) - harmonics(120.0)
    assert np.abs(np.diff(added)).max() < 0.02  # a seam would be a step


def test_it_is_the_filter_that_its_sections_describe() -> None:
    """scipy's recursive filters over the whole, against blocks of matrices."""
    from scipy.signal import butter, lfilter  # type: ignore[import-untyped,unused-ignore]

    samples = harmonics(120.0) + np.random.default_rng(0).normal(0, 0.1, 64 * BLOCK)
    low = np.maximum(samples.astype(np.float32), 0).astype(np.float64)
    for hertz, kind in ((LOW, "high"), (HIGH, "low")):
        low = lfilter(*butter(2, hertz, kind, fs=RATE), low)
    assert restored(samples) == pytest.approx(samples + GAIN * low, abs=1e-5)


def test_channels_side_by_side_are_as_each_alone() -> None:
    both = np.stack([harmonics(120.0), harmonics(210.0)]).astype(np.float32)
    for row, alone in zip(through(both), both, strict=True):
        assert row == pytest.approx(restored(alone), abs=1e-6)


def test_the_given_block_is_not_changed() -> None:
    block = harmonics(120.0, BLOCK).astype(np.float32)[None, None]
    before = block.copy()
    restore(block, fresh(1))
    assert np.array_equal(block, before)


def test_silero_hears_speech_behind_a_wall_at_300_hz() -> None:
    line = Line("agent", 0.0, 64 * BLOCK / RATE, f0_hz=115.0)
    speech = say(line, seed=3)
    stream = SileroDetector().stream()
    heard = [stream.detect(block)[0] for block in walled(speech).astype(np.float32).reshape(-1, 1, BLOCK)]
    assert float(np.mean(np.array(heard) >= 0.5)) > 0.8
