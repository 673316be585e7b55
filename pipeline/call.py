"""One call being stepped and written down: what the live and the recorded driver share.

Nothing is shown that is not on disk first: audio, then journal, then view.
"""

from contextlib import ExitStack, suppress

from pipeline.errors import StorageFault
from pipeline.inputs import Close, Frame, Input
from pipeline.journal import Journal
from pipeline.reducer import Reducer
from pipeline.session import Entry, Session, Step, Tick
from pipeline.tape import Tape
from pipeline.together import Asking, alone
from pipeline.view import View


class Call:
    """``admit`` and ``advance`` while audio comes; then ``close``, TAIL times ``drain``, and ``end``.

    journal, tape: None keeps nothing. live: bounds the view.
    """

    def __init__(
        self, session: Session, *, journal: Journal | None = None, tape: Tape | None = None, live: bool = False
    ) -> None:
        self.session = session
        self._journal = journal
        self._tape = tape
        self._reducer = Reducer(live=live)

    @property
    def view(self) -> View:
        return self._reducer.view

    def admit(self, item: Input) -> None:
        """Let an input take effect in the next step."""
        self.session.admit(item)

    def advance(self, frame: Frame) -> Step:
        """Step one frame of audio. Raises StorageFault when it cannot be written down."""
        return self.think(self.hear(frame))

    def hear(self, frame: Frame) -> Tick:
        """The first half of ``advance``, which may run ahead of the second."""
        return alone(self.hearing(frame))

    def hearing(self, frame: Frame) -> Asking[Tick]:
        """The same for whoever steps many calls and answers what they ask in one go."""
        if self._tape is not None:
            self._tape.write(frame)
        return (yield from self.session.hearing(frame))

    def think(self, tick: Tick) -> Step:
        """The second half, for each tick in order."""
        return self._take(self.session.think(tick))

    def close(self, reason: str, end: int | None = None) -> None:
        """The audio is over at sample ``end`` (default: all of it was real)."""
        self.admit(Close(end=self.session.heard if end is None else end, reason=reason))

    def drain(self) -> Step:
        """One silent step of the TAIL that follows the last audio."""
        return self.think(alone(self.draining()))

    def draining(self) -> Asking[Tick]:
        """The first half of ``drain``, for whoever steps many calls."""
        return self.session.hearing(self.session.silence())

    def end(self) -> Step:
        """The last step, after the tail and the last answers; then the files are finished."""
        step = self._take(self.session.end())
        self.release()
        return step

    def fail(self, part: str, error: BaseException) -> list[Entry]:
        """End at once with a fatal Fault, written as far as the disk allows. Returns what was emitted."""
        entries = self.session.fail(part, error)
        self._fold(entries)
        with suppress(StorageFault), ExitStack() as stack:  # the disk that failed may refuse the last lines too
            stack.callback(self.release)
            if self._journal is not None:
                self._journal.write(entries)
        return entries

    def release(self) -> None:
        """Finish the files; safe to call twice."""
        with ExitStack() as stack:
            if self._journal is not None:
                stack.callback(self._journal.close)
            if self._tape is not None:
                stack.callback(self._tape.close)

    def _take(self, step: Step) -> Step:
        if self._journal is not None:
            self._journal.write(step.entries)
        self._reducer.heard(self.session.position)
        self._fold(step.entries)
        return step

    def _fold(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._reducer.apply(entry)
