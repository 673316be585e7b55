"""Speech recognition: Whisper over CTranslate2, utterances of many calls in one batch.

Whisper was trained on 30 s and its encoder costs that of 30 s for every utterance, however short. Two ideas make it
cheap; ``benchmarks/asr.py --curve`` draws what they cost and save:

- The encoder sees the utterance, a little true silence, and no more (``context``).
- The decoder expects 30 s and repeats itself where it gets less. What it misses is the encoder's answer to the silence
  up to 30 s, and that is nearly always the same: it is computed once, from silence alone, and the end of it (``TAIL``)
  is put behind the utterance's own.

With tiny.en int8 this costs a sixth of ``WhisperModel.transcribe`` at the same word error rate (``benchmarks/asr.py``).
Batches save a CPU 15 % up to 8 utterances, in the decoder, and nothing beyond.

An utterance's answer does not depend on its batch: the encoder and the int8 products are exact a row, beams are its
own, and every length that matters is that of the context, not that of a neighbour. ``tests/models/test_whisper.py``
holds it, to the bit.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from math import ceil, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alignment import aligned
from models.errors import ModelError
from models.foreign import foreign
from models.hearing import Heard, States, better
from models.mel import HOP, SILENCE, Mel
from models.protocols import EmotionScorer, Identity, Samples, TimedWord, Transcript
from models.vocabulary import Vocabulary, checked_language

RATE = 16_000
SECOND = RATE // HOP
"""Mel frames a second; the encoder gives one position for two of them."""
FULL = 30 * SECOND
MARGIN, STEP = SECOND // 2, SECOND
"""Mel frames of silence kept after the speech, and the grid of contexts: only equals share a batch."""
TAIL = 5 * SECOND // 2
"""Positions of silence put behind the context for the decoder: the last 5 of the 30 s."""
SUREST_FOREIGN = 5.0
"""Nats that one utterance can say for or against another language: a few words are never proof."""
NICE = 10
"""How much lower than the fast lane's is the priority of the threads that hear words."""


