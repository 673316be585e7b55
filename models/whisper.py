"""Speech recognition: faster-whisper (CTranslate2), one utterance at a time.

Two choices differ from ``WhisperModel.transcribe``, and both were measured with tiny.en int8 (telephone calls against
a larger model's text, LibriSpeech against its own):

- One decoder pass an utterance, without timestamp tokens (``BatchedInferencePipeline``). The sequential interface
  looks again at what lies behind the last word, pays for another encoder run and hears "Thank you." in the silence.
  Word times come from the alignment of the decoder's attention in both.
- The encoder sees the utterance, 1 s of silence and at least ``min_window_s``, instead of always 30 s.

On 144 clips (median 2-3 s) this took 0.43 of the time of the sequential interface with 30 s, and the word error rate
went from 20.5 to 18.1 % (LibriSpeech, 30 clips) and from 25.5 to 22.4 % (one call, against a larger model's text).
"""

import threading
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.protocols import Identity, Samples, TimedWord, Transcript

RATE = 16_000
Features = NDArray[np.float32]

FRAMES_PER_SECOND = 100
"""Mel frames a second."""
MARGIN = 100
"""Mel frames of silence kept after the speech: 1 s."""
FULL = 30 * FRAMES_PER_SECOND
LONGEST = 30 * RATE
"""Samples that the encoder can see at once; a longer utterance is cut into equal parts."""
SILENCE_BELOW_PEAK = 2.0
"""How far under the strongest mel value Whisper's features put digital silence: 8 decades of power, scaled by 1/4."""
REPETITIVE = 2.2
"""Characters per compressed byte from which a text repeats itself."""
UNSURE = -1.0
"""Mean log probability a token (nats) under which an answer is a guess: Whisper's own limit."""


class WhisperTranscriber:
    """One loaded model for every call. Thread-safe: utterances queue on a lock.

    folder: a CTranslate2 Whisper model (``models.checkpoints`` finds it). language: code, or None to detect it in each
    utterance. device, compute_type: as CTranslate2 names them. threads: cores one utterance may use. hotwords,
    initial_prompt: words to expect and text to go before; both bias the decoder and can appear in the text unspoken.
    beam: width of the search. min_window_s: seconds of audio, padding included, that the encoder sees at least, 10-30.
    Whisper was trained on 30 s and its cost is that of 30 s for every utterance, however short; 30 restores this.
    Under 10 s the decoder starts to repeat itself; where an answer is repetitive or unsure all the same, the utterance
    is heard once more with 30 s. The decoder never samples (temperature 0 only), so the same samples give the same
    transcript on one machine. Raises ModelError if the model does not load.
    """

    def __init__(
        self,
        folder: Path,
        *,
        identity: Identity,
        language: str | None = "en",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 2,
        hotwords: str | None = None,
        initial_prompt: str | None = None,
        beam: int = 1,
        min_window_s: float = 12.0,
    ) -> None:
        if not 10.0 <= min_window_s <= 30.0:
            raise ModelError(f"min_window_s must lie in 10-30 s, got {min_window_s}")
        self._least = round(min_window_s * FRAMES_PER_SECOND)
        self._model = _load(folder, device, compute_type, threads)
        self._batched = _batched_pipeline()
        self._identity = identity
        self._lock = threading.Lock()
        self._options: dict[str, Any] = {
            "language": language,
            "beam_size": beam,
            "temperature": 0.0,
            "word_timestamps": True,
            "without_timestamps": True,
            "vad_filter": False,
            "batch_size": 1,
            "hotwords": hotwords,
            "initial_prompt": initial_prompt,
        }

    @property
    def identity(self) -> Identity:
        return self._identity

    def transcribe(self, samples: Samples) -> Transcript:
        """The words of one utterance.

        samples: float32 (n,), one utterance, best under 30 s (a longer one is cut into equal parts, maybe within a
        word). Word times are samples from its beginning, 10 ms fine, in order and inside it. no_speech and compression
        are the largest of the parts, log_probability their mean weighted by tokens: nothing is dropped, the caller
        judges by these figures. No samples give no text, no_speech 1 and 0 for the other two. Raises ModelError if the
        recogniser fails.
        """
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise ModelError(f"recognition takes float32 samples of one channel, got {samples.shape} {samples.dtype}")
        if samples.size == 0:
            return _transcript([], self._options["language"] or "", 0)
        try:
            with self._lock:
                return self._heard(samples)
        except (RuntimeError, ValueError, IndexError) as error:
            seconds = samples.size / RATE
            raise ModelError(f"{self._identity.name} failed on {seconds:.1f} s of audio: {error}") from error

    def _heard(self, samples: Samples) -> Transcript:
        segments, language = self._pass(samples, self._least)
        if self._least < FULL and any(_doubtful(segment) for segment in segments):
            segments, language = self._pass(samples, FULL)
        return _transcript(segments, language, samples.size)

    def _pass(self, samples: Samples, least: int) -> tuple[list[Any], str]:
        self._model.least = least
        segments, info = self._batched(self._model).transcribe(
            samples, clip_timestamps=_parts(samples.size), max_new_tokens=_most_tokens(samples.size), **self._options
        )
        return list(segments), info.language


