"""What is heard next: every final once, in fair turns, drafts never before or instead of one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from models.protocols import Transcript
from pipeline.channel import Channel
from pipeline.jobs import Job, Kind, Outcome, Unheard
from pipeline.scheduler import FULL, LEFT_OUT, LONGEST, QUIET_S, RECOVERY_S, TURN, Load, Scheduler
from pipeline.session import Stage, Utterance
from pipeline.settings import Words
from pipeline.strain import Shed
from pipeline.timebase import RATE, Span

A, C = Channel.AGENT, Channel.CUSTOMER
TEXT = Transcript("hello", (), "en", 0.0, -0.1, 1.0)
NUMBERS = count(1)


def said(
    start: float = 0.0, end: float = 1.0, stage: Stage = "final", channel: Channel = A, number: int | None = None
) -> Utterance:
    """start, end: seconds."""
    span = Span(round(start * RATE), round(end * RATE))
    pcm = np.zeros(min(RATE, span.end - span.start), np.int16)
    return Utterance(next(NUMBERS) if number is None else number, channel, span, pcm, stage)


def final(queue: Scheduler, call: str, now: float = 0.0, context: int = 1, bulk: bool = False) -> Job:
    job = queue.ask(said(), call, context, now, bulk=bulk)
    assert isinstance(job, Job)
    return job


def draft(queue: Scheduler, call: str, utterance: Utterance, now: float = 0.0) -> Job:
    job = queue.draft(utterance, call, 1, now)
    assert isinstance(job, Job)
    return job


def kinds(queue: Scheduler, now: float = 0.0) -> list[Kind]:
    """Of the batches until nothing waits."""
    found = []
    while batch := queue.take(now):
        found.append(batch[0].kind)
    return found


# order


def test_finals_go_before_what_may_be_one_and_that_before_drafts() -> None:
    queue = Scheduler(Words())
    final(queue, "r", bulk=True)
    draft(queue, "a", said(stage="running"))
    draft(queue, "b", said(stage="paused"))
    final(queue, "c")
    assert kinds(queue)[:3] == [Kind.FINAL, Kind.PAUSED, Kind.RUNNING]


def test_recordings_get_their_turn_however_busy_live_calls_are() -> None:
    queue = Scheduler(Words(batch=1))
    for _ in range(3):
        final(queue, "r", bulk=True)
    found = []
    for _ in range(3 * TURN):
        final(queue, "live")
        found.append(queue.take(0.0)[0].kind)
    assert found == [*[Kind.FINAL] * (TURN - 1), Kind.BULK] * 3


def test_recordings_are_heard_in_large_batches_only_while_live_calls_are_silent() -> None:
    queue, now = Scheduler(Words(batch=2, bulk_batch=5)), 100.0
    for _ in range(20):
        final(queue, "r", now, bulk=True)
    assert len(queue.take(now)) == 5
    final(queue, "live", now)
    assert [len(queue.take(now + QUIET_S / 2)) for _ in range(2)] == [1, 2]
    assert len(queue.take(now + QUIET_S)) == 5


def test_calls_take_turns_and_inside_a_call_the_oldest_leads() -> None:
    queue = Scheduler(Words(batch=1))
    chatty = [final(queue, "chatty") for _ in range(5)]
    others = [final(queue, call) for call in "abc"]
    order = [queue.take(0.0)[0] for _ in range(8)]
    assert order == [chatty[0], *others, *chatty[1:]]


def test_a_batch_has_one_of_each_call_before_a_second_of_any() -> None:
    queue = Scheduler(Words(batch=3))
    chatty = [final(queue, "chatty") for _ in range(5)]
    others = [final(queue, call) for call in "ab"]
    assert queue.take(0.0) == [chatty[0], *others]
    assert queue.take(0.0) == chatty[1:4]


def test_workers_share_what_waits() -> None:
    queue = Scheduler(Words(batch=8), workers=2)
    for call in "abcdef":
        final(queue, call)
    assert [len(queue.take(0.0)) for _ in range(4)] == [3, 2, 1, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), min_size=1, max_size=60),
    st.integers(1, 8),
    st.integers(1, 3),
    st.data(),
)
def test_the_oldest_of_a_call_waits_for_as_many_batches_as_calls_wait(
    asked: list[tuple[int, int]], most: int, workers: int, data: st.DataObject
) -> None:
    """Whatever is asked meanwhile: a call that comes later stands behind."""
    queue = Scheduler(Words(batch=most), workers)
    jobs = [final(queue, str(call), context=context) for call, context in asked]
    ahead = {job: len({other.call for other in jobs if other.call != job.call}) + 1 for job in _oldest(jobs)}
    batches = 0
    while waiting := [job for job in ahead if job.waiting]:
        if data.draw(st.booleans()):
            final(queue, str(data.draw(st.integers(0, 9))), context=data.draw(st.integers(1, 3)))
        queue.take(0.0)
        batches += 1
        assert all(batches < ahead[job] or not job.waiting for job in waiting)


def _oldest(jobs: list[Job]) -> list[Job]:
    return list({job.call: job for job in reversed(jobs)}.values())


# drafts


def test_a_newer_draft_of_a_channel_takes_the_place_of_the_one_that_waits() -> None:
    queue = Scheduler(Words())
    old = draft(queue, "a", said(0, 1, "running"))
    other = draft(queue, "a", said(0, 1, "running", C))
    new = draft(queue, "a", said(0, 2, "running"))
    assert queue.drops() == [old]
    assert queue.take(0.0) == [other, new]
    assert queue.left_out["newer"] == 1


@pytest.mark.parametrize("heard", [TEXT, Unheard("broken")])
def test_what_was_paused_and_is_over_is_heard_once_unless_that_failed(heard: Outcome) -> None:
    queue = Scheduler(Words())
    paused = draft(queue, "a", said(0, 2, "paused"))
    queue.take(0.0)
    queue.done(paused, heard)
    answering = queue.ask(said(0, 2), "a", 1, 0.0)
    assert (answering is paused) == (heard is TEXT)
    assert len(queue.take(0.0)) == (heard is not TEXT)


def test_what_is_paused_and_waits_goes_to_the_finals() -> None:
    queue = Scheduler(Words(batch=1))
    paused = draft(queue, "a", said(0, 2, "paused"))
    draft(queue, "b", said(0, 2, "paused"))
    assert queue.ask(said(0, 2), "a", 1, 5.0) is paused
    assert (paused.kind, paused.since, queue.owed) == (Kind.FINAL, 5.0, 1)
    assert queue.take(5.0) == [paused]
    assert queue.owed == 1
    queue.done(paused, TEXT)
    assert queue.owed == 0


def test_what_is_paused_and_being_heard_answers_the_final() -> None:
    queue = Scheduler(Words())
    paused = draft(queue, "a", said(0, 2, "paused"))
    queue.take(0.0)
    assert queue.ask(said(0, 2), "a", 1, 0.0) is paused
    assert queue.take(0.0) == []


@pytest.mark.parametrize(
    "other", [said(0, 2, "running"), said(0, 2, "paused", C), said(0, 1.9, "paused"), said(0.1, 2, "paused")]
)
def test_another_stretch_answers_no_final(other: Utterance) -> None:
    queue = Scheduler(Words())
    job = draft(queue, "a", other)
    assert queue.ask(said(0, 2), "a", 1, 0.0) is not job
    assert queue.ask(said(0, 2, channel=other.channel), "b", 1, 0.0) is not job


def test_a_final_makes_an_end_of_its_channels_drafts() -> None:
    queue = Scheduler(Words())
    job = draft(queue, "a", said(0, 1, "running"))
    asked = queue.ask(said(0, 2), "a", 1, 0.0)
    assert queue.drops() == [job]
    assert queue.take(0.0) == [asked]
    assert queue.take(0.0) == []


def test_a_paused_stretch_that_went_on_is_forgotten() -> None:
    queue = Scheduler(Words())
    paused = draft(queue, "a", said(0, 1, "paused"))
    queue.take(0.0)
    queue.done(paused, TEXT)
    draft(queue, "a", said(0, 3, "running"))
    assert queue.ask(said(0, 1), "a", 1, 0.0) is not paused


def test_nothing_is_kept_of_a_call_that_ended() -> None:
    queue = Scheduler(Words())
    waits, heard = draft(queue, "a", said(0, 1, "running")), draft(queue, "a", said(0, 1, "paused", C))
    stays = draft(queue, "b", said(0, 1, "running"))
    queue._queues[Kind.PAUSED].remove(heard)
    queue.done(heard, TEXT)
    queue.forget("a")
    assert queue.drops() == [waits]
    assert queue.ask(said(0, 1, channel=C), "a", 1, 0.0) is not heard
    assert stays.waiting
    assert queue.left_out["ended"] == 1


def test_audio_is_kept_no_longer_than_it_waits() -> None:
    queue = Scheduler(Words())
    paused = draft(queue, "a", said(0, 1, "paused"))
    queue.take(0.0)
    queue.done(paused, TEXT)
    assert len(paused.utterance.pcm) == 0
    assert paused.utterance.pcm.base is None


# overload


def test_drafts_go_first_and_come_back_when_finals_are_quick_again() -> None:
    queue = Scheduler(Words(batch=1, behind_s=1.0))
    waits = draft(queue, "d", said(0, 1, "paused"))
    late = [final(queue, "a", now=0.0) for _ in range(2)]
    assert queue.load(1.0).drafts
    assert queue.load(1.1) == Load({**dict.fromkeys(Kind, 0), Kind.FINAL: 2}, 1.1, drafts=False)
    assert queue.drops() == [waits]
    assert queue.draft(said(0, 2, "running"), "d", 1, 1.2) is LEFT_OUT
    assert queue.take(1.3) + queue.take(2.0) == late
    assert queue.late == 2
    assert not queue.load(2.0 + 0.99 * RECOVERY_S).drafts
    assert queue.draft(said(0, 2, "running"), "d", 1, 2.5 + RECOVERY_S) is not LEFT_OUT
    assert queue.left_out == Counter(behind=2, newer=0, ended=0, busy=0)


def test_a_final_that_waits_half_as_long_again_puts_the_recovery_off() -> None:
    queue = Scheduler(Words(behind_s=1.0))
    final(queue, "a", now=0.0)
    queue.take(1.5)
    final(queue, "a", now=3.0)
    queue.take(3.6)
    assert not queue.load(1.5 + RECOVERY_S).drafts
    assert queue.load(3.7 + RECOVERY_S).drafts


def test_a_machine_that_steps_calls_late_hears_no_drafts_then_one_batch_at_a_time_and_loses_no_final() -> None:
    queue = Scheduler(Words(batch=1), workers=2)
    running, paused = draft(queue, "a", said(0, 2, "running")), draft(queue, "b", said(0, 2, "paused"))
    queue.shed(Shed.RUNNING)
    assert queue.drops() == [running]
    assert queue.draft(said(0, 3, "running"), "a", 1, 0.0) is LEFT_OUT
    assert not queue.load(0.0).drafts
    queue.shed(Shed.DRAFTS)
    assert queue.drops() == [paused]
    assert queue.left_out["busy"] == 3
    finals = [final(queue, "a"), final(queue, "b")]
    queue.shed(Shed.WORKERS)
    assert queue.take(0.0) == finals[:1]
    assert queue.take(0.0) == []
    queue.done(finals[0], TEXT)
    assert queue.take(0.0) == finals[1:]
    queue.shed(Shed.NOTHING)
    assert queue.load(0.0).drafts
    assert queue.draft(said(0, 3, "running"), "a", 1, 0.0) is not LEFT_OUT


def test_recordings_that_wait_leave_drafts_alone() -> None:
    queue = Scheduler(Words())
    final(queue, "r", now=0.0, bulk=True)
    assert queue.load(100.0) == Load({**dict.fromkeys(Kind, 0), Kind.BULK: 1}, 0.0, drafts=True)


def test_beyond_an_hour_of_speech_who_asks_is_told() -> None:
    queue = Scheduler(Words(batch=1))
    while not isinstance(asked := queue.ask(said(0, 600), "a", 1, 0.0, bulk=True), Unheard):
        pass
    assert asked is FULL
    assert "3600 s of speech wait" in FULL.reason
    assert queue.load(0.0).waiting[Kind.BULK] == LONGEST // (600 * RATE)
    queue.take(0.0)
    assert isinstance(queue.ask(said(0, 600), "a", 1, 0.0), Job)


# everything together


@dataclass
class Asked:
    """jobs: those that are to answer finals, in order of asking. drafts: as they were asked."""

    jobs: list[Job] = field(default_factory=list)
    drafts: list[Job] = field(default_factory=list)


class Machine(RuleBasedStateMachine):
    """Any order of asking, taking, hearing, failing and ending of calls."""

    @initialize(most=st.integers(1, 5), bulk=st.integers(1, 9), workers=st.integers(1, 3))
    def begin(self, most: int, bulk: int, workers: int) -> None:
        self.settings = Words(batch=most, bulk_batch=bulk)
        self.queue, self.workers = Scheduler(self.settings, workers), workers
        self.now, self.taken, self.asked = 0.0, Counter[Job](), Asked()
        self.running: list[list[Job]] = []
        self.dropped: list[Job] = []
        self.since_bulk = 0

    @rule(seconds=st.sampled_from([0.0, 0.3, 2.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(call=st.sampled_from("abc"), context=st.integers(1, 2), bulk=st.booleans(), end=st.integers(1, 2))
    def ask(self, call: str, context: int, bulk: bool, end: int) -> None:
        job = self.queue.ask(said(0, end), call, context, self.now, bulk=bulk)
        assert isinstance(job, Job)
        assert job.call == call
        assert job.utterance.span == said(0, end).span
        assert not isinstance(job.outcome, Unheard)
        self.asked.jobs.append(job)

    @rule(call=st.sampled_from("abc"), stage=st.sampled_from(["running", "paused"]), end=st.integers(1, 2))
    def draft(self, call: str, stage: Stage, end: int) -> None:
        job = self.queue.draft(said(0, end, stage), call, end, self.now)
        if isinstance(job, Job):
            self.asked.drafts.append(job)
        self.dropped += self.queue.drops()

    @rule()
    def take(self) -> None:
        if len(self.running) == self.workers:
            return
        before = {kind: list(self.queue._queues[kind]) for kind in Kind}
        batch = self.queue.take(self.now)
        self.dropped += self.queue.drops()
        if not batch:
            assert not any(job.waiting for jobs in before.values() for job in jobs)
            return
        kind = batch[0].kind
        assert {(job.kind, job.context) for job in batch} == {(kind, batch[0].context)}
        assert len(batch) <= max(self.settings.batch, self.settings.bulk_batch if kind is Kind.BULK else 0)
        fitting = [job for job in before[kind] if job.context == batch[0].context]
        assert len(batch) <= ceil(len(fitting) / self.workers)
        if kind in (Kind.PAUSED, Kind.RUNNING):
            assert not before[Kind.FINAL]
        self.since_bulk = self.since_bulk + 1 if kind is not Kind.BULK and before[Kind.BULK] else 0
        assert self.since_bulk < TURN
        self.taken.update(batch)
        self.running.append(batch)

    @rule(which=st.integers(0, 2), failed=st.booleans())
    def heard(self, which: int, failed: bool) -> None:
        if self.running:
            for job in self.running.pop(which % len(self.running)):
                self.queue.done(job, Unheard("x") if failed else TEXT)

    @rule(call=st.sampled_from("abc"))
    def end(self, call: str) -> None:
        self.queue.forget(call)
        self.dropped += self.queue.drops()

    @invariant()
    def nothing_is_heard_twice_or_dropped_and_heard(self) -> None:
        if hasattr(self, "taken"):
            assert set(self.taken.values()) <= {1}
            assert not set(self.dropped) & (set(self.taken) | set(self.asked.jobs))
            owed = {job for job in self.asked.jobs if job.outcome is None}
            assert self.queue.owed == len(owed)
            waiting = [job for job in self.asked.drafts if job.waiting and job.kind is not Kind.FINAL]
            assert len({job.spot for job in waiting}) == len(waiting)

    def teardown(self) -> None:
        """Whatever came before, every final is heard in the end."""
        if not hasattr(self, "taken"):
            return
        for batch in self.running:
            for job in batch:
                self.queue.done(job, TEXT)
        while batch := self.queue.take(self.now):
            self.taken.update(batch)
            for job in batch:
                self.queue.done(job, TEXT)
        self.dropped += self.queue.drops()
        self.nothing_is_heard_twice_or_dropped_and_heard()
        assert all(self.taken[job] == 1 for job in self.asked.jobs)
        assert all(self.taken[job] + (job in self.dropped) == 1 for job in self.asked.drafts)
        assert self.queue._speech == 0
        assert self.queue.owed == 0


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order_of_events = Machine.TestCase
