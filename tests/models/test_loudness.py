import numpy as np
import pytest

from models.errors import ModelError
from models.loudness import FLOOR_DBFS, level_dbfs


def sine(amplitude: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (amplitude * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.float32)


def test_a_sine_has_its_rms_level() -> None:
    assert level_dbfs(sine(1.0)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(sine(0.1)) == pytest.approx(-23.01, abs=0.01)


def test_full_scale_square_wave_is_zero() -> None:
    assert level_dbfs(np.ones(512, np.float32)) == 0.0


def test_silence_lies_on_the_floor() -> None:
    assert level_dbfs(np.zeros(512, np.float32)) == FLOOR_DBFS
    assert level_dbfs(np.full(512, 1e-9, np.float32)) == FLOOR_DBFS


def test_no_samples_have_no_level() -> None:
    with pytest.raises(ModelError, match="no samples"):
        level_dbfs(np.zeros(0, np.float32))
