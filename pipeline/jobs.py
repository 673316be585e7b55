"""What waits for the shared recogniser: utterances by call, calls in turn."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, zip_longest
from math import ceil

from models.protocols import Transcript
from pipeline.channel import Channel
from pipeline.session import Utterance


class Kind(Enum):
    """What an utterance is heard for, in the order of hearing. BULK: a final of a recording."""

    FINAL = "final"
    PAUSED = "paused"
    RUNNING = "running"
    BULK = "bulk"


FINALS = (Kind.FINAL, Kind.BULK)


@dataclass(frozen=True, slots=True)
class Unheard:
    """Why there is no transcript."""

    reason: str


Outcome = Transcript | Unheard


@dataclass(slots=True, eq=False)
class Job:
    """One utterance to be heard. since: when it was asked. outcome: None until it is there; replies: who is told."""

    utterance: Utterance
    call: str
    kind: Kind
    context: int
    since: float
    waiting: bool = True
    outcome: Outcome | None = None
    replies: list[Callable[[Outcome], None]] = field(default_factory=list)

    @property
    def spot(self) -> tuple[str, Channel]:
        return self.call, self.utterance.channel

    @property
    def length(self) -> int:
        """Samples."""
        return self.utterance.span.end - self.utterance.span.start


class Queue:
    """Waiting jobs of one kind by call; the first call has the next turn."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[Job]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._calls.values()))

    def __iter__(self) -> Iterator[Job]:
        return chain.from_iterable(self._calls.values())

    def add(self, job: Job) -> None:
        job.waiting = True
        self._calls.setdefault(job.call, deque()).append(job)

    def remove(self, job: Job) -> None:
        job.waiting = False
        self._calls[job.call].remove(job)
        if not self._calls[job.call]:
            del self._calls[job.call]

    def oldest(self) -> float:
        """When the oldest was asked. Raises ValueError when nothing waits."""
        return min(jobs[0].since for jobs in self._calls.values())

    def take(self, most: int, workers: int) -> list[Job]:
        """The oldest of the first call, and what fits to it: one a call, then a second of each, and so on.

        What fits is shared between the workers. The first call then goes behind the others.
        """
        turn = next(iter(self._calls))
        context = self._calls[turn][0].context
        fitting = ([job for job in jobs if job.context == context] for jobs in self._calls.values())
        order = [job for each in zip_longest(*fitting) for job in each if job is not None]
        batch = order[: min(most, ceil(len(order) / workers))]
        for job in batch:
            self.remove(job)
        if turn in self._calls:
            self._calls[turn] = self._calls.pop(turn)
        return batch
