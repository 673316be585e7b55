"""Whether an utterance was in another language than the recogniser's only one.

A model that knows one language writes its words for the sounds of another, and does not believe them: its mean log
probability is the evidence, and no weights are needed. A probe on the encoder's output tells languages apart in rank,
but its threshold moves with every corpus it has not seen, and the German and Polish speech at hand is non-commercial.

    figures by corpus: ``benchmarks/foreign.py``, docs/performance.md

A bad line makes English unlikely too, so one utterance is no proof; whoever judges adds several up.
"""

BETWEEN = -0.85
"""Mean log probability (nats a token) that speaks for neither. Half of 70 German clips lie 0.2 under it, of 70 Polish
ones 0.3, and a tenth of either over it; of English ones (70 of each of three corpora, 20 of spelled letters) nine in
ten lie over it, on a telephone line with noise too, and half 0.3 to 0.7. It was chosen on other clips of the same
corpora."""
SLOPE = 9.0
"""Nats of odds for each nat a token: from logistic regression on that figure, 11 to 13 by corpus, rounded down."""
MOST = 4.0
"""Nats for or against that one utterance can give."""
LEAST = 3
"""Words under which an utterance says nothing: a lone "um" is as unlikely as German."""


def foreign(log_probability: float, words: int) -> float:
    """Log odds (nats) that another language was spoken than the one expected; 0 says nothing.

    log_probability: mean per token (nats, <= 0). words: how many the text has.
    """
    if words < LEAST:
        return 0.0
    return min(MOST, max(-MOST, SLOPE * (BETWEEN - log_probability)))
