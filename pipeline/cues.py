"""Finding cues in what one party said: by phrases, also in words that sound alike, and by labelled lines."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pipeline import meaning
from pipeline.channel import Channel
from pipeline.cuebook import Compiled, CueBook
from pipeline.learnt import Learnt, load_learnt, meanings
from pipeline.meaning import Vectors
from pipeline.phonetic import Soundalikes, key
from pipeline.phrases import NEGATORS, Line, Phrase, line_of, vocabulary
from pipeline.settings import Cues
from pipeline.tokens import ASKS, STOP, Token, tokens

NEAR = 3
"""Words before a phrase in which a "not" still belongs to it."""
CLEAR = 8
"""Signs of a phonetic key from which one likeness stands without another word beside it."""
SHORTEST = 3
"""Words of a sentence from which it has a meaning worth comparing."""
PHRASE = 0.2
"""What a shipped phrase adds to a cue's score: alone it is too little, so that phrases which tempt do not mislead.

The best of four on the part ``spent`` of tests/cues."""
BOUND = -0.2
"""Score from which a cue is there: on ``open`` and ``spent``, as recognised, a third less tempts than at -0.25, where
F1 was best by 0.01."""

How = Literal["words", "sound", "meaning", "lines"]


@dataclass(frozen=True, slots=True)
class Found:
    """One cue. first, last: indexes of the words it was found in. how: what found it."""

    name: str
    first: int
    last: int
    how: How


class Finder:
    """Looks for every cue of a book. Holds nothing of a call, so one serves all."""

    def __init__(self, book: CueBook, settings: Cues = Cues()) -> None:  # noqa: B008 (frozen)
        self._by_role = {role: _Index([cue for cue in book.compiled if cue.rule.role is role]) for role in Channel}
        self._own = {role: _Index([cue for cue in book.compiled_own if cue.rule.role is role]) for role in Channel}
        phrases = [phrase for rule in book.rules for phrase in rule.phrases]
        self._alike = Soundalikes(vocabulary(phrases, book.lists)) if settings.sound else None
        self._near = {role: _Near(index.cues) for role, index in self._by_role.items()} if settings.meaning else {}
        self._learnt: dict[Channel, Learnt] = load_learnt(settings) if settings.meaning and book.weighed else {}

    def warm(self) -> None:
        """Load and make now what is otherwise made when it is first needed: about a second. Raises EngineFault."""
        for index in (*self._by_role.values(), *self._own.values()):
            index.warm()
        for near in self._near.values():
            near.warm()
        self.ahead(["hello"])

    def ahead(self, words: Sequence[str]) -> None:
        """Ask the network now for what ``find`` will want of these words: it need not wait. Raises EngineFault."""
        if self._learnt and words:
            meanings([tokens(words)])

    def find(self, role: Channel, words: Sequence[str]) -> list[Found]:
        """Each cue once at most, in the order of the book. words: of one utterance, as they were written.

        Raises EngineFault.
        """
        said = tokens(words)
        found = self._by_phrases(role, said)
        if role in self._learnt:
            found = self._weighed(said, found, self._learnt[role], self._stated(role, said))
        order = self._by_role[role].order
        return sorted(found.values(), key=lambda each: order[each.name])

    def _by_phrases(self, role: Channel, said: tuple[Token, ...]) -> dict[str, Found]:
        line = line_of(said)
        found: dict[str, Match] = {}
        for match in (*self._in_words(role, line), *self._in_sounds(role, said), *self._in_meaning(role, line)):
            found.setdefault(match.cue.rule.name, match)
        return {name: match.found for name, match in found.items() if not _yields(match, found)}

    def _stated(self, role: Channel, said: tuple[Token, ...]) -> frozenset[str]:
        """Cues that a phrase of the deployment's own shows: nothing outweighs it."""
        heard = self._alike.rewritten(said) if self._alike else None
        lines = [line_of(each) for each in (said, heard) if each]
        return frozenset(cue.rule.name for line in lines for cue, _, _ in self._own[role].search(line))

    def _weighed(
        self, said: Sequence[Token], phrases: dict[str, Found], learnt: Learnt, stated: frozenset[str]
    ) -> dict[str, Found]:
        """What phrases and labelled lines say together."""
        scores = learnt.weigh(said)
        found = {name: each for name, each in phrases.items() if name in stated or name not in scores}
        for name, score in scores.items():
            shown = phrases.get(name)
            if score + PHRASE * (shown is not None) > BOUND and name not in found:
                found[name] = shown or _told(name, said, *learnt.strongest(name, said))
        return found

    def _in_words(self, role: Channel, line: Line) -> Iterator["Match"]:
        for cue, first, last in self._by_role[role].search(line):
            yield Match(cue, line, first, last, "words")

    def _in_sounds(self, role: Channel, said: tuple[Token, ...]) -> Iterator["Match"]:
        """Only what nothing in the words as they were written takes away."""
        heard = self._alike.rewritten(said) if self._alike else None
        if heard is None:
            return
        line, written = line_of(heard), line_of(said)
        for cue, first, last in self._by_role[role].search(line):
            clear = first < last or len(key(heard[first].text)) >= CLEAR
            if clear and not _taken_away(cue, written, 0, len(said) - 1):
                yield Match(cue, line, first, last, "sound")

    def _in_meaning(self, role: Channel, line: Line) -> Iterator["Match"]:
        return self._near[role].search(line) if role in self._near else iter(())


