"""What was said as tokens that phrases are matched against: one spelling for what sounds and means the same.

Lower case, contractions spelt out ("can't", "cannot" and "cant" are "can not"), hesitations and stammers left out, the
end of a sentence kept. Each token knows the word it came from, so that whatever is found has that word's time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

HESITATIONS = frozenset(("uh", "um", "er", "erm", "hmm", "mm", "eh"))
NEGATIVE = {
    "can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not", "ain't": "is not",
    "cant": "can not", "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not", "wasnt": "was not",
    "havent": "have not", "hasnt": "has not", "couldnt": "could not", "wouldnt": "would not", "shouldnt": "should not",
}  # fmt: skip
SHORT = {
    "let's": "let us", "gonna": "going to", "wanna": "want to", "gotta": "got to", "gimme": "give me",
    "lemme": "let me", "y'all": "you", "ya": "you", "im": "i am", "ive": "i have", "youre": "you are",
    "'cause": "because", "cuz": "because", "ok": "okay", "1st": "first", "2nd": "second", "3rd": "third",
    "4th": "fourth", "5th": "fifth", "e-mail": "email", "e-mails": "emails", "should've": "should have",
    "dunno": "do not know", "alright": "all right", "apologise": "apologize", "apologised": "apologized",
    "realise": "realize", "favour": "favor", "cancelling": "canceling", "cancelled": "canceled",
    "could've": "could have", "would've": "would have", "must've": "must have", "might've": "might have",
    "thats": "that is", "whats": "what is", "theres": "there is", "lets": "let us",
}  # fmt: skip
ENDINGS = (("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'m", " am"), ("'d", " would"))
HAS_IS = frozenset(
    ("it", "that", "what", "he", "she", "there", "here", "where", "how", "who", "when", "everything", "this", "name",
     "something", "nothing", "everyone", "nobody", "which", "why", "one"),
)  # fmt: skip
"""Words whose "'s" is "is" and no owner's."""
TITLES = frozenset(("mr.", "mrs.", "ms.", "dr.", "st.", "no.", "a.m.", "p.m."))
"""Their full stop ends no sentence."""
STOP, ASKS = ".", "?"
"""Tokens of their own: how a sentence ended."""
_PIECES = re.compile(r"[a-z0-9']+")
_END = re.compile(r"([.?!])[\"')\]]*$")


@dataclass(frozen=True, slots=True)
class Token:
    """text: letters, digits and apostrophes, or a mark. word: index of the word it came from.

    named: it began with a capital inside a sentence. comma: a pause was written after it.
    """

    text: str
    word: int
    named: bool = False
    comma: bool = False

    @property
    def ends(self) -> bool:
        """Whether it is the mark at the end of a sentence."""
        return self.text in (STOP, ASKS)

    @property
    def shown(self) -> str:
        """As phrases see it: a name is marked."""
        return f"@{self.text}" if self.named else self.text


def tokens(words: Sequence[str]) -> tuple[Token, ...]:
    """What the words of one utterance say, with the marks that end sentences; the last one always has one.

    words: as the recogniser wrote them: its punctuation and capitals count.
    """
    said: list[Token] = []
    for index, raw in enumerate(words):
        spoken = list(_tokens(raw, index, first=not said or said[-1].ends))
        said += spoken[1:] if spoken and said and _stammer(spoken[0], said[-1]) else spoken
        mark = _end(raw)
        if mark and said and not said[-1].ends:
            said.append(Token(mark, index))
    return tuple(said) if not said or said[-1].ends else (*said, Token(STOP, said[-1].word))


@lru_cache(maxsize=8192)
def spell(text: str) -> tuple[str, ...]:
    """The tokens' texts alone, for what is written in a phrase."""
    return tuple(token.text for word in text.split() for token in _tokens(word, 0, first=True))


def _end(raw: str) -> str:
    """The mark of the sentence that ends here, or nothing: an ellipsis is a pause."""
    found = _END.search(raw)
    if not found or raw.rstrip("\"')").endswith("..") or raw.lower() in TITLES:
        return ""
    return ASKS if found.group(1) == "?" else STOP


def _tokens(raw: str, index: int, first: bool) -> Iterator[Token]:
    named = (
        not first
        and raw.lstrip("\"'(")[:1].isupper()
        and raw.rstrip(",.?!") != "I"
        and raw[:2] not in ("I'", "I\u2019")
    )
    comma = raw.endswith((",", ";", ":", "...", "-"))
    for piece in _spelt(raw):
        yield Token(piece, index, named, comma)


def _spelt(raw: str) -> Iterator[str]:
    text = raw.lower().replace("\u2019", "'").strip("\"'.,?!;:()")
    for part in [text] if text in SHORT else _PIECES.findall(text.replace(",", "")):
        yield from _written_out(part).split()


def _written_out(piece: str) -> str:
    piece = piece.strip("'") if piece not in SHORT else piece
    if piece in HESITATIONS:
        return ""
    if piece in NEGATIVE or piece in SHORT:
        return NEGATIVE.get(piece) or SHORT[piece]
    for ending, full in ENDINGS:
        if piece.endswith(ending) and piece != ending:
            return piece.removesuffix(ending) + full
    if piece.endswith("'s") and piece[:-2] in HAS_IS:
        return piece[:-2] + " is"
    return piece


def _stammer(token: Token, before: Token) -> bool:
    """The same word once more: "I I want". Figures are meant."""
    return before.text == token.text and not token.text.isdigit()
