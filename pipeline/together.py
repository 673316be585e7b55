"""What many calls ask of one model at once.

A call that is stepped stops where it needs to know of each channel whether somebody speaks, and says what it asks. Who
steps it answers, for one call or for all that wait, and it goes on. The answers are the same to the bit.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from models.protocols import Samples, SpeechDetector, SpeechStream

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Question:
    """windows: float32 (channels, 512). answer: probability of speech of each channel; empty until it is answered."""

    detector: SpeechDetector
    stream: SpeechStream
    windows: Samples
    answer: Sequence[float] = ()


Asking = Generator[Question, None, T]
"""Work that stops with a question, and goes on when that is answered."""

Outcome = tuple[Any, BaseException | None]
"""What a work returned, or raised."""


def alone(asking: Asking[T]) -> T:
    """What the work returns, its questions answered one by one. Raises what it raises."""
    while True:
        try:
            question = next(asking)
        except StopIteration as done:
            result: T = done.value
            return result
        answer([question])


def together(works: Sequence[Callable[[], Any]]) -> list[Outcome]:
    """What each work gives. Those that return an ``Asking`` go on side by side, from question to question.

    A work that fails harms no other.
    """
    outcomes: list[Outcome] = [_tried(work) for work in works]
    asking = {place: value for place, (value, _) in enumerate(outcomes) if isinstance(value, Generator)}
    while asking:
        asked = {}
        for place, each in asking.items():
            found, error = _tried(each.__next__)
            if isinstance(error, StopIteration):
                outcomes[place] = (error.value, None)
            elif error is not None:
                outcomes[place] = (None, error)
            else:
                asked[place] = found
        refused = _answered(asked)
        for place, error in refused.items():
            asking[place].close()
            outcomes[place] = (None, error)
        asking = {place: asking[place] for place in asked if place not in refused}
    return outcomes


def answer(questions: Iterable[Question]) -> None:
    """Fill in every answer. Raises what a detector raises."""
    left = list(questions)
    while left:
        detector = left[0].detector
        same = [each for each in left if each.detector is detector]
        for each, heard in zip(same, detector.detect_all([(q.stream, q.windows) for q in same]), strict=True):
            each.answer = heard
        left = [each for each in left if each.detector is not detector]


def _answered(asked: dict[int, Question]) -> dict[int, BaseException]:
    """Answer all; where that fails, each by itself. Returns what those failed by that have no answer."""
    if _tried(partial(answer, asked.values()))[1] is None:
        return {}
    tries = {place: _tried(partial(answer, [one]))[1] for place, one in asked.items() if not one.answer}
    return {place: error for place, error in tries.items() if error is not None}


def _tried(work: Callable[[], Any]) -> Outcome:
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - raised where the work was asked for
        return None, error
