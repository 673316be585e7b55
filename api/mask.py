"""Profanity is masked where people read, and only there: what was said is evidence, and is kept and searched as it was.

    Mask(on=True).text("what the fuck")        -> "what the f***"

A short list of our own. That of better-profanity 0.7 (MIT, the usual choice) also hides "stupid", "drunk", "stroke",
"gay", "kill" and the name Len, which are what a call is about. Here are only words that are neither names nor anything
else, with their endings, and matched whole: Scunthorpe, Dickens, assess, cockpit, Pakistan and retardant stay.
"""

import re

from pipeline.view import VIEW, View

_FORMS = {
    "arsehole": "arseholes?",
    "asshole": "assholes?",
    "bastard": "bastards?",
    "bitch": "bitch(?:es|y|ing|ed)?",
    "bollocks": "bollocks",
    "cocksuck": "cocksuck(?:ers?|ing)",
    "cunt": "cunts?",
    "dickhead": "dickheads?",
    "dumbass": "dumbass(?:es)?",
    "faggot": "faggots?",
    "fuck": "(?:mother|cluster)?fuck(?:s|ed|ers?|in|ing|up|ups|off|wits?|heads?|face)?",
    "nigg": "nigg(?:ers?|as?)",
    "paki": "pakis?",
    "piss": "piss(?:ed|ing|er|ers)?",
    "retard": "retard(?:s|ed)?",
    "shit": "(?:bull|horse|dip)?shit(?:s|ty|ting|heads?|holes?|show)?",
    "slut": "slut(?:s|ty)?",
    "twat": "twats?",
    "wank": "wank(?:s|ers?|ing)?",
    "wetback": "wetbacks?",
    "whore": "whores?",
}
"""What each word has in it, and its forms."""
_WORD = re.compile(rf"\b(?:{'|'.join(_FORMS.values())})\b", re.IGNORECASE)
_ROOTS = tuple(root.encode() for root in _FORMS)
_QUOTED = re.compile(rb'("(?:text|phrase|because|cleared_because|reason|detail|stable|rest)":")((?:[^"\\]|\\.)*)')
"""The strings of a message that can have what somebody said: no call's or agent's name."""


class Mask:
    """on: False shows everything as it was said."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def text(self, text: str) -> str:
        """The first letter of each word stays: as many letters as before, so that nothing moves on a page."""
        return _WORD.sub(_starred, text) if self._on else text

    def message(self, message: bytes) -> bytes:
        """A view, an event or events as JSON, in UTF-8. One without such a word costs next to nothing."""
        if not self._on or not _suspicious(message):
            return message
        return _QUOTED.sub(lambda found: found[1] + self.text(found[2].decode()).encode(), message)

    def view(self, view: View) -> View:
        """The same view; the one that was given is not changed."""
        return VIEW.validate_json(self.message(VIEW.dump_json(view))) if self._on else view


def _starred(found: re.Match[str]) -> str:
    return found[0][0] + "*" * (len(found[0]) - 1)


def _suspicious(message: bytes) -> bool:
    lower = message.lower()
    return any(root in lower for root in _ROOTS)
