"""Another language than the recogniser's is told, never of English, and a speaker who changes is heard again."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Rejected, Words
from pipeline.inputs import EngineResult, Mark
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.utterances import UtterancesNode
from pipeline.nodes.words import WordsNode
from pipeline.reducer import Reducer
from pipeline.session import Entry, Session, Utterance
from pipeline.timebase import RATE
from pipeline.tongue import MOST, ONE, Tongue
from tests.pipeline.drive import INFO, STANDARD, ScriptedDetector, events, frames, record, spoken

SURE = STANDARD.words.foreign


def withheld(*foreign: float, sure: float = SURE) -> list[bool]:
    tongue = Tongue(sure)
    return [tongue.take(each) for each in foreign]


def test_one_utterance_is_no_proof_however_strong() -> None:
    assert withheld(50.0) == [False]
    assert withheld(50.0, 50.0) == [False, True]


def test_weak_evidence_adds_up() -> None:
    told = withheld(*[1.5] * 12)
    assert not any(told[:4])
    assert told[-1]


def test_english_with_an_odd_line_among_it_is_never_another_language() -> None:
    assert not any(withheld(*[-1.0, 4.0, -0.5, -4.0, 3.0] * 50))


def test_evidence_for_english_is_not_saved_up() -> None:
    """An hour of English does not make the guard deaf to who comes next."""
    assert withheld(*[-4.0] * 500, 4.0, 4.0)[-1]


def test_who_changes_to_english_is_heard_at_the_first_clear_utterance() -> None:
    assert withheld(*[4.0] * 100, -4.0)[-2:] == [True, False]
    assert withheld(*[4.0] * 100, 0.0)[-1], "what says nothing changes nothing"


def test_the_setting_can_switch_it_off() -> None:
    assert not any(withheld(*[4.0] * 100, sure=100.0))
    assert MOST < 100.0


@pytest.mark.parametrize("sure", [-1.0, math.inf])
def test_the_setting_has_a_range(sure: float) -> None:
    with pytest.raises(ValueError, match="foreign"):
        type(STANDARD.words)(foreign=sure)


def call(foreign: list[float], *, transfer_at: float | None = None) -> list[Entry]:
    """One utterance a two seconds of the agent; its evidence in turn."""
    stretches = [(1 + 2 * i, 2 + 2 * i) for i in range(len(foreign))]
    left = iter(foreign)

    def reply(utterance: Utterance) -> EngineResult:
        return replace(spoken(utterance, "in zee veston"), foreign=next(left))

    def source():  # type: ignore[no-untyped-def]
        for frame in frames(2 * len(foreign) + 3):
            if transfer_at is not None and frame.start // RATE == transfer_at and frame.start % RATE < 512:
                session.admit(Mark(kind="transfer"))
            yield frame

    nodes = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector(stretches, [])),
        UtterancesNode(TWO_CHANNEL, STANDARD.words, enabled=True),
        WordsNode(TWO_CHANNEL, STANDARD.words),
    ]
    session = Session(INFO, nodes[2:], nodes[:2])
    return record(session, source(), reply)


def test_the_text_of_another_language_is_withheld() -> None:
    entries = call([ONE, ONE, ONE])
    refused = events(entries, Rejected)
    assert [(each.text, each.reason) for each in refused] == [("", "unsupported_language")] * 2
    assert len(events(entries, Words)) == 1


def test_after_a_transfer_the_agent_is_somebody_else() -> None:
    assert len(events(call([ONE] * 4), Rejected)) == 3
    assert len(events(call([ONE] * 4, transfer_at=5), Rejected)) == 2


def test_the_view_says_whose_utterances_have_no_text_and_why() -> None:
    entries, reducer = call([ONE] * 4), Reducer()
    for entry in entries:
        reducer.apply(entry)
    view = reducer.view
    assert (view.channels[Channel.AGENT].foreign, view.channels[Channel.CUSTOMER].foreign) == (3, 0)
    assert (view.rejected, view.refused) == (3, {"unsupported_language": 3})
