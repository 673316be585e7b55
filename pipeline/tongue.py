"""Whether a speaker uses another language than the recogniser knows, from all that this channel has said."""

import math

PRIOR = math.log(0.02 / 0.98)
"""Before anything was said: one caller in fifty."""
FADE = 0.9
"""Of what was known, how much holds at the next utterance."""
ONE = 4.0
"""Nats that one utterance may say for another language: less than it takes to be sure. Against it: no bound."""
MOST = 6.0
"""Nats that are ever held: a speaker who changes to the known language is heard again at the first clear utterance."""


class Tongue:
    """Log odds (nats) that one channel's speaker uses another language. sure: from which text is withheld."""

    def __init__(self, sure: float) -> None:
        self._sure = sure
        self._odds = PRIOR

    @property
    def sure(self) -> bool:
        """Whether text of this speaker is withheld, as now known."""
        return self._odds > self._sure

    def take(self, foreign: float) -> bool:
        """Add an utterance by its own log odds; True where its text is to be withheld."""
        held = PRIOR + FADE * (self._odds - PRIOR)
        self._odds = max(PRIOR, min(MOST, held + min(ONE, foreign)))
        return self.sure
