import numpy as np
import pytest

from models.errors import ModelError
from models.sounds import WINDOW, Ceiling, Clip, Sound, SoundStream, hear_all
from tests.noises import RATE, Floats, cadence, dtmf, g711, hum, mulaw, music, noise, tone
from tests.synth import Line, say

LINES = {"wide": lambda audio: audio, "telephone": mulaw}


def windows(audio: Floats) -> list[np.ndarray]:
    whole = audio[: len(audio) // WINDOW * WINDOW].astype(np.float32)
    return list(whole.reshape(-1, WINDOW))


def heard(audio: Floats) -> list[Sound]:
    stream = SoundStream()
    return [stream.step(window) for window in windows(audio)]


def clipped(audio: Floats) -> list[Clip]:
    ceiling = Ceiling()
    return [ceiling.step(window) for window in windows(audio)]


def tonal(audio: Floats) -> float:
    return float(np.mean([sound.tonal for sound in heard(audio)][10:]))


@pytest.mark.parametrize("line", LINES)
def test_music_stands_still_and_speech_does_not(line: str) -> None:
    over = LINES[line]
    for style in ("chords", "arpeggio", "melody"):
        for bpm in (60, 100, 160):
            assert tonal(over(music(6.0, bpm, style))) > 0.5, (style, bpm)
    for seed, f0 in enumerate((100.0, 150.0, 220.0)):
        assert tonal(over(say(Line("agent", 0, 6.0, f0_hz=f0), seed=seed))) < 0.2, f0
    for colour in ("white", "pink", "brown"):
        assert tonal(over(noise(6.0, colour, dbfs=-25.0))) < 0.2, colour


@pytest.mark.parametrize("line", LINES)
def test_a_tone_is_held_and_its_lines_are_found(line: str) -> None:
    for hz in ((425,), (440, 480), (350, 440), (480, 620), (1100,), (2100,)):
        sounds = heard(LINES[line](tone(hz, 1.0)))
        assert sounds[20].held >= 10, hz
        assert sorted(sounds[20].lines) == pytest.approx(sorted(hz), abs=4.0), hz


@pytest.mark.parametrize("line", LINES)
def test_every_key_of_the_keypad_is_one(line: str) -> None:
    for digit in range(1, 10):
        audio = np.concatenate((np.zeros(RATE // 2), dtmf([digit], on=0.1, off=0.3)))
        assert max(sound.pair for sound in heard(LINES[line](audio))) >= 2, digit


def test_tones_off_the_keypad_and_voices_are_no_key() -> None:
    for hz in ((425,), (440, 480), (480, 620), (697, 1100), (1209, 1336)):
        assert max(sound.pair for sound in heard(tone(hz, 1.0))) == 0, hz
    voices = [heard(say(Line("agent", 0, 5.0, f0_hz=f0), seed=int(f0))) for f0 in (90.0, 140.0, 210.0, 260.0)]
    assert max(sound.pair for sounds in voices for sound in sounds) < 2


def test_a_hum_is_like_itself_a_second_ago_and_music_is_not() -> None:
    assert np.mean([sound.like for sound in heard(hum(4.0))][40:]) > 0.98
    assert np.mean([sound.like for sound in heard(music(8.0))][40:]) < 0.9


def test_quiet_is_not_looked_at_but_has_a_level() -> None:
    sounds = heard(noise(1.0, dbfs=-60.0))
    assert all(sound == Sound(sound.level) for sound in sounds)
    assert np.mean([sound.level for sound in sounds]) == pytest.approx(-60.0, abs=0.5)


def test_a_pause_makes_it_forget_what_stood_before() -> None:
    sounds = heard(cadence((425,), (1.0, 1.0), 2))
    again = next(i for i, sound in enumerate(sounds) if i > 40 and sound.held > 0)
    assert sounds[again].held == 1
    assert sounds[again].tonal == 0.0


def test_many_calls_together_are_heard_to_the_bit_as_each_alone() -> None:
    """Of one and two channels, in another order each time, some of them quiet for a while."""
    rng = np.random.default_rng(5)
    sounds = [music(3.0), say(Line("agent", 0, 3.0), seed=1), tone((425,), 3.0), hum(3.0), noise(3.0, dbfs=-30.0)]
    parts = [
        np.concatenate([each[: RATE + n * 999], np.zeros(RATE // 2), each[RATE:]]) for n, each in enumerate(sounds)
    ]
    rows = [windows(part)[:100] for part in parts]
    calls = [[rows[n], rows[(n + 1) % 5]] if n % 2 else [rows[n]] for n in range(5)]
    streams = [[SoundStream() for _ in call] for call in calls]
    together: list[list[list[Sound]]] = [[] for _ in calls]
    for _ in range(100):
        order = list(rng.permutation(5))
        asked = [(streams[n], np.stack([row[len(together[n])] for row in calls[n]])) for n in order]
        for n, found in zip(order, hear_all(asked), strict=True):
            together[n].append(found)
    for call, found in zip(calls, together, strict=True):
        alone = [SoundStream() for _ in call]
        assert found == [
            [stream.step(row[step]) for stream, row in zip(alone, call, strict=True)] for step in range(100)
        ]


def test_what_follows_changes_nothing_of_what_was() -> None:
    one, other = noise(1.0, seed=1), noise(1.0, seed=2)
    first = music(3.0)
    assert heard(np.concatenate((first, one)))[:93] == heard(np.concatenate((first, other)))[:93]


@pytest.mark.parametrize("line", LINES)
def test_clipped_speech_stays_at_its_ceiling(line: str) -> None:
    over = {"wide": lambda audio: np.clip(audio, -1, 1), "telephone": g711}[line]
    voice = say(Line("agent", 0, 5.0), telephone=line == "telephone")
    voice /= np.abs(voice).max()
    clean = max(clip.share for clip in clipped(over(0.9 * voice))[31:])
    hard = np.median([clip.share for clip in clipped(over(8 * voice))[31:]])
    assert clean < 0.035
    assert hard > 0.06


def test_a_ceiling_under_full_scale_is_found_too() -> None:
    voice = say(Line("agent", 0, 5.0))
    clips = clipped(0.5 * np.clip(8 * voice / np.abs(voice).max(), -1, 1))
    assert clips[-1].ceiling == pytest.approx(0.5, abs=0.01)
    assert clips[-1].share > 0.06


def test_any_other_window_is_refused() -> None:
    with pytest.raises(ModelError, match=r"512 samples at 16000 Hz, got shape \(160,\)"):
        SoundStream().step(np.zeros(160, np.float32))
