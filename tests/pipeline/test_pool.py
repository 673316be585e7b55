"""The shared recogniser's threads: whose answer it is, what fails alone, and what a rush does to drafts and finals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread, current_thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.protocols import Identity, Samples, TimedWord, Transcript
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import EngineFault
from pipeline.inputs import EngineResult
from pipeline.jobs import Kind
from pipeline.pool import EnginePool
from pipeline.scheduler import RECOVERY_S
from pipeline.session import Stage, Utterance
from pipeline.settings import Words
from pipeline.strain import Shed
from pipeline.timebase import RATE, Span
from tests.fakes import fake_identity

A = Channel.AGENT


def named(name: int, stage: Stage = "final", *, number: int = 1, start: int = 0, channel: Channel = A) -> Utterance:
    """A second of audio, each sample of which is its name."""
    return Utterance(number, channel, Span(start, start + RATE), np.full(RATE, name, np.int16), stage)


class Parrot:
    """Answers with the name of what it heard. bad: names at which it raises. many: answers it gives too many."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.bad: set[int] = set()
        self.many = 0
        self.heard: list[tuple[int, bool]] = []
        self.batches: list[int] = []

    @property
    def identity(self) -> Identity:
        return fake_identity("parrot")

    def context(self, length: int) -> int:
        return 30 * RATE

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        names = [round(float(samples[0]) * 32768) for samples in batch]
        self.batches.append(len(names))
        self.heard += [(name, draft) for name in names]
        if self.bad & set(names):
            raise ValueError(f"cannot hear {min(self.bad & set(names))}")
        return [self.say(name, draft) for name in names] + [self.say(0, draft)] * self.many

    def say(self, name: int, draft: bool) -> Transcript:
        words = () if draft else (TimedWord(0, 800, str(name), 0.9),)
        return Transcript(str(name), words, "en", 0.0, -0.1, 1.0)


class Gated(Parrot):
    """Hears a batch when it is let: ``begun`` has the names of those that wait for it."""

    def __init__(self, workers: int = 1) -> None:
        super().__init__(workers)
        self.begun: Queue[list[int]] = Queue()
        self.let: Queue[None] = Queue()

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        self.begun.put([round(float(samples[0]) * 32768) for samples in batch])
        self.let.get(timeout=60)
        return super().transcribe(batch, draft=draft)

    def one(self) -> list[int]:
        """Let the next batch be heard; its names."""
        names = self.begun.get(timeout=20)
        self.let.put(None)
        return names


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def pool_of(
    transcriber: Parrot, settings: Words | None = None, clock: Callable[[], float] | None = None
) -> Iterator[EnginePool]:
    pool = EnginePool(transcriber, settings, clock=clock or Clock())
    try:
        yield pool
    finally:
        if isinstance(transcriber, Gated):
            for _ in range(100):
                transcriber.let.put(None)
        pool.close(20.0)
        assert not any(worker.is_alive() for worker in pool._workers)


def texts(answers: Sequence[Future[EngineResult]]) -> list[str | None]:
    return [answer.result(20).fault or answer.result(20).text for answer in answers]


def test_what_calls_need_of_words_is_made_before_they_have_them() -> None:
    """In the worker that heard them, not for a draft of what goes on; if it fails, the answer comes all the same."""
    asked: list[tuple[str, str]] = []

    def ahead(words: Sequence[str]) -> None:
        asked.append((" ".join(words), current_thread().name))
        raise EngineFault("no network")

    pool = EnginePool(Parrot(), clock=Clock(), ahead=ahead)
    pool.draft(named(3, "running"), "a").result(20)
    assert asked == []
    result = pool.ask(named(7)).result(20)
    assert (result.text, result.fault) == ("7", None)
    assert asked == [("7", "engine 0")]
    pool.close(20.0)