def _told(name: str, said: Sequence[Token], first: int, last: int) -> Found:
    return Found(name, said[first].word, said[last].word, "lines")


@dataclass(frozen=True, slots=True)
class Match:
    """A cue between two tokens of a line."""

    cue: Compiled
    line: Line
    first: int
    last: int
    how: How

    @property
    def found(self) -> Found:
        tokens = self.line.tokens
        return Found(self.cue.rule.name, tokens[self.first].word, tokens[self.last].word, self.how)

    @property
    def words(self) -> range:
        """Of the whole sentences it lies in."""
        first, last = self.line.sentences(self.first, self.last)
        return range(self.line.tokens[first].word, self.line.tokens[last].word + 1)


def _yields(match: Match, found: dict[str, Match]) -> bool:
    """Whether a cue that it yields to is in the same sentence."""
    others = (found[name].words for name in match.cue.rule.yields if name in found)
    return any(match.words.start < other.stop and other.start < match.words.stop for other in others)


class _Index:
    """Phrases by the word that must be there, so that few are tried on an utterance."""

    def __init__(self, cues: Sequence[Compiled]) -> None:
        self.cues = cues
        self.order = {cue.rule.name: number for number, cue in enumerate(cues)}
        self._by_word: defaultdict[str, list[tuple[Compiled, Phrase]]] = defaultdict(list)
        for cue in cues:
            for phrase in cue.phrases:
                for word in phrase.anchors:
                    self._by_word[word].append((cue, phrase))

    def warm(self) -> None:
        for cue in self.cues:
            for phrase in (*cue.phrases, *cue.unless):
                _ = phrase.pattern

    def search(self, line: Line) -> Iterator[tuple[Compiled, int, int]]:
        """Cues with the first and last token of a phrase; the longest of the earliest ones."""
        best: dict[str, tuple[Compiled, int, int]] = {}
        for word in line.words:
            for cue, phrase in self._by_word.get(word, ()):
                for first, last in _places(cue, phrase, line):
                    held = best.get(cue.rule.name)
                    if held is None or (first, -last) < (held[1], -held[2]):
                        best[cue.rule.name] = (cue, first, last)
        return iter(best.values())


