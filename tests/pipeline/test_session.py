"""The machine itself: numbering, admission, order, end and failure."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.channel import Channel
from pipeline.events import CallEnded, CallStarted, Fault, Gap
from pipeline.inputs import Close, Frame, Loss, Mark
from pipeline.session import Session, Tick
from pipeline.timebase import TICK, Span
from tests.pipeline.drive import INFO, events, frames, run


class Nothing:
    def step(self, tick: Tick) -> None:
        """Emits nothing."""


def test_numbers_are_journal_lines_without_a_hole() -> None:
    entries = run(Session(INFO, [Nothing()]), frames(1), [(0.2, Mark(kind="hold")), (0.5, Mark(kind="resume"))])
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))


def test_a_call_begins_and_ends_with_its_events() -> None:
    entries = run(Session(INFO, []), frames(1))
    assert isinstance(entries[0].item, CallStarted)
    ended = entries[-1].item
    assert isinstance(ended, CallEnded)
    assert ended.span == Span(0, TICK * 31)


def test_inputs_take_effect_in_the_next_step_and_come_before_its_events() -> None:
    session = Session(INFO, [])
    session.step(next(frames(1)))
    session.admit(Loss(channel=Channel.AGENT, span=Span(0, 100), reason="missing"))
    step = session.step(session.silence())
    assert [type(entry.item) for entry in step.entries] == [Loss, Gap]
    assert step.entries[0].at == TICK


def test_a_frame_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the frame at 0"):
        Session(INFO, []).step(Frame(TICK, np.zeros((2, TICK), np.int16)))


def test_nothing_enters_after_the_end() -> None:
    session = Session(INFO, [])
    session.admit(Close(end=0, reason="test"))
    session.step(session.silence())
    session.end()
    with pytest.raises(RuntimeError, match="has ended"):
        session.admit(Mark(kind="hold"))


def test_a_call_does_not_end_before_it_is_closed() -> None:
    with pytest.raises(RuntimeError, match="after a Close"):
        Session(INFO, []).end()


def test_a_failure_is_a_fatal_fault_and_the_end() -> None:
    session = Session(INFO, [])
    session.step(session.silence())
    fault, ended = (entry.item for entry in session.fail("call", ValueError("broken")))
    assert isinstance(fault, Fault)
    assert fault.fatal
    assert "broken" in fault.message
    assert isinstance(ended, CallEnded)
    assert session.ended


def test_marks_open_and_close_regions() -> None:
    from pipeline.events import Region
    from pipeline.nodes.regions import RegionsNode

    marks = [(0.2, Mark(kind="hold")), (0.6, Mark(kind="resume")), (0.8, Mark(kind="pause"))]
    entries = run(Session(INFO, [RegionsNode()]), frames(1), marks)
    told = [(region.kind, region.open) for region in events(entries, Region)]
    assert told == [("hold", True), ("hold", False), ("pause", True), ("pause", False)]


def test_each_party_is_muted_apart() -> None:
    from pipeline.events import Region
    from pipeline.nodes.regions import RegionsNode

    agent, customer = Channel.AGENT, Channel.CUSTOMER
    marks = [
        (0.1, Mark(kind="mute", channel=agent)),
        (0.2, Mark(kind="mute", channel=customer)),
        (0.4, Mark(kind="unmute", channel=agent)),
        (0.6, Mark(kind="unmute")),
    ]
    entries = run(Session(INFO, [RegionsNode()]), frames(1), marks)
    told = [(region.channel, region.open) for region in events(entries, Region)]
    assert told == [(agent, True), (customer, True), (agent, False), (customer, False)]
