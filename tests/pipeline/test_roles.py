"""Who is the agent, from what is said; and the one flag that the channels may be named the wrong way round."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.events import Suspected, Words
from pipeline.inputs import Frame
from pipeline.nodes.roles import THRESHOLD, RolesNode
from pipeline.roles import BOUND, SIGNS, confidence, propose, signs
from pipeline.session import Tick
from pipeline.text import plain
from pipeline.timebase import TICK, Span

A, C = Channel.AGENT, Channel.CUSTOMER
SCRIPTS = sorted((Path(__file__).parents[2] / "sample_audio" / "scripts").glob("*.toml"))

Said = Sequence[tuple[Channel, str]]


def lines(path: Path) -> list[tuple[Channel, str]]:
    script = tomllib.loads(path.read_text(encoding="utf-8"))
    return [(Channel(line["who"]), line["text"].replace("|", "")) for line in script["line"]]


def mirrored(said: Said) -> list[tuple[Channel, str]]:
    return [(channel.other, text) for channel, text in said]


def told(said: Said, channels: tuple[Channel, ...] = TWO_CHANNEL) -> list[tuple[int, Suspected]]:
    """What the node makes of it, one utterance a second; with the index of the utterance that made it known."""
    node, found = RolesNode(channels), []
    for index, (channel, text) in enumerate(said):
        at = index * 32 * TICK
        tick = Tick(
            Frame(at, np.zeros((len(channels), TICK), np.int16)),
            channels,
            np.zeros((len(channels), TICK), np.float32),
            False,
            count(100 + 2 * index),
        )
        words = Words(
            span=Span(at, at + TICK), at=tick.end, channel=channel, utterance=index + 1, text=text, words=(), late=False
        )
        tick.emit(words)
        node.step(tick)
        found += [(index, entry.item) for entry in tick.events if isinstance(entry.item, Suspected)]
    return found


AGENT_LIKE = [
    "Thank you for calling Northfield.",
    "Thanks for calling, this is Anna.",
    "How can I help you today?",
    "How may help... how may I assist you?",
    "May I have your account number, please?",
    "What's your phone number?",
    "Can you give me the order number?",
    "Is there anything else I can do?",
    "I'll put you on a brief hold.",
    "Let me pull that up.",
    "Let me just check.",
    "You\u2019re speaking with Daniel.",
    "I'm sorry to hear that.",
]
CUSTOMER_LIKE = [
    "I'm calling about my bill.",
    "I am calling because it is broken.",
    "I have a problem.",
    "I've got a quick question.",
    "I'd like to cancel.",
    "I want a refund!",
    "My last invoice is wrong.",
    "You charged me twice.",
    "I want to speak to your supervisor.",
    "Do you guys carry batteries?",
]
NEUTRAL = [
    "Thank you for calling me back.",
    "Can you help me?",
    "Okay.",
    "It is twelve Station Road.",
    "Hello, my name is Laura Harper.",
    "You put me on hold.",
    "",
]


@pytest.mark.parametrize("text", AGENT_LIKE)
def test_agents_sound_like_agents(text: str) -> None:
    found = signs(text)
    assert found
    assert all(each.weight > 0 for each in found)
    assert all(each.phrase in plain(text) for each in found)


@pytest.mark.parametrize("text", CUSTOMER_LIKE)
def test_customers_sound_like_customers(text: str) -> None:
    found = signs(text)
    assert found
    assert all(each.weight < 0 for each in found)


@pytest.mark.parametrize("text", NEUTRAL)
def test_what_both_say_is_no_sign(text: str) -> None:
    assert signs(text) == []


def test_an_agent_who_calls_out_is_no_customer() -> None:
    assert all(each.weight > 0 for each in signs("Hello, I am calling about your order."))


def test_every_sign_has_a_weight_a_reason_and_phrases_in_plain_text() -> None:
    for sign in SIGNS:
        assert 0 < sign.weight <= 3
        assert sign.why
        assert sign.phrases
        assert sign.party in TWO_CHANNEL
        assert all(phrase == phrase.lower() for phrase in sign.phrases)


def test_a_confidence_is_bounded_and_even_without_evidence() -> None:
    assert confidence(0.0) == 0.5
    assert confidence(100.0) == confidence(BOUND) < 0.995
    assert confidence(-2.0) == pytest.approx(1 - confidence(2.0))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_agent_of_our_own_scripts_is_found_under_either_label(path: Path) -> None:
    said = lines(path)
    agent, sure = propose(said)
    assert agent is A
    assert sure > 0.95
    assert propose(mirrored(said)) == (C, sure)


def test_nothing_is_proposed_where_nothing_tells() -> None:
    assert propose([(A, "Okay."), (C, "Yes."), (Channel.UNKNOWN, "How can I help?")]) == (A, 0.5)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_call_with_its_roles_right_is_never_suspected(path: Path) -> None:
    assert told(lines(path)) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_swapped_call_is_flagged_once(path: Path) -> None:
    said = mirrored(lines(path))
    found = told([*said, *said])
    assert len(found) == 1
    index, flag = found[0]
    assert index < len(said)
    assert flag.kind == "swapped_roles"
    assert flag.confidence >= THRESHOLD
    assert len(flag.evidence) >= 2
    assert all(number in range(100, 100 + 2 * index + 1) and number % 2 == 0 for number in flag.evidence)
    assert "said \u201c" in flag.because
    assert "\n" not in flag.because


def test_one_sentence_is_one_piece_of_evidence() -> None:
    opening = "Thank you for calling Northfield, how can I help you, what is your account number?"
    assert told([(C, opening)]) == []
    assert told([(C, opening), (C, opening)]) == []
    assert [index for index, _ in told([(C, opening), (A, "Yes."), (A, "I'm calling about my bill.")])] == [2]


def test_one_sign_said_again_and_again_is_one_sign() -> None:
    assert told([(C, "How can I help?")] * 10) == []


def test_what_speaks_for_the_names_as_they_are_weighs_against() -> None:
    swapped = [(C, "Thank you for calling."), (C, "Let me check that.")]
    assert len(told([*swapped, (C, "May I have your name?")])) == 1
    kept = [(A, "Thank you for calling."), (A, "How can I help?")]
    assert told([*kept, *swapped, (C, "May I have your name?")]) == []


def test_the_evidence_spans_from_its_first_to_its_last_utterance() -> None:
    _, flag = told([(A, "Hm."), (C, "How can I help?"), (A, "Hm."), (A, "I'm calling about a broken lamp.")])[0]
    assert flag.evidence == (102, 106)
    assert flag.span == Span(32 * TICK, 3 * 32 * TICK + TICK)
    assert flag.at == 3 * 32 * TICK + TICK
    assert flag.because == ("the customer said \u201chow can i help\u201d and the agent said \u201ccalling about\u201d")


def test_a_call_of_one_channel_is_never_suspected() -> None:
    said = [(Channel.UNKNOWN, text) for _, text in lines(SCRIPTS[0])]
    assert told(said, MONO) == []


def test_an_unknown_speaker_of_a_two_channel_call_is_passed_over() -> None:
    assert told([(Channel.UNKNOWN, text) for text in AGENT_LIKE]) == []


def test_a_call_without_words_is_never_suspected() -> None:
    tick = Tick(Frame(0, np.zeros((2, TICK), np.int16)), TWO_CHANNEL, np.zeros((2, TICK), np.float32), False, count(1))
    RolesNode(TWO_CHANNEL).step(tick)
    assert tick.events == []
