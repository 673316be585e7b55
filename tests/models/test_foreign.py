"""The evidence that one utterance gives for another language."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models import checkpoints
from models.foreign import LEAST, MOST, foreign
from models.protocols import Samples
from models.whisper import WhisperTranscriber


def test_an_answer_that_is_believed_is_english() -> None:
    assert foreign(-0.2, 6) == -MOST


def test_an_answer_that_is_not_believed_is_another_language() -> None:
    assert foreign(-1.6, 6) == MOST


def test_the_less_it_is_believed_the_more_it_speaks_for_one() -> None:
    odds = [foreign(float(each), 6) for each in np.linspace(0, -3, 61)]
    assert odds == sorted(odds)
    assert all(abs(each) <= MOST for each in odds)


@pytest.mark.parametrize("words", range(LEAST))
def test_a_word_or_two_say_nothing(words: int) -> None:
    assert foreign(-2.5, words) == 0.0


SAID = {
    "en-us": ("I would like to change my appointment please.", "I have been waiting for two weeks for my order."),
    "de": ("Ich möchte bitte meinen Termin ändern.", "Ich warte seit zwei Wochen auf meine Bestellung."),
    "fr": ("Je voudrais changer mon rendez-vous, merci.", "J'attends ma commande depuis deux semaines."),
    "es": ("Quiero cambiar mi cita por favor.", "Llevo dos semanas esperando mi pedido."),
}


def test_the_embedded_model_tells_other_languages_from_its_own(say: Callable[..., Samples]) -> None:
    folder = checkpoints.embedded()
    transcriber = WhisperTranscriber(folder, identity=checkpoints.identify("tiny.en", folder))
    odds = {
        language: [transcriber.transcribe([say(text, language)])[0].foreign for text in texts]
        for language, texts in SAID.items()
    }
    english = max(odds.pop("en-us"))
    others = [each for both in odds.values() for each in both]
    assert english < -2
    assert min(others) > english, "each is less believed than what is English"
    assert max(others) > 0, "and some are proof enough to count"
    assert np.mean(others) > english + 2
