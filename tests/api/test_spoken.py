"""Drafts at the foot of a terminal."""

from __future__ import annotations

import io
import re

from rich.console import Console

from api.commands import live
from api.commands.spoken import Spoken
from pipeline.channel import Channel
from pipeline.drafts import Draft
from pipeline.events import Words
from pipeline.session import Entry
from pipeline.timebase import RATE, Span

AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER


def terminal(width: int = 60) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def seen(console: Console) -> list[str]:
    """What a terminal would show: as ``written``, with its cursor movements carried out."""
    rows, at = [""], 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written(console)):
        if part == "\n":
            at += 1
            rows += [""] * (at + 1 - len(rows))
        elif part.endswith("A") and part.startswith("\x1b"):
            at -= int(part[2:-1])
        elif part == "\x1b[2K":
            rows[at] = ""
        elif part[0] not in "\x1b\r":
            rows[at] += part
    return [row.rstrip() for row in rows if row.strip()]


def draft(stable: str, rest: str = "", start: float = 3.0, channel: Channel = AGENT) -> Draft:
    return Draft(channel=channel, start=round(start * RATE), at=round((start + 2) * RATE), stable=stable, rest=rest)


def final(text: str, start: float = 3.0) -> Entry:
    span = Span(round(start * RATE), round((start + 2) * RATE))
    return Entry(9, 0, Words(span=span, at=span.end, channel=AGENT, utterance=1, text=text, words=(), late=False))


def test_a_draft_is_redrawn_in_place() -> None:
    console = terminal()
    with Spoken(console) as spoken:
        spoken.draw(draft("", "good"))
        spoken.draw(draft("good", "afternoon"))
        assert seen(console) == ["00:03 agent      good afternoon"]


def test_its_line_takes_its_place() -> None:
    console = terminal()
    with Spoken(console) as spoken:
        spoken.draw(draft("good", "afternoon"))
        spoken.draw(draft("hello", start=4, channel=CUSTOMER))
        spoken.over(final("Good afternoon."))
        console.print("00:03 agent      Good afternoon.")
        assert seen(console) == ["00:03 agent      Good afternoon.", "00:04 customer   hello"]


def test_the_words_of_another_utterance_leave_it() -> None:
    console = terminal()
    with Spoken(console) as spoken:
        spoken.draw(draft("good"))
        spoken.over(final("Before.", start=1))
        assert seen(console) == ["00:03 agent      good"]


def test_an_empty_draft_and_the_end_leave_nothing() -> None:
    console = terminal()
    with Spoken(console) as spoken:
        spoken.draw(draft("good"))
        spoken.draw(draft(""))
        assert seen(console) == []
        spoken.draw(draft("good"))
    assert seen(console) == []


def test_the_newest_words_of_a_long_draft_are_shown() -> None:
    console = terminal(width=30)
    with Spoken(console) as spoken:
        spoken.draw(draft("one two three four", "five"))
        (line,) = seen(console)
    assert line.endswith("four five")
    assert "…" in line
    assert len(line) < 30


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    console = Console(file=io.StringIO(), width=60)
    with Spoken(console) as spoken:
        assert not spoken.wanted
        spoken.draw(draft("good"))
        spoken.over(final("Good."))
    assert written(console) == ""


def test_a_draft_has_no_number_and_an_event_has(capsys) -> None:  # type: ignore[no-untyped-def]
    spoken = Spoken(Console(file=io.StringIO()))
    message = {"channel": "agent", "start": 0, "at": 16000, "stable": "good", "rest": ""}
    assert live._heard({"type": "draft", "draft": message}, spoken) == 0
    event = {"type": "gap", "span": {"start": 0, "end": RATE}, "at": RATE, "channel": "agent", "reason": "network"}
    assert live._heard({"n": 7, "at": 0, "event": event}, spoken) == 7
    assert "1.0 s of the agent never came" in capsys.readouterr().out
