"""Where a desk's news goes: to the panels that listen, and to the receiver of webhooks where there is one."""

from collections.abc import Sequence
from dataclasses import replace

from api.config import Config
from api.mask import Mask
from api.metrics import Metrics
from api.outgoing.endpoint import Endpoint
from api.outgoing.message import Message, of_end, of_events
from api.outgoing.outbox import DeadLetters, Outbox
from api.outgoing.panels import Panels
from api.outgoing.webhooks import Webhooks
from api.rows import CallRow
from pipeline.errors import StorageFault
from pipeline.session import CallInfo, Entry

TOLD = (
    "state",
    "started",
    "duration_s",
    "policy",
    "alerts",
    "interruptions",
    "overlaps",
    "silences",
    "faults",
    "peak_anger",
    "peak_tension",
    "wpm",
    "talk_ms",
)
"""What other programs are told of a call that is over: columns of the list."""


class Outlets:
    """Raises BadInput for webhooks that cannot be sent."""

    def __init__(self, config: Config, mask: Mask, metrics: Metrics) -> None:
        self.panels = Panels(config.server.page_queue_kb * 1024)
        self._mask = mask
        self._source = config.webhooks.source
        self.webhooks = _webhooks(config, metrics) if config.webhooks.url else None

    async def start(self) -> bool:
        """Send what the last process could not. Whether the ends of its calls are ours to tell. Raises StorageFault."""
        if self.webhooks is None:
            return False
        try:
            return await self.webhooks.start()
        except OSError as error:
            raise StorageFault(f"cannot keep webhooks: {error.filename}: {error.strerror or error}") from error

    async def stop(self) -> None:
        if self.webhooks is not None:
            await self.webhooks.stop()

    def heard(self, call: CallInfo, entries: Sequence[Entry]) -> None:
        """What happened in a live call."""
        for message in of_events(call, entries, self._source):
            self._tell(call, message)

    def ended(self, call: CallInfo, row: CallRow | None) -> None:
        """A call is over. row: what the list has of it; None where that could not be written."""
        figures = {name: getattr(row, name) for name in TOLD} if row is not None else {}
        self._tell(call, of_end(call, figures, self._source))

    def _tell(self, call: CallInfo, message: Message) -> None:
        shown = replace(message, body=self._mask.message(message.body))
        self.panels.tell(call, shown)
        if self.webhooks is not None:
            self.webhooks.send(shown)


def _webhooks(config: Config, metrics: Metrics) -> Webhooks:
    dead = DeadLetters(config.calls_folder, round(config.webhooks.dead_mb * 1e6))
    made = Webhooks(config.webhooks, Outbox(config.calls_folder), dead, Endpoint(config.webhooks), metrics.webhook)
    metrics.webhooks_waiting(lambda: made.waiting, lambda: made.failing)
    return made
