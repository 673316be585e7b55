"""Small facts about written English that measures and cues share."""

import re

_VOWELS = re.compile(r"[aeiouy]+")
_SOUNDS = ("mm", "mmm", "mhm", "hm", "hmm", "uh huh", "uhhuh", "huh", "uh", "um", "ah", "oh", "aha")
_LISTENING = (
    *_SOUNDS, "okay", "ok", "right", "alright", "all right", "yeah", "yes", "yep", "sure", "exactly", "absolutely",
    "i see", "got it", "gotcha", "of course", "great", "fine", "good", "true", "really", "wow", "oh no", "i know",
)  # fmt: skip
_ONLY_LISTENING = re.compile(rf"(?:(?:{'|'.join(sorted(_LISTENING, key=len, reverse=True))})(?: |$))+")
_LETTERS = re.compile(r"[^a-z' ]+")
_ENDS = re.compile(r"(?<=[.?!])\s+")
_BEFORE_NAME = {"is", "am", "i'm", "name's", "it's", "here's", "under", "surname", "name"}
_NO_NAME = {
    "speaking", "calling", "here", "again", "from", "mr", "mrs", "ms", "miss", "mister", "doctor", "dr", "and", "the",
}  # fmt: skip


def syllables(word: str) -> int:
    """Syllables of an English word, by groups of vowels without a silent final e; at least one.

    An estimate: right for about nine of ten running words, and unbiased enough for a rate against a baseline.
    """
    letters = word.lower().strip(" .,!?;:'\"-")
    if letters.isdigit():
        return len(letters)
    groups = len(_VOWELS.findall(letters))
    silent = letters.endswith("e") and not letters.endswith(("le", "ee", "ye")) and groups > 1
    return max(1, groups - silent)


def plain(text: str) -> str:
    """Lower case, only letters, apostrophes and single blanks: what phrases are matched against."""
    return " ".join(_LETTERS.sub(" ", text.lower().replace("\u2019", "'")).split())


def acknowledges(text: str) -> bool:
    """Whether a text is nothing but the sounds and words of listening: "mm-hm", "okay, right", "I see".

    The list is ours, after the field's examples and Jurafsky et al. (1997), Switchboard-DAMSL, tags b, bk and aa.
    """
    return _ONLY_LISTENING.fullmatch(plain(text.replace("-", " "))) is not None


def sentence(text: str, phrase: str) -> str:
    """The sentence of a text that holds a plain phrase; the phrase itself where none does."""
    return next((each for each in _ENDS.split(text) if phrase in plain(each)), phrase)


def name_in(phrase: str) -> set[str]:
    """The words of a name in a plain phrase that gives one: "my name is dana harper"."""
    words = phrase.split()
    begins = max((at + 1 for at, word in enumerate(words) if word in _BEFORE_NAME), default=len(words))
    return {word for word in words[begins:] if word not in _NO_NAME and len(word) > 1}
