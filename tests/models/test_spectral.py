import numpy as np
import pytest

from models.protocols import Samples
from models.spectral import FRAME, HOP, SpectralShape, long_term_power, spectral_shape

RATE = 16_000
BLOCK = 8_192


def tilted(db_per_octave: float, size: int = BLOCK) -> Samples:
    """Noise whose spectrum falls by so many dB an octave."""
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(size))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 100.0) / 1000.0)
    wave = np.fft.irfft(spectrum * 10 ** (-db_per_octave * octaves / 20), size)
    scaled: Samples = (0.2 * wave / np.abs(wave).max()).astype(np.float32)
    return scaled


def tones(*parts: tuple[float, float]) -> Samples:
    """Sines of (Hz, amplitude)."""
    time = np.arange(BLOCK) / RATE
    wave: Samples = np.sum([a * np.sin(2 * np.pi * f * time) for f, a in parts], axis=0).astype(np.float32)
    return wave


def shape(samples: Samples) -> SpectralShape:
    found = spectral_shape(samples)
    assert found is not None
    return found


def test_flatter_spectra_look_more_effortful_in_every_feature() -> None:
    soft, loud = shape(tilted(12.0)), shape(tilted(3.0))
    assert loud.alpha_ratio_db > soft.alpha_ratio_db + 5
    assert loud.hammarberg_db < soft.hammarberg_db - 5
    assert loud.slope_db_per_khz > soft.slope_db_per_khz + 3
    assert loud.centroid_hz > soft.centroid_hz + 100


def test_two_tones_have_the_ratio_of_their_powers() -> None:
    found = shape(tones((500.0, 0.2), (2500.0, 0.02)))
    assert found.alpha_ratio_db == pytest.approx(-20.0, abs=0.1)
    assert found.hammarberg_db == pytest.approx(20.0, abs=0.1)
    assert found.centroid_hz == pytest.approx((500 * 1.0 + 2500 * 0.01) / 1.01, abs=2.0)


def test_level_does_not_matter() -> None:
    samples = tilted(6.0)
    one, other = shape(samples), shape((0.1 * samples).astype(np.float32))
    assert one.alpha_ratio_db == pytest.approx(other.alpha_ratio_db, abs=0.01)
    assert one.slope_db_per_khz == pytest.approx(other.slope_db_per_khz, abs=0.01)


def test_nothing_outside_the_telephone_band_matters() -> None:
    inside = tones((500.0, 0.1), (2500.0, 0.05))
    outside = (inside + tones((120.0, 0.1), (5000.0, 0.1))).astype(np.float32)
    assert shape(outside).alpha_ratio_db == pytest.approx(shape(inside).alpha_ratio_db, abs=0.05)
    assert shape(outside).hammarberg_db == pytest.approx(shape(inside).hammarberg_db, abs=0.05)


def test_silence_and_scraps_have_no_shape() -> None:
    assert spectral_shape(np.zeros(BLOCK, np.float32)) is None
    assert spectral_shape(np.zeros(0, np.float32)) is None
    assert spectral_shape(tilted(6.0)[: FRAME - 1]) is None


def test_a_tone_outside_the_band_gives_finite_figures() -> None:
    found = shape(tones((6000.0, 0.5)))
    assert np.isfinite([found.alpha_ratio_db, found.hammarberg_db, found.slope_db_per_khz, found.centroid_hz]).all()


def test_the_spectrum_is_the_one_librosa_computes() -> None:
    import librosa

    samples = tilted(6.0)
    expected = np.abs(librosa.stft(samples, n_fft=FRAME, hop_length=HOP, window="hann", center=False)) ** 2
    np.testing.assert_allclose(long_term_power(samples), expected.mean(axis=1), rtol=1e-3, atol=1e-7)
