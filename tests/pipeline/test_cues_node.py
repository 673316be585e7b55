"""Cues as events: their span is that of their words; a paraphrase is known by what the customer said before."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Cue, Event, Word, Words
from pipeline.inputs import Frame
from pipeline.nodes.cues import CuesNode
from pipeline.playbook import load_playbook
from pipeline.session import Tick
from pipeline.settings import Cues
from pipeline.timebase import RATE, TICK, Span

A, C = Channel.AGENT, Channel.CUSTOMER


def words(channel: Channel, text: str, start: int = RATE) -> Words:
    """One word every 0.1 s."""
    said = [
        Word(text=word, span=Span(start + n * 1600, start + (n + 1) * 1600), probability=0.9)
        for n, word in enumerate(text.split())
    ]
    span = Span(start, said[-1].span.end)
    return Words(span=span, at=span.end, channel=channel, utterance=1, text=text, words=tuple(said), late=False)


def cues(said: Sequence[Words], settings: Cues = Cues()) -> list[Cue]:  # noqa: B008 (frozen)
    node, numbers, found = CuesNode(load_playbook(cues=settings)), count(1), []
    for n, each in enumerate(said):
        frame = Frame(n * TICK, np.zeros((2, TICK), np.int16))
        tick = Tick(frame, TWO_CHANNEL, np.zeros((2, TICK), np.float32), False, numbers)
        of = tick.emit(each)
        node.step(tick)
        events: list[Event] = [entry.item for entry in tick.events]
        found += [event for event in events if isinstance(event, Cue)]
        assert all(event.of == of for event in events if isinstance(event, Cue))
    return found


def test_a_cue_lasts_as_long_as_its_words(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[[cue]]\nname = "outage"\nrole = "customer"\nphrases = ["no signal"]')
    said = words(C, "Right, so um there's no, um, signal here.")
    (cue,) = [each for each in cues([said], Cues(files=(str(ours),))) if each.name == "outage"]
    assert cue.phrase == "no um signal"
    assert cue.span == Span(RATE + 4 * 1600, RATE + 7 * 1600)


def test_a_name_is_told_once_an_utterance() -> None:
    found = cues([words(C, "I will sue you. You will hear from my lawyer.")])
    assert [cue.name for cue in found].count("threat") == 1


COMPLAINT = words(C, "The washing machine leaks water all over my kitchen floor, it's ridiculous.")
BACK = words(A, "The machine leaks water over your kitchen floor.")


def test_what_the_customer_complained_of_said_back_is_a_paraphrase() -> None:
    assert [cue.name for cue in cues([COMPLAINT, BACK])].count("paraphrase") == 1
    assert "paraphrase" not in [cue.name for cue in cues([BACK])]
    assert "paraphrase" not in [cue.name for cue in cues([COMPLAINT, BACK], Cues(meaning=False))]


def test_a_complaint_is_played_back_once() -> None:
    assert [cue.name for cue in cues([COMPLAINT, BACK, BACK])].count("paraphrase") == 1


def test_something_else_is_no_paraphrase() -> None:
    other = words(A, "Your reference is four four seven and your appointment is on Tuesday.")
    assert "paraphrase" not in [cue.name for cue in cues([COMPLAINT, other])]
