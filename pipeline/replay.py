"""The recorded driver: audio to events as fast as the machine goes, and stored calls to the same events again."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from pipeline import tape
from pipeline.call import Call
from pipeline.errors import BadInput
from pipeline.events import CallEnded, Fault
from pipeline.inputs import ChatLine, EngineResult, Frame, Input, Loss
from pipeline.journal import CallFolder, encode, is_event, read_entries
from pipeline.session import TAIL, Entry, Session, Step, Tick, Utterance
from pipeline.timebase import TICK, samples, ticks
from pipeline.view import View

Ask = Callable[[Utterance], "Future[EngineResult]"]

AHEAD = 30.0
"""Seconds: enough for a batch of utterances of either party, and 4 MB of audio."""


class Recorder:
    """Steps one recording. Words are admitted a fixed time after they were asked for, so two runs agree.

    nominal_delay: seconds. ask: the shared recogniser; None when words are not wanted. ahead: seconds by which the ears
    run before the mind, so that the recogniser gets whole batches; no more than that ever waits for words.
    stepped: told the sample up to which all is done; it may admit a Command that takes effect there, and raise to break
    off.
    """

    def __init__(
        self,
        call: Call,
        ask: Ask | None,
        nominal_delay: float,
        ahead: float = AHEAD,
        stepped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._call = call
        self._stepped = stepped
        self._ask = ask
        self._delay = ticks(nominal_delay) * TICK
        self._ahead = samples(ahead) // TICK
        self._ticks: deque[Tick] = deque()
        self._due: deque[tuple[int, Future[EngineResult]]] = deque()

    def run(
        self, source: Iterable[Frame | Loss | ChatLine], heard: Callable[[], int], reason: str = "end of recording"
    ) -> View:
        """Step everything. heard: real samples, asked once the source is exhausted. Returns the full view."""
        call = self._call
        for item in source:
            if isinstance(item, Frame):
                self._heard(call.hear(item))
            else:
                call.admit(item)
        call.close(reason, heard())
        for _ in range(TAIL):
            self._heard(call.session.hear(call.session.silence()))
        while self._ticks:
            self._think()
        self._admit_all()
        call.end()
        return call.view

    def _heard(self, tick: Tick) -> None:
        self._ticks.append(tick)
        tick.asked = [utterance for utterance in tick.asked if utterance.stage == "final"]  # nobody looks at drafts
        if self._ask is not None:
            self._due.extend((tick.end + self._delay, self._ask(utterance)) for utterance in tick.asked)
        if len(self._ticks) > self._ahead:
            self._think()

    def _think(self) -> None:
        tick = self._ticks.popleft()
        while self._due and self._due[0][0] <= tick.start:
            self._call.admit(self._due.popleft()[1].result())
        self._call.think(tick)
        self._stepped(tick.end)

    def _admit_all(self) -> None:
        while self._due:
            self._call.admit(self._due.popleft()[1].result())


@dataclass(frozen=True, slots=True)
class Difference:
    """n: line of the journal. expected, found: the two lines; found is None where the session has no more."""

    n: int
    expected: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """events: compared. finished: the journal ends with CallEnded. difference: the first one, or None."""

    events: int
    finished: bool
    difference: Difference | None


def again(session: Session, folder: CallFolder, entries: list[Entry]) -> Iterator[Entry]:
    """Step a fresh session over stored audio and journaled inputs; yields what it admits and emits.

    A call whose writer was killed has no Close: it ends with its audio, a written one with its last line.
    """
    inputs: dict[int, list[Input]] = {}
    for entry in entries:
        if not is_event(entry):
            inputs.setdefault(entry.at, []).append(entry.item)  # type: ignore[arg-type]
    closed = any(entry.item.type == "close" for entry in entries)

    def step(frame: Frame) -> Step:
        _admit(session, inputs)
        return session.step(frame)

    for frame in _silence(session, entries) if _written(session) else tape.frames(folder.audio):
        yield from step(frame).entries
    if not closed:
        return
    for _ in range(TAIL):
        yield from step(session.silence()).entries
    _admit(session, inputs)
    yield from session.end().entries


def _written(session: Session) -> bool:
    return session.info.attribution == "written"


def _silence(session: Session, entries: list[Entry]) -> Iterator[Frame]:
    """The frames of a written conversation: as many as there were, of zeros."""
    close = next((entry.at for entry in entries if entry.item.type == "close"), None)
    end = close if close is not None else max((entry.at + TICK for entry in entries), default=0)
    while session.heard < end:
        yield session.silence()


def _admit(session: Session, inputs: dict[int, list[Input]]) -> None:
    for item in inputs.get(session.position, ()):
        session.admit(item)


def verify(session: Session, folder: CallFolder) -> Verdict:
    """Compare every event of the journal with those of a fresh session. Raises BadInput without audio."""
    if not folder.audio.exists() and not _written(session):
        raise BadInput(f"{folder.path.name} has no stored audio (policy without recording); it cannot be replayed")
    journal = list(read_entries(folder.journal))
    finished = bool(journal) and isinstance(journal[-1].item, CallEnded)
    found = again(session, folder, journal)
    for count, expected in enumerate(journal):
        if isinstance(expected.item, Fault) and expected.item.fatal:
            return Verdict(count, finished, None)
        stepped = next(found, None)
        if stepped is None and not finished:
            return Verdict(count, finished, None)
        if stepped is None or encode(stepped) != encode(expected):
            return Verdict(count, finished, Difference(expected.n, encode(expected).decode(), _text(stepped)))
    return Verdict(len(journal), finished, None)


def _text(entry: Entry | None) -> str | None:
    return None if entry is None else encode(entry).decode()
