"""The machine: one frame in, each node stepped once in a fixed order, events out.

The session numbers what it admits and what it emits (a number is a journal line), holds no clock but
the frames, and does no input or output. Its driver (``live`` or ``replay``) does.

A step has two halves. The *ears* (echo, sounds, speech, the cutting of utterances) need nothing but audio and marks;
the *mind* (turns, scores, advice) also needs words. A live call takes both at once. A recorded one lets the ears run
ahead, so that utterances are asked for in batches long before their words are due.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.events import CallEnded, CallStarted, Direction, Event, Fault, Gap, Region
from pipeline.inputs import Close, Command, EngineResult, Frame, Input, Loss, Mark
from pipeline.timebase import TICK, Span, ticks
from pipeline.together import Asking, alone


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal line. n: its number. at: start of the tick that admitted or emitted it, in samples."""

    n: int
    at: int
    item: Input | Event


Stage = Literal["running", "paused", "final"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch handed to recognition: the one effect a step can have.

    number: counts from 1 in a call. pcm: int16 (n,), the audio of ``span``.
    stage: "running" while it is being spoken, so only a draft is wanted; "paused" when it may be over: if nothing
    follows, the final has this very span; "final" when it is over. Only finals are answered in the journal.
    """

    number: int
    channel: Channel
    span: Span
    pcm: NDArray[np.int16]
    stage: Stage = "final"


class Activity(NamedTuple):
    """Speech of one channel in this tick.

    speaking: inside a stretch of speech, as now known. start: its first sample.
    last: end of the last tick that held speech, so ``last - start`` never counts the hangover.
    """

    probability: float
    speaking: bool
    start: int
    last: int


@dataclass(frozen=True, slots=True)
class Floor:
    """Who has the floor, and since which sample."""

    holder: Channel
    since: int


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """How one person has spoken lately, known with a block of their speech.

    features: float32 (len(models.voice.FEATURES),), of the last seconds of own speech. seconds: of the block alone.
    of: number of its Prosody event.
    """

    features: NDArray[np.float32]
    seconds: float
    of: int


@dataclass(slots=True)
class Tick:
    """What a node sees of one step, and how it answers.

    samples: float32 (channels, 512) in [-1, 1); the nodes before speech take out of it what is not this party's voice
    (echo, muted audio), so that no later node needs to know. inputs, events: what was admitted and what the
    nodes before have emitted in this tick. activity: too frequent for events, so it travels here.
    doubt: channels whose sound may not be this party's voice (an echo not yet removed, music, a dialled number, a
    conference): nothing is judged from it. blurred: channels with this party's voice, but clipped, or mixed with the
    other's: what is said and when counts, how it sounds does not. floor: who has it, None while nobody does.
    strained: the voice is not measured and nobody scored, for the server is busy.
    manners: how those speak whose block of speech ended here and may be judged; never journaled, found again in replay.
    """

    frame: Frame
    channels: tuple[Channel, ...]
    samples: NDArray[np.float32]
    closing: bool
    _numbers: Iterator[int]
    inputs: list[Entry] = field(default_factory=list)
    events: list[Entry] = field(default_factory=list)
    asked: list[Utterance] = field(default_factory=list)
    activity: dict[Channel, Activity] = field(default_factory=dict)
    doubt: set[Channel] = field(default_factory=set)
    blurred: set[Channel] = field(default_factory=set)
    floor: Floor | None = None
    manners: dict[Channel, Manner] = field(default_factory=dict)
    strained: bool = False

    @property
    def start(self) -> int:
        return self.frame.start

    @property
    def end(self) -> int:
        """The sample at which whatever this step finds became known."""
        return self.frame.end

    @property
    def new_agent(self) -> bool:
        """Another voice is the agent's from here on: after a transfer, or a machine that answered before."""
        if not (self.inputs or self.events):
            return False
        transfer = any(isinstance(each.item, Mark) and each.item.kind == "transfer" for each in self.inputs)
        return transfer or any(isinstance(each.item, Region) and each.item.kind == "ivr" for each in self.events)

    def emit(self, event: Event) -> int:
        """Add an event; returns its number, good for the ``of`` of a later event of the same node."""
        number = next(self._numbers)
        self.events.append(Entry(number, self.frame.start, event))
        return number

    def ask(self, utterance: Utterance) -> None:
        """Ask the recogniser for words."""
        self.asked.append(utterance)


