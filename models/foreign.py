"""Whether an utterance was in another language than the recogniser's only one.

A model that knows one language writes its words for the sounds of another, and does not believe them: its mean log
probability is the evidence, and no weights are needed. A probe on the encoder's output tells languages apart in rank,
but its threshold moves with every corpus it has not seen, and the German and Polish speech at hand is non-commercial.

    figures by corpus: ``benchmarks/foreign.py``, docs/performance.md

A bad line makes English unlikely too, so one utterance is no proof; whoever judges adds several up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BETWEEN = -0.85
"""Mean log probability (nats a token) that speaks for neither, of the likelier of two hearings with five beams. Half of
50 German and 50 Polish clips lie 0.1 under it; of 162 English ones (four corpora) all but one lie over it, half by 0.3
(spelled letters) to 0.7. Noise near the level of the speech brings English down to it."""
SLOPE = 9.0
"""Nats of odds for each nat a token: from logistic regression on that figure, 11 to 13 by corpus, rounded down."""
MOST = 4.0
"""Nats for or against that one utterance can give."""
LEAST = 3
"""Words under which an utterance says nothing: a lone "um" is as unlikely as German."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a recogniser knows about one utterance when it has heard it.

    pooled: the encoder's output over the utterance's own frames, mean then spread: float32 (2 d,). log_probability:
    mean per token (nats, <= 0). no_speech: probability 0-1. compression: characters per compressed byte.
    words: how many the text has. seconds: length of the utterance.
    """

    pooled: NDArray[np.float32]
    log_probability: float
    no_speech: float
    compression: float
    words: int
    seconds: float


def foreign(evidence: Evidence) -> float:
    """Log odds (nats) that another language was spoken than the one expected; 0 says nothing."""
    if evidence.words < LEAST:
        return 0.0
    return min(MOST, max(-MOST, SLOPE * (BETWEEN - evidence.log_probability)))
