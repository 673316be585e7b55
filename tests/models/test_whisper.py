import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import checkpoints
from models.errors import ModelError
from models.protocols import Identity, Samples, TimedWord, Transcript
from models.whisper import WhisperTranscriber, repad, says_twice, timed_words

RATE = 16_000
IDENTITY = Identity("whisper tiny.en", "test", checkpoints.EMBEDDED_PINS["model.bin"])


@dataclass
class Word:
    word: str
    start: float
    end: float
    probability: float = 0.5


@pytest.fixture(scope="module")
def whisper() -> WhisperTranscriber:
    return WhisperTranscriber(checkpoints.embedded(), identity=IDENTITY)


def plain(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))


def assert_in_order(transcript: Transcript, length: int) -> None:
    edges = [edge for word in transcript.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert not edges or (edges[0] >= 0 and edges[-1] <= length)


def test_hears_the_words_in_order_and_within_the_utterance(whisper: WhisperTranscriber, speech: Samples) -> None:
    heard = whisper.transcribe(speech)
    assert {"cancel", "order", "money", "today"} <= plain(heard.text)
    assert plain(" ".join(word.text for word in heard.words)) == plain(heard.text)
    assert_in_order(heard, speech.size)
    assert heard.language == "en"
    assert heard.no_speech < 0.5
    assert -1.0 < heard.log_probability < 0.0
    assert 0.0 < heard.compression < 2.4


def test_words_lie_where_they_were_said(whisper: WhisperTranscriber, say: Callable[[str], Samples]) -> None:
    first = say("I want my money.")
    pause = np.zeros(RATE, np.float32)
    heard = whisper.transcribe(np.concatenate([first, pause, say("Please cancel the order.")]))
    cancel = next(word for word in heard.words if "cancel" in word.text.lower())
    money = next(word for word in heard.words if "money" in word.text.lower())
    assert money.end < first.size + pause.size // 2
    assert cancel.start > first.size + pause.size // 2


def test_is_deterministic(whisper: WhisperTranscriber, speech: Samples) -> None:
    assert whisper.transcribe(speech) == whisper.transcribe(speech)


def test_answers_several_threads_at_once(whisper: WhisperTranscriber, speech: Samples) -> None:
    expected = whisper.transcribe(speech)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(whisper.transcribe, [speech] * 3)) == [expected] * 3


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3, 5.0])
def test_silence_of_any_length_does_no_harm(whisper: WhisperTranscriber, seconds: float) -> None:
    silence = np.zeros(round(seconds * RATE), np.float32)
    assert_in_order(whisper.transcribe(silence), silence.size)


def test_noise_does_no_harm(whisper: WhisperTranscriber) -> None:
    noise = (0.05 * np.random.default_rng(3).standard_normal(2 * RATE)).astype(np.float32)
    assert_in_order(whisper.transcribe(noise), noise.size)


def test_no_samples_have_no_words(whisper: WhisperTranscriber) -> None:
    assert whisper.transcribe(np.zeros(0, np.float32)) == Transcript("", (), "en", 1.0, 0.0, 0.0)


def test_an_utterance_over_30_s_is_heard_to_its_end(whisper: WhisperTranscriber, say: Callable[[str], Samples]) -> None:
    fillers = [
        "The weather was fine and we walked along the river for an hour.",
        "My sister bought a yellow house with a small garden and three old trees.",
        "On Monday the train was late, so the children had to wait in the rain.",
        "He has worked in this office since the spring, and he likes the people there.",
        "She wrote a long letter to her friend about the winter in the mountains.",
        "We are going to paint the kitchen, and then we will buy a new table.",
        "They told us that the road to the village would be closed until Friday.",
    ]
    long = np.concatenate([*map(say, fillers), say("Now please cancel my order.")])
    assert long.size > 32 * RATE
    heard = whisper.transcribe(long)
    late = [word.text for word in heard.words if word.start > long.size - 4 * RATE]
    assert "cancel" in plain(" ".join(late))
    assert {"river", "sister", "train", "kitchen", "village"} <= plain(heard.text)
    assert_in_order(heard, long.size)


def test_an_unsure_answer_is_heard_again_with_the_full_window(
    whisper: WhisperTranscriber, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = WhisperTranscriber(checkpoints.embedded(), identity=IDENTITY, min_window_s=30.0)
    monkeypatch.setattr("models.whisper.UNSURE", 0.0)
    assert whisper.transcribe(speech) == full.transcribe(speech)


def test_a_sure_answer_is_not_heard_again(whisper: WhisperTranscriber, speech: Samples) -> None:
    full = WhisperTranscriber(checkpoints.embedded(), identity=IDENTITY, min_window_s=30.0)
    short = whisper.transcribe(speech)
    assert short.text == full.transcribe(speech).text
    assert short.log_probability != full.transcribe(speech).log_probability


def test_leaves_the_samples_as_they_were(whisper: WhisperTranscriber, speech: Samples) -> None:
    before = speech.copy()
    whisper.transcribe(speech)
    np.testing.assert_array_equal(speech, before)


def test_refuses_other_dtypes_and_shapes(whisper: WhisperTranscriber) -> None:
    wrongs: list[Any] = [np.zeros(100), np.zeros((100, 2), np.float32)]
    for wrong in wrongs:
        with pytest.raises(ModelError, match="float32 samples of one channel"):
            whisper.transcribe(wrong)


def test_a_folder_without_a_model_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load the Whisper model"):
        WhisperTranscriber(tmp_path, identity=IDENTITY)


def test_a_window_outside_10_to_30_s_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="10-30 s"):
        WhisperTranscriber(checkpoints.embedded(), identity=IDENTITY, min_window_s=5.0)


def test_word_times_are_clamped_and_never_run_backwards() -> None:
    words = [Word(" one", -0.2, 0.5), Word(" two,", 0.4, 0.3), Word(" three", 0.9, 1.5)]
    assert timed_words(words, RATE) == (
        TimedWord(0, 8_000, "one", 0.5),
        TimedWord(8_000, 8_000, "two,", 0.5),
        TimedWord(14_400, 16_000, "three", 0.5),
    )


@pytest.mark.parametrize(("spoken", "kept"), [(0, 1200), (300, 1200), (1150, 1250), (1151, 1252), (3000, 3000)])
def test_padding_beyond_the_window_is_cut_and_the_rest_is_silence(spoken: int, kept: int) -> None:
    features = np.zeros((1, 80, 3000), np.float32)
    features[..., :spoken] = 1.5
    padded = repad(features, 1200)
    assert padded.shape == (1, 80, kept)
    assert (padded[..., :spoken] == 1.5).all()
    assert (padded[..., spoken:] == (-0.5 if spoken else 0.0)).all()


def test_each_utterance_of_a_batch_gets_its_own_silence() -> None:
    features = np.zeros((2, 80, 3000), np.float32)
    features[0, :, :200] = 1.0
    features[1, :, :1300] = 0.5
    padded = repad(features, 1200)
    assert padded.shape == (2, 80, 1400)
    assert (padded[0, :, 200:] == -1.0).all()
    assert (padded[1, :, 1300:] == -1.5).all()


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
