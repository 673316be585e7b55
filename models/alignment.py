"""When each word of an utterance was said: the decoder's attention, set right by the pauses that can be heard.

Attention (CTranslate2's ``align``, read by faster-whisper) knows where one word gives way to the next. It does not know
pauses: every position of the encoder goes to some token, silence before the first word to the first word, and that
between two words to either, or to the comma. So each boundary goes to the nearest pause, and the pause to neither.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples, TimedWord

RATE = 16_000
FRAME = RATE // 100
"""Samples of one level: 10 ms."""
PREPENDED, APPENDED = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001
"""Punctuation that belongs to the word after it and before it: faster-whisper's own defaults."""
REACH = 30
"""Frames from a boundary to a pause that is taken for it: 0.3 s. Attention is rarely wrong by more."""
SHORTEST_PAUSE = 12
"""Frames, 120 ms: stop consonants are shut for less."""
QUIET = 0.25
"""Share of the way, in dB, from the quietest to the loudest tenth of an utterance under which nothing is said."""
LEAST_RANGE_DB, MOST_RANGE_DB = 10.0, 40.0
"""Between those two: in an utterance that has pauses at all, and no more than this counts, so that a muted stretch
does not make the line's own noise a voice."""


def aligned(
    shell: Any, tokenizer: Any, states: Any, texts: Sequence[list[int]], batch: Sequence[Samples]
) -> list[tuple[TimedWord, ...]]:
    """The timed words of each utterance of a batch.

    shell: a faster-whisper ``WhisperModel``. states: the encoder's output, (utterances, positions, d) in CTranslate2's
    own storage. texts: tokens of each; the attention behind its samples is not looked at.
    """
    from faster_whisper.transcribe import merge_punctuations  # type: ignore[import-untyped,unused-ignore]

    spans = [max(2, len(samples) // FRAME) for samples in batch]
    found = shell.find_alignment(tokenizer, list(texts), states, spans)
    for words in found:
        merge_punctuations(words, PREPENDED, APPENDED)
    return [_timed([word for word in words if word["word"]], its) for words, its in zip(found, batch, strict=True)]


def _timed(words: Sequence[Any], samples: Samples) -> tuple[TimedWord, ...]:
    ends = [round(float(word["end"]) * RATE) for word in words]
    spans = between_pauses(ends, pauses(samples), len(samples))
    return tuple(
        TimedWord(start, end, word["word"].strip(), float(word["probability"]))
        for (start, end), word in zip(spans, words, strict=True)
    )


def between_pauses(ends: Sequence[int], quiet: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Words that end about where they are said to, each within ``[0, length]`` and none before the one before it.

    quiet: pauses, start and end. All in samples.
    """
    edges = [0, *np.clip(ends, 0, length).tolist()]
    closest: dict[int, tuple[int, int, int]] = {}
    for start, end in quiet:
        away = [max(start - edge, edge - end, 0) for edge in edges]
        edge = int(np.argmin(away))
        if away[edge] <= REACH * FRAME:
            closest[edge] = min(closest.get(edge, (length, 0, 0)), (away[edge], start, end))
    spans, at = [], 0
    for index in range(len(ends)):
        start = max(at, closest[index][2] if index in closest else edges[index])
        at = max(start, closest[index + 1][1] if index + 1 in closest else edges[index + 1])
        spans.append((min(start, length), min(at, length)))
    return spans


def pauses(samples: Samples) -> list[tuple[int, int]]:
    """Where nothing is said in an utterance: start, end in samples."""
    level = _level(samples)
    if not len(level):
        return []
    low, high = np.percentile(level, [10, 90])
    if high - low < LEAST_RANGE_DB:
        return []
    quiet = level < high - (1 - QUIET) * min(high - low, MOST_RANGE_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]))).tolist()
    runs = zip(edges[::2], edges[1::2], strict=True)
    return [(a * FRAME, b * FRAME) for a, b in runs if b - a >= SHORTEST_PAUSE or a == 0 or b == len(level)]


def _level(samples: Samples) -> NDArray[np.float64]:
    """dB of each 10 ms, over 30 ms."""
    power = np.mean(np.square(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME), dtype=np.float64), axis=1)
    smooth = np.convolve(power, np.ones(3) / 3, mode="same") if len(power) >= 3 else power
    return np.asarray(10 * np.log10(smooth + 1e-9))
