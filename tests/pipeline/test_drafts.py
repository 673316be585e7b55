"""Which words of a running utterance are stable."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channel import Channel
from pipeline.drafts import Agreement, Draft
from pipeline.session import Stage, Utterance
from pipeline.timebase import RATE, Span

AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER


def heard(at: float, start: float = 0.0, channel: Channel = AGENT, stage: Stage = "running") -> Utterance:
    span = Span(round(start * RATE), round(at * RATE))
    return Utterance(1, channel, span, np.zeros(span.length, np.int16), stage)


def shown(draft: Draft | None) -> tuple[str, str] | None:
    return None if draft is None else (draft.stable, draft.rest)


def test_what_two_passes_agree_on_is_stable() -> None:
    agreement = Agreement()
    assert shown(agreement.take(heard(1), "I need")) == ("", "I need")
    assert shown(agreement.take(heard(2), "I need you two")) == ("I need", "you two")
    draft = agreement.take(heard(3), "I need you to go")
    assert draft == Draft(channel=AGENT, start=0, at=3 * RATE, stable="I need you", rest="to go")


def test_case_and_punctuation_make_no_other_word_and_the_last_spelling_is_shown() -> None:
    agreement = Agreement()
    agreement.take(heard(1), "so it's. Late")
    assert shown(agreement.take(heard(2), "So, it\u2019s late, isn't")) == ("So, it\u2019s late,", "isn't")


def test_a_pass_that_contradicts_what_is_stable_changes_only_what_comes_behind() -> None:
    agreement = Agreement()
    agreement.take(heard(1), "call me back")
    agreement.take(heard(2), "call me back")
    assert shown(agreement.take(heard(3), "tall me back on Monday")) == ("call me back", "on Monday")
    assert shown(agreement.take(heard(4), "tall me back on Monday please")) == ("call me back", "on Monday please")
    again = "call me back on Monday please hurry"
    assert shown(agreement.take(heard(5), again)) == ("call me back", "on Monday please hurry")
    assert shown(agreement.take(heard(6), again)) == (again, "")


def test_what_changes_nothing_is_not_told() -> None:
    agreement = Agreement()
    assert agreement.take(heard(1), "") is None
    agreement.take(heard(2), "yes")
    agreement.take(heard(3), "yes")
    assert agreement.take(heard(4), "yes") is None


def test_an_earlier_pass_that_answers_later_is_left_out() -> None:
    agreement = Agreement()
    agreement.take(heard(3), "one two three")
    assert agreement.take(heard(2), "one") is None
    assert shown(agreement.take(heard(4), "one two")) == ("one two", "")


def test_another_utterance_begins_anew_and_the_channels_are_apart() -> None:
    agreement = Agreement()
    agreement.take(heard(1), "good morning")
    assert shown(agreement.take(heard(2, channel=CUSTOMER), "good morning")) == ("", "good morning")
    assert shown(agreement.take(heard(4, start=2), "good morning")) == ("", "good morning")
    assert agreement.take(heard(2), "good morning sir") is None
    assert shown(agreement.take(heard(2.5, channel=CUSTOMER), "good morning")) == ("good morning", "")


def test_the_answer_takes_the_draft_off_and_later_passes_do_not_bring_it_back() -> None:
    """A forced cut lies before what the last draft heard."""
    agreement = Agreement()
    agreement.take(heard(9), "and then")
    draft = agreement.end(heard(8.5, stage="final"))
    assert draft is not None
    assert (draft.start, draft.stable, draft.rest) == (0, "", "")
    assert agreement.take(heard(9.5), "and then some") is None
    assert agreement.end(heard(8.5, stage="final")) is None


def test_an_answer_that_comes_late_leaves_the_next_utterance_alone() -> None:
    agreement = Agreement()
    agreement.take(heard(1), "one")
    agreement.take(heard(4, start=2), "two")
    assert agreement.end(heard(1.5, stage="final")) is None
    assert shown(agreement.take(heard(5, start=2), "two")) == ("two", "")


def test_an_utterance_without_a_draft_takes_nothing_off() -> None:
    assert Agreement().end(heard(1, stage="final")) is None


WORDS = st.lists(st.sampled_from(["a", "B", "b,", "c", "d."]), max_size=6).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_what_is_stable_never_shrinks_and_all_of_the_last_pass_is_shown(passes: list[str]) -> None:
    agreement = Agreement()
    stable: list[str] = []
    for number, text in enumerate(passes, start=1):
        draft = agreement.take(heard(number), text)
        if draft is None:
            continue
        now = draft.stable.split()
        assert [bare(word) for word in now[: len(stable)]] == [bare(word) for word in stable]
        if [bare(word) for word in text.split()[: len(stable)]] == [bare(word) for word in stable]:
            assert f"{draft.stable} {draft.rest}".split() == text.split()
        else:
            assert now == stable
        stable = now


@given(st.lists(WORDS, min_size=2, max_size=12))
def test_what_is_stable_was_heard_twice_in_a_row(passes: list[str]) -> None:
    agreement, longest = Agreement(), 0
    for number, (one, two) in enumerate(zip(["", *passes], passes, strict=False), start=1):
        draft = agreement.take(heard(number), two)
        if draft is not None and len(draft.stable.split()) > longest:
            longest = len(draft.stable.split())
            assert [bare(word) for word in one.split()[:longest]] == [bare(word) for word in two.split()[:longest]]


def bare(word: str) -> str:
    return word.strip(",.").lower()
