"""A stored call as its report looks at it: its view, and the numbers of events that a view leaves out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pipeline.channel import Channel
from pipeline.events import Pace, Silence, Turn
from pipeline.journal import Header
from pipeline.session import Entry
from pipeline.text import plain, sentence
from pipeline.timebase import ms
from pipeline.view import CueView, LineView, ScoreView, View

E = TypeVar("E")

LONG = 12
"""Words of a sentence that are quoted at most: enough to judge whether a cue was right."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A turn, or a line of a chat. n: of its event. Milliseconds. wait: since the other's end; None without one."""

    n: int
    channel: Channel
    begin: int
    end: int
    wait: int | None = None


class Past:
    """view: the full one. turns: in the order of time. paces, silences: with their numbers; silences that are over."""

    def __init__(self, header: Header, view: View, entries: Iterable[Entry]) -> None:
        kept = [entry for entry in entries if isinstance(entry.item, Turn | Pace | Silence)]
        self.header = header
        self.view = view
        self.turns = sorted(_lines(view) if self.written else _turns(kept), key=lambda turn: turn.begin)
        self.paces = list(_found(kept, Pace))
        self.silences = [(n, silence) for n, silence in _found(kept, Silence) if not silence.open]

    @property
    def written(self) -> bool:
        return self.view.attribution == "written"

    @property
    def whole(self) -> tuple[int, ...]:
        """Evidence of what did not happen: the end of the call."""
        return (self.view.n,)

    def cues(self, channel: Channel, *names: str) -> list[CueView]:
        found = [cue for cue in self.view.cues if cue.channel is channel and cue.name in names]
        return sorted(found, key=lambda cue: cue.begin_ms)

    def turns_of(self, channel: Channel) -> list[Stretch]:
        return [turn for turn in self.turns if turn.channel is channel]

    def anger_at(self, moment: int) -> ScoreView | None:
        """The last anger known at a moment."""
        return max((point for point in self.view.scores.anger if point.ms <= moment), key=_when, default=None)

    def line_at(self, cue: CueView) -> LineView | None:
        """The line that a cue was found in."""
        lines = (line for line in self.view.transcript if line.channel is cue.channel)
        return next((line for line in lines if line.begin_ms <= cue.begin_ms <= line.end_ms), None)

    def quote(self, cue: CueView) -> str:
        """The sentence that a cue was found in, as it was written down; the words of the cue where none is known."""
        line = self.line_at(cue)
        return f"“{cue.phrase if line is None else _sentence(line, cue.phrase)}”"


def _sentence(line: LineView, phrase: str) -> str:
    """A long one begins a few words before the phrase."""
    words = sentence(line.text, phrase).split()
    if len(words) <= LONG:
        return " ".join(words)
    first = next((at for at in range(len(words)) if plain(" ".join(words[at:])).startswith(phrase)), 0)
    begin = max(0, min(first - 2, len(words) - LONG))
    cut = " ".join(words[begin : begin + LONG])
    return f"{'… ' if begin else ''}{cut}{' …' if begin + LONG < len(words) else ''}"


def _when(point: ScoreView) -> int:
    return point.ms


def _turns(entries: Iterable[Entry]) -> Iterator[Stretch]:
    for n, turn in _found(entries, Turn):
        wait = None if turn.fto is None else ms(turn.fto)
        yield Stretch(n, turn.channel, ms(turn.span.start), ms(turn.span.end), wait)


def _lines(view: View) -> Iterator[Stretch]:
    """In a chat each line is a turn."""
    for line in view.transcript:
        yield Stretch(line.n, line.channel, line.begin_ms, line.end_ms)


def _found(entries: Iterable[Entry], kind: type[E]) -> Iterator[tuple[int, E]]:
    return ((entry.n, entry.item) for entry in entries if isinstance(entry.item, kind))
