"""What the shared recogniser hears next. No threads and no clock: whoever asks says what time it is (seconds).

Order: finals of live calls, then "paused" utterances (likely finals), then "running" ones, then recordings, which get
every fourth batch at least. Calls take turns, and inside a call the oldest leads; so one chatty call, or a recording of
an hour, holds nobody back. What shares a batch has one kind and one context.

Overflow: drafts go first. A draft that waits gives way to what is asked next for its channel, and while finals wait
longer than ``behind_s`` no draft is taken or kept. Finals are never dropped: they wait. Beyond an hour of speech no
more are taken, and whoever asks is told so. What is left out because the machine steps its calls too late
(``pipeline.strain``) is left out here: drafts, and all workers but one.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline import settings as s
from pipeline.channel import Channel
from pipeline.jobs import FINALS, Job, Kind, Outcome, Queue, Unheard
from pipeline.session import Utterance
from pipeline.strain import Shed
from pipeline.timebase import RATE, samples

LONGEST = samples(3600.0)
"""Samples of speech that may wait for their words: what 40 calls say in three minutes, and 115 MB."""

TURN = 4
"""Recordings get one batch of so many while live calls keep the recogniser busy."""

QUIET_S = 10.0
"""Seconds without a word from live calls after which recordings are heard in batches of their own size."""

RECOVERY_S = 3.0
"""Seconds for which no final may have waited half of ``behind_s`` before drafts come back: they would flicker."""

FULL = Unheard(
    f"{LONGEST // RATE} s of speech wait for their words already: the recogniser is too slow for these calls"
)
LEFT_OUT = Unheard("a draft that was left out")


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the recogniser is. waiting: utterances by kind. behind_s: seconds that the oldest live final has waited.

    drafts: False while they are left out, so that finals catch up.
    """

    waiting: dict[Kind, int]
    behind_s: float
    drafts: bool


class Pressure:
    """Whether finals wait too long: from ``bound`` seconds, until half of it was enough for RECOVERY_S."""

    def __init__(self, bound: float) -> None:
        self.high = False
        self._bound = bound
        self._felt = 0.0

    def feel(self, waited: float, now: float) -> None:
        """waited: seconds of the oldest final."""
        if waited > self._bound:
            self.high = True
        if waited > self._bound / 2:
            self._felt = now
        elif now - self._felt >= RECOVERY_S:
            self.high = False


