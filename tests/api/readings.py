"""Calls to export and to draw: the sample calls through the real fast lane, with the words of their truth; others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

import sample_audio
from api.reading import Reading, gather
from pipeline.channel import MONO, TWO_CHANNEL
from pipeline.graph import build
from pipeline.inputs import EngineResult, HeardWord, Input
from pipeline.journal import Header
from pipeline.session import CallInfo, Utterance
from pipeline.settings import POLICIES, Settings
from pipeline.sources.recording import open_recording
from pipeline.timebase import Span, ticks
from tests.fakes import silence, speech, stereo
from tests.pipeline.drive import engines, frames_of, record, run

NAMES = ("billing_dispute", "calm_order", "impatient_agent")


def truth_of(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(sample_audio.path(name).with_suffix(".truth.json").read_text("utf-8"))
    return loaded


@cache
def sample(name: str, policy: str = "standard") -> Reading:
    """A sample call, agent "ada": every measure but the recogniser is real."""
    recording = open_recording([sample_audio.path(name)])
    info = CallInfo(call_id=name, channels=recording.channels, agent_id="ada", source="file")
    settings = Settings(policy=POLICIES[policy])
    words = _words(truth_of(name)["lines"])
    entries = record(build(info, settings, engines()), _frames(recording), lambda asked: _heard(asked, words))
    return gather(Header(info, settings, started="2026-01-02T03:04:05+00:00"), entries)


def _frames(recording: Any) -> Any:
    return (item for item in recording.frames() if hasattr(item, "pcm"))


def _words(lines: list[dict[str, Any]]) -> list[tuple[str, Span, str]]:
    """Channel, span and text of each word, spread evenly over its line."""
    words = []
    for line in lines:
        texts = line["text"].split()
        step = (line["end_ms"] - line["begin_ms"]) * 16 / len(texts)
        for number, text in enumerate(texts):
            start = line["begin_ms"] * 16 + round(number * step)
            words.append((line["channel"], Span(start, start + round(step)), text))
    return words


def _heard(asked: Utterance, words: list[tuple[str, Span, str]]) -> EngineResult:
    """The words whose middle lies in the utterance."""
    mine = [
        HeardWord(text=text, span=span, probability=0.9)
        for channel, span, text in words
        if channel == asked.channel and asked.span.start <= (span.start + span.end) // 2 < asked.span.end
    ]
    return EngineResult(
        utterance=asked.number,
        channel=asked.channel,
        span=asked.span,
        text=" ".join(word.text for word in mine),
        words=tuple(mine),
        language="en",
    )


def of(pcm: Any, info: CallInfo, inputs: Sequence[tuple[float, Input]] = (), policy: str = "standard") -> Reading:
    """A call of int16 (n, channels) without words."""
    settings = Settings(policy=POLICIES[policy])
    info = replace(info, policy=policy)
    return gather(Header(info, settings), run(build(info, settings, engines()), frames_of(pcm), inputs))


@cache
def mono() -> Reading:
    """Thirty seconds of one party alone: nobody knows whose."""
    frames = islice(_frames(open_recording([sample_audio.path("calm_order")])), ticks(30.0))
    pcm = np.concatenate([frame.pcm[0] for frame in frames])[:, None]
    return of(pcm, CallInfo(call_id="mono", channels=MONO))


def empty() -> Reading:
    """Two seconds in which nobody says anything."""
    return of(stereo([silence(2.0)], [silence(2.0)]), CallInfo(call_id="empty", channels=TWO_CHANNEL))


TALK = stereo([speech(1.5), silence(2.0)], [silence(2.0), speech(1.2, seed=1), silence(0.3)])
"""Noise that the fake detector takes for speech of both: int16 (56000, 2)."""
