import os
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import checkpoints
from models import whisper as module
from models.errors import ModelError
from models.hearing import Heard, better, says_twice
from models.protocols import Identity, Samples, Transcript
from models.whisper import NICE, WhisperTranscriber

RATE = 16_000
IDENTITY = Identity("whisper tiny.en", "test", checkpoints.EMBEDDED_PINS["model.bin"])
SENTENCES = ["Please cancel it.", "No.", "I have been waiting for two weeks now.", "My number is five one nine."]


def engine(**options: Any) -> WhisperTranscriber:
    return WhisperTranscriber(checkpoints.embedded(), identity=IDENTITY, threads=1, **options)


@pytest.fixture(scope="module")
def whisper() -> WhisperTranscriber:
    return engine()


class Scorer:
    """Keeps what it is asked."""

    identity = IDENTITY

    def __init__(self) -> None:
        self.asked: list[NDArray[np.float32]] = []

    def score(self, pooled: NDArray[np.float32]) -> tuple[float, ...]:
        self.asked.append(pooled)
        return (float(pooled[0]), 0.5)


def plain(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))


def one(whisper: WhisperTranscriber, samples: Samples, *, draft: bool = False) -> Transcript:
    return whisper.transcribe([samples], draft=draft)[0]


def assert_in_order(transcript: Transcript, length: int) -> None:
    edges = [edge for word in transcript.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert not edges or (edges[0] >= 0 and edges[-1] <= length)


def test_hears_the_words_in_order_and_within_the_utterance(whisper: WhisperTranscriber, speech: Samples) -> None:
    heard = one(whisper, speech)
    assert {"cancel", "order", "money", "today"} <= plain(heard.text)
    assert plain(" ".join(word.text for word in heard.words)) == plain(heard.text)
    assert_in_order(heard, speech.size)
    assert heard.language == "en"
    assert heard.no_speech < 0.5
    assert -1.0 < heard.log_probability < 0.0
    assert 0.0 < heard.compression < 2.4
    assert all(0.0 < word.probability <= 1.0 for word in heard.words)


@pytest.mark.parametrize("before", [0.16, 1.0, 4.0])
def test_words_lie_where_they_were_said_whatever_came_before(
    whisper: WhisperTranscriber, say: Callable[[str], Samples], before: float
) -> None:
    first, second = (trimmed(say(text)) for text in ("I want my money.", "Please cancel the order."))
    lead, pause = np.zeros(round(before * RATE), np.float32), np.zeros(RATE, np.float32)
    hiss = (10 ** (-60 / 20) * np.random.default_rng(1).standard_normal(len(lead) + RATE // 2)).astype(np.float32)
    heard = one(whisper, np.concatenate([hiss[: len(lead)], first, pause, second, hiss[: RATE // 2]]))
    by_text = {word.text.lower().strip(".,"): word for word in heard.words}
    middle = len(lead) + len(first)
    near = 0.15 * RATE
    assert abs(heard.words[0].start - len(lead)) < near
    assert abs(by_text["money"].end - middle) < near
    assert abs(by_text["please"].start - middle - RATE) < near
    assert abs(heard.words[-1].end - middle - RATE - len(second)) < near


def trimmed(samples: Samples) -> Samples:
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return samples[loud[0] : loud[-1]]


def test_neighbours_change_nothing_to_the_bit(whisper: WhisperTranscriber, say: Callable[[str], Samples]) -> None:
    noise = (0.02 * np.random.default_rng(5).standard_normal(RATE)).astype(np.float32)
    batch = [*map(say, SENTENCES), noise, np.zeros(RATE, np.float32)]
    assert len({whisper.context(len(samples)) for samples in batch}) == 1
    alone = [one(whisper, samples) for samples in batch]
    assert whisper.transcribe(batch) == alone
    assert whisper.transcribe(batch[::-1]) == alone[::-1]
    drafts = whisper.transcribe(batch, draft=True)
    assert drafts == [one(whisper, samples, draft=True) for samples in batch]


def test_a_beam_changes_nothing_between_neighbours(say: Callable[[str], Samples]) -> None:
    wide, batch = engine(beam=3), [say(text) for text in SENTENCES]
    assert wide.transcribe(batch) == [one(wide, samples) for samples in batch]


def test_a_draft_is_text_alone(say: Callable[[str], Samples]) -> None:
    scorer = Scorer()
    whisper = engine(scorer=scorer)
    samples = say("Please cancel my order.")
    draft, final = one(whisper, samples, draft=True), one(whisper, samples)
    assert draft.text == final.text != ""
    assert (draft.words, draft.emotion, len(final.words)) == ((), (), 4)
    assert len(scorer.asked) == 1


def test_what_a_scorer_gets_can_be_had_without_words(speech: Samples) -> None:
    scorer = Scorer()
    whisper = engine(scorer=scorer)
    one(whisper, speech)
    np.testing.assert_array_equal(whisper.pooled(speech), scorer.asked[0])
    with pytest.raises(ModelError, match="no numbers"):
        whisper.pooled(np.full(RATE, np.nan, np.float32))


def test_answers_several_threads_at_once(whisper: WhisperTranscriber, speech: Samples) -> None:
    expected = whisper.transcribe([speech])
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(whisper.transcribe, [[speech]] * 3)) == [expected] * 3


def test_an_empty_batch_has_no_answers(whisper: WhisperTranscriber) -> None:
    assert whisper.transcribe([]) == []


@pytest.mark.parametrize("seconds", [0.011, 0.03, 0.3, 5.0])
def test_silence_of_any_length_does_no_harm(whisper: WhisperTranscriber, seconds: float) -> None:
    silence = np.zeros(round(seconds * RATE), np.float32)
    assert_in_order(one(whisper, silence), silence.size)


def test_noise_does_no_harm(whisper: WhisperTranscriber) -> None:
    noise = (0.05 * np.random.default_rng(3).standard_normal(2 * RATE)).astype(np.float32)
    assert_in_order(one(whisper, noise), noise.size)


@pytest.mark.parametrize("length", [0, 159])
def test_hardly_any_samples_have_no_words(whisper: WhisperTranscriber, speech: Samples, length: int) -> None:
    short = speech[: 3 * RATE]
    nothing, something = whisper.transcribe([np.zeros(length, np.float32), short])
    assert nothing == Transcript("", (), "en", 1.0, 0.0, 0.0)
    assert something == one(whisper, short)


def test_hears_30_s_to_the_end_and_refuses_more(whisper: WhisperTranscriber, say: Callable[[str], Samples]) -> None:
    fillers = [
        "The weather was fine and we walked along the river for an hour.",
        "My sister bought a yellow house with a small garden and three old trees.",
        "On Monday the train was late, so the children had to wait in the rain.",
        "He has worked in this office since the spring, and he likes the people there.",
        "She wrote a long letter to her friend about the winter in the mountains.",
        "We are going to paint the kitchen, and then we will buy a new table.",
    ]
    last = say("Now please cancel my order.")
    long = np.concatenate([np.concatenate([*map(say, fillers)])[: 30 * RATE - len(last)], last])
    assert long.size == 30 * RATE
    heard = one(whisper, long)
    late = [word.text for word in heard.words if word.start > long.size - len(last) - RATE // 2]
    assert "cancel" in plain(" ".join(late))
    assert {"river", "sister", "train"} <= plain(heard.text)
    assert_in_order(heard, long.size)
    with pytest.raises(ModelError, match=r"30\.1 s is longer than the 30 s .* cut it"):
        whisper.transcribe([np.zeros(round(30.1 * RATE), np.float32)])


@pytest.mark.parametrize(
    ("seconds", "context"), [(0, 5), (1, 5), (4.5, 5), (4.6, 6), (7.2, 8), (12, 13), (29, 30), (30, 30)]
)
def test_an_utterance_is_heard_in_little_more_than_itself(
    whisper: WhisperTranscriber, seconds: float, context: float
) -> None:
    assert whisper.context(round(seconds * RATE)) == context * RATE


def test_utterances_of_several_contexts_are_refused(whisper: WhisperTranscriber) -> None:
    with pytest.raises(ModelError, match=r"several contexts \(5 s, 9 s\).* context\(\)"):
        whisper.transcribe([np.zeros(RATE, np.float32), np.zeros(8 * RATE, np.float32)])


def test_a_repetitive_answer_of_a_batch_is_heard_again_in_30_s_and_the_better_one_kept(
    whisper: WhisperTranscriber, say: Callable[[str], Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [say(text) for text in SENTENCES]
    before, full = whisper.transcribe(batch), [one(engine(least_s=30.0), samples) for samples in batch]
    tightest = sorted(transcript.compression for transcript in before)[-2:]
    monkeypatch.setattr("models.hearing.REPETITIVE", sum(tightest) / 2)
    for old, new, wide in zip(before, whisper.transcribe(batch), full, strict=True):
        loop, cured = old.compression == tightest[1], wide.compression <= sum(tightest) / 2
        again = loop and (cured or wide.log_probability > old.log_probability)
        assert new == (wide if again else old)
    contexts: list[int] = []
    once = WhisperTranscriber._pass

    def counted(self: WhisperTranscriber, batch: Any, frames: int, beam: int) -> Any:
        contexts.append(frames)
        return once(self, batch, frames, beam)

    monkeypatch.setattr(WhisperTranscriber, "_pass", counted)
    whisper.transcribe(batch)
    assert contexts == [500, 3000]


def heard_with(log_probability: float, text: str = "yes") -> Heard:
    return Heard(np.zeros(160, np.float32), np.zeros((1, 2), np.float32), "en", 0.0, [], text, 0.0, log_probability)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (heard_with(-1.5), heard_with(-0.5), 1),
        (heard_with(-1.5), heard_with(-1.2), 1),
        (heard_with(-1.2), heard_with(-1.5), 0),
        (heard_with(-0.5), heard_with(-0.1, "no " * 50), 0),
        (heard_with(-0.1, "no " * 50), heard_with(-1.5), 1),
    ],
)
def test_of_two_hearings_the_one_without_a_loop_then_the_likelier_is_better(
    first: Heard, second: Heard, kept: int
) -> None:
    assert better(first, second) is (first, second)[kept]


def test_leaves_the_samples_as_they_were(whisper: WhisperTranscriber, speech: Samples) -> None:
    before = speech.copy()
    whisper.transcribe([speech])
    np.testing.assert_array_equal(speech, before)


BROKEN = np.full(1_000, np.nan, np.float32)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (np.zeros(100), r"utterance 2 is \(100,\) float64"),
        (np.zeros((100, 2), np.float32), r"utterance 2 is \(100, 2\)"),
        (BROKEN, r"utterance 2 of 0\.1 s has samples that are no numbers"),
    ],
)
def test_one_bad_utterance_is_refused_before_any_is_heard(
    whisper: WhisperTranscriber, monkeypatch: pytest.MonkeyPatch, wrong: Any, told: str
) -> None:
    monkeypatch.setattr(whisper, "_pass", lambda *_: pytest.fail("it was heard"))
    with pytest.raises(ModelError, match=told):
        whisper.transcribe([np.zeros(100, np.float32), wrong])


def test_a_failing_recogniser_is_a_model_error_with_the_seconds(
    whisper: WhisperTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(whisper, "_states", fail)
    with pytest.raises(ModelError, match=r"whisper tiny.en failed on 3\.0 s of audio: out of memory"):
        whisper.transcribe([np.zeros(RATE, np.float32), np.zeros(2 * RATE, np.float32)])


def test_the_pooled_encoder_output_is_the_utterance_alone(say: Callable[[str], Samples]) -> None:
    batch = [say(text) for text in SENTENCES]
    together, alone, wide = Scorer(), Scorer(), Scorer()
    engine(scorer=together).transcribe(batch)
    for samples in batch:
        one(engine(scorer=alone), samples)
        heard = one(engine(scorer=wide, least_s=12.0), samples)
        assert heard.emotion == (float(wide.asked[-1][0]), 0.5)
    for mine, single, longer in zip(together.asked, alone.asked, wide.asked, strict=True):
        assert (mine.dtype, mine.shape) == (np.float32, (2 * 384,))
        np.testing.assert_array_equal(mine, single)
        assert np.corrcoef(mine, longer)[0, 1] > 0.98


def test_a_product_name_is_heard_once_it_is_a_hotword(
    whisper: WhisperTranscriber, say: Callable[[str], Samples]
) -> None:
    said = say("I bought the Velora router last week.")
    assert "velora" not in plain(one(whisper, said).text)
    assert "velora" in plain(one(engine(hotwords="Velora"), said).text)
    greeting = "Thank you for calling Velora support."
    assert "velora" in plain(one(engine(initial_prompt=greeting), said).text)


def test_too_many_hotwords_are_refused() -> None:
    with pytest.raises(ModelError, match=r"hotwords and initial_prompt are \d+ tokens long, .* shorten"):
        engine(hotwords="Velora, Brightline " * 60)


def test_a_model_that_knows_english_only_takes_no_other_language() -> None:
    with pytest.raises(ModelError, match="knows English only, not 'de': take a multilingual model"):
        engine(language="de")
    assert one(engine(language="auto"), np.zeros(RATE, np.float32)).language == "en"


class Multilingual:
    """A model that tells languages, for a test of what is made of that."""

    is_multilingual = True

    def __init__(self, *found: dict[str, float]) -> None:
        self._found = found

    def detect_language(self, _: Any) -> list[list[tuple[str, float]]]:
        return [[(f"<|{code}|>", probability) for code, probability in one.items()] for one in self._found]


def test_a_multilingual_model_tells_or_doubts_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    whisper, states = engine(), np.zeros((3, 10, 384), np.float32)
    found = ({"de": 0.9, "en": 0.1}, {"en": 0.5, "de": 0.5}, {"de": 0.0001, "en": 0.9999})
    monkeypatch.setattr(whisper, "_model", Multilingual(*found))
    told = whisper._languages(states)
    assert [language for language, _ in told] == ["en"] * 3
    np.testing.assert_allclose([odds for _, odds in told], [np.log(9), 0.0, -5.0], atol=1e-6)
    monkeypatch.setattr(whisper, "_language", "auto")
    assert whisper._languages(states) == [("de", 0.0), ("en", 0.0), ("en", 0.0)]


def test_what_is_known_of_an_utterance_is_asked_for_its_language(
    whisper: WhisperTranscriber, say: Callable[[str], Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, int]] = []
    monkeypatch.setattr(module, "foreign", lambda *figures: asked.append(figures) or 1.5)
    samples = say("Please cancel my order.")
    heard = one(whisper, samples)
    assert heard.foreign == 1.5
    assert asked == [(heard.log_probability, 4)]
    assert one(whisper, samples, draft=True).foreign == 0.0


def test_a_folder_without_a_model_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load the Whisper model"):
        WhisperTranscriber(tmp_path, identity=IDENTITY)


def test_a_context_outside_3_to_30_s_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="3-30 s"):
        engine(least_s=2.0)


class Ctranslate2Whisper:
    """Takes what a real one takes, hears nothing."""

    asked: dict[str, Any]
    is_multilingual, n_mels = False, 80

    def __init__(self, path: str, **options: Any) -> None:
        type(self).asked = options
        self.device = options["device"]
        self.device_index = options["device_index"]
        self.num_workers = options["inter_threads"] * len(np.atleast_1d(self.device_index))
        self.encoded: list[Sequence[int]] = []

    def encode(self, features: Any, to_cpu: bool) -> Any:
        import ctranslate2  # type: ignore[import-untyped,unused-ignore]

        assert to_cpu
        self.encoded.append(features.shape)
        return ctranslate2.StorageView.from_array(np.zeros((features.shape[0], features.shape[2] // 2, 8), np.float32))


def test_several_gpus_get_a_replica_each_and_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctranslate2.models.Whisper", Ctranslate2Whisper)
    whisper = engine(device="cuda", compute_type="float16", devices=(0, 2), workers=2)
    asked = Ctranslate2Whisper.asked
    assert (asked["device"], asked["device_index"]) == ("cuda", [0, 2])
    assert (asked["compute_type"], asked["inter_threads"]) == ("float16", 2)
    assert whisper.workers == 4
    whisper._states([np.zeros(RATE, np.float32)] * 3, 500)
    assert whisper._model.encoded[-1] == [3, 80, 500]


def test_a_cpu_has_threads_and_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctranslate2.models.Whisper", Ctranslate2Whisper)
    whisper = engine(workers=2, devices=(1,))
    asked = Ctranslate2Whisper.asked
    assert (asked["device_index"], asked["intra_threads"], whisper.workers) == (0, 1, 2)
    whisper._states([np.zeros(RATE, np.float32)] * 3, 500)
    assert whisper._model.encoded[-1] == [1, 80, 500], "one after the other"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")
def test_the_threads_that_hear_words_have_a_lower_priority(speech: Samples) -> None:
    before = set(os.listdir("/proc/self/task"))
    whisper = WhisperTranscriber(checkpoints.embedded(), identity=IDENTITY, threads=2, workers=2)
    whisper.transcribe([speech])
    own = os.getpriority(os.PRIO_PROCESS, 0)
    added = set(os.listdir("/proc/self/task")) - before
    assert len(added) >= 2
    assert {os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in added} == {min(19, NICE)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("It takes ten days once approved. It takes ten days once approved.", True),
        ("It takes ten days once approved.", False),
        ("no, no", False),
        ("I said that you said that", False),
        ("", False),
    ],
)
def test_a_phrase_said_twice_is_doubted(text: str, twice: bool) -> None:
    assert says_twice(text) is twice