class Node(Protocol):
    """One concern. Holds its state of one call; sees the tick, never another node.

    An ear may have a method ``ask`` too, which is called before ``step``: its Question, if it has one, is answered in
    between.
    """

    def step(self, tick: Tick) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """entries: inputs admitted, then events, in order of number. asked: utterances for the recogniser."""

    entries: list[Entry]
    asked: list[Utterance]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInfo:
    """What is known of a call before its first sample.

    notice_given: how the customer was told, empty when not. source: file, door or device.
    queue, team, direction, fields: what the phone system says of the call; nothing is derived from them.
    unavailable: measure (talk_over, anger, tension, words, sounds, echo) to the reason why this call cannot have it.
    warnings: what is wrong with the source, one line each.
    attribution: how it is known who speaks: each party has a channel, one channel was told apart by voice, or the
    conversation is written (a chat: no sound, and each line names its writer).
    """

    call_id: str
    channels: tuple[Channel, ...]
    agent_id: str = ""
    notice_given: str = ""
    queue: str = ""
    team: str = ""
    direction: Direction = ""
    fields: dict[str, str] = field(default_factory=dict)
    source: str = ""
    policy: str = ""
    unavailable: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    attribution: Literal["channels", "diarised", "written"] = "channels"


TAIL = ticks(2.0)
"""Silent ticks fed after the last frame, longer than any node waits, so that the tail is never lost."""


