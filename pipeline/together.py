"""What many calls ask of one model at once.

A call that is stepped stops where it needs to know of its channels whether somebody speaks, or what they sound like,
and says what it asks. Who steps it answers, for one call or for all that wait, and it goes on. The answers are the same
to the bit.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from models.protocols import Samples

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Question:
    """ask: what answers many at once; whoever shares it is asked together. stream: whose windows they are.

    windows: float32 (channels, 512). answer: one for each channel; empty until it is answered.
    """

    ask: Callable[[Sequence[Any]], Sequence[Sequence[Any]]]
    stream: Any
    windows: Samples
    answer: Sequence[Any] = ()


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
        refused = _replied(asked)
        for place, error in refused.items():
            asking[place].close()
            outcomes[place] = (None, error)
        asking = {place: asking[place] for place in asked if place not in refused}
    return outcomes


def answer(questions: Iterable[Question]) -> None:
    """Fill in every answer. Raises what is raised by whoever is asked."""
    left = list(questions)
    while left:
        ask = left[0].ask
        same = [each for each in left if each.ask == ask]
        for each, found in zip(same, ask([(one.stream, one.windows) for one in same]), strict=True):
            each.answer = found
        left = [each for each in left if each.ask != ask]


def answered(question: Question) -> Sequence[Any]:
    """The answer, found now where nobody gave it."""
    if not question.answer:
        answer([question])
    return question.answer


def _replied(asked: dict[int, Question]) -> dict[int, BaseException]:
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