class WhisperTranscriber:
    """One loaded model for every call; thread-safe, and as many batches at once as it has ``workers``.

    folder: a CTranslate2 Whisper model (``models.checkpoints`` finds it). language: a code, or "auto" to detect it in
    each utterance; a model that knows English only takes "en" or "auto". device, compute_type: as CTranslate2 names
    them. threads: cores of one worker. workers: batches at once on each device. devices: indexes of the GPUs that get
    a replica each. hotwords, initial_prompt: words to expect and text to go before; both bias the decoder and can
    appear in the text unspoken. beam: width of the search, 1 in
    a draft. least_s: seconds of audio that the encoder sees at least,
    3-30. scorer: hears the encoder's pooled output of every utterance that is no draft. The decoder never samples, so
    the same samples give the same transcript on one machine. Raises ModelError if the model does not load.
    """

    def __init__(
        self,
        folder: Path,
        *,
        identity: Identity,
        language: str = "en",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 2,
        workers: int = 1,
        devices: Sequence[int] = (0,),
        hotwords: str | None = None,
        initial_prompt: str | None = None,
        beam: int = 5,
        least_s: float = 5.0,
        scorer: EmotionScorer | None = None,
    ) -> None:
        if not 3.0 <= least_s <= 30.0:
            raise ModelError(f"least_s must lie in 3-30 s, got {least_s}")
        self._identity = identity
        self._least = round(least_s * SECOND)
        self._beam = beam
        self._scorer = scorer
        self._shell = _loaded(folder, device, compute_type, threads, workers, devices)
        self._model = self._shell.model
        self._language = checked_language(language, self._model.is_multilingual, identity.name)
        self._vocabulary = Vocabulary(self._shell, hotwords or "", initial_prompt or "")
        self._suppressed = self._vocabulary.suppressed()
        self._mel = Mel(self._shell.feature_extractor.mel_filters)
        self._silence = self._encoded(np.full((1, self._mel.bands, FULL), SILENCE, np.float32))[0]

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def workers(self) -> int:
        return int(self._model.num_workers)

    def context(self, length: int) -> int:
        """Samples of audio in which an utterance of ``length`` samples is heard. Raises ModelError over 30 s."""
        if length > FULL * HOP:
            raise ModelError(f"an utterance of {length / RATE:.1f} s is longer than the 30 s Whisper can hear: cut it")
        frames = ceil((length // HOP + MARGIN) / STEP) * STEP
        return min(FULL, max(self._least, frames)) * HOP

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        """The words of each utterance of a batch, all of one ``context``.

        batch: float32 (n,) each, finite, 30 s at most. Word times are samples from the utterance's beginning, 20 ms
        fine, in order and inside it. Nothing is dropped: the caller judges by the figures. An utterance under 10 ms has
        no text and no_speech 1. draft: text and figures alone, heard once. Raises ModelError if an utterance is not
        such (before any is heard) or the recogniser fails.
        """
        frames = self._checked(batch) // HOP
        try:
            loud = [samples for samples in batch if samples.size >= HOP]
            heard = self._pass(loud, frames, 1 if draft else self._beam)
            heard = heard if draft else self._again(heard, frames)
            words: list[tuple[TimedWord, ...]] = [()] * len(heard) if draft else self._words(heard)
            answers = iter([self._transcript(one, its, draft) for one, its in zip(heard, words, strict=True)])
        except (RuntimeError, ValueError, IndexError) as error:
            seconds = sum(samples.size for samples in batch) / RATE
            raise ModelError(f"{self._identity.name} failed on {seconds:.1f} s of audio: {error}") from error
        nothing = Transcript("", (), self._language if self._language != "auto" else "", 1.0, 0.0, 0.0)
        return [next(answers) if samples.size >= HOP else nothing for samples in batch]

    def pooled(self, samples: Samples) -> NDArray[np.float32]:
        """Mean, then spread, of the encoder's output over one utterance, float32 (2 d,): what a scorer gets of it.

        Nothing is decoded. samples: as of ``transcribe``; raises ModelError as it does.
        """
        states = self._states([samples], self._checked([samples]) // HOP)
        return Heard(samples, states[0], "", 0.0, [], "", 0.0, 0.0).pooled

    def _checked(self, batch: Sequence[Samples]) -> int:
        """The one context of a batch in samples."""
        for number, samples in enumerate(batch, start=1):
            if samples.ndim != 1 or samples.dtype != np.float32:
                got = f"utterance {number} is {samples.shape} {samples.dtype}"
                raise ModelError(f"recognition takes float32 samples of one channel; {got}")
            if not np.isfinite(samples).all():
                raise ModelError(f"utterance {number} of {samples.size / RATE:.1f} s has samples that are no numbers")
        contexts = {self.context(samples.size) for samples in batch}
        if len(contexts) > 1:
            told = ", ".join(f"{context / RATE:g} s" for context in sorted(contexts))
            raise ModelError(f"utterances of several contexts ({told}) in one batch: sort them by context() first")
        return max(contexts, default=0)

    def _pass(self, batch: Sequence[Samples], frames: int, beam: int) -> list[Heard]:
        """One hearing of utterances in a context of so many mel frames."""
        if not batch:
            return []
        states = self._states(batch, frames)
        told = self._languages(states)
        prompts = [self._vocabulary.prompt(language) for language, _ in told]
        results = self._model.generate(
            _storage(states),
            prompts,
            beam_size=beam,
            max_length=len(prompts[0]) + _most_tokens(frames),
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [self._heard(*each) for each in zip(batch, states, told, results, strict=True)]

    def _heard(self, samples: Samples, states: States, told: tuple[str, float], result: Any) -> Heard:
        tokens = result.sequences_ids[0]
        count = len(tokens)
        return Heard(
            samples,
            states,
            *told,
            tokens=tokens,
            text=self._vocabulary.tokenizer(told[0]).decode(tokens).strip(),
            no_speech=float(result.no_speech_prob),
            # CTranslate2 gives the mean over the tokens of a sum that counts the end as well.
            log_probability=float(result.scores[0]) * count / (count + 1),
        )

    def _again(self, heard: list[Heard], frames: int) -> list[Heard]:
        """Repetitive answers heard once more in the full 30 s; the better of the two is kept."""
        loops = [one for one in heard if one.repetitive] if frames < FULL else []
        second = iter(self._pass([one.samples for one in loops], FULL, self._beam))
        return [better(one, next(second)) if frames < FULL and one.repetitive else one for one in heard]

    def _states(self, batch: Sequence[Samples], frames: int) -> States:
        """The encoder's output with silence behind it, (utterances, positions, d)."""
        features = np.stack([self._mel(samples, frames) for samples in batch])
        own = self._encoded(features)
        silence = self._silence[max(frames // 2, len(self._silence) - TAIL) :]
        return np.concatenate([own, np.broadcast_to(silence, (len(own), *silence.shape))], axis=1)

    def _encoded(self, features: NDArray[np.float32]) -> States:
        """The encoder's output on the CPU. features: (utterances, mels, frames).

        A CPU gains nothing by encoding several at once, and loses what no longer fits into its cache (measured with
        tiny.en: 8 utterances together cost 1.3 times as much as one after the other).
        """
        import ctranslate2  # type: ignore[import-untyped,unused-ignore]

        size = 1 if self._model.device == "cpu" else len(features)
        parts = []
        for start in range(0, len(features), size):
            view = self._model.encode(_storage(features[start : start + size]), to_cpu=True)
            # numpy knows no bfloat16, and the decoder turns what it gets into its own type.
            parts.append(np.array(view.to(ctranslate2.DataType.float32)))
        return np.concatenate(parts)

    def _languages(self, states: States) -> list[tuple[str, float]]:
        """The language of each utterance, and the log odds that it was another than the expected one."""
        if not self._model.is_multilingual:
            return [("en", 0.0)] * len(states)
        found = [
            {token[2:-2]: probability for token, probability in one}
            for one in self._model.detect_language(_storage(states))
        ]
        if self._language == "auto":
            return [(max(one, key=lambda code: one[code]), 0.0) for one in found]
        return [(self._language, _log_odds_against(one.get(self._language, 0.0))) for one in found]

    def _words(self, heard: Sequence[Heard]) -> list[tuple[TimedWord, ...]]:
        """The timed words of each; utterances of one language and number of positions are aligned together."""
        words: list[tuple[TimedWord, ...]] = [()] * len(heard)
        spoken = [index for index, one in enumerate(heard) if one.text]

        def kind(index: int) -> tuple[str, int]:
            return heard[index].language, len(heard[index].states)

        for (language, _), indexes in groupby(sorted(spoken, key=kind), kind):
            same = list(indexes)
            states = _storage(np.stack([heard[index].states for index in same]))
            texts = [heard[index].tokens for index in same]
            batch = [heard[index].samples for index in same]
            found = aligned(self._shell, self._vocabulary.tokenizer(language), states, texts, batch)
            for index, its in zip(same, found, strict=True):
                words[index] = its
        return words

    def _transcript(self, heard: Heard, words: tuple[TimedWord, ...], draft: bool) -> Transcript:
        other: float = heard.foreign
        emotion: tuple[float, ...] = ()
        if not draft:
            emotion = self._scorer.score(heard.pooled) if self._scorer else ()
            other = other if self._model.is_multilingual else foreign(heard.log_probability, len(heard.text.split()))
        return Transcript(
            text=heard.text,
            words=words,
            language=heard.language,
            no_speech=heard.no_speech,
            log_probability=heard.log_probability,
            compression=heard.compression,
            foreign=other,
            emotion=emotion,
        )


def _log_odds_against(probability: float) -> float:
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return min(max(log((1 - kept) / kept), -SUREST_FOREIGN), SUREST_FOREIGN)


def _most_tokens(frames: int) -> int:
    """Tokens that a context can hold: 10 a second, twice the fastest speech. Ends a runaway early."""
    return min(200, 24 + 10 * frames // SECOND)


def _storage(array: NDArray[Any]) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))


def _loaded(folder: Path, device: str, compute_type: str, threads: int, workers: int, devices: Sequence[int]) -> Any:
    """faster-whisper's ``WhisperModel`` around the CTranslate2 model."""
    from faster_whisper import WhisperModel

    def load() -> Any:
        return WhisperModel(
            str(folder),
            device=device,
            device_index=list(devices) if device != "cpu" else 0,
            compute_type=compute_type,
            cpu_threads=threads,
            num_workers=workers,
            local_files_only=True,
        )

    try:
        return _by_a_lower_thread(load)
    except Exception as error:  # CTranslate2, tokenizers and the hub client each raise their own
        raise ModelError(f"cannot load the Whisper model in {folder} on {device}: {error}") from error


def _by_a_lower_thread(make: Callable[[], Any]) -> Any:
    """What ``make`` returns or raises, made by a thread of lower priority.

    The one thread that models start, and it is over when this returns: on Linux the threads that CTranslate2 starts
    while it loads inherit the priority of the one that loads, and a word lane that is full must never delay the fast
    lane. Elsewhere the priority of a thread cannot be set so, and stays.
    """
    with ThreadPoolExecutor(1, "load whisper", initializer=_lower) as loader:
        return loader.submit(make).result()


def _lower() -> None:
    """The calling thread's priority, lowered."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
