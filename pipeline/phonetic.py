"""Words that sound alike: what a recogniser writes for a word that it did not quite hear.

A key is what is left of a word's sound on a telephone line: consonants by the place where they are made (voice is lost
first), any vowel as one sign. The classes are those of Soundex (US patent 1,261,167, 1918) made finer: s and sh, k and
the ch of "charge", m and n stay apart. Alike is no proof: whoever uses a likeness asks for other words around it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipeline.tokens import Token

LEAST = 5
"""Signs of a key from which words are taken for each other; shorter ones are alike by the dozen."""
_RULES = [
    (re.compile(old), new)
    for old, new in (
        (r"[^a-z]", ""), (r"^(k|g|p)n", "n"), (r"^wr", "r"), (r"^ps", "s"), (r"tch", "C"), (r"ch", "C"), (r"sh", "S"),
        (r"(t|s|c)i(?=o|a)", "S"), (r"ph", "f"), (r"(?<=[aeiou])ght?", "t"), (r"gh", "k"), (r"th", "t"), (r"ck", "k"),
        (r"c(?=[eiy])", "s"), (r"dg(?=e)", "C"), (r"g(?=[eiy])", "C"), (r"j", "C"), (r"x", "ks"), (r"q", "k"),
        (r"(?<=[bcfgklmnprsvzCS])ed$", "t"), (r"(?<=.)e$", ""), (r"(?<=.)es$", "s"), (r"wh", "w"), (r"(?<=.)h", ""),
        (r"c", "k"), (r"z", "s"), (r"b", "p"), (r"d", "t"), (r"g", "k"), (r"v", "f"),
        (r"[aeiouy]+", "a"), (r"aw(?=a)", "aw"), (r"aw(?!a)", "a"), (r"(.)\1+", r"\1"),
    )
]  # fmt: skip


def key(word: str) -> str:
    """The sound of an English word, roughly: its spelling after some thirty rules."""
    for pattern, sign in _RULES:
        word = pattern.sub(sign, word)
    return word


class Soundalikes:
    """What each unknown word may have been, of a vocabulary."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._known = frozenset(vocabulary)
        by_key: defaultdict[str, list[str]] = defaultdict(list)
        for word in sorted(self._known):
            by_key[key(word)].append(word)
        self._alike = {sound: words[0] for sound, words in by_key.items() if len(sound) >= LEAST}

    def rewritten(self, tokens: Sequence[Token]) -> tuple[Token, ...] | None:
        """The tokens with known words for those that sound like one; None where nothing changed.

        Two unknown or short words may be one known word that was torn ("super visor").
        """
        changed: list[Token] = []
        at = 0
        while at < len(tokens):
            token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else None
            joined = self._joined(token, after)
            changed.append(joined or self._one(token))
            at += 2 if joined else 1
        same = [token.text for token in changed] == [token.text for token in tokens]
        return None if same else tuple(changed)

    def _one(self, token: Token) -> Token:
        if token.text in self._known or token.ends:
            return token
        alike = self._alike.get(key(token.text))
        return Token(alike, token.word, comma=token.comma) if alike else token

    def _joined(self, token: Token, after: Token | None) -> Token | None:
        if (
            after is None
            or token.comma
            or token.ends
            or after.ends
            or (token.text in self._known and after.text in self._known)
        ):
            return None
        alike = self._alike.get(key(token.text + after.text))
        return Token(alike, token.word, comma=after.comma) if alike else None
