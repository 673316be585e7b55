import numpy as np
import pytest

from models.protocols import Samples
from models.spectral import FRAME, HOP, alpha_ratio_db, long_term_power

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


def alpha(samples: Samples) -> float:
    found = alpha_ratio_db(samples)
    assert found is not None
    return found


def test_flatter_spectra_look_more_effortful() -> None:
    assert alpha(tilted(3.0)) > alpha(tilted(12.0)) + 5


def test_two_tones_have_the_ratio_of_their_powers() -> None:
    assert alpha(tones((500.0, 0.2), (2500.0, 0.02))) == pytest.approx(-20.0, abs=0.1)


def test_level_does_not_matter() -> None:
    samples = tilted(6.0)
    assert alpha((0.1 * samples).astype(np.float32)) == pytest.approx(alpha(samples), abs=0.01)


def test_nothing_outside_the_telephone_band_matters() -> None:
    inside = tones((500.0, 0.1), (2500.0, 0.05))
    outside = (inside + tones((120.0, 0.1), (5000.0, 0.1))).astype(np.float32)
    assert alpha(outside) == pytest.approx(alpha(inside), abs=0.05)


def test_silence_and_scraps_have_none() -> None:
    assert alpha_ratio_db(np.zeros(BLOCK, np.float32)) is None
    assert alpha_ratio_db(np.zeros(0, np.float32)) is None
    assert alpha_ratio_db(tilted(6.0)[: FRAME - 1]) is None


def test_a_tone_outside_the_band_gives_a_finite_ratio() -> None:
    assert np.isfinite(alpha(tones((6000.0, 0.5))))


def test_the_spectrum_is_the_one_librosa_computes() -> None:
    import librosa

    samples = tilted(6.0)
    expected = np.abs(librosa.stft(samples, n_fft=FRAME, hop_length=HOP, window="hann", center=False)) ** 2
    np.testing.assert_allclose(long_term_power(samples), expected.mean(axis=1), rtol=1e-3, atol=1e-7)
