"""Cues: things said that matter, found by the playbook's phrases in what each party said."""

from bisect import bisect_right

from pipeline.events import Cue, Word, Words
from pipeline.playbook import CuePhrases, Playbook
from pipeline.session import Tick
from pipeline.text import plain
from pipeline.timebase import Span


class CuesNode:
    """Emits at most one Cue of a name for each utterance: the first phrase that matched."""

    def __init__(self, playbook: Playbook) -> None:
        self._playbook = playbook

    def step(self, tick: Tick) -> None:
        for entry in list(tick.events):
            if isinstance(entry.item, Words):
                for cue in self._playbook.cues:
                    if cue.channel in (None, entry.item.channel):
                        self._match(tick, entry.n, entry.item, cue)

    def _match(self, tick: Tick, number: int, words: Words, cue: CuePhrases) -> None:
        text, starts = _spoken(words.words)
        found = cue.pattern.search(text)
        if found is None:
            return
        first, last = bisect_right(starts, found.start()) - 1, bisect_right(starts, found.end() - 1) - 1
        tick.emit(
            Cue(
                span=Span(words.words[first].span.start, words.words[last].span.end),
                at=tick.end,
                channel=words.channel,
                name=cue.name,
                phrase=found.group(),
                of=number,
            )
        )


def _spoken(words: tuple[Word, ...]) -> tuple[str, list[int]]:
    """The plain text, and where in it each word starts."""
    starts: list[int] = []
    text = ""
    for word in words:
        starts.append(len(text))
        text += plain(word.text) + " "
    return text, starts
