"""Profanity is masked for readers, and nothing else is."""

from __future__ import annotations

import json

import pytest

from api.hub import message
from api.mask import Mask
from pipeline.channel import Channel
from pipeline.events import CallStarted, Cue, Rejected, Word, Words
from pipeline.reducer import Reducer
from pipeline.session import Entry
from pipeline.timebase import Span
from pipeline.view import VIEW, View

MASK = Mask(on=True)
SAID = "This fucking thing is shit, Len."
SHOWN = "This f****** thing is s***, Len."


def words(text: str) -> Words:
    spans = [Span(i * 100, i * 100 + 100) for i in range(len(text.split()))]
    timed = tuple(Word(text=word, span=span, probability=0.9) for word, span in zip(text.split(), spans, strict=True))
    return Words(span=Span(0, 1000), at=2000, channel=Channel.CUSTOMER, utterance=1, text=text, words=timed, late=False)


def viewed(call_id: str = "a") -> View:
    reducer = Reducer()
    started = CallStarted(
        span=Span(0, 0),
        at=0,
        call_id=call_id,
        channels=(Channel.CUSTOMER,),
        agent_id="bitch",
        notice_given="",
        source="",
        policy="standard",
        unavailable={},
    )
    cue = Cue(span=Span(0, 9), at=2000, channel=Channel.CUSTOMER, name="insult", phrase="you wanker", of=2)
    for n, event in enumerate((started, words(SAID), cue), start=1):
        reducer.apply(Entry(n, 0, event))
    return reducer.view


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("What the fuck?", "What the f***?"),
        ("FUCK. Bullshit!", "F***. B*******!"),
        ("you mother-fucker", "you mother-f*****"),
        ("motherfuckers", "m************"),
        ("I'm pissed off, you fuckin' wanker", "I'm p***** off, you f*****' w*****"),
    ],
)
def test_a_swearword_keeps_its_first_letter_and_its_length(said: str, shown: str) -> None:
    assert MASK.text(said) == shown
    assert len(shown) == len(said)


@pytest.mark.parametrize(
    "said",
    [
        "Scunthorpe, Penistone and Lightwater",
        "Mr. Dick Cockburn assesses the class in Essex, Pakistan",
        "the fire retardant cockpit of a mishit shiitake",
        "I am drunk, stupid, gay, and had a stroke; damn, what the hell, kill it, Len",
        "bastardised Swanky Kafka niggles",
    ],
)
def test_ordinary_words_and_names_stay(said: str) -> None:
    assert MASK.text(said) == said


def test_an_event_is_masked_in_its_text_and_in_each_word() -> None:
    event = json.loads(MASK.message(message(Entry(7, 0, words(SAID)))))["event"]
    assert event["text"] == SHOWN
    assert " ".join(word["text"] for word in event["words"]) == SHOWN


def test_refused_text_is_masked_too() -> None:
    refused = Rejected(
        span=Span(0, 9), at=9, channel=Channel.AGENT, utterance=1, text='"Shit" \\ said', reason="no_speech"
    )
    event = json.loads(MASK.message(message(Entry(7, 0, refused))))["event"]
    assert event["text"] == '"S***" \\ said'
    assert event["reason"] == "no_speech"


def test_a_view_is_masked_where_it_quotes_and_nowhere_else() -> None:
    view = viewed("shit-42")
    shown = MASK.view(view)
    assert (shown.call_id, shown.agent_id) == ("shit-42", "bitch")
    assert (shown.transcript[0].text, shown.cues[0].phrase) == (SHOWN, "you w*****")
    assert view.transcript[0].text == SAID, "what was said is kept"
    unmasked = VIEW.dump_json(view)
    assert MASK.message(unmasked) == VIEW.dump_json(shown)


def test_the_setting_off_shows_everything() -> None:
    view, off = viewed(), Mask(on=False)
    assert off.text(SAID) == SAID
    assert off.view(view) is view
    assert off.message(VIEW.dump_json(view)) == VIEW.dump_json(view)