def _places(cue: Compiled, phrase: Phrase, line: Line) -> Iterator[tuple[int, int]]:
    """First and last token of each place where the phrase is found and meant."""
    for match in phrase.pattern.finditer(line.text):
        first = line.token_at(match.start())
        last = max(first, line.token_at(match.end() - 1))
        if not (cue.rule.negatable and _negated(phrase, line, first, last)) and not _taken_away(cue, line, first, last):
            yield first, last


def _taken_away(cue: Compiled, line: Line, first: int, last: int) -> bool:
    text = line.part(*line.sentences(first, last))
    return any(
        not unless.anchors.isdisjoint(line.words) and unless.pattern.search(text) is not None for unless in cue.unless
    )


def _negated(phrase: Phrase, line: Line, first: int, last: int) -> bool:
    """Whether a "not" belongs to the phrase: inside it where the phrase has none, or shortly before it."""
    inside = not phrase.negative and any(token.text in NEGATORS for token in line.tokens[first : last + 1])
    return inside or _negated_before(line, first)


def _negated_before(line: Line, first: int) -> bool:
    """Neither a pause nor an end may lie between; "if not", "why not" and a "no" that answers are no negation."""
    for at in range(first - 1, max(-1, first - 1 - NEAR), -1):
        token, before = line.tokens[at], line.tokens[at - 1].text if at else STOP
        if token.comma or token.ends:
            return False
        if token.text in NEGATORS:
            return before not in ("if", "why", "or") and not (token.text == "no" and before in (STOP, ASKS))
    return False


class _Near:
    """Sentences near in meaning to what a cue is like. The vectors are made when they are first needed."""

    def __init__(self, cues: Sequence[Compiled]) -> None:
        self._cues = [cue for cue in cues if cue.rule.close is not None and cue.rule.like]

    @cached_property
    def _vectors(self) -> list[tuple[Vectors, Vectors]]:
        rules = [cue.rule for cue in self._cues]
        return [(meaning.vectors(rule.like), meaning.vectors(rule.counter_examples)) for rule in rules]

    def warm(self) -> None:
        _ = self._vectors if self._cues else None

    def search(self, line: Line) -> Iterator[Match]:
        spans = [span for span in _sentences(line) if span[1] - span[0] >= SHORTEST] if self._cues else []
        vectors = meaning.vectors([line.part(first, last - 1).replace("@", "").strip() for first, last in spans])
        for (first, last), vector in zip(spans, vectors, strict=True):
            for cue, (like, unlike) in zip(self._cues, self._vectors, strict=True):
                near, other = float(np.max(like @ vector)), float(np.max(unlike @ vector, initial=-1.0))
                if near >= (cue.rule.close or 1.0) and near > other and not _taken_away(cue, line, first, last):
                    yield Match(cue, line, first, last, "meaning")


def _sentences(line: Line) -> Iterator[tuple[int, int]]:
    """First token and closing mark of each."""
    first = 0
    for at, token in enumerate(line.tokens):
        if token.ends:
            yield first, at
            first = at + 1


ADDRESSED = frozenset(("you", "your", "yours"))
"""Whom a paraphrase speaks of."""
TOLD = 5
"""Words of a sentence from which it can play something back."""


def near(words: Sequence[str], wanted: Vectors, least: float) -> tuple[int, int] | None:
    """First and last word of the sentence nearest in meaning to ``wanted`` (1, 256), if it is ``least`` or nearer.

    Only sentences count that speak to the other of what is theirs, and are long enough to tell it. Raises EngineFault.
    """
    line = line_of(tokens(words))
    spans = [
        (first, last)
        for first, last in _sentences(line)
        if last - first >= TOLD and not ADDRESSED.isdisjoint(token.text for token in line.tokens[first:last])
    ]
    if not spans:
        return None
    texts = [line.part(first, last - 1).replace("@", "").strip() for first, last in spans]
    nearness = (meaning.vectors(texts) @ wanted[0]).tolist()
    best = max(range(len(spans)), key=nearness.__getitem__)
    first, last = spans[best]
    return (line.tokens[first].word, line.tokens[last].word) if nearness[best] >= least else None
