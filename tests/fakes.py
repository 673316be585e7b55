"""Engines that need no weights and answer at once, wrongly in a known way; nodes that do one thing on cue.

engines = fake_engines(FakeTranscriber(["hello there", "i want a refund"]))
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from models.affect import AffectModel
from models.protocols import Identity, PitchTrack, Samples, SpeechStream, TimedWord, Transcript
from pipeline.events import Alert
from pipeline.graph import WEIGHTS, Engines
from pipeline.inputs import Command
from pipeline.playbook import load_playbook
from pipeline.session import Tick
from pipeline.timebase import RATE, Span

HOP = 256
"""Samples between two estimates of the fake tracker."""


def fake_identity(name: str) -> Identity:
    return Identity(name, "0", "0" * 64)


class OneByOne:
    """A detector that gains nothing from many calls at once."""

    def detect_all(self, asked: Sequence[tuple[SpeechStream, Samples]]) -> list[Sequence[float]]:
        return [stream.detect(windows) for stream, windows in asked]


class FakeDetector(OneByOne):
    """Speech is whatever is louder than -45 dBFS."""

    identity = fake_identity("fake detector")

    def stream(self, channels: int = 1) -> "FakeDetector":
        return self

    def detect(self, windows: Samples) -> list[float]:
        powers = np.mean(np.square(windows, dtype=np.float64), axis=1)
        return [0.95 if 10 * np.log10(power + 1e-12) > -45.0 else 0.02 for power in powers]


@dataclass
class FakePitch:
    """f0: Hz, always this; None counts zero crossings."""

    f0: float | None = 120.0
    identity: Identity = field(default_factory=lambda: fake_identity("fake pitch"))

    def stream(self) -> "FakePitch":
        return self

    def track(self, block: Samples) -> PitchTrack:
        count = len(block) // HOP
        f0 = self._crossings(block) if self.f0 is None else self.f0
        return PitchTrack(np.full(count, f0, np.float32), np.full(count, 0.9, np.float32), HOP)

    def finish(self, block: Samples | None = None) -> PitchTrack:
        """Nothing is held back."""
        return self.track(np.zeros(0, np.float32) if block is None else block)

    def _crossings(self, block: Samples) -> float:
        changes = np.count_nonzero(np.diff(np.signbit(block)))
        return float(changes * RATE / (2 * max(1, len(block))))


@dataclass
class FakeTranscriber:
    """Answers from a script, then "word word ..." at 2.5 words a second.

    script: texts, or errors to raise, in the order of asking. error: raised always. gate: every answer waits for it.
    asked: set as soon as somebody has asked. lengths: samples of every utterance asked for.
    """

    script: Sequence[str | Exception] = ()
    error: Exception | None = None
    gate: Event | None = None
    identity: Identity = field(default_factory=lambda: fake_identity("fake transcriber"))
    asked: Event = field(default_factory=Event)
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left: Iterator[str | Exception] = iter(self.script)
        self._lock = Lock()

    workers: int = 1

    def context(self, length: int) -> int:
        """Utterances of up to 10, 20, 30 ... seconds go together."""
        return -(-length // (10 * RATE)) * 10 * RATE

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        return [self.hear(samples) for samples in batch]

    def hear(self, samples: Samples) -> Transcript:
        with self._lock:
            self.lengths.append(len(samples))
            answer = next(self._left, None)
        self.asked.set()
        if self.gate is not None:
            assert self.gate.wait(60), "nobody opened the gate"
        if self.error is not None:
            raise self.error
        if isinstance(answer, Exception):
            raise answer
        return transcript(_words(len(samples)) if answer is None else answer, len(samples))


def _words(length: int) -> str:
    return " ".join(["word"] * max(1, int(length / RATE * 2.5)))


def transcript(text: str, length: int) -> Transcript:
    """A confident answer, its words spread evenly over the utterance. length: samples."""
    spoken = text.split()
    edges = [length * index // max(1, len(spoken)) for index in range(len(spoken) + 1)]
    words = tuple(
        TimedWord(begin, end, word, 0.9) for (begin, end), word in zip(itertools.pairwise(edges), spoken, strict=True)
    )
    return Transcript(text, words, "en", no_speech=0.01, log_probability=-0.2, compression=1.2)


@cache
def formula() -> AffectModel:
    """The scores set by hand: small, and the same for everybody."""
    return AffectModel.load(WEIGHTS / "formula")


def fake_engines(
    transcriber: FakeTranscriber | None = None, *, f0: float | None = 120.0, words: bool = True
) -> Engines:
    """words: False for a deployment without recognition."""
    heard = (transcriber or FakeTranscriber()) if words else None
    return Engines(FakeDetector(), FakePitch(f0), heard, load_playbook(), formula())


@dataclass
class AlertNode:
    """Raises one alert at a sample; a command about it acknowledges or clears it, as the advice node does."""

    at: int = RATE
    number: int | None = None

    def step(self, tick: Tick) -> None:
        if tick.start <= self.at < tick.end:
            self.number = tick.emit(self._alert(tick, "raised", "test"))
        for entry in tick.inputs:
            if isinstance(entry.item, Command) and entry.item.alert == self.number:
                tick.emit(self._alert(tick, "cleared", f"{entry.item.kind} by {entry.item.by}"))

    def _alert(self, tick: Tick, state: str, reason: str) -> Alert:
        return Alert(
            span=Span(tick.start, tick.end),
            at=tick.end,
            kind="test",
            state=state,  # type: ignore[arg-type]
            severity="coach",
            reason=reason,
            advice="Let the customer finish",
            detail="This is a test.",
            practice=1,
            evidence=(),
            of=self.number if state == "cleared" else None,
        )


@dataclass
class ChattyNode:
    """Emits some events a tick, so that numbers run fast. make: an event of that tick."""

    make: Callable[[Tick], Alert]
    per_tick: int = 1

    def step(self, tick: Tick) -> None:
        for _ in range(self.per_tick):
            tick.emit(self.make(tick))


def speech(seconds: float, *, level: float = -20.0, seed: int = 0, rate: int = RATE) -> NDArray[np.int16]:
    """Noise that the fake detector takes for speech: int16 (n,). level: dBFS."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate)) * 10 ** (level / 20)
    return np.clip(np.rint(noise * 32767), -32768, 32767).astype(np.int16)


def silence(seconds: float, *, rate: int = RATE) -> NDArray[np.int16]:
    """int16 (n,)."""
    return np.zeros(round(seconds * rate), np.int16)


def stereo(agent: Sequence[NDArray[np.int16]], customer: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
    """Both parties' pieces, one after the other; the shorter one is filled with zeros: int16 (n, 2)."""
    left, right = np.concatenate(list(agent)), np.concatenate(list(customer))
    call = np.zeros((max(len(left), len(right)), 2), np.int16)
    call[: len(left), 0], call[: len(right), 1] = left, right
    return call
