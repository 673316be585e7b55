"""The shared recogniser of every call: worker threads around a ``Scheduler``; answers as results, never as errors.

Who is heard next, and what is left out in a rush, is the scheduler's affair (see there). Where a batch fails, each of
its utterances is heard alone, so that one that cannot be heard faults and its neighbours do not. An engine that hangs
keeps its own worker and nobody else.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TypeVar

import numpy as np

from models.protocols import Samples, Transcriber, Transcript
from pipeline import settings as s
from pipeline.errors import EngineFault
from pipeline.guards import presentable
from pipeline.inputs import EngineResult, HeardWord
from pipeline.jobs import Job, Kind, Outcome, Unheard
from pipeline.scheduler import LEFT_OUT, Load, Scheduler
from pipeline.session import Utterance
from pipeline.strain import Shed
from pipeline.timebase import Span, seconds

T = TypeVar("T")
Reply = Callable[[Outcome], None]

_CLOSED = Unheard("the recogniser was closed before this was heard")


@dataclass(frozen=True, slots=True)
class Tally:
    """What was done since the start.

    batches: how many had so many utterances. engine_s: seconds that engines took; speech_s: seconds of speech in what
    they heard; both by kind. failed: utterances that could not be heard. late: finals of live calls that waited longer
    than ``behind_s`` for their turn. left_out: drafts that nobody got, by reason.
    """

    batches: dict[int, int]
    engine_s: dict[Kind, float]
    speech_s: dict[Kind, float]
    failed: int
    late: int
    left_out: dict[str, int]


class EnginePool:
    """``ask`` for the words of an utterance, ``draft`` for those of one that may go on. Thread-safe.

    clock: seconds; it tells who is late, and changes no result. ahead: what the calls will need of words that are
    final, or may be, made in the worker that heard them while no call waits for it.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        settings: s.Words | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        ahead: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._transcriber = transcriber
        self._limits = settings or s.Words()
        self._scheduler = Scheduler(self._limits, transcriber.workers)
        self._clock = clock
        self._ahead = ahead
        self._wake = Condition()
        self._workers: list[Thread] = []
        self._closed = False
        self._batches: Counter[int] = Counter()
        self._engine_s = dict.fromkeys(Kind, 0.0)
        self._speech_s = dict.fromkeys(Kind, 0.0)
        self._failed = 0

    @property
    def waiting(self) -> int:
        """Finals asked and not yet answered."""
        with self._wake:
            return self._scheduler.owed

    def ask(self, utterance: Utterance, call: str = "", bulk: bool = False) -> "Future[EngineResult]":
        """The words of a final. Nothing raises and nothing can be cancelled: a failure is a result with a fault.

        call: calls take turns. bulk: of a recording, which live calls go before.
        """
        answer: Future[EngineResult] = _promise()
        self._put(
            utterance,
            lambda queue, context: queue.ask(utterance, call, context, self._clock(), bulk=bulk),
            lambda outcome: answer.set_result(_answer(utterance, outcome)),
        )
        return answer

    def draft(self, utterance: Utterance, call: str) -> "Future[Transcript | None]":
        """The words of an utterance that may go on; None where they were left out, or are likely invented. Else as
        ``ask``."""
        answer: Future[Transcript | None] = _promise()
        self._put(
            utterance,
            lambda queue, context: queue.draft(utterance, call, context, self._clock()),
            lambda outcome: answer.set_result(self._presentable(outcome)),
        )
        return answer

    def forget(self, call: str) -> None:
        """The call is over: its drafts need not be heard."""
        with self._queue() as queue:
            queue.forget(call)

    def shed(self, shed: Shed) -> None:
        """What is left out from now on, so that calls are stepped in time. Workers that waited for it look again."""
        with self._queue() as queue:
            queue.shed(shed)
            self._wake.notify_all()

    def load(self) -> Load:
        """How busy it is now."""
        with self._queue() as queue:
            return queue.load(self._clock())

    def tally(self) -> Tally:
        with self._wake:
            done = dict(self._batches), dict(self._engine_s), dict(self._speech_s), self._failed
            return Tally(*done, self._scheduler.late, dict(self._scheduler.left_out))

    def close(self, patience: float | None = None) -> None:
        """Hear nothing more: what waits is answered with a fault. Waits for what is being heard, ``patience`` seconds
        a worker at most."""
        with self._queue() as queue:
            self._closed = True
            replies = [reply for job in queue.clear() for reply in queue.done(job, _CLOSED)]
            self._wake.notify_all()
        for reply in replies:
            reply(_CLOSED)
        for worker in self._workers:
            worker.join(patience)

    def _presentable(self, outcome: Outcome) -> Transcript | None:
        if isinstance(outcome, Unheard):
            return None
        return outcome if presentable(outcome, self._limits) else None

    def _put(self, utterance: Utterance, enter: Callable[[Scheduler, int], Job | Unheard], reply: Reply) -> None:
        """Queue an utterance, to be replied to when it was heard: at once if it was already, or cannot be."""
        try:
            context = self._transcriber.context(len(utterance.pcm))
        except Exception as error:  # noqa: BLE001 - see _outcomes
            reply(_failure(error))
            return
        with self._queue() as queue:
            job = _CLOSED if self._closed else enter(queue, context)
            outcome = job if isinstance(job, Unheard) else job.outcome
            if isinstance(job, Job) and outcome is None:
                job.replies.append(reply)
                self._call_a_worker()
        if outcome is not None:
            reply(outcome)

    def _call_a_worker(self) -> None:
        if not self._workers:
            count = max(1, self._transcriber.workers)
            self._workers = [Thread(target=self._work, name=f"engine {n}", daemon=True) for n in range(count)]
            for worker in self._workers:
                worker.start()
        self._wake.notify()

    @contextmanager
    def _queue(self) -> Iterator[Scheduler]:
        """The scheduler, for one thread at a time. Who waits for a draft that it gives up is told after that."""
        with self._wake:
            yield self._scheduler
            replies = [reply for job in self._scheduler.drops() for reply in self._scheduler.done(job, LEFT_OUT)]
        for reply in replies:
            reply(LEFT_OUT)

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            if batch:
                self._hear(batch)

    def _next(self) -> list[Job] | None:
        """A batch, or nothing when something may have come meanwhile; None once closed."""
        with self._queue() as queue:
            if self._closed:
                return None
            batch = queue.take(self._clock())
            if not batch:
                self._wake.wait()
            return batch

    def _hear(self, batch: list[Job]) -> None:
        kind, began = batch[0].kind, self._clock()
        outcomes = self._outcomes(batch, draft=kind is Kind.RUNNING)
        if kind is not Kind.RUNNING:
            self._prepare(outcomes)
        with self._queue() as queue:
            self._batches[len(batch)] += 1
            self._engine_s[kind] += self._clock() - began
            self._speech_s[kind] += seconds(sum(job.length for job in batch))
            self._failed += sum(isinstance(outcome, Unheard) for outcome in outcomes)
            heard = list(zip(batch, outcomes, strict=True))
            replies = [(reply, outcome) for job, outcome in heard for reply in queue.done(job, outcome)]
        for reply, outcome in replies:
            reply(outcome)

    def _prepare(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Transcript):
                with suppress(EngineFault):  # raised again, and told, where it is needed
                    self._ahead([word.text for word in outcome.words])

    def _outcomes(self, batch: list[Job], *, draft: bool) -> list[Outcome]:
        """One for each. A batch that fails is heard one by one."""
        try:
            return [*self._transcripts([_samples(job.utterance) for job in batch], draft)]
        except BaseException as error:  # noqa: BLE001 - whatever an engine does (Rust panics), calls go on and say so
            if len(batch) == 1:
                return [_failure(error)]
            return [outcome for job in batch for outcome in self._outcomes([job], draft=draft)]

    def _transcripts(self, batch: list[Samples], draft: bool) -> list[Transcript]:
        heard = self._transcriber.transcribe(batch, draft=draft)
        if len(heard) != len(batch):
            raise RuntimeError(f"the recogniser gave {len(heard)} answers to {len(batch)} utterances")
        return heard


