import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.descriptors import HOP
from models.errors import ModelError
from models.protocols import PitchTrack, Samples
from models.voice import FEATURES, LLDS, PART, Rows, _alike, _percentiles, describe, frames

RATE = 16_000
AT = {name: place for place, name in enumerate(FEATURES)}
LLD = {name: place for place, name in enumerate(LLDS)}
NOT_GAIN = [place for place, name in enumerate(FEATURES) if name != "level"]


def buzz(hertz: Samples | float, seconds: float = 2.0, tilt: float = 1.0) -> Samples:
    """Harmonics up to 3400 Hz, the n-th of amplitude n**-tilt."""
    f0 = np.broadcast_to(np.asarray(hertz, np.float64), round(seconds * RATE))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    wave = sum(np.sin(n * phase) * n**-tilt for n in range(1, int(3400 / f0.max()) + 1))
    scaled: Samples = (0.1 * wave / np.abs(wave).max()).astype(np.float32)
    return scaled


def known(audio: Samples, hertz: Samples | float) -> PitchTrack:
    """A track that says the truth."""
    count = len(audio) // HOP
    f0 = np.broadcast_to(np.asarray(hertz, np.float32), len(audio))[HOP // 2 :: HOP][:count]
    return PitchTrack(f0.astype(np.float32), np.ones(count, np.float32), HOP)


def voice(audio: Samples, hertz: Samples | float) -> dict[str, float]:
    described = describe(frames(audio, known(audio, hertz)))
    assert described is not None
    return dict(zip(FEATURES, described.tolist(), strict=True))


@pytest.fixture(scope="module")
def spoken(speech: Samples) -> tuple[Samples, PitchTrack]:
    from models.pitch import SwiftF0Tracker

    return speech, SwiftF0Tracker().stream().finish(speech)


def blocks(audio: Samples, track: PitchTrack, size: int) -> Rows:
    """Rows of a stretch that comes in blocks of so many hops."""
    parts = [
        frames(
            audio[start * HOP : (start + size) * HOP],
            PitchTrack(track.f0[start : start + size], track.confidence[start : start + size], HOP),
        )
        for start in range(0, len(track.f0), size)
    ]
    return np.concatenate(parts)


def test_every_feature_belongs_to_one_part() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert set(PART) == set(FEATURES)


def test_a_steady_buzz_has_its_pitch_and_no_melody() -> None:
    found = voice(buzz(220.0), 220.0)
    assert found["f0_median"] == pytest.approx(36.0, abs=0.01)
    assert found["f0_range"] == pytest.approx(0.0, abs=0.01)
    assert found["harmonicity_mean"] > 15
    assert found["voiced_share"] == 1.0
    assert found["pause_share"] == 0.0


def test_a_glide_has_its_range_and_its_slope() -> None:
    hertz = 110.0 * 2 ** np.linspace(0, 1, 2 * RATE)
    found = voice(buzz(hertz), hertz.astype(np.float32))
    assert found["f0_median"] == pytest.approx(30.0, abs=0.1)
    assert found["f0_range"] == pytest.approx(0.9 * 12, abs=0.2)
    assert found["f0_rise"] == pytest.approx(6.0, abs=0.1)
    assert found["f0_fall"] == 0.0


def test_a_harder_voice_has_a_flatter_spectrum() -> None:
    soft, hard = voice(buzz(150.0, tilt=1.5), 150.0), voice(buzz(150.0, tilt=0.5), 150.0)
    for name in ("alpha_mean", "alpha_loud", "slope_high_mean", "slope_low_mean", "centroid_mean"):
        assert hard[name] > soft[name], name
    assert hard["hammarberg_mean"] < soft["hammarberg_mean"] - 5


def test_two_tones_have_the_ratio_of_their_powers() -> None:
    time = np.arange(RATE) / RATE
    audio = (0.2 * np.sin(2 * np.pi * 500 * time) + 0.02 * np.sin(2 * np.pi * 2500 * time)).astype(np.float32)
    rows = frames(audio, known(audio, 100.0))[2:-2]
    assert np.median(rows[:, LLD["alpha"]]) == pytest.approx(-20.0, abs=0.1)
    assert np.median(rows[:, LLD["hammarberg"]]) == pytest.approx(20.0, abs=0.1)
    assert np.median(rows[:, LLD["level"]]) == pytest.approx(20 * np.log10(0.2), abs=0.1)


def test_nothing_outside_the_telephone_band_matters() -> None:
    time = np.arange(2 * RATE) / RATE
    hum = (0.05 * np.sin(2 * np.pi * 50 * time) + 0.05 * np.sin(2 * np.pi * 6000 * time)).astype(np.float32)
    plain, hummed = (frames(audio, known(audio, 200.0)) for audio in (buzz(200.0), buzz(200.0) + hum))
    spectral = [LLD[name] for name in ("level", "alpha", "hammarberg", "centroid", "mfcc1", "mfcc5")]
    np.testing.assert_allclose(hummed[2:-2, spectral], plain[2:-2, spectral], rtol=0.01, atol=0.1)


def test_syllables_are_counted() -> None:
    time = np.arange(3 * RATE) / RATE
    audio = (buzz(150.0, 3.0) * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time))).astype(np.float32)
    assert voice(audio, 150.0)["peak_rate"] == pytest.approx(4.0, abs=0.4)


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_gain_changes_the_level_alone(spoken: tuple[Samples, PitchTrack], gain_db: float) -> None:
    audio, track = spoken
    audio = (audio * np.float32(0.1 / np.abs(audio).max())).astype(np.float32)
    before = describe(frames(audio, track))
    after = describe(frames((audio * np.float32(10 ** (gain_db / 20))).astype(np.float32), track))
    assert before is not None
    assert after is not None
    assert after[AT["level"]] - before[AT["level"]] == pytest.approx(gain_db, abs=0.01)
    np.testing.assert_allclose(after[NOT_GAIN], before[NOT_GAIN], rtol=0.02, atol=0.05)


