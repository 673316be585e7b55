"""What each line does to a voice, measured on what comes out of it."""

import numpy as np
import pytest

from models.training.errors import TrainingError
from models.training.lines import LEVEL_DBFS, Lines, active_power

RATE = 16_000


@pytest.fixture(scope="module")
def voice():
    """A vowel-like sound with pauses: harmonics of 120 to 200 Hz up to 6 kHz and more, in bursts, float32 (32000,)."""
    t = np.arange(2 * RATE) / RATE
    turns = 120 * t + 20 * t**2
    wave = sum(np.sin(2 * np.pi * n * turns) / n for n in range(1, 38))
    return (0.2 * wave * (np.sin(2 * np.pi * 0.7 * (t + t**2)) > 0)).astype(np.float32)


def band_power(samples, low, high):
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return spectrum[(hertz >= low) & (hertz < high)].sum()


def dbfs(samples):
    return 10 * np.log10(active_power(samples))


@pytest.mark.parametrize("name", Lines().names)
def test_every_line_gives_as_many_finite_samples_in_place(name, voice):
    lines = Lines()
    heard, clean = lines.send(name, voice, "a"), lines.send("clean", voice, "a")
    assert heard.dtype == np.float32
    assert heard.shape == voice.shape
    assert np.isfinite(heard).all()
    both = np.fft.irfft(np.fft.rfft(heard) * np.conj(np.fft.rfft(clean)))
    assert np.argmax(both) in range(3)


@pytest.mark.parametrize("name", [name for name in Lines().names if name != "clean"])
def test_nothing_is_left_above_4_khz(name, voice):
    heard = Lines().send(name, voice, "a")
    assert band_power(heard, 4200, 8000) < 1e-3 * band_power(heard, 300, 4000)


@pytest.mark.parametrize(("name", "level"), [("mulaw", 0.0), ("down12", -12.0), ("clean", 0.0)])
def test_the_level_of_the_file_is_forgotten(name, level, voice):
    quiet, loud = (Lines().send(name, voice * factor, "a") for factor in (np.float32(0.01), np.float32(1.0)))
    assert dbfs(quiet) == pytest.approx(LEVEL_DBFS + level, abs=0.5)
    assert dbfs(loud) == pytest.approx(dbfs(quiet), abs=0.1)


def test_the_band_ends_at_300_hz(voice):
    wide, narrow = (Lines().send(name, voice, "a") for name in ("mulaw", "band"))
    assert band_power(narrow, 100, 250) < 1e-3 * band_power(wide, 100, 250)


def test_noise_lies_15_db_under_the_voice(voice):
    lines = Lines()
    added = lines.send("noise15", voice, "a") - lines.send("mulaw", voice, "a")
    wide = 10 * np.log10(np.mean(added**2)) - LEVEL_DBFS
    assert -19 < wide < -14  # what lies above 4 kHz is lost on the line


def test_music_comes_from_the_file_that_was_given(voice):
    tone = np.sin(2 * np.pi * 1075 * np.arange(RATE) / RATE).astype(np.float32)
    lines = Lines(music=(tone,))
    heard, without = lines.send("music15", voice, "a"), lines.send("mulaw", voice, "a")
    assert band_power(heard, 1070, 1080) > 20 * band_power(without, 1070, 1080)


def test_chance_is_the_clips_and_the_seeds_own(voice):
    one, again, other = (
        Lines().send("room", voice, "a"),
        Lines().send("room", voice, "a"),
        Lines(1).send("room", voice, "a"),
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, Lines().send("room", voice, "b"))
    assert Lines().key("room") != Lines(1).key("room")
    assert Lines().key("mulaw") == Lines(1).key("mulaw")


def test_silence_stays_silence():
    assert not Lines().send("clean", np.zeros(RATE, np.float32), "a").any()


def test_an_unknown_line_is_told_what_there_is():
    with pytest.raises(TrainingError, match="fax is no line; there are: clean, mulaw, gsm, opus"):
        Lines().check("fax")
    with pytest.raises(TrainingError, match="needs --music"):
        Lines().check("music15")