class Scheduler:
    """``ask`` and ``draft`` put utterances in, ``take`` gives the next batch, ``done`` says that it was heard.

    workers: batches heard at once. late: finals of live calls that waited longer than ``behind_s`` for their turn.
    left_out: drafts that nobody got, because a newer one came, because finals were behind, because the call ended, or
    because calls were stepped too late.
    """

    def __init__(self, settings: s.Words, workers: int = 1) -> None:
        self.late = 0
        self.left_out: Counter[str] = Counter({"newer": 0, "behind": 0, "ended": 0, "busy": 0})
        self._settings = settings
        self._workers = workers
        self._queues = {kind: Queue() for kind in Kind}
        self._drafts: dict[tuple[str, Channel], Job] = {}
        self._running: set[Job] = set()
        self._dropped: list[Job] = []
        self._pressure = Pressure(settings.behind_s)
        self._shed = Shed.NOTHING
        self._spoken = -QUIET_S
        self._live_batches = 0
        self._speech = 0

    @property
    def owed(self) -> int:
        """Finals asked and not yet heard."""
        waiting = sum(len(self._queues[kind]) for kind in FINALS)
        return waiting + sum(job.kind in FINALS for job in self._running)

    def load(self, now: float) -> Load:
        waited, drafts = self._feel(now), not (self._pressure.high or self._shed)
        return Load({kind: len(queue) for kind, queue in self._queues.items()}, waited, drafts)

    def shed(self, shed: Shed) -> None:
        """What is left out from now on; drafts among it that wait are given up."""
        self._shed = shed
        for spot, job in list(self._drafts.items()):
            if job.waiting and self._leaves_out(job.kind):
                self._drop(self._drafts.pop(spot), "busy")

    def ask(self, utterance: Utterance, call: str, context: int, now: float, *, bulk: bool = False) -> Job | Unheard:
        """The job that answers a final: that of the same stretch "paused" where there is one, heard or not."""
        twin = None if bulk else self._drafts.pop((call, utterance.channel), None)
        if twin is not None and _same(twin, utterance):
            return self._promote(twin, now)
        self._drop(twin, "newer")
        job = Job(utterance, call, Kind.BULK if bulk else Kind.FINAL, context, now)
        if self._speech + job.length > LONGEST:
            return FULL
        self._admit(job, now)
        return job

    def draft(self, utterance: Utterance, call: str, context: int, now: float) -> Job | Unheard:
        """The job that answers a draft, which replaces the waiting one of its channel."""
        self._feel(now)
        self._drop(self._drafts.pop((call, utterance.channel), None), "newer")
        if self._pressure.high:
            self.left_out["behind"] += 1
            return LEFT_OUT
        kind = Kind.PAUSED if utterance.stage == "paused" else Kind.RUNNING
        if self._leaves_out(kind):
            self.left_out["busy"] += 1
            return LEFT_OUT
        job = Job(utterance, call, kind, context, now)
        self._drafts[job.spot] = job
        self._admit(job, now)
        return job

    def take(self, now: float) -> list[Job]:
        """The next batch; empty when nothing waits, or must while another batch is heard."""
        self._feel(now)
        kind = self._turn()
        if kind is None or (self._running and self._shed >= Shed.WORKERS):
            return []
        self._live_batches = 0 if kind is Kind.BULK else self._live_batches + 1
        alone = kind is Kind.BULK and now - self._spoken >= QUIET_S
        batch = self._queues[kind].take(self._settings.bulk_batch if alone else self._settings.batch, self._workers)
        self._running.update(batch)
        for job in batch:
            self._began(job, now)
        return batch

    def done(self, job: Job, outcome: Outcome) -> list[Callable[[Outcome], None]]:
        """It was heard, or could not be. Returns who is to be told. Only what a final may still ask for is kept."""
        self._running.discard(job)
        job.outcome = outcome
        job.utterance = replace(job.utterance, pcm=job.utterance.pcm[:0].copy())
        if self._drafts.get(job.spot) is job and (job.kind is Kind.RUNNING or isinstance(outcome, Unheard)):
            del self._drafts[job.spot]
        replies, job.replies = job.replies, []
        return replies

    def forget(self, call: str) -> None:
        """The call is over: nobody looks at its drafts any more."""
        for spot in [spot for spot in self._drafts if spot[0] == call]:
            self._drop(self._drafts.pop(spot), "ended")

    def drops(self) -> list[Job]:
        """The drafts given up since the last time."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def clear(self) -> list[Job]:
        """Everything that waits, taken out: nothing will be heard any more."""
        waiting = [job for queue in self._queues.values() for job in queue]
        for job in waiting:
            self._queues[job.kind].remove(job)
        self._drafts.clear()
        self._speech = 0
        return waiting

    def _admit(self, job: Job, now: float) -> None:
        if job.kind in FINALS:
            self._speech += job.length
        if job.kind is not Kind.BULK:
            self._spoken = now
        self._queues[job.kind].add(job)

    def _promote(self, job: Job, now: float) -> Job:
        """What was likely a final is one."""
        waiting = job.waiting
        if waiting:
            self._queues[job.kind].remove(job)
        job.kind, job.since = Kind.FINAL, now
        if waiting:
            self._admit(job, now)
        return job

    def _drop(self, job: Job | None, reason: str) -> None:
        """Give a draft up, unless it is being heard already."""
        if job is not None and job.waiting:
            self._queues[job.kind].remove(job)
            self._dropped.append(job)
            self.left_out[reason] += 1

    def _leaves_out(self, kind: Kind) -> bool:
        return self._shed >= {Kind.RUNNING: Shed.RUNNING, Kind.PAUSED: Shed.DRAFTS}.get(kind, len(Shed))

    def _turn(self) -> Kind | None:
        waiting = [kind for kind in Kind if len(self._queues[kind])]
        if Kind.BULK in waiting and self._live_batches >= TURN - 1:
            return Kind.BULK
        return waiting[0] if waiting else None

    def _began(self, job: Job, now: float) -> None:
        if job.kind in FINALS:
            self._speech -= job.length
        if job.kind is Kind.FINAL:
            self.late += now - job.since > self._settings.behind_s

    def _feel(self, now: float) -> float:
        """Seconds that the oldest live final has waited. Drafts are given up where that is too long."""
        finals = self._queues[Kind.FINAL]
        waited = max(0.0, now - finals.oldest()) if len(finals) else 0.0
        self._pressure.feel(waited, now)
        if self._pressure.high:
            for spot in [spot for spot, job in self._drafts.items() if job.waiting]:
                self._drop(self._drafts.pop(spot), "behind")
        return waited


def _same(job: Job, final: Utterance) -> bool:
    return job.kind is Kind.PAUSED and job.utterance.span == final.span
