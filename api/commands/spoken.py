"""Words still being spoken, at the foot of a terminal: redrawn in place, gone when their line is printed."""

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from api.commands.console import Row, moment
from pipeline.channel import Channel
from pipeline.drafts import Draft
from pipeline.events import Words
from pipeline.session import Entry
from pipeline.timebase import ms

MARGIN = 18
"""Columns before the words of a row."""


class Spoken:
    """A context in which ``draw`` shows drafts below what is printed. Nothing is drawn where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self.wanted = console.is_terminal
        self._console = console
        self._drafts: dict[Channel, Draft] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)

    def __enter__(self) -> "Spoken":
        if self.wanted:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def draw(self, draft: Draft) -> None:
        self._drafts[draft.channel] = draft
        self._redraw()

    def over(self, entry: Entry) -> None:
        """Words that have come are drafts no more."""
        if not isinstance(entry.item, Words):
            return
        draft = self._drafts.get(entry.item.channel)
        if draft is not None and draft.start == entry.item.span.start:
            del self._drafts[draft.channel]
            self._redraw()

    def _redraw(self) -> None:
        if self.wanted:
            drafts = sorted(self._drafts.values(), key=lambda draft: draft.start)
            rows = [_row(draft) for draft in drafts if draft.stable or draft.rest]
            self._live.update(Group(*(_line(row, self._console.width - MARGIN) for row in rows)), refresh=True)


def _row(draft: Draft) -> Row:
    return Row(ms(draft.start), draft.channel, f"{draft.stable} {draft.rest}".strip(), "dim italic")


def _line(row: Row, width: int) -> Text:
    """One line, whose end is shown: the newest words."""
    text = row.text if len(row.text) <= width else "…" + row.text[1 - max(width, 2) :]
    return Text(f"{moment(row.ms):5} {row.label:10} {text}", style=row.style, no_wrap=True, overflow="crop")
