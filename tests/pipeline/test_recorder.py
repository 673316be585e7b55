"""The recorded driver: the ears run ahead of the mind, by no more than they may, and nothing waits for words early."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from pipeline.call import Call
from pipeline.inputs import Command, EngineResult, Frame, Mark
from pipeline.replay import AHEAD, Recorder
from pipeline.session import TAIL, Session, Tick, Utterance
from pipeline.timebase import RATE, TICK, Span
from tests.pipeline.drive import INFO, frames, spoken

SECONDS = 50
DELAY = 1.0
EVERY = 64


class Asking:
    """An ear that asks for a second of audio every EVERY ticks."""

    def step(self, tick: Tick) -> None:
        number, rest = divmod(tick.end, EVERY * TICK)
        if not rest and tick.end <= SECONDS * RATE:
            tick.ask(Utterance(number, INFO.channels[0], Span(tick.end - RATE, tick.end), tick.frame.pcm[0]))


class Lazy(Future[EngineResult]):
    """An answer that notes how far the ears were when somebody waited for it."""

    def __init__(self, utterance: Utterance, session: Session, waited: list[int]) -> None:
        super().__init__()
        self._utterance, self._session, self._waited = utterance, session, waited

    def result(self, timeout: float | None = None) -> EngineResult:
        self._waited.append(self._session.heard - self._utterance.span.end)
        return spoken(self._utterance, "hello")


def recorded(ahead: float, waited: list[int], leads: list[int]) -> list[int]:
    """Samples that were told as done. waited: how far the ears were beyond an utterance whose words were waited for.

    leads: by how much the ears were ahead of the mind at each frame.
    """
    session, told = Session(INFO, [], [Asking()]), []

    def source() -> Iterator[Frame]:
        for frame in frames(SECONDS):
            leads.append(session.heard - session.position)
            yield frame

    recorder = Recorder(Call(session), lambda asked: Lazy(asked, session, waited), DELAY, ahead, told.append)
    recorder.run(source(), lambda: session.heard)
    return told


def test_words_are_waited_for_only_when_the_ears_are_as_far_ahead_as_they_may() -> None:
    waited: list[int] = []
    leads: list[int] = []
    recorded(AHEAD, waited, leads)
    assert len(waited) == SECONDS * RATE // (EVERY * TICK)
    heard = (SECONDS * RATE // TICK + TAIL) * TICK
    asked = range(EVERY * TICK, SECONDS * RATE, EVERY * TICK)
    assert [each >= AHEAD * RATE for each in waited] == [heard - end >= AHEAD * RATE for end in asked]
    assert AHEAD * RATE - TICK < max(leads) <= AHEAD * RATE


def test_without_a_lead_words_come_after_their_delay() -> None:
    waited: list[int] = []
    leads: list[int] = []
    recorded(0.0, waited, leads)
    assert max(leads) == 0
    assert all(DELAY * RATE <= each <= DELAY * RATE + 2 * TICK for each in waited)


@pytest.mark.parametrize("ahead", [0.0, AHEAD])
def test_every_tick_is_told_once_it_is_done(ahead: float) -> None:
    done = recorded(ahead, [], [])
    assert done == [TICK * (number + 1) for number in range(SECONDS * RATE // TICK + TAIL)]


def test_a_command_is_for_the_mind_and_a_mark_for_the_ears() -> None:
    """The mind is three ticks behind when both enter: the command takes effect there, the mark where it was heard."""
    session = Session(INFO, [])
    source = frames(1)
    heard = [session.hear(next(source)) for _ in range(3)]
    session.admit(Mark(kind="hold"))
    session.admit(Command(kind="claim", by="mara"))
    heard.append(session.hear(next(source)))
    entered = [(type(entry.item), entry.at) for tick in heard for entry in session.think(tick).entries[:1]]
    assert entered[0] == (Command, 0)
    assert (Mark, 3 * TICK) in entered