@pytest.mark.parametrize("size", [5, 16, 32])
def test_blocks_give_nearly_the_rows_of_the_whole(spoken: tuple[Samples, PitchTrack], size: int) -> None:
    audio, track = spoken
    whole, pieces = frames(audio, track), blocks(audio, track, size)
    assert pieces.shape == whole.shape
    inner = np.arange(len(whole)) % size
    same = (inner > 1) & (inner < size - 2)
    np.testing.assert_allclose(pieces[same], whole[same], rtol=1e-4, atol=1e-3)
    loud = whole[:, LLD["level"]] > -50
    apart = np.abs(pieces - whole)[loud]
    assert np.nanmedian(apart[:, LLD["alpha"]]) < 0.1
    assert np.nanmean(apart[:, LLD["level"]]) < 0.5


def test_blocks_of_half_a_second_are_described_like_the_whole(spoken: tuple[Samples, PitchTrack]) -> None:
    audio, track = spoken
    whole, pieces = describe(frames(audio, track)), describe(blocks(audio, track, 32))
    assert whole is not None
    assert pieces is not None
    scale = np.maximum(np.abs(whole), 1.0)
    assert np.nanmax(np.abs(pieces - whole) / scale) < 0.2


def test_rows_do_not_depend_on_what_follows() -> None:
    audio = buzz(180.0)
    before = frames(audio[:RATE], known(audio[:RATE], 180.0))
    after = frames(audio, known(audio, 180.0))
    np.testing.assert_allclose(after[: len(before) - 1], before[:-1], atol=1e-3)


def test_digital_silence_says_nothing() -> None:
    silence = np.zeros(2 * RATE, np.float32)
    unvoiced = PitchTrack(np.zeros(125, np.float32), np.zeros(125, np.float32), HOP)
    rows = frames(silence, unvoiced)
    assert np.isnan(rows[:, LLD["alpha"]]).all()
    assert np.isfinite(rows[:, LLD["level"]]).all()
    assert describe(rows) is None


