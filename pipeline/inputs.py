"""Everything that can enter a session. All but frames are journaled; frames are stored as audio.

An input is admitted at a tick: it takes effect in the next step, and the journal records that tick.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.timebase import TICK, Span


@dataclass(frozen=True, slots=True)
class Frame:
    """One tick of audio.

    start: sample index of the first sample, a multiple of 512.
    pcm: int16, shape (channels, 512); row order is the call's ``channels``.
    """

    start: int
    pcm: NDArray[np.int16]

    @property
    def end(self) -> int:
        return self.start + TICK


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Audio that never came; the door filled the span with zeros."""

    type: Literal["loss"] = "loss"
    channel: Channel
    span: Span
    reason: Literal["late", "missing", "overflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardWord:
    """span: samples since the start of the call. probability: 0-1."""

    text: str
    span: Span
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResult:
    """The recogniser's answer to one utterance.

    no_speech: 0-1. log_probability: mean nats per token. compression: characters per compressed byte.
    emotion: an EmotionScorer's few numbers, or empty. fault: what went wrong, else None.
    """

    type: Literal["engine_result"] = "engine_result"
    utterance: int
    channel: Channel
    span: Span
    text: str = ""
    words: tuple[HeardWord, ...] = ()
    language: str = ""
    no_speech: float = 0.0
    log_probability: float = 0.0
    compression: float = 0.0
    foreign: float = 0.0
    emotion: tuple[float, ...] = ()
    fault: str | None = None


CommandKind = Literal["acknowledge", "dismiss", "snooze", "wake", "claim", "release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person asks. alert: number of the event that raised it, where the command is about one.

    CommandKind = Literal["acknowledge", "dismiss", "snooze", "wake", "claim", "release"]
    """

    type: Literal["command"] = "command"
    kind: CommandKind
    alert: int | None = None
    by: str = ""
    note: str = ""


MarkKind = Literal["hold", "resume", "mute", "unmute", "pause", "transfer", "conference", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the phone system says. ``pause`` (card data) withholds audio and words until ``resume``."""

    type: Literal["mark"] = "mark"
    kind: MarkKind
    channel: Channel | None = None
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLine:
    """A line of a written conversation."""

    type: Literal["chat_line"] = "chat_line"
    channel: Channel
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strained:
    """The server is too busy to measure the voice (on), or measures it again."""

    type: Literal["strained"] = "strained"
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The audio is over. end: samples of real audio, at most one tick less than the frames that came."""

    type: Literal["close"] = "close"
    end: int
    reason: str


Input = Loss | EngineResult | Command | Mark | ChatLine | Strained | Close
"""The journaled inputs."""
