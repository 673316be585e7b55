"""What ``demo`` and ``listen`` share: a call in progress, printed as it comes, and its summary."""

import asyncio
import json

from api.calls import Desk
from api.commands.console import out, show
from api.commands.report import alerts, as_it_comes, summary
from api.hub import TooSlow
from api.reading import read
from pipeline.journal import EVENT, CallFolder
from pipeline.session import Entry


async def follow(desk: Desk, folder: CallFolder) -> None:
    """Print every event that a person wants to read, until the call's last. A slow terminal holds nobody up."""
    after, over = 0, False
    while not over:
        try:
            async for text in desk.hub.follow(folder, after):
                entry = _entry(text)
                after = entry.n
                await asyncio.to_thread(_print, entry)
            over = True
        except TooSlow:
            continue  # what was missed is in the journal


def conclude(folder: CallFolder) -> None:
    """The summary, once the call is over."""
    view = read(folder).view
    out.print()
    summary(view, view.call_id)
    alerts(view)
    out.print()
    out.print(f"journal: {folder.journal}", soft_wrap=True)


def _entry(text: bytes) -> Entry:
    raw = json.loads(text)
    return Entry(raw["n"], raw["at"], EVENT.validate_python(raw["event"]))


def _print(entry: Entry) -> None:
    row = as_it_comes(entry)
    if row is not None:
        show([row])