def _promise() -> "Future[T]":
    """A future that cannot be cancelled, so that its answer can always be set."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    return future


def _samples(utterance: Utterance) -> Samples:
    return utterance.pcm.astype(np.float32) / np.float32(32768.0)


def _failure(error: BaseException) -> Unheard:
    return Unheard(f"{type(error).__name__}: {error}")


def _answer(utterance: Utterance, outcome: Outcome) -> EngineResult:
    if isinstance(outcome, Unheard):
        return fault(utterance, outcome.reason)
    try:
        return _result(utterance, outcome)
    except Exception as error:  # noqa: BLE001 - an answer that is none faults as a failing engine does
        return fault(utterance, _failure(error).reason)


def _result(utterance: Utterance, transcript: Transcript) -> EngineResult:
    origin = utterance.span.start
    words = tuple(
        HeardWord(text=w.text, span=Span(origin + w.start, origin + w.end), probability=round(w.probability, 3))
        for w in transcript.words
    )
    return EngineResult(
        utterance=utterance.number,
        channel=utterance.channel,
        span=utterance.span,
        text=transcript.text,
        words=words,
        language=transcript.language,
        no_speech=round(transcript.no_speech, 4),
        log_probability=round(transcript.log_probability, 4),
        compression=round(transcript.compression, 4),
        foreign=round(transcript.foreign, 3),
        emotion=tuple(round(value, 4) for value in transcript.emotion),
    )


def fault(utterance: Utterance, message: str) -> EngineResult:
    """An answer that says why there is none."""
    return EngineResult(utterance=utterance.number, channel=utterance.channel, span=utterance.span, fault=message)
