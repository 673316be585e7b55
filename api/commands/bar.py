"""The progress of recordings in a terminal: a line for each that is worked on, and one for all where there are more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.commands.console import err
from pipeline.timebase import RATE, seconds


class Bar:
    """Shows nothing where stderr is no terminal. files: how many. total: samples of all of them."""

    def __init__(self, files: int, total: int) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), _Speed(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=err, transient=True, disable=not err.is_terminal, redirect_stdout=False
        )
        self._whole = self._progress.add_task(f"{files} recordings", total=total) if files > 1 else None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    @contextmanager
    def line(self, title: str, total: int | None = None, *, counts: bool = True) -> Iterator[Callable[[int], None]]:
        """A line of its own; gives what is to be told the sample up to which all is done. From any thread.

        total: samples; None where nobody can say how long it takes. counts: whether it is part of the whole.
        """
        task, done = self._progress.add_task(title, total=total), 0

        def stepped(at: int) -> None:
            nonlocal done
            if total is not None and (at >= total or at - done >= RATE):
                reached = min(at, total)
                self._progress.update(task, completed=reached)
                if self._whole is not None and counts:
                    self._progress.advance(self._whole, reached - done)
                done = reached

        try:
            yield stepped
        finally:
            self._progress.remove_task(task)

    def passed(self, samples: int) -> None:
        """That much of the whole needs no work."""
        if self._whole is not None:
            self._progress.advance(self._whole, samples)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Out of the way while something is printed."""
        self._stop()
        yield
        self._progress.start()

    def _stop(self) -> None:
        if err.is_terminal:  # rich ends a bar that was never shown with an empty line
            self._progress.stop()


class _Speed(ProgressColumn):
    """Seconds of audio per second."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        return Text(f"{speed(task.completed, task.elapsed):4.1f} x real time")


def speed(samples: float, elapsed: float | None) -> float:
    """How many times real time; 0 before anything was measured."""
    return seconds(int(samples)) / elapsed if elapsed else 0.0
