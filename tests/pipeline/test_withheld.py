"""Hold music, keys and clipping on the customer's channel, through the whole fast lane with the trained weights: no
score rather than a wrong one. And a line's gain, which says nothing of a person."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pipeline.channel import Channel
from pipeline.events import Alert, Score, SpeechEnded
from pipeline.graph import Engines, build, load_affect
from pipeline.session import Entry
from pipeline.timebase import RATE
from tests.noises import Floats, dtmf, g711, mulaw, music
from tests.pipeline.drive import INFO, STANDARD, engines, events, frames_of, run
from tests.pipeline.test_sounds import LINES, call_of, voice

C = Channel.CUSTOMER


@cache
def trained() -> Engines:
    return replace(engines(), affect=load_affect(STANDARD))


def hear(customer: Floats, agent: Floats | None = None) -> list[Entry]:
    """A call whose agent is quiet but for a hiss, or says this."""
    pcm = call_of(np.zeros(1) if agent is None else agent, customer)
    return run(build(INFO, STANDARD, trained()), frames_of(pcm))


def scores(entries: list[Entry]) -> list[Score]:
    return [score for score in events(entries, Score) if score.channel is C]


def alerts(entries: list[Entry]) -> set[str]:
    return {alert.kind for alert in events(entries, Alert)}


def sample(name: str, gain_db: float = 0.0) -> Floats:
    return np.asarray(voice(name, 1) * 10 ** (gain_db / 20))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("style", ["chords", "arpeggio", "melody"])
def test_hold_music_has_no_score(style: str, line: str) -> None:
    entries = hear(LINES[line](music(30.0, 100, style)))
    assert scores(entries) == []
    assert "customer_anger" not in alerts(entries)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("on", "off"), [(0.1, 0.1), (0.07, 0.07), (0.3, 0.5)])
def test_a_dialled_number_has_no_score_even_where_it_is_taken_for_a_voice(on: float, off: float, line: str) -> None:
    entries = hear(LINES[line](dtmf([1, 2, 3, 9, 8, 7, 4, 5, 6] * 6, on, off)))
    if (on, off) == (0.1, 0.1):
        assert events(entries, SpeechEnded), "the material must make the detector fire, or it shows nothing"
    assert scores(entries) == []
    assert "customer_anger" not in alerts(entries)


def test_a_voice_before_and_after_the_music_has_its_score() -> None:
    """Withheld while it lasts, not for good."""
    said = sample("billing_dispute")[: 40 * RATE]
    told = scores(hear(np.concatenate((said, music(20.0, 100, "chords"), said))))
    begin, end = len(said) / RATE + 1, len(said) / RATE + 21
    times = [score.at / RATE for score in told]
    assert any(at < begin for at in times)
    assert any(at > end for at in times)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", ["calm_order", "impatient_agent"])
def test_calm_speech_clipped_by_18_db_has_no_score(name: str, line: str) -> None:
    said = mulaw(sample(name)) if line == "telephone" else sample(name)
    loud = said / np.abs(said).max() * 10 ** (18 / 20)
    entries = hear(g711(loud) if line == "telephone" else np.clip(loud, -1, 1))
    assert events(entries, SpeechEnded)
    assert scores(entries) == []
    assert "customer_anger" not in alerts(entries)


@cache
def curve(name: str, gain_db: float) -> Floats:
    """The customer's anger at each second of a sample call; NaN while none is told."""
    told = scores(hear(sample(name, gain_db), voice(name, 0)))
    values = np.full(len(voice(name, 1)) // RATE + 3, np.nan)
    for score in told:
        values[score.at // RATE :] = score.value
    values.flags.writeable = False
    return values


def moved(name: str, gain_db: float) -> float:
    """How far the score is from that of the call as it is, at the median second."""
    return float(np.nanmedian(np.abs(curve(name, gain_db) - curve(name, 0.0))))


def headroom_db(name: str) -> float:
    """dB until the customer's channel would clip."""
    return float(-20 * np.log10(np.abs(voice(name, 1)).max())) - 0.1


@pytest.mark.parametrize("name", ["billing_dispute", "calm_order"])
def test_the_gain_of_the_line_hardly_moves_a_score(name: str) -> None:
    """12 dB down, and up to just under full scale."""
    assert np.isfinite(curve(name, 0.0)).sum() > 30
    assert moved(name, -12.0) <= 0.02
    assert moved(name, headroom_db(name)) <= 0.02
