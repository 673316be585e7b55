"""Cutting utterances, judging answers, and the pace that follows from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Fault, Pace, Region, Rejected, Words
from pipeline.inputs import EngineResult
from pipeline.nodes.pace import PaceNode
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.utterances import UtterancesNode
from pipeline.nodes.words import WordsNode
from pipeline.session import Entry, Node, Session, Tick, Utterance
from pipeline.text import plain, syllables
from pipeline.timebase import RATE, Span
from tests.pipeline.drive import INFO, STANDARD, ScriptedDetector, Stretches, events, frames, record, spoken


def words() -> list[Node]:
    return [UtterancesNode(TWO_CHANNEL, STANDARD.words, enabled=True), WordsNode(TWO_CHANNEL, STANDARD.words)]


TEN = "one two three four five six seven eight nine ten"


def said(
    agent: Stretches, customer: Stretches, length: float, answer: object = None, delay: float = 1.0
) -> tuple[list[Entry], list[Utterance]]:
    asked: list[Utterance] = []

    def reply(utterance: Utterance) -> EngineResult:
        asked.append(utterance)
        result = spoken(utterance, TEN)
        return answer(result) if callable(answer) else result

    nodes = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector(agent, customer)),
        *words(),
        PaceNode(TWO_CHANNEL, STANDARD.voice),
    ]
    return record(Session(INFO, nodes[2:], nodes[:2]), frames(length), reply, delay), asked


class Plays:
    """Music on a channel: (told at, began, over), in seconds."""

    def __init__(self, channel: Channel, told: float, began: float, over: float) -> None:
        self._channel, self._told, self._began, self._over = channel, told, began, over
        self._n: int | None = None

    def step(self, tick: Tick) -> None:
        start = round(self._began * RATE)
        if self._n is None and tick.end >= self._told * RATE:
            span = Span(start, tick.end)
            self._n = tick.emit(Region(span=span, at=tick.end, kind="music", channel=self._channel, open=True))
        elif self._n and self._over and tick.end >= self._over * RATE:
            span = Span(start, tick.end)
            n, self._over = self._n, 0
            tick.emit(Region(span=span, at=tick.end, kind="music", channel=self._channel, open=False, of=n))


@pytest.mark.parametrize(("began", "over", "lines"), [(1, 9, 0), (1, 3.2, 0), (2.4, 9, 1)])
def test_what_a_singer_sings_is_not_asked_for(began: float, over: float, lines: int) -> None:
    """An utterance of seconds 1 to 3 on the agent's channel, and the customer's, who is never in the music."""
    asked: list[Utterance] = []

    def reply(utterance: Utterance) -> EngineResult:
        asked.append(utterance)
        return spoken(utterance, TEN)

    nodes = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector([(1, 3)], [(4, 6)])),
        Plays(Channel.AGENT, 3.1, began, over),
        *words(),
    ]
    record(Session(INFO, nodes[-1:], nodes[:-1]), frames(12), reply)
    assert [u.channel for u in asked] == [Channel.AGENT] * lines + [Channel.CUSTOMER]


def test_what_turns_out_to_be_singing_is_refused() -> None:
    nodes = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector([(1, 3)], [])),
        Plays(Channel.AGENT, 4.2, 1, 9),
        *words(),
    ]
    entries = record(Session(INFO, nodes[-1:], nodes[:-1]), frames(12), lambda utterance: spoken(utterance, TEN))
    assert [each.reason for each in events(entries, Rejected)] == ["not_speech"]
    assert not events(entries, Words)


def test_an_utterance_is_the_speech_between_longer_pauses() -> None:
    _, asked = said([(1, 2), (2.4, 3), (5, 6)], [], 8)
    assert [(round(u.span.start / RATE, 1), round(u.span.end / RATE, 1)) for u in asked] == [(0.8, 3.2), (4.8, 6.1)]


def test_its_audio_is_exactly_its_span() -> None:
    _, asked = said([(1, 2)], [(1.5, 3)], 5)
    whole = np.concatenate([frame.pcm for frame in frames(5)], axis=1)
    for utterance in asked:
        row = TWO_CHANNEL.index(utterance.channel)
        assert np.array_equal(utterance.pcm, whole[row, utterance.span.start : utterance.span.end])


def test_speech_up_to_the_last_sample_is_heard() -> None:
    entries, asked = said([(1, 3)], [], 3)
    assert len(asked) == 1
    assert len(events(entries, Words)) == 1


def test_words_are_admitted_after_the_nominal_delay_and_late_ones_are_marked() -> None:
    words = events(said([(1, 2)], [], 9)[0], Words)[0]
    assert not words.late
    assert 1.0 <= (words.at - words.span.end) / RATE <= 2.0
    assert events(said([(1, 2)], [], 9, delay=4.0)[0], Words)[0].late


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"words": (), "text": ""}, "empty"),
        ({"no_speech": 0.9, "log_probability": -1.5}, "no_speech"),
        ({"compression": 3.0}, "repetition"),
        ({"span": Span(0, RATE // 2)}, "too_fast"),
    ],
)
def test_doubtful_text_is_refused_with_its_reason(change: dict[str, object], reason: str) -> None:
    entries, _ = said([(1, 3)], [], 6, lambda result: replace(result, **change))
    assert [event.reason for event in events(entries, Rejected)] == [reason]
    assert not events(entries, Words)


def test_a_failed_engine_is_a_fault_and_the_call_goes_on() -> None:
    entries, _ = said([(1, 2), (4, 6)], [], 8, lambda result: replace(result, fault="out of memory", words=()))
    assert [(fault.part, fault.fatal) for fault in events(entries, Fault)] == [("words", False)] * 2


def test_pace_is_words_over_own_speech() -> None:
    pace = events(said([(1, 5)], [], 8)[0], Pace)[0]
    assert pace.channel is Channel.AGENT
    assert abs(pace.talk_speed - 150) < 150 * 0.05
    assert pace.relative is None


def test_pace_of_a_cut_utterance_counts_only_its_own_speech() -> None:
    first, second = events(said([(1, 40)], [], 42)[0], Pace)[:2]
    for pace in (first, second):
        assert abs(pace.talk_speed - pace.words * 60 / pace.span.seconds) < 3


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("calm", 1),
        ("table", 2),
        ("interrupted", 4),
        ("the", 1),
        ("voice,", 1),
        ("2018", 4),
        ("I'm", 1),
        ("appointment", 3),
    ],
)
def test_syllables(word: str, count: int) -> None:
    assert syllables(word) == count


def test_plain_text() -> None:
    assert plain("You\u2019re NOT listening, 3 times!") == "you're not listening times"
