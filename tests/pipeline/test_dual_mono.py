"""One sound on both channels: every line once, by a speaker who is unknown, and nobody judged."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
import soxr

import sample_audio
from pipeline.channel import Channel
from pipeline.events import Overlap, Region, Rejected, Score, Words
from pipeline.graph import build
from pipeline.reducer import Reducer
from pipeline.session import Entry
from pipeline.timebase import RATE
from pipeline.view import View
from tests.fakes import FakeTranscriber
from tests.pipeline.drive import INFO, STANDARD, engines, events, frames_of, record, spoken

SECONDS = 40


def heard(gain: float = 1.0) -> tuple[list[Entry], View]:
    """billing_dispute mixed to one channel, on both; the second one's louder or softer."""
    audio, rate = sf.read(sample_audio.path("billing_dispute"), dtype="float64")
    mono = soxr.resample(audio.mean(axis=1), rate, RATE)[: SECONDS * RATE]
    pcm = np.rint(np.stack([mono, mono * gain], axis=1) * 32767).astype(np.int16)
    session = build(INFO, STANDARD, replace(engines(), transcriber=FakeTranscriber()))
    entries = record(session, frames_of(pcm), lambda utterance: spoken(utterance, f"line {utterance.number}"))
    reducer = Reducer()
    for entry in entries:
        reducer.apply(entry)
    return entries, reducer.view


@pytest.mark.parametrize("gain", [1.0, 0.8])
def test_every_line_comes_once_and_nobody_is_judged(gain: float) -> None:
    entries, view = heard(gain)
    (opened, closed) = (each for each in events(entries, Region) if each.kind == "dual_mono")
    assert opened.at < 3 * RATE
    assert closed.span.end == SECONDS * RATE
    assert {line.channel for line in view.transcript} == {Channel.UNKNOWN}
    spans = sorted((words.span.start, words.span.end) for words in events(entries, Words))
    assert len(spans) >= 3
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert {each.reason for each in events(entries, Rejected)} <= {"doubled"}
    assert not events(entries, Overlap)
    assert not events(entries, Score)
    assert {"anger", "tension", "talk_over"} <= view.unavailable.keys()


def test_one_sided_music_before_it_rules_nothing_out() -> None:
    """Hold music on one channel alone, then one sound on both."""
    rng = np.random.default_rng(1)
    t = np.arange(6 * RATE) / RATE
    music = sum(0.05 * np.sin(2 * np.pi * hz * t) for hz in (330, 440, 550)) * (1 + np.sin(2 * np.pi * 2 * t))
    audio, rate = sf.read(sample_audio.path("billing_dispute"), dtype="float64")
    mono = soxr.resample(audio.mean(axis=1), rate, RATE)[: 20 * RATE]
    first = np.stack([music, np.zeros(len(music))], axis=1) + rng.normal(0, 1e-4, (len(music), 2))
    pcm = np.rint(np.concatenate([first, np.stack([mono, mono], axis=1)]) * 32767).astype(np.int16)
    entries = record(build(INFO, STANDARD, engines()), frames_of(pcm), lambda utterance: spoken(utterance, "line"))
    opened = [each for each in events(entries, Region) if each.kind == "dual_mono" and each.open]
    assert len(opened) == 1
    assert 6 * RATE <= opened[0].at < 9 * RATE
