"""Panels of other programs (a CRM's, say) that follow an agent or a queue: the messages of webhooks, over a WebSocket.

A panel that opens is told what it missed of the calls in progress: that they began, and their alerts up to now. What
waits for one panel is bounded in bytes; a slower one is dropped and opens again.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from api.hub import Page
from api.outgoing.message import Message
from pipeline.session import CallInfo

KEPT = 200
"""Messages of one call kept for panels that open later: at 4 alerts a minute, those of the last quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose calls, and of which queue; None for any."""

    agent: str | None = None
    queue: str | None = None

    def takes(self, call: CallInfo) -> bool:
        return self.agent in (None, call.agent_id) and self.queue in (None, call.queue)


@dataclass(slots=True)
class _Open:
    """A call in progress and what was told of it."""

    call: CallInfo
    told: list[Message] = field(default_factory=list)


class Panels:
    """Everything runs on the event loop. queue_bytes: what may wait for one panel."""

    def __init__(self, queue_bytes: int) -> None:
        self._queue_bytes = queue_bytes
        self._pages: dict[Page, Wish] = {}
        self._open: dict[str, _Open] = {}
        self._count = 0

    def tell(self, call: CallInfo, message: Message) -> None:
        """Tell every panel that wants this call."""
        if message.kind == "call.ended":
            self._open.pop(call.call_id, None)
        else:
            told = self._open.setdefault(call.call_id, _Open(call)).told
            told.append(message)
            del told[1:-KEPT]  # the first one says that it began
        for page in [page for page, wish in self._pages.items() if wish.takes(call)]:
            self._put(page, message)

    async def follow(self, wish: Wish) -> AsyncGenerator[bytes, None]:
        """What a panel is told, without end. Raises TooSlow."""
        page = Page(self._queue_bytes)
        self._pages[page] = wish
        try:
            missed = [message for each in self._open.values() if wish.takes(each.call) for message in each.told]
            for message in missed:  # kept anyway, so that they need no room of the panel's own
                yield message.body
            while (waited := await page.take()) is not None:
                yield waited[1]
        finally:
            self._pages.pop(page, None)

    def _put(self, page: Page, message: Message) -> None:
        self._count += 1
        if not page.put(self._count, message.body):
            self._pages.pop(page, None)
