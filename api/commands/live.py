"""What ``demo`` and ``listen`` share: a call in progress, printed as it comes, and its summary."""

import asyncio
import json
from typing import Any

from pydantic import TypeAdapter

from api.calls import Desk
from api.commands.console import out, show
from api.commands.report import alerts, as_it_comes, summary
from api.commands.spoken import Spoken
from api.hub import TooSlow
from api.reading import read
from pipeline.drafts import Draft
from pipeline.journal import EVENT, CallFolder
from pipeline.session import Entry

SETTLE_S = 2.0
"""Seconds that a server with one call waits for the pages that show it to show its end."""

_DRAFT = TypeAdapter(Draft)


async def follow(desk: Desk, folder: CallFolder) -> None:
    """Print every event that a person wants to read, until the call's last, and in a terminal what is being said.

    A slow terminal holds nobody up.
    """
    after, over = 0, False
    with Spoken(out) as spoken:
        while not over:
            try:
                async for text in desk.hub.follow(folder, after, drafts=spoken.wanted):
                    after = await asyncio.to_thread(_heard, json.loads(desk.mask.message(text)), spoken) or after
                over = True
            except TooSlow:
                continue  # what was missed is in the journal


async def conclude(desk: Desk, folder: CallFolder) -> None:
    """The summary, once the call is over. Then the pages may be left alone: they have seen the end as well."""
    view = desk.mask.view(read(folder).view)
    out.print()
    summary(view, view.call_id)
    alerts(view)
    out.print()
    out.print(f"journal: {folder.journal}", soft_wrap=True)
    await desk.hub.settled(SETTLE_S)


def _heard(message: dict[str, Any], spoken: Spoken) -> int:
    """Print what it tells; returns its number, 0 for a draft."""
    if message.get("type") == "draft":
        spoken.draw(_DRAFT.validate_python(message["draft"]))
        return 0
    entry = Entry(message["n"], message["at"], EVENT.validate_python(message["event"]))
    spoken.over(entry)
    row = as_it_comes(entry)
    if row is not None:
        show([row])
    return entry.n
