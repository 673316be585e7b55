"""What is switched off is not measured, and said so; turn-taking is what it is with everything on."""

import numpy as np
import pytest
import soundfile

import sample_audio
from pipeline.channel import TWO_CHANNEL
from pipeline.events import CallStarted, Overlap, OverlapRevised, Prosody, Region, Score, Silence, Turn
from pipeline.graph import build, unavailable
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Measures, Settings
from tests.fakes import fake_engines
from tests.pipeline.drive import events, heard

INFO = CallInfo(call_id="c", channels=TWO_CHANNEL)
ALONE = Measures(words=False, voice=False, sounds=False, echo=False)
TALK = Turn | Overlap | OverlapRevised | Silence


def settings(measures: Measures) -> Settings:
    return Settings(policy=POLICIES["standard"], measures=measures)


@pytest.mark.parametrize("name", ["impatient_agent", "billing_dispute"])
def test_turn_taking_alone_is_the_turn_taking_of_everything(name: str) -> None:
    pcm, _ = soundfile.read(sample_audio.path(name), dtype="int16")
    whole, alone = (heard(np.asarray(pcm), settings=settings(each)) for each in (Measures(), ALONE))

    def talk(entries: list) -> list:  # type: ignore[type-arg]
        """Times and kinds: what names another event by its number is left out."""
        return [(type(e), e.span, e.at, getattr(e, "kind", None)) for e in events(entries, TALK)]  # type: ignore[arg-type]

    assert talk(whole) == talk(alone) != []
    for kind in (Prosody, Score, Region):
        assert events(alone, kind) == []
    assert events(whole, Prosody) != []


@pytest.mark.parametrize("off", ["words", "voice", "sounds", "echo"])
def test_what_is_off_is_said(off: str) -> None:
    reasons = unavailable(INFO, settings(Measures(**{off: False})))
    because = f"not measured (measures.{off} is off)"
    assert reasons == dict.fromkeys(["anger", "tension"] if off == "voice" else [off], because)


def test_nothing_is_off_unless_set() -> None:
    assert unavailable(INFO, settings(Measures())) == {}


def test_the_call_says_so_first() -> None:
    entries = heard(np.zeros((16_000, 2), np.int16), settings=settings(ALONE))
    assert set(events(entries, CallStarted)[0].unavailable) == {"words", "anger", "tension", "sounds", "echo"}


def test_words_that_are_not_measured_are_not_asked_for() -> None:
    session = build(INFO, settings(ALONE), fake_engines())
    assert session.info.unavailable["words"].startswith("not measured")