def test_under_half_a_second_says_nothing() -> None:
    audio = buzz(180.0, 0.45)
    assert describe(frames(audio, known(audio, 180.0))) is None
    assert describe(np.zeros((0, len(LLDS)), np.float32)) is None


def test_silence_around_speech_is_pause_and_moves_no_timbre() -> None:
    audio = buzz(180.0)
    padded = np.concatenate((audio, np.zeros(RATE, np.float32)))
    track = known(padded, 180.0)
    track.confidence[len(audio) // HOP :] = 0
    plain, paused = voice(audio, 180.0), describe(frames(padded, track))
    assert paused is not None
    assert paused[AT["alpha_mean"]] == pytest.approx(plain["alpha_mean"], abs=0.2)
    assert paused[AT["pause_share"]] == pytest.approx(1 / 3, abs=0.02)


def test_a_whisper_has_timbre_and_no_pitch() -> None:
    noise = (0.05 * np.random.default_rng(3).standard_normal(2 * RATE)).astype(np.float32)
    track = PitchTrack(np.full(125, 100, np.float32), np.zeros(125, np.float32), HOP)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = describe(frames(noise, track))
    assert found is not None
    assert np.isnan(found[AT["f0_median"]])
    assert np.isfinite(found[AT["alpha_mean"]])
    assert found[AT["voiced_share"]] == 0


def test_no_estimates_give_no_rows() -> None:
    nothing = np.zeros(0, np.float32)
    assert frames(nothing, PitchTrack(nothing, nothing, HOP)).shape == (0, len(LLDS))


@pytest.mark.parametrize(
    ("audio", "hop", "told"),
    [
        (np.zeros((2, RATE), np.float32), HOP, "one channel"),
        (np.zeros(RATE, np.float64), HOP, "float64"),
        (np.zeros(RATE, np.float32), 160, "every 160"),
        (np.zeros(RATE // 4, np.float32), HOP, "got 4000"),
    ],
)
def test_what_is_no_voice_is_refused(audio: Samples, hop: int, told: str) -> None:
    track = PitchTrack(np.full(62, 100, np.float32), np.ones(62, np.float32), hop)
    with pytest.raises(ModelError, match=told):
        frames(audio, track)


def test_other_rows_are_refused() -> None:
    with pytest.raises(ModelError, match="descriptors"):
        describe(np.zeros((40, 3), np.float32))


def test_the_cepstrum_is_librosas(say: Callable[..., Samples]) -> None:
    """Mel powers of other filters, so the referee is the cosine transform and the spectrum, by correlation."""
    import librosa

    from models.timbre import FRAME, HIGH, LOW, MELS

    audio = say("The quick brown fox jumps over the lazy dog.")
    rows = frames(audio, known(audio, 100.0))
    mels = librosa.feature.melspectrogram(
        y=audio, sr=RATE, n_fft=FRAME, hop_length=HOP, n_mels=MELS, fmin=LOW, fmax=HIGH, htk=True, norm=None
    )
    theirs = librosa.feature.mfcc(S=librosa.power_to_db(mels, top_db=None), n_mfcc=13, norm="ortho").T
    loud = np.flatnonzero(rows[:, LLD["level"]] > -45)
    for number in (1, 2, 3, 4, 6, 8, 12):
        ours = rows[loud, LLD[f"mfcc{number}"]]
        assert np.corrcoef(ours, theirs[loud, number])[0, 1] > 0.6, number


@given(values=st.lists(st.floats(-100, 100), min_size=1, max_size=200), share=st.floats(0, 100))
def test_percentiles_are_numpys_to_the_bit(values: list[float], share: float) -> None:
    own = np.array(values)
    assert _percentiles(own, share, 50) == [*np.percentile(own, (share, 50))]


@given(values=st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=99))
def test_likeness_is_the_correlation_of_two_that_vary(values: list[tuple[float, float]]) -> None:
    one, other = np.array(values).T
    if min(one.std(), other.std()) < 1e-3:
        assert np.isnan(_alike(one, other))
    else:
        assert _alike(one, other) == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-9)
