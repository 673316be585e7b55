"""Cues: things said that matter, found in what each party said. A paraphrase also by what the customer said before."""

from pipeline import meaning
from pipeline.channel import Channel
from pipeline.cues import Found, near
from pipeline.events import Cue, Words
from pipeline.meaning import Vectors
from pipeline.playbook import Playbook
from pipeline.session import Tick
from pipeline.text import plain
from pipeline.timebase import Span

COMPLAINT, PARAPHRASE = "complaint", "paraphrase"


class CuesNode:
    """Emits at most one Cue of a name for each utterance."""

    def __init__(self, playbook: Playbook) -> None:
        self._finder = playbook.finder
        self._echo = _Echo(playbook.seeking.paraphrase) if playbook.seeking.meaning else None

    def step(self, tick: Tick) -> None:
        for entry in list(tick.events):
            if isinstance(entry.item, Words):
                for found in self._found(entry.item):
                    _emit(tick, entry.n, entry.item, found)

    def _found(self, words: Words) -> list[Found]:
        said = [word.text for word in words.words]
        found = self._finder.find(words.channel, said)
        return found if self._echo is None else self._echo.heard(words.channel, said, found)


class _Echo:
    """Whether an agent plays back what the customer complained of last. least: cosine from which it is the same."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._complaint: Vectors | None = None

    def heard(self, channel: Channel, said: list[str], found: list[Found]) -> list[Found]:
        """``found``, and a paraphrase where the sentences are near in meaning; each complaint is played back once."""
        names = {each.name for each in found}
        if channel is Channel.CUSTOMER and COMPLAINT in names:
            self._complaint = meaning.vectors([plain(" ".join(said))])
        if channel is not Channel.AGENT or self._complaint is None or PARAPHRASE in names:
            return found
        place = near(said, self._complaint, self._least)
        if place is None:
            return found
        self._complaint = None
        return [*found, Found(PARAPHRASE, *place, "meaning")]


def _emit(tick: Tick, number: int, words: Words, found: Found) -> None:
    first, last = words.words[found.first], words.words[found.last]
    phrase = plain(" ".join(word.text for word in words.words[found.first : found.last + 1]))
    tick.emit(
        Cue(
            span=Span(first.span.start, last.span.end),
            at=tick.end,
            channel=words.channel,
            name=found.name,
            phrase=phrase,
            of=number,
        )
    )
