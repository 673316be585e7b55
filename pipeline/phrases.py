"""The small language of the phrases that show a cue, and how they are found in a sentence.

cancel|close my account     one of several words; a contraction may be written either way
no+one|nobody answers       words that belong together in one of several
want to? leave              the word may be missing
told * times                up to three words of any kind; ... is up to eight
within # hours              a number, in digits or words
my name is _                one word of any kind; @ is one that is written with a capital
by <day>                    one entry of a list of that name
^thanks                     at the start of the sentence; $ at its end
is that right ?             a question mark ends the sentence; "." is any other end
great ~ lost                anything between, over the ends of sentences too
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.errors import BadInput
from pipeline.tokens import Token, spell

Lists = Mapping[str, Sequence[str]]
NUMBERS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen",
    "twenty", "thirty", "forty", "fifty", "ninety", "hundred", "thousand", "a couple of", "a few", "several",
)  # fmt: skip
NEGATORS = frozenset(("not", "never", "without", "hardly", "neither", "nobody", "no"))
_WORD = r"@?[a-z0-9']+ "
_NUMBER = (
    rf"(?:@?[0-9][a-z0-9]* (?:[0-9]+ )?|(?:{'|'.join(number for number in NUMBERS)}) (?:or (?:{'|'.join(NUMBERS)}) )?)"
)
_SPECIAL = {
    "*": rf"(?:{_WORD}){{0,3}}?",
    "...": rf"(?:{_WORD}){{0,8}}?",
    "_": _WORD,
    "@": r"@[a-z0-9']+ ",
    "#": _NUMBER,
    "?": r"\? ",
    ".": r"\. ",
    "~": r"(?:[^ ]+ )*?",
    "$": r"(?=[.?] )",
}
Anchors = frozenset[str]


@dataclass(frozen=True)
class Phrase:
    """text: as written. anchors: words of which an utterance must have one for the phrase to be in it.

    negative: whether it says "not" itself.
    """

    text: str
    expression: str
    anchors: Anchors
    negative: bool

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Made when it is first needed: two thousand at once take a second, and most are never tried."""
        return re.compile(self.expression)


@dataclass(frozen=True, slots=True)
class Line:
    """An utterance as phrases are matched against it. starts: where each token begins in ``text``."""

    tokens: tuple[Token, ...]
    text: str
    starts: tuple[int, ...]
    words: frozenset[str]

    def token_at(self, place: int) -> int:
        """Index of the token at a place of the text."""
        return bisect_right(self.starts, place) - 1

    def sentences(self, first: int, last: int) -> tuple[int, int]:
        """Indexes of the first token of the sentence in which ``first`` lies, and of the mark that ends ``last``'s."""
        while first > 0 and not self.tokens[first - 1].ends:
            first -= 1
        while not self.tokens[last].ends:
            last += 1
        return first, last

    def part(self, first: int, last: int) -> str:
        """The text of these tokens, as a phrase sees it."""
        return " " + " ".join(token.shown for token in self.tokens[first : last + 1]) + " "


def line_of(tokens: tuple[Token, ...]) -> Line:
    text, starts = " ", []
    for token in tokens:
        starts.append(len(text))
        text += token.shown + " "
    return Line(tokens, text, tuple(starts), frozenset(token.text for token in tokens))


def compiled(text: str, lists: Lists) -> Phrase:
    """Raises BadInput for a phrase without a word, or with a list that nobody wrote."""
    items = text.replace("^", "^ ").split()
    if "^" in items[1:] or items[-1:] == ["^"]:
        raise BadInput(f"the phrase {text!r} has a ^ that is not at its start")
    parts = [_Item.read(item, lists, text) for item in items]
    anchors = max((part.anchors for part in parts if part.anchors), key=_rarity, default=None)
    if anchors is None:
        raise BadInput(f"the phrase {text!r} has no word that must be there")
    negative = any(not NEGATORS.isdisjoint(_words(item)) for item in items)
    return Phrase(text, "(?<= )" + "".join(part.pattern for part in parts), anchors, negative)


def vocabulary(texts: Sequence[str], lists: Lists) -> frozenset[str]:
    """Every word that phrases spell out."""
    written = [*texts, *(entry for entries in lists.values() for entry in entries)]
    return frozenset(word for text in written for item in text.split() for word in _words(item))


def _words(item: str) -> list[str]:
    if item.startswith("<") or item in _SPECIAL:
        return []
    return [word for choice in item.strip("^?").split("|") for word in spell(choice.replace("+", " "))]


def _rarity(anchors: Anchors) -> tuple[int, int]:
    """Long words are rare ones, and few alternatives find less in vain."""
    return min(len(word) for word in anchors), -len(anchors)


@dataclass(frozen=True, slots=True)
class _Item:
    pattern: str
    anchors: Anchors

    @classmethod
    def read(cls, item: str, lists: Lists, phrase: str) -> "_Item":
        if item == "^":
            return cls(r"(?:(?<=\A )|(?<=[.?] ))", frozenset())
        maybe = item.endswith("?") and item != "?" and not item.endswith("|?")
        choices = [_sequence(choice, lists, phrase) for choice in (item[:-1] if maybe else item).split("|")]
        pattern = "(?:" + "|".join(choice.pattern for choice in choices) + ")" + "?" * maybe
        known = all(choice.anchors for choice in choices) and not maybe
        return cls(pattern, frozenset[str]().union(*(choice.anchors for choice in choices)) if known else frozenset())


def _sequence(choice: str, lists: Lists, phrase: str) -> _Item:
    """One alternative: a word, a contraction, a sign, or a list."""
    if choice in _SPECIAL:
        return _Item(_SPECIAL[choice], frozenset(choice if choice in "?." else ()))
    if choice.startswith("<"):
        return _listed(choice.strip("<>"), lists, phrase)
    words = spell(choice.replace("+", " "))
    if not words:
        raise BadInput(f"the phrase {phrase!r} has {choice!r}, which is no word and no sign of the phrase language")
    return _Item("".join(f"@?{re.escape(word)} " for word in words), frozenset((max(words, key=len),)))


def _listed(name: str, lists: Lists, phrase: str) -> _Item:
    if name not in lists:
        raise BadInput(f"the phrase {phrase!r} names the list <{name}>, which is none of {', '.join(sorted(lists))}")
    entries = [[_Item.read(item, lists, phrase) for item in entry.split()] for entry in lists[name]]
    pattern = "(?:" + "|".join("".join(item.pattern for item in entry) for entry in entries) + ")"
    anchors = [max((item.anchors for item in entry), key=_rarity_or_none) for entry in entries]
    return _Item(pattern, frozenset[str]().union(*anchors) if all(anchors) else frozenset())


def _rarity_or_none(anchors: Anchors) -> tuple[int, int]:
    return _rarity(anchors) if anchors else (0, 0)
