"""Non-talk time: hold and long silences, each counted once, redacted stretches not at all."""

from __future__ import annotations

import pytest

from pipeline.nontalk import NonTalk
from pipeline.timebase import RATE, Span


def span(start: float, end: float) -> Span:
    return Span(round(start * RATE), round(end * RATE))


def test_silences_add_up() -> None:
    sum_ = NonTalk()
    sum_.silence(span(1, 5))
    sum_.silence(span(10, 14.5))
    assert sum_.total(20 * RATE) == 8.5 * RATE
    assert sum_.hold(20 * RATE) == 0


@pytest.mark.parametrize("open_", [True, False])
def test_a_silence_on_hold_counts_once(open_: bool) -> None:
    sum_ = NonTalk()
    sum_.region(1, "hold", span(10, 10), open=True)
    if not open_:
        sum_.region(1, "hold", span(10, 30), open=False)
    sum_.silence(span(8, 20))
    assert sum_.hold(30 * RATE) == 20 * RATE
    assert sum_.total(30 * RATE) == 22 * RATE


def test_redacted_silence_is_not_counted() -> None:
    sum_ = NonTalk()
    sum_.region(1, "pause", span(10, 10), open=True)
    sum_.region(1, "pause", span(10, 18), open=False)
    sum_.silence(span(9, 20))
    assert sum_.total(30 * RATE) == 3 * RATE


def test_other_regions_are_talk_or_nothing() -> None:
    sum_ = NonTalk()
    sum_.region(1, "noise", span(1, 1), open=True)
    assert sum_.total(30 * RATE) == 0
