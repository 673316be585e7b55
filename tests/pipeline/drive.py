"""Driving a session in tests: scripted speech activity, real engines, calls from arrays, what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.pitch import SwiftF0Tracker
from models.protocols import Identity, Samples
from models.silero import SileroDetector
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.graph import Engines, build
from pipeline.inputs import Close, EngineResult, Frame, HeardWord, Input
from pipeline.nodes.speech import SpeechNode
from pipeline.playbook import load_playbook
from pipeline.replay import Recorder
from pipeline.session import TAIL, CallInfo, Entry, Node, Session, Utterance
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE, TICK, Span
from tests.fakes import OneByOne, formula

E = TypeVar("E")
Stretches = Sequence[tuple[float, float]]
STANDARD = Settings(policy=POLICIES["standard"])
INFO = CallInfo(call_id="test", channels=TWO_CHANNEL)


class ScriptedDetector(OneByOne):
    """Says speech where the script says so, in seconds; one list of stretches for each channel it is asked for."""

    def __init__(self, *channels: Stretches) -> None:
        self._channels = list(channels)

    @property
    def identity(self) -> Identity:
        return Identity("scripted", "0", "")

    def stream(self, channels: int = 1) -> ScriptedStream:
        return ScriptedStream([self._channels.pop(0) for _ in range(channels)])


class ScriptedStream:
    def __init__(self, channels: Sequence[Stretches]) -> None:
        self._channels = channels
        self._tick = 0

    def detect(self, windows: Samples) -> list[float]:
        middle = (self._tick + 0.5) * TICK / RATE
        self._tick += 1
        spoken = [any(start <= middle < end for start, end in stretches) for stretches in self._channels]
        return [0.99 if each else 0.01 for each in spoken]


def frames(seconds: float, channels: int = 2) -> Iterator[Frame]:
    """Steady noise at about -30 dBFS: loud enough for the level gate, speech only where a script says so."""
    noise = np.random.default_rng(7).normal(0, 1000, (channels, TICK)).astype(np.int16)
    for index in range(int(seconds * RATE) // TICK):
        yield Frame(index * TICK, noise)


def frames_of(pcm: NDArray[np.int16]) -> Iterator[Frame]:
    """int16 (n, channels), padded to a whole tick."""
    padded = np.pad(pcm, ((0, -len(pcm) % TICK), (0, 0)))
    for start in range(0, len(padded), TICK):
        yield Frame(start, np.ascontiguousarray(padded[start : start + TICK].T))


def run(session: Session, source: Iterator[Frame], inputs: Sequence[tuple[float, Input]] = ()) -> list[Entry]:
    """Step a session to its end; inputs are admitted at their second."""
    entries: list[Entry] = []
    waiting = sorted(inputs, key=lambda pair: pair[0])
    for frame in source:
        while waiting and waiting[0][0] * RATE <= frame.start:
            session.admit(waiting.pop(0)[1])
        entries += session.step(frame).entries
    session.admit(Close(end=session.position, reason="test"))
    for _ in range(TAIL):
        entries += session.step(session.silence()).entries
    return entries + session.end().entries


def scripted(
    nodes: Callable[[], Sequence[Node]],
    agent: Stretches,
    customer: Stretches,
    seconds: float,
    inputs: Sequence[tuple[float, Input]] = (),
) -> list[Entry]:
    """A session of a speech node on a script and the given nodes."""
    speech = SpeechNode(TWO_CHANNEL, STANDARD.speech, ScriptedDetector(agent, customer))
    return run(Session(INFO, [speech, *nodes()]), frames(seconds), inputs)


def events(entries: Sequence[Entry], kind: type[E]) -> list[E]:
    return [entry.item for entry in entries if isinstance(entry.item, kind)]


@cache
def detector() -> SileroDetector:
    return SileroDetector()


@cache
def tracker() -> SwiftF0Tracker:
    return SwiftF0Tracker()


def engines() -> Engines:
    """The real fast engines, no recogniser."""
    return Engines(detector(), tracker(), None, load_playbook(), formula())


def heard(pcm: NDArray[np.int16], info: CallInfo = INFO, settings: Settings = STANDARD) -> list[Entry]:
    """Everything the real fast lane makes of int16 (n, 2)."""
    return run(build(info, settings, engines()), frames_of(pcm))


def spoken(utterance: Utterance, text: str) -> EngineResult:
    """An answer whose words lie evenly over the utterance."""
    words = text.split()
    edges = np.linspace(utterance.span.start, utterance.span.end, len(words) + 1).astype(int).tolist()
    timed = tuple(
        HeardWord(text=word, span=Span(start, end), probability=0.9)
        for word, start, end in zip(words, edges, edges[1:], strict=False)
    )
    return EngineResult(
        utterance=utterance.number,
        channel=utterance.channel,
        span=utterance.span,
        text=text,
        words=timed,
        language="en",
    )


def answered(result: EngineResult) -> Future[EngineResult]:
    future: Future[EngineResult] = Future()
    future.set_result(result)
    return future


def record(
    session: Session, source: Iterator[Frame], answer: Callable[[Utterance], EngineResult], delay: float = 1.0
) -> list[Entry]:
    """Run the recorded driver with a scripted recogniser; returns all entries."""
    entries: list[Entry] = []
    call = Call(session)
    take = call._take

    def spy(step):  # type: ignore[no-untyped-def]
        entries.extend(step.entries)
        return take(step)

    call._take = spy  # type: ignore[method-assign]
    Recorder(call, lambda utterance: answered(answer(utterance)), delay).run(source, lambda: session.heard)
    return entries