class Session:
    """One call. ``admit`` inputs, ``step`` frames; after a ``Close``: TAIL silent steps, then ``end``.

    ears, mind: the nodes, stepped in this order; see above. scored: whose voice may be judged; of the others what the
    recogniser's encoder says is dropped before it is journaled. pending: utterances asked and not yet answered, by
    number.
    """

    def __init__(
        self,
        info: CallInfo,
        mind: Sequence[Node],
        ears: Sequence[Node] = (),
        scored: frozenset[Channel] = frozenset(),
    ) -> None:
        self.info = info
        self.pending: dict[int, Utterance] = {}
        self._ears = ears
        self._mind = mind
        self._scored = scored
        self._waiting: list[Input] = []
        self._for_mind: list[EngineResult | Command] = []
        self._heard = 0
        self._position = 0
        self._numbers = count(1)
        self._tickets = count(-1, -1)
        self._opened: dict[int, int] = {}
        self._close: Close | None = None
        self._ended = False

    @property
    def position(self) -> int:
        """First sample of the next tick that the mind takes."""
        return self._position

    @property
    def heard(self) -> int:
        """First sample of the next frame: the ears may be ahead of the mind."""
        return self._heard

    @property
    def ended(self) -> bool:
        return self._ended

    def admit(self, item: Input) -> None:
        """Queue an input for the next step: what recogniser and people answer for the mind, all else for the ears.

        Raises RuntimeError after the end.
        """
        if self._ended:
            raise RuntimeError("the call has ended; nothing can be admitted")
        if isinstance(item, EngineResult | Command):
            self._for_mind.append(item)
        else:
            self._waiting.append(item)

    def step(self, frame: Frame) -> Step:
        """Step every node once. Raises ValueError when the frame is not the next one."""
        return self.think(self.hear(frame))

    def hear(self, frame: Frame) -> Tick:
        """The first half: step the ears. ``tick.asked`` is complete then. Raises as ``step`` does."""
        return alone(self.hearing(frame))

    def hearing(self, frame: Frame) -> Asking[Tick]:
        """The same for whoever steps many calls and answers what they ask in one go."""
        if frame.start != self._heard:
            raise ValueError(f"expected the frame at {self._heard}, got {frame.start}")
        tick = self._open(frame)
        for node in self._ears:
            ask = getattr(node, "ask", None)
            question = None if ask is None else ask(tick)
            if question is not None:
                yield question
            node.step(tick)
        if tick.asked:
            self.pending.update((each.number, each) for each in tick.asked if each.stage == "final")
        self._heard = frame.end
        return tick

    def think(self, tick: Tick) -> Step:
        """The second half, for each tick in the order in which it was heard."""
        self._settle(tick)
        for node in self._mind:
            node.step(tick)
        self._position = tick.end
        return Step([*tick.inputs, *tick.events], tick.asked)

    def silence(self) -> Frame:
        """The next frame, of zeros: what follows the last audio."""
        return Frame(self._heard, np.zeros((len(self.info.channels), TICK), np.int16))

    def end(self) -> Step:
        """The last step: admits what waits, then emits CallEnded. Raises RuntimeError without a Close before."""
        step = self.step(self.silence())
        if self._close is None:
            raise RuntimeError("a call ends only after a Close")
        event = CallEnded(span=Span(0, self._close.end), at=self._position, reason=self._close.reason)
        self._ended = True
        return Step([*step.entries, self._number(event)], step.asked)

    def fail(self, part: str, error: BaseException) -> list[Entry]:
        """End at once after an unexpected failure: a fatal Fault and CallEnded. What waited is dropped."""
        here = Span(self._position, self._position)
        message = f"{type(error).__name__}: {error}"
        fault = Fault(span=here, at=self._position, part=part, message=message, fatal=True)
        ended = CallEnded(span=Span(0, self._position), at=self._position, reason="fault")
        self._ended = True
        return [self._number(fault), self._number(ended)]

    def _number(self, item: Input | Event) -> Entry:
        return Entry(next(self._numbers), self._position, item)

    def _open(self, frame: Frame) -> Tick:
        """A tick with what was admitted. Its entries are numbered when the mind takes it: until then by tickets."""
        inputs = [Entry(0, frame.start, item) for item in self._waiting]
        self._waiting.clear()
        self._close = next((e.item for e in inputs if isinstance(e.item, Close)), self._close)
        samples = frame.pcm.astype(np.float32) / 32768.0
        tick = Tick(frame, self.info.channels, samples, self._close is not None, self._tickets, inputs)
        if frame.start == 0:
            self._announce(tick)
        for entry in inputs:
            if isinstance(entry.item, Loss):
                loss = entry.item
                tick.emit(Gap(span=loss.span, at=tick.end, channel=loss.channel, reason=loss.reason))
        return tick

    def _settle(self, tick: Tick) -> None:
        """Admit the answers, and give what the ears admitted and emitted its numbers."""
        answers, self._for_mind = self._for_mind, []
        for answer in answers:
            if isinstance(answer, EngineResult):
                self.pending.pop(answer.utterance, None)
        answers = [self._permitted(answer, tick) for answer in answers]
        tick.inputs = [self._number(item) for item in (*(entry.item for entry in tick.inputs), *answers)]
        tick.events = [self._renumbered(entry) for entry in tick.events]
        tick._numbers = self._numbers

    def _permitted(self, answer: EngineResult | Command, tick: Tick) -> EngineResult | Command:
        """Without what the encoder says of a voice that may not be judged, or of nobody knows whose."""
        if isinstance(answer, Command) or answer.channel in self._scored.intersection(tick.channels):
            return answer
        return replace(answer, emotion=())

    def _renumbered(self, entry: Entry) -> Entry:
        item = entry.item
        if isinstance(item, Region) and item.of is not None:
            item = replace(item, of=self._opened.pop(item.of))
        numbered = self._number(item)
        if isinstance(item, Region) and item.open:
            self._opened[entry.n] = numbered.n
        return numbered

    def _announce(self, tick: Tick) -> None:
        info = self.info
        tick.emit(
            CallStarted(
                span=Span(0, 0),
                at=tick.start,
                call_id=info.call_id,
                channels=info.channels,
                agent_id=info.agent_id,
                notice_given=info.notice_given,
                queue=info.queue,
                team=info.team,
                direction=info.direction,
                fields=info.fields,
                source=info.source,
                policy=info.policy,
                unavailable=info.unavailable,
                warnings=info.warnings,
                attribution=info.attribution,
            )
        )
