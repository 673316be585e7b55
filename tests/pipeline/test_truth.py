"""Against known truth, with every real engine: synthetic calls, and the sample calls from file to view."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sample_audio
from benchmarks.words import difference
from pipeline.call import Call
from pipeline.events import SpeechEnded
from pipeline.graph import build, load
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.sources.recording import open_recording
from pipeline.text import plain
from pipeline.view import View
from tests.pipeline.drive import STANDARD, events, heard
from tests.synth import Line, Truth
from tests.synth import build as synth

NAMES = ("billing_dispute", "calm_order", "impatient_agent")


def crosstalk(seed: int) -> tuple[Any, Truth]:
    """Sixty seconds with overlaps of every length over the threshold, two voices, telephone band."""
    rng = np.random.default_rng(seed)
    lines, at = [], 1.0
    while at < 52:
        length, overlap = rng.uniform(2.5, 4), rng.choice([0.2, 0.7, 0.9, 1.3, 2.0])
        lines.append(Line("agent", at, length, f0_hz=float(rng.uniform(95, 140)), level_dbfs=-26))
        second = float(rng.uniform(1.2, 3)) + overlap
        lines.append(Line("customer", at + length - overlap, second, f0_hz=float(rng.uniform(170, 230))))
        at += length - overlap + second + rng.uniform(0.5, 1.2)
    return synth(lines, 62, telephone=True, seed=seed)


def boundary_errors(found: list[tuple[int, int]], truth: list[tuple[int, int]]) -> list[float]:
    """Distance in ms of each true bound to the nearest found one."""
    return [
        min(abs(bound - each[side]) for each in found) for side in (0, 1) for bound in (span[side] for span in truth)
    ]


def test_speech_bounds_are_within_100_ms_at_the_median() -> None:
    errors: list[float] = []
    for seed in range(3):
        pcm, truth = crosstalk(seed)
        spans = events(heard(pcm), SpeechEnded)
        for channel in ("agent", "customer"):
            found = [(e.span.start // 16, e.span.end // 16) for e in spans if e.channel == channel]
            errors += boundary_errors(found, [(s.start // 16, s.end // 16) for s in truth.speech[channel]])  # type: ignore[index]
    assert float(np.median(errors)) < 100
    assert float(np.percentile(errors, 90)) < 150


def test_nearly_every_overlap_is_found_and_none_is_invented() -> None:
    from pipeline.events import OverlapRevised

    true = found = invented = 0
    for seed in range(6):
        pcm, truth = crosstalk(seed)
        last = {e.of: e for e in events(heard(pcm), OverlapRevised)}
        spans = [(e.span.start, e.span.end) for e in last.values()]
        for span in truth.overlaps:
            if span.end - span.start >= 0.6 * 16_000:
                true += 1
                found += any(start < span.end and span.start < end for start, end in spans)
        invented += sum(not any(s.start < end and start < s.end for s in truth.overlaps) for start, end in spans)
    assert true >= 30
    assert found / true >= 0.95
    assert invented == 0


@cache
def analysed(name: str) -> tuple[View, Call]:
    engines = load(STANDARD, Path("nowhere"))
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)
    recording = open_recording([sample_audio.path(name)])
    call = Call(build(CallInfo(call_id=name, channels=recording.channels), STANDARD, engines))
    try:
        view = Recorder(call, pool.ask, STANDARD.words.nominal_delay_s).run(recording.frames(), lambda: recording.heard)
        return view, call
    finally:
        pool.close()


def truth_of(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(sample_audio.path(name).with_suffix(".truth.json").read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("name", NAMES)
def test_sample_calls_give_their_overlaps_and_silences(name: str) -> None:
    view, truth = analysed(name)[0], truth_of(name)
    told = [(o.kind, o.interrupter) for o in view.overlaps]
    known = [o for o in truth["overlaps"] if o["end_ms"] - o["begin_ms"] >= 520]
    assert told == [(o["kind"], o["interrupter"]) for o in known]
    for mine, theirs in zip(view.overlaps, known, strict=True):
        assert abs(mine.begin_ms - theirs["begin_ms"]) < 150
        assert abs(mine.end_ms - theirs["end_ms"]) < 150
    assert len(view.silences) == len(truth["silences"])


@pytest.mark.parametrize("name", NAMES)
def test_sample_calls_give_their_pace(name: str) -> None:
    view, truth = analysed(name)[0], truth_of(name)
    for channel, channel_view in view.channels.items():
        assert channel_view.wpm == pytest.approx(truth["wpm"][channel.value], rel=0.05)
        spoken = sum(each["end_ms"] - each["begin_ms"] for each in truth["speech"][channel.value])
        assert channel_view.talk_ms == pytest.approx(spoken, rel=0.05)


def test_the_dispute_rises_and_is_calmed_and_the_agent_is_told() -> None:
    view = analysed("billing_dispute")[0]
    anger = {point.ms // 1000: point.value for point in view.scores.anger}
    assert max(value for second, value in anger.items() if second < 25) < 0.2
    assert max(value for second, value in anger.items() if 50 < second < 70) > 0.5
    assert max(value for second, value in anger.items() if second > 100) < 0.2
    told = {alert.kind: alert for alert in view.alerts}
    assert {"talk_over", "customer_anger", "supervisor_request"} <= told.keys()
    assert all(alert.cleared_ms is not None for alert in view.alerts)


def test_the_impatient_agent_is_tense_and_the_calm_call_is_quiet() -> None:
    assert max(point.value for point in analysed("impatient_agent")[0].scores.tension) > 0.45
    calm = analysed("calm_order")[0]
    assert max(point.value for point in [*calm.scores.anger, *calm.scores.tension]) < 0.3  # usual is 0.18
    assert calm.alerts == []


@pytest.mark.parametrize("name", NAMES)
def test_no_more_than_one_word_in_eight_is_wrong(name: str) -> None:
    """The recogniser on our own calls, where numbers may be written as figures: a bound against decay, no benchmark."""
    view, truth = analysed(name)[0], truth_of(name)
    for channel in view.channels:
        said = " ".join(line["text"] for line in truth["lines"] if line["channel"] == channel.value)
        heard_text = " ".join(line.text for line in view.transcript if line.channel is channel)
        assert difference(plain(said).split(), plain(heard_text).split()) < 0.125


def test_words_carry_times_inside_the_call_in_order() -> None:
    for line in analysed("calm_order")[0].transcript:
        times = [(word.begin_ms, word.end_ms) for word in line.words]
        assert times == sorted(times)
        assert all(line.begin_ms <= begin <= end <= line.end_ms for begin, end in times)