def test_an_answer_has_the_utterance_and_its_words_the_time_of_the_call() -> None:
    with pool_of(Parrot()) as pool:
        result = pool.ask(named(7, number=3, start=5 * RATE, channel=Channel.CUSTOMER)).result(20)
    assert (result.utterance, result.channel, result.text, result.fault) == (3, Channel.CUSTOMER, "7", None)
    assert result.span == Span(5 * RATE, 6 * RATE)
    assert [(word.text, word.span) for word in result.words] == [("7", Span(5 * RATE, 5 * RATE + 800))]


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.integers(1, 30_000), min_size=1, max_size=40, unique=True),
    bad=st.sets(st.integers(0, 39), max_size=5),
    calls=st.integers(1, 6),
    workers=st.integers(1, 3),
    batch=st.integers(1, 9),
)
def test_every_answer_is_that_of_its_audio(
    names: list[int], bad: set[int], calls: int, workers: int, batch: int
) -> None:
    """Whatever shares a batch, whatever fails, whoever asks at the same time."""
    parrot = Parrot(workers)
    parrot.bad = {names[index] for index in bad if index < len(names)}
    answers: dict[int, Future[EngineResult]] = {}
    with pool_of(parrot, Words(batch=batch, bulk_batch=batch)) as pool:

        def ask(call: int) -> None:
            for name in names[call::calls]:
                answers[name] = pool.ask(named(name, number=name), f"call {call}", bulk=bool(call % 2))

        askers = [Thread(target=ask, args=(call,)) for call in range(calls)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(20)
        for name, answer in answers.items():
            result = answer.result(20)
            expected = ("", f"ValueError: cannot hear {name}") if name in parrot.bad else (str(name), None)
            assert (result.utterance, result.text, result.fault) == (name, *expected)
        assert pool.waiting == 0


def test_calls_that_wait_share_a_batch_and_drafts_another() -> None:
    gated = Gated()
    with pool_of(gated, Words(batch=4)) as pool:
        first = pool.ask(named(1), "a")
        assert gated.begun.get(timeout=20) == [1]
        rest = [pool.ask(named(name), call) for name, call in ((2, "a"), (3, "a"), (4, "b"), (5, "c"), (6, "c"))]
        drafts = [pool.draft(named(name, "running"), call) for name, call in ((7, "a"), (8, "b"))]
        gated.let.put(None)
        assert [gated.one() for _ in range(3)] == [[2, 4, 5, 3], [6], [7, 8]]
        assert texts([first, *rest]) == ["1", "2", "3", "4", "5", "6"]
        assert [draft.result(20).text for draft in drafts] == ["7", "8"]
    assert gated.heard[-2:] == [(7, True), (8, True)]
    assert pool.tally().batches == {1: 2, 4: 1, 2: 1}


# what was paused


def test_what_was_paused_and_is_over_is_heard_once_and_has_the_finals_number() -> None:
    parrot = Parrot()
    with pool_of(parrot) as pool:
        draft = pool.draft(named(5, "paused", number=8), "a").result(20)
        result = pool.ask(named(5, number=9), "a")
        assert result.done()  # at once
        assert draft is not None
        assert (draft.text, result.result().text, result.result().utterance) == ("5", "5", 9)
        assert pool.ask(named(5, number=10), "b").result(20).text == "5"
    assert parrot.heard == [(5, False), (5, False)]


def test_a_final_waits_for_the_draft_that_is_being_heard() -> None:
    gated = Gated()
    with pool_of(gated) as pool:
        draft = pool.draft(named(5, "paused"), "a")
        assert gated.begun.get(timeout=20) == [5]
        final = pool.ask(named(5, number=2), "a")
        assert pool.waiting == 1
        assert not final.done()
        gated.let.put(None)
        assert final.result(20).utterance == 2
        assert draft.result(20) is not None
        assert pool.waiting == 0
    assert gated.heard == [(5, False)]


def test_a_draft_that_failed_is_none_and_its_final_is_heard_anew() -> None:
    parrot = Parrot()
    parrot.bad = {5}
    with pool_of(parrot) as pool:
        assert pool.draft(named(5, "paused"), "a").result(20) is None
        parrot.bad = set()
        assert pool.ask(named(5), "a").result(20).text == "5"


class Inventor(Parrot):
    """Sure that nobody spoke, and unsure of the words."""

    def say(self, name: int, draft: bool) -> Transcript:
        return Transcript("thank you", (), "en", no_speech=0.9, log_probability=-1.4, compression=1.0)


def test_a_draft_that_nobody_said_is_not_shown() -> None:
    with pool_of(Inventor()) as pool:
        assert pool.draft(named(1, "running"), "a").result(20) is None


def test_drafts_that_are_left_out_are_none_at_once() -> None:
    gated = Gated()
    with pool_of(gated) as pool:
        pool.ask(named(1), "x")
        assert gated.begun.get(timeout=20) == [1]
        old, other = pool.draft(named(2, "running"), "a"), pool.draft(named(3, "running"), "b")
        new = pool.draft(named(4, "running"), "a")
        assert old.result(20) is None
        assert not other.done()
        pool.forget("b")
        assert other.result(20) is None
        gated.let.put(None)
        assert gated.one() == [4]
        assert new.result(20) is not None
        assert pool.tally().left_out == {"newer": 1, "behind": 0, "ended": 1, "busy": 0}


# what fails


def test_one_that_cannot_be_heard_faults_and_its_neighbours_do_not() -> None:
    gated = Gated()
    gated.bad = {3}
    with pool_of(gated, Words(batch=3)) as pool:
        first = pool.ask(named(1), "a")
        assert gated.begun.get(timeout=20) == [1]
        others = [pool.ask(named(name), "a") for name in (2, 3, 4)]
        gated.let.put(None)
        assert [gated.one() for _ in range(4)] == [[2, 3, 4], [2], [3], [4]]
        assert texts([first, *others]) == ["1", "2", "ValueError: cannot hear 3", "4"]
        assert pool.tally().failed == 1


def test_a_wrong_number_of_answers_is_a_fault() -> None:
    parrot = Parrot()
    parrot.many = 1
    with pool_of(parrot) as pool:
        assert texts([pool.ask(named(1))]) == ["RuntimeError: the recogniser gave 2 answers to 1 utterances"]


class Nonsense(Parrot):
    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        return [None for _ in batch]  # type: ignore[misc]


class Panic(Parrot):
    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        raise BaseException("called `Option::unwrap()` on a `None` value")


class Helpless(Parrot):
    def context(self, length: int) -> int:
        raise ValueError("no such context")


@pytest.mark.parametrize(
    ("broken", "reason"), [(Nonsense(), "AttributeError"), (Panic(), "unwrap"), (Helpless(), "no such context")]
)
def test_whatever_an_engine_does_its_worker_lives_and_answers(broken: Parrot, reason: str) -> None:
    with pool_of(broken) as pool:
        for _ in range(3):
            fault = pool.ask(named(1)).result(20).fault
            assert fault is not None
            assert reason in fault


def test_an_engine_that_hangs_keeps_one_worker() -> None:
    gated = Gated(workers=2)
    with pool_of(gated) as pool:
        hangs = pool.ask(named(1), "a")
        assert gated.begun.get(timeout=20) == [1]
        gated.transcribe = Parrot.transcribe.__get__(gated)  # type: ignore[method-assign]
        assert texts([pool.ask(named(name), "b") for name in (2, 3, 4)]) == ["2", "3", "4"]
        assert not hangs.done()
        assert pool.waiting == 1


def test_closing_answers_what_waits_and_what_comes_after() -> None:
    gated = Gated()
    pool = EnginePool(gated)
    running = pool.ask(named(1), "a")
    assert gated.begun.get(timeout=20) == [1]
    waits, draft = pool.ask(named(2), "a"), pool.draft(named(3, "running"), "b")
    pool.close(0.0)
    assert texts([waits, pool.ask(named(4), "a")]) == ["the recogniser was closed before this was heard"] * 2
    assert draft.result(20) is None
    assert pool.draft(named(5, "paused"), "a").result(20) is None
    gated.let.put(None)
    assert texts([running]) == ["1"]
    pool.close()
    assert not any(worker.is_alive() for worker in pool._workers)


def test_a_pool_that_nobody_asked_has_no_threads() -> None:
    pool = EnginePool(Parrot(4))
    assert pool._workers == []
    pool.close()


# a rush


def test_a_rush_costs_drafts_first_makes_finals_late_loses_none_and_passes() -> None:
    """Six calls ask faster than a batch of two is heard; then they fall silent."""
    gated, clock = Gated(), Clock()
    with pool_of(gated, Words(batch=2, behind_s=1.0), clock) as pool:
        finals, drafts, heard = [], [], 0
        for second in range(5):
            clock.now = float(second)
            for call in range(6):
                finals.append(pool.ask(named(10 * second + call + 1), f"{call}"))
                drafts.append(pool.draft(named(100 + call, "running", start=second * RATE), f"{call}"))
            heard += len(gated.one())  # a second each
        clock.now = 5.0
        load = pool.load()
        assert not load.drafts
        assert load.behind_s == pytest.approx(4.0, abs=1.5)
        assert load.waiting[Kind.FINAL] > 15
        assert (load.waiting[Kind.RUNNING], load.waiting[Kind.PAUSED]) == (0, 0)
        assert pool.draft(named(200, "paused"), "0").result(0) is None
        while heard < len(finals):
            heard += len(gated.one())
            clock.now += 0.2
        assert [answer.result(20).text for answer in finals] == [
            str(10 * second + call + 1) for second in range(5) for call in range(6)
        ]
        assert all(draft.result(20) is None for draft in drafts)
        tally = pool.tally()
        assert tally.late > 10
        assert tally.left_out["behind"] >= 18
        assert not pool.load().drafts
        clock.now += RECOVERY_S + 1
        assert pool.load().drafts
        back = pool.draft(named(201, "running"), "0")
        assert gated.one() == [201]
        assert back.result(20) is not None
        assert tally.speech_s[Kind.FINAL] == pytest.approx(30.0)


def test_what_engines_took_is_counted_by_kind() -> None:
    clock = Clock()

    class Timed(Parrot):
        def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
            clock.now += 0.5 if draft else 2.0
            return super().transcribe(batch, draft=draft)

    with pool_of(Timed(), clock=clock) as pool:
        pool.ask(named(1)).result(20)
        pool.draft(named(2, "running"), "a").result(20)
        tally = pool.tally()
    assert (tally.engine_s[Kind.FINAL], tally.engine_s[Kind.RUNNING], tally.engine_s[Kind.BULK]) == (2.0, 0.5, 0.0)
    assert (tally.speech_s[Kind.FINAL], tally.speech_s[Kind.RUNNING]) == (1.0, 1.0)


def test_answers_may_ask_again() -> None:
    """What is told from a worker's thread may come back to the pool."""
    again, told = Event(), []
    with pool_of(Parrot()) as pool:

        def ask_again(answer: Future[EngineResult]) -> None:
            told.append(pool.ask(named(2)))
            again.set()

        pool.ask(named(1)).add_done_callback(ask_again)
        assert again.wait(20)
        assert texts(told) == ["2"]


def test_both_channels_of_a_call_have_drafts_of_their_own() -> None:
    gated = Gated()
    with pool_of(gated) as pool:
        pool.ask(named(1), "x")
        assert gated.begun.get(timeout=20) == [1]
        drafts = [pool.draft(named(2 + n, "running", channel=side), "a") for n, side in enumerate(TWO_CHANNEL)]
        gated.let.put(None)
        assert gated.one() == [2, 3]
        assert all(draft.result(20) is not None for draft in drafts)


def test_under_strain_one_worker_hears_at_a_time_and_all_again_after_it() -> None:
    gated = Gated(workers=2)
    with pool_of(gated, Words(batch=1)) as pool:
        pool.shed(Shed.WORKERS)
        answers = [pool.ask(named(number), f"call {number}") for number in (1, 2, 3)]
        assert gated.begun.get(timeout=20) == [1]
        assert pool.load().waiting[Kind.FINAL] == 2
        assert gated.begun.empty()
        pool.shed(Shed.NOTHING)
        assert gated.begun.get(timeout=20) == [2]
        for _ in range(3):
            gated.let.put(None)
        assert all(answer.result(20).fault is None for answer in answers)