def _doubtful(segment: Any) -> bool:
    unlikely = segment.compression_ratio > REPETITIVE or segment.avg_logprob < UNSURE
    return bool(unlikely or says_twice(segment.text))


def says_twice(text: str) -> bool:
    """Whether a text is one phrase of three words or more said twice: too short a loop for the compression ratio."""
    words = [word.strip(".,!?;:").lower() for word in text.split()]
    half = len(words) // 2
    return half >= 3 and words[:half] == words[-half:] and len(words) - 2 * half <= 1


def _most_tokens(length: int) -> int:
    """Tokens an utterance of so many samples can hold: 10 a second, twice the fastest speech. Ends a runaway early."""
    return min(200, 24 + 10 * length // RATE)


def _parts(length: int) -> list[dict[str, float]]:
    """The utterance in equal parts of at most 30 s; start, end in seconds."""
    count = ceil(length / LONGEST)
    edges = [length * part / count / RATE for part in range(count + 1)]
    return [{"start": start, "end": end} for start, end in pairwise(edges)]


def _load(folder: Path, device: str, compute_type: str, threads: int) -> Any:
    from faster_whisper import WhisperModel  # type: ignore[import-untyped,unused-ignore]

    class ShortWindowModel(WhisperModel):  # type: ignore[misc,unused-ignore]
        """Encodes an utterance with less padding than the 30 s that faster-whisper fills up to."""

        least = FULL

        def encode(self, features: Any) -> Any:
            return super().encode(repad(features, self.least))

    try:
        return ShortWindowModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
        )
    except Exception as error:  # CTranslate2, tokenizers and the hub client each raise their own
        raise ModelError(f"cannot load the Whisper model in {folder} on {device}: {error}") from error


def _batched_pipeline() -> Any:
    from faster_whisper import BatchedInferencePipeline

    return BatchedInferencePipeline  # one an utterance: it is two fields, and one of them is state


def repad(features: Features, least: int) -> Features:
    """Mel features with as much silence behind the speech as is needed, instead of zeros up to 30 s.

    features: float32 (utterances, mels, frames), zeros behind the speech (faster-whisper's padding, which is no
    silence: a mel value of 0 is a noise). least: frames to keep at least. Keeps ``MARGIN`` frames behind the longest
    utterance, an even number (the encoder halves them), and fills what lies behind each with what digital silence
    would give.
    """
    spoken = [int(np.flatnonzero(row.any(axis=0)).max(initial=-1)) + 1 for row in features]
    frames = max(least, max(spoken) + MARGIN)
    kept = features[..., : frames + frames % 2].copy()
    for row, end in zip(kept, spoken, strict=True):
        row[:, end:] = row[:, :end].max(initial=-np.inf) - SILENCE_BELOW_PEAK if end else 0.0
    return kept


def _transcript(segments: Sequence[Any], language: str, length: int) -> Transcript:
    words = [word for segment in segments for word in segment.words or ()]
    tokens = [len(segment.tokens) for segment in segments]
    spoken = bool(sum(tokens))
    return Transcript(
        text="".join(segment.text for segment in segments).strip(),
        words=timed_words(words, length),
        language=language,
        no_speech=max((float(segment.no_speech_prob) for segment in segments), default=1.0),
        log_probability=float(np.average([s.avg_logprob for s in segments], weights=tokens)) if spoken else 0.0,
        compression=max((float(segment.compression_ratio) for segment in segments), default=0.0),
    )


def timed_words(words: Iterable[Any], length: int) -> tuple[TimedWord, ...]:
    """Words with times in seconds (``word``, ``start``, ``end``, ``probability``) as words in samples.

    length: samples of the utterance. No word begins before the one before it ended, and none leaves ``[0, length]``.
    """
    timed: list[TimedWord] = []
    at = 0
    for word in words:
        start = min(max(round(word.start * RATE), at), length)
        at = min(max(round(word.end * RATE), start), length)
        timed.append(TimedWord(start, at, word.word.strip(), float(word.probability)))
    return tuple(timed)
