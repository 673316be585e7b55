from collections.abc import Callable
from typing import Any

import numpy as np

from models.errors import ModelError
from models.protocols import Samples
from models.silero import SileroDetector
from pipeline.together import Asking, Question, alone, together
from tests.fakes import FakeDetector
from tests.pipeline.drive import detector
from tests.pipeline.test_lane import driven

LOUD: Samples = np.full((1, 512), 0.5, np.float32)
SOFT: Samples = np.zeros((1, 512), np.float32)


def asks(windows: list[Samples], fake: FakeDetector | None = None) -> Asking[list[float]]:
    heard = []
    fake = fake or FakeDetector()
    for window in windows:
        question = Question(fake.detect_all, fake.stream(), window)
        yield question
        heard += question.answer
    return heard


def test_alone_answers_each_question() -> None:
    assert alone(asks([LOUD, SOFT, LOUD])) == [0.95, 0.02, 0.95]


def test_side_by_side_each_gets_its_own_answers_however_many_it_has() -> None:
    fake = FakeDetector()
    sizes: list[int] = []
    fake.detect_all = lambda asked: sizes.append(len(asked)) or [s.detect(w) for s, w in asked]  # type: ignore[method-assign, func-returns-value]
    works: list[Callable[[], Any]] = [lambda: asks([LOUD], fake), lambda: 7, lambda: asks([SOFT, LOUD, SOFT], fake)]
    assert together(works) == [([0.95], None), (7, None), ([0.02, 0.95, 0.02], None)]
    assert sizes == [2, 1, 1]


def test_a_work_that_fails_on_the_way_harms_no_other() -> None:
    def breaks() -> Asking[None]:
        yield from asks([LOUD])
        raise ValueError("broken")

    def never() -> Asking[None]:
        raise ValueError("at once")

    (_, first), (_, second), (heard, third) = together([breaks, never, lambda: asks([LOUD, LOUD])])
    assert isinstance(first, ValueError)
    assert isinstance(second, ValueError)
    assert (heard, third) == ([0.95, 0.95], None)


def noise(channels: int, seed: int) -> Samples:
    return (np.random.default_rng(seed).standard_normal((channels, 512)) * 0.1).astype(np.float32)


def listens(silero: SileroDetector, channels: int, windows: list[Samples], closed: list[str]) -> Asking[list[Any]]:
    stream, heard = silero.stream(channels), []
    try:
        for window in windows:
            question = Question(silero.detect_all, stream, window)
            yield question
            heard.append(question.answer)
    finally:
        closed.append("closed")
    return heard


def test_a_question_that_cannot_be_answered_leaves_the_others_answers_as_they_would_be() -> None:
    """Of one channel and of two, which are heard apart: none may hear a window twice."""
    good, closed = [noise(1, seed) for seed in range(3)], []  # type: ignore[var-annotated]
    two = [noise(2, seed) for seed in range(3)]
    bad = [noise(2, 1), noise(3, 2), noise(2, 3)]
    works = [
        lambda: listens(detector(), 1, good, closed),
        lambda: listens(detector(), 2, bad, closed),
        lambda: listens(detector(), 2, two, closed),
    ]
    (one, _), (_, error), (other, _) = together(works)
    assert isinstance(error, ModelError)
    assert one == alone(listens(detector(), 1, good, closed))
    assert other == alone(listens(detector(), 2, two, closed))
    assert len(closed) == 5


def test_the_lane_gives_what_the_work_returns_in_the_end() -> None:
    assert driven(lambda lane: lane.run(lambda: asks([LOUD, SOFT]))) == [0.95, 0.02]
