"""What nobody said is refused with its reason, and what somebody said is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline import guards
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Rejected, Words
from pipeline.inputs import EngineResult, HeardWord
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.utterances import UtterancesNode
from pipeline.nodes.words import WordsNode
from pipeline.session import Entry, Session, Utterance
from pipeline.timebase import RATE, TICK, Span
from pipeline.voiced import KEPT, Voiced
from tests.pipeline.drive import INFO, STANDARD, ScriptedDetector, Stretches, events, frames, record, spoken

LIMITS = STANDARD.words
SURE = {"no_speech": 0.05, "log_probability": -0.2, "compression": 1.1}


def voiced(*stretches: tuple[float, float], until: float = 10.0) -> Voiced:
    found = Voiced()
    for start in range(0, int(until * RATE), TICK):
        middle = (start + TICK / 2) / RATE
        found.take(start, speech=any(begin <= middle < end for begin, end in stretches))
    return found


def answer(
    text: str, *times: tuple[float, float], span: tuple[float, float] = (1.0, 3.0), **figures: float
) -> EngineResult:
    """times: of each word, in seconds; spread evenly over the span where there are none."""
    texts = text.split()
    if not times:
        step = (span[1] - span[0]) / len(texts)
        times = tuple((span[0] + i * step, span[0] + (i + 1) * step) for i in range(len(texts)))
    words = tuple(
        HeardWord(text=word, span=Span(round(begin * RATE), round(end * RATE)), probability=0.9)
        for word, (begin, end) in zip(texts, times, strict=True)
    )
    whole = Span(round(span[0] * RATE), round(span[1] * RATE))
    return EngineResult(utterance=1, channel=Channel.AGENT, span=whole, text=text, words=words, **SURE | figures)  # type: ignore[arg-type]


def judged(result: EngineResult, heard: Voiced) -> tuple[str, str, str | None]:
    """What is kept, what is left out, and why nothing holds."""
    said, unsaid = guards.said(result, heard)
    return said.text, unsaid, guards.refusal(said, LIMITS, heard)


def test_what_was_said_is_kept_as_it_is() -> None:
    result = answer("could you spell that for me please")
    assert guards.said(result, voiced((1.1, 2.9))) == (result, "")
    assert guards.refusal(result, LIMITS, voiced((1.1, 2.9))) is None


def test_the_second_round_of_a_loop_is_left_out() -> None:
    """As heard on a real call: the sentence takes 1.3 s and is written twice, the second time in no time at all."""
    first = [(1.0 + 0.15 * i, 1.15 + 0.15 * i) for i in range(7)]
    loop = [(2.34, 2.34)] * 8
    result = answer(
        "Could you spell that for me, please? " * 2 + "Could", *first, *loop, span=(1.0, 2.34), compression=1.7
    )
    kept, left, reason = judged(result, voiced((1.1, 2.2)))
    assert (kept, left) == ("Could you spell that for me, please?", "Could you spell that for me, please? Could")
    assert reason is None


def test_a_loop_that_drove_the_compression_up_does_not_cost_the_words_before_it() -> None:
    first = [(1.0 + 0.2 * i, 1.2 + 0.2 * i) for i in range(4)]
    result = answer("one two three four " * 12, *first, *[(3.0, 3.0)] * 44, compression=6.0)
    kept, _, reason = judged(result, voiced((1.0, 2.0)))
    assert (kept, reason) == ("one two three four", None)


def test_a_phrase_that_was_said_twice_is_kept() -> None:
    result = answer("can you hear me can you hear me")
    assert judged(result, voiced((1.1, 2.9))) == (result.text, "", None)


@pytest.mark.parametrize("silent", [1, 2])
def test_a_soft_word_or_two_in_a_pause_are_kept(silent: int) -> None:
    times = [(1.0, 1.4), (1.4, 1.8), *[(2.3 + 0.1 * i, 2.4 + 0.1 * i) for i in range(silent)]]
    result = answer(" ".join("word" for _ in times), *times)
    assert judged(result, voiced((1.0, 1.8)))[:2] == (result.text, "")


def test_three_words_in_a_row_in_silence_are_left_out_and_those_before_them_kept() -> None:
    times = [(1.0, 1.4), (1.4, 1.8), (2.3, 2.4), (2.4, 2.5), (2.5, 2.6)]
    result = answer("my order thanks for watching", *times)
    assert judged(result, voiced((1.0, 1.8))) == ("my order", "thanks for watching", None)


@pytest.mark.parametrize("text", ["Thank you.", "you", "I would like that", "Bye."])
def test_words_without_any_speech_under_them_are_refused_whatever_they_say(text: str) -> None:
    result = answer(text, *[(2.0, 2.2)] * len(text.split()))
    assert guards.said(result, voiced((1.0, 1.2)))[0].words == ()


def test_words_that_found_no_time_in_running_speech_are_left_out() -> None:
    times = [(1.0, 1.5), (1.5, 2.0), *[(2.0, 2.02)] * 5, (2.1, 2.9)]
    kept, left, _ = judged(answer("a b x x x x x c", *times), voiced((1.0, 3.0)))
    assert (kept, left) == ("a b c", "x x x x x")


def test_five_words_of_a_blip_are_too_fast() -> None:
    """0.13 s of speech in an utterance of 1.2 s; the same words in a second of speech are none too many."""
    times = [(1.0, 1.2), *[(1.2, 1.25)] * 3, (1.25, 1.6)]
    result = answer("I am going to go", *times, span=(1.0, 2.2))
    assert judged(result, voiced((1.16, 1.29)))[2] == "too_fast"
    assert judged(answer("I am going to go", span=(1.0, 2.3)), voiced((1.16, 2.16)))[2] is None


@pytest.mark.parametrize(
    ("text", "figures", "reason"),
    [
        ("you", {"no_speech": 0.85, "log_probability": -0.8}, "no_speech"),
        ("Thank you.", {"no_speech": 0.9, "log_probability": -0.57}, "no_speech"),
        ("Thank you.", {"no_speech": 0.23, "log_probability": -0.22}, None),
        ("Bye.", {"no_speech": 0.11, "log_probability": -0.46}, None),
        ("My card was charged twice", {"no_speech": 0.85, "log_probability": -0.4}, None),
        ("My card was charged twice", {"no_speech": 0.85, "log_probability": -1.4}, "no_speech"),
        ("no no no no no no no", {"compression": 2.6}, "repetition"),
    ],
)
def test_thanks_are_believed_unless_there_is_evidence(text: str, figures: dict[str, float], reason: str | None) -> None:
    assert judged(answer(text, **figures), voiced((1.0, 3.0)))[2] == reason


@pytest.mark.parametrize(("text", "reason"), [("You", "no_speech"), ("Stop.", None)])
def test_a_ghost_that_the_recogniser_itself_does_not_believe_is_refused_and_no_other_word(
    text: str, reason: str | None
) -> None:
    result = answer(text)
    result = replace(result, words=(replace(result.words[0], probability=0.1),))
    assert judged(result, voiced((1.0, 3.0)))[2] == reason


def test_where_nothing_is_known_of_the_speech_nothing_is_refused_for_it() -> None:
    """An answer about what lies before the first tick that was taken."""
    late = Voiced()
    late.take(100 * TICK, speech=False)
    result = answer("I would like to know", span=(0.5, 2.0))
    assert judged(result, late) == (result.text, "", None)


def test_speech_is_remembered_for_minutes_and_in_bounds() -> None:
    found = voiced((1.0, 2.0), until=40 * 60)
    assert found.seconds(Span(0, RATE)) is None, "too long ago to know"
    recent = 40 * 60 * RATE - 300 * RATE
    assert found.seconds(Span(recent, recent + RATE)) == 0.0
    assert len(found._ticks) <= 2 * KEPT


def run(agent: Stretches, reply: object) -> list[Entry]:
    """The lane of words on a script; whose answers are what ``reply`` makes of a good one."""

    def heard(utterance: Utterance) -> EngineResult:
        result = spoken(utterance, "one two three")
        return reply(result) if callable(reply) else result

    nodes = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector(agent, [])),
        UtterancesNode(TWO_CHANNEL, STANDARD.words, enabled=True),
        WordsNode(TWO_CHANNEL, STANDARD.words),
    ]
    return record(Session(INFO, nodes[2:], nodes[:2]), frames(agent[-1][1] + 3), heard)


def test_a_loop_gives_its_line_and_a_refusal() -> None:
    def looped(result: EngineResult) -> EngineResult:
        end = result.span.end
        loop = tuple(HeardWord(text="three", span=Span(end, end), probability=0.9) for _ in range(6))
        return replace(result, words=(*result.words, *loop), text=result.text + " three" * 6)

    entries = run([(1, 3)], looped)
    assert [each.text for each in events(entries, Words)] == ["one two three"]
    assert [(each.text, each.reason) for each in events(entries, Rejected)] == [
        ("three three three three three three", "no_speech")
    ]


def test_what_was_all_invented_is_one_refusal_with_its_text() -> None:
    def invented(result: EngineResult) -> EngineResult:
        end = result.span.end
        return replace(result, words=tuple(replace(word, span=Span(end, end)) for word in result.words))

    entries = run([(1, 3)], invented)
    assert not events(entries, Words)
    assert [(each.text, each.reason) for each in events(entries, Rejected)] == [("one two three", "no_speech")]
