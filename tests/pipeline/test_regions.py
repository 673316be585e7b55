"""Marks from the phone system: what is on hold, muted or paused is not listened to, a conference judges nobody."""

from __future__ import annotations

import pytest

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Region, SpeechEnded
from pipeline.inputs import Mark, MarkKind
from pipeline.nodes.regions import RegionsNode
from pipeline.nodes.speech import SpeechNode
from pipeline.session import Entry, Session, Tick
from pipeline.timebase import RATE
from tests.pipeline.drive import INFO, STANDARD, ScriptedDetector, events, frames, run

A, C = Channel.AGENT, Channel.CUSTOMER
Marks = list[tuple[float, MarkKind, Channel | None]]


class Probe:
    """Seconds in which a channel was in doubt."""

    def __init__(self) -> None:
        self.seen: dict[Channel, list[float]] = {A: [], C: []}

    def step(self, tick: Tick) -> None:
        for channel in tick.doubt:
            self.seen[channel].append(tick.start / RATE)


def heard(marks: Marks, probe: Probe | None = None) -> list[Entry]:
    """Both speak from second 1 to second 9."""
    speech = SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector([(1, 9)], [(1, 9)]))
    nodes = [RegionsNode(), speech, probe or Probe()]
    inputs = [(at, Mark(kind=kind, channel=channel)) for at, kind, channel in marks]
    return run(Session(INFO, nodes), frames(10), inputs)


def talk(entries: list[Entry], channel: Channel) -> list[tuple[int, int]]:
    return [
        (round(each.span.start / RATE), round(each.span.end / RATE))
        for each in events(entries, SpeechEnded)
        if each.channel is channel
    ]


@pytest.mark.parametrize("kind", ["hold", "pause"])
def test_nobody_is_heard_on_hold(kind: MarkKind) -> None:
    entries = heard([(3, kind, None), (6, "resume", None)])
    assert talk(entries, A) == talk(entries, C) == [(1, 3), (6, 9)]


def test_a_muted_party_is_not_heard_and_the_other_is() -> None:
    entries = heard([(3, "mute", A), (6, "unmute", A)])
    assert talk(entries, A) == [(1, 3), (6, 9)]
    assert talk(entries, C) == [(1, 9)]


def test_a_region_that_nobody_closes_ends_with_the_call() -> None:
    opened, closed = events(heard([(3, "hold", None)]), Region)
    assert (opened.open, closed.open, closed.span.start) == (True, False, opened.span.start)
    assert round(closed.span.end / RATE) == 10


@pytest.mark.parametrize("ends", ["resume", "transfer"])
def test_in_a_conference_the_customers_channel_is_in_doubt_until_it_ends(ends: MarkKind) -> None:
    probe = Probe()
    entries = heard([(3, "conference", None), (6, ends, None)], probe)
    assert talk(entries, C) == [(1, 9)]
    assert not probe.seen[A]
    assert (round(probe.seen[C][0]), round(probe.seen[C][-1])) == (3, 6)


def test_a_transfer_ends_the_hold() -> None:
    entries = heard([(3, "hold", None), (6, "transfer", None)])
    assert talk(entries, A) == [(1, 3), (6, 9)]


@pytest.mark.parametrize(("held", "resumed"), [(None, A), (A, None), (A, A)])
def test_a_resume_for_one_party_ends_a_hold_of_both(held: Channel | None, resumed: Channel | None) -> None:
    assert talk(heard([(3, "hold", held), (6, "resume", resumed)]), A) == [(1, 3), (6, 9)]


def test_marks_of_other_things_open_nothing() -> None:
    assert not events(heard([(3, "notice", None), (4, "transfer", None)]), Region)
