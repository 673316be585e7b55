"""The progress of recordings: what it counts, and that it shows nothing where nobody looks."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from api.commands import bar
from api.commands.bar import Bar
from pipeline.timebase import RATE

MINUTE = 60 * RATE


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], StringIO]:
    """Make stderr a terminal or none; gives what is written there."""

    def make(terminal: bool) -> StringIO:
        file = StringIO()
        monkeypatch.setattr(bar, "err", Console(file=file, force_terminal=terminal, width=100))
        return file

    return make


def test_the_whole_is_the_sum_of_its_recordings(shown: Callable[[bool], StringIO]) -> None:
    shown(True)
    with Bar(2, 2 * MINUTE) as both:
        with both.line("a.wav", MINUTE) as first, both.line("b.wav", MINUTE) as second:
            first(30 * RATE)
            second(10 * RATE)
            second(10 * RATE + 1)  # less than a second on: not worth a picture
            assert [task.completed for task in both._progress.tasks] == [40 * RATE, 30 * RATE, 10 * RATE]
            first(MINUTE + 2 * RATE)  # the silence behind the audio counts for nothing
        (whole,) = both._progress.tasks
        assert whole.completed == MINUTE + 10 * RATE


def test_a_first_hearing_is_no_part_of_the_whole(shown: Callable[[bool], StringIO]) -> None:
    shown(True)
    with Bar(2, 2 * MINUTE) as both, both.line("a.wav: who is who", MINUTE, counts=False) as stepped:
        stepped(MINUTE)
        assert [task.completed for task in both._progress.tasks] == [0, MINUTE]


def test_one_recording_has_one_line_with_its_speed(shown: Callable[[bool], StringIO]) -> None:
    file = shown(True)
    with Bar(1, MINUTE) as one, one.line("a.wav", MINUTE) as stepped:
        stepped(MINUTE)
        one._progress.refresh()
    assert "a.wav" in file.getvalue()
    assert "x real time" in file.getvalue()
    assert "recordings" not in file.getvalue()


def test_speed_is_audio_over_time() -> None:
    assert bar.speed(MINUTE, 2.0) == 30.0
    assert bar.speed(MINUTE, None) == bar.speed(0, 0.0) == 0.0


def test_nothing_is_shown_where_nobody_looks(shown: Callable[[bool], StringIO]) -> None:
    file = shown(False)
    with Bar(2, 2 * MINUTE) as both:
        with both.line("a.wav", MINUTE) as stepped:
            stepped(MINUTE)
        with both.aside():
            pass
    assert file.getvalue() == ""
