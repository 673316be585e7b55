import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor  # type: ignore[import-untyped,unused-ignore]

from models.mel import HOP, SILENCE, Features, Mel
from models.protocols import Samples

REFERENCE = FeatureExtractor()


@pytest.fixture(scope="module")
def mel() -> Mel:
    return Mel(REFERENCE.mel_filters)


def expected(samples: Samples) -> Features:
    return np.asarray(REFERENCE(samples)[:, : len(samples) // HOP], np.float32)


def test_equals_faster_whisper_on_speech(mel: Mel, speech: Samples) -> None:
    own = len(speech) // HOP
    features = mel(speech, own)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected(speech), atol=1e-3)


@pytest.mark.parametrize("length", [201, 400, 1_000, 10_239, 10_240, 10_241, 480_000])
def test_equals_faster_whisper_at_any_length(mel: Mel, length: int) -> None:
    noise = (0.1 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)
    np.testing.assert_allclose(mel(noise, 3_000)[:, : length // HOP], expected(noise), atol=1e-3)


def test_what_lies_behind_is_digital_silence(mel: Mel, speech: Samples) -> None:
    own = len(speech) // HOP
    silent = np.concatenate([speech[: own * HOP], np.zeros(4 * 16_000, np.float32)])
    features = mel(speech[: own * HOP], own + 300)
    np.testing.assert_allclose(features[:, own + 2 :], expected(silent)[:, own + 2 : own + 300], atol=1e-3)
    assert features[:, own:].max() == pytest.approx(features.max() - 2.0)


@pytest.mark.parametrize("length", [0, 100, 159, 16_000])
def test_silence_is_silence(mel: Mel, length: int) -> None:
    features = mel(np.zeros(length, np.float32), 500)
    assert features.shape == (80, 500)
    np.testing.assert_allclose(features, SILENCE, atol=1e-6)
