"""Guards against invention: which of a recogniser's words were said, as far as its own figures and the channel tell.

Nothing is refused for what it says alone: people do say "thank you" all the time. A phrase said twice is no reason
either; where the recogniser went in a loop, its second round has no sound of its own, and only that is left out.
"""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from models.protocols import Transcript
from pipeline.events import RejectReason
from pipeline.inputs import EngineResult, HeardWord
from pipeline.settings import Words
from pipeline.text import plain
from pipeline.timebase import TICK, Span
from pipeline.voiced import Voiced

AROUND = 2 * TICK
"""Samples by which the times of a word may be wrong before it counts as said in silence."""
SILENT_RUN = 3
"""Words in a row without speech under them that nobody said; one or two soft ones may just not be heard as speech."""
INSTANT = 320
"""Samples, 20 ms: the alignment's step. A word no longer than this found no sound of its own."""
INSTANT_RUN = 5
"""Such words in a row that nobody said; in true speech of four corpora there were four at most."""
SLACK_S = 0.3
"""Seconds of speech that may have gone unheard at the edges of an utterance."""
GHOSTS = {
    "you", "the", "so", "oh", "bye", "bye bye", "thanks", "thank you", "thank you very much", "thank you so much",
    "thanks for watching", "thank you for watching", "thanks for listening", "please subscribe", "see you next time",
}  # fmt: skip
"""What Whisper makes of breaths, clicks and noise: its training was subtitles."""
UNBELIEVED = 0.15
"""Probability (0-1) under which such a word is nobody's: of noise it has 0.01 to 0.11, of people's own 0.3 and more."""


def said(result: EngineResult, voiced: Voiced) -> tuple[EngineResult, str]:
    """An answer without the words that found no speech under them, and the text of these; empty where all is well."""
    words = result.words
    unsaid = _silent(words, voiced) | _runs([word.span.length <= INSTANT for word in words], INSTANT_RUN)
    if not unsaid:
        return result, ""
    kept = tuple(word for place, word in enumerate(words) if place not in unsaid)
    text, rest = _text(kept), _text([words[place] for place in sorted(unsaid)])
    return replace(result, words=kept, text=text, compression=compression(text)), rest


def refusal(result: EngineResult, limits: Words, voiced: Voiced) -> RejectReason | None:
    """Why nothing of an answer holds. The no-speech and compression limits: Radford et al. 2022, section 4.5."""
    if not result.words:
        return "empty"
    ghost = plain(result.text) in GHOSTS
    doubtful = ghost or result.log_probability < limits.log_probability
    unbelieved = ghost and max(word.probability for word in result.words) < UNBELIEVED
    if unbelieved or (doubtful and result.no_speech > limits.no_speech):
        return "no_speech"
    if result.compression > limits.compression:
        return "repetition"
    if len(result.words) > max(2.0, limits.fastest_words_per_s * _spoken(result.span, voiced)):
        return "too_fast"
    return None


def presentable(draft: Transcript, limits: Words) -> bool:
    """Whether a draft may be shown. It has no word times, so the recogniser's own figures must do."""
    doubtful = plain(draft.text) in GHOSTS or draft.log_probability < limits.log_probability
    return not (doubtful and draft.no_speech > limits.no_speech) and draft.compression <= limits.compression


def compression(text: str) -> float:
    """Characters per compressed byte, as Whisper counts it."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def _silent(words: Sequence[HeardWord], voiced: Voiced) -> set[int]:
    """Places of words said in silence: several in a row, or all there are."""
    silent = [voiced.seconds(Span(max(0, w.span.start - AROUND), w.span.end + AROUND)) == 0.0 for w in words]
    return _runs(silent, min(SILENT_RUN, max(1, len(words))))


def _runs(flags: Sequence[bool], least: int) -> set[int]:
    """Places in unbroken runs of at least so many."""
    groups = [list(group) for _, group in groupby(range(len(flags)), key=lambda place: flags[place])]
    return {place for group in groups if flags[group[0]] and len(group) >= least for place in group}


def _spoken(span: Span, voiced: Voiced) -> float:
    """Seconds of an utterance in which words may have been said."""
    heard = voiced.seconds(span)
    return span.seconds if heard is None else min(heard + SLACK_S, span.seconds)


def _text(words: Sequence[HeardWord]) -> str:
    return " ".join(word.text for word in words)
