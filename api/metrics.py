"""What Prometheus reads. One registry an app; no call id, no agent and no text is ever a label."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest

from pipeline.alerts import Reason
from pipeline.events import Alert, Words
from pipeline.journal import is_event
from pipeline.session import Entry
from pipeline.timebase import TICK, seconds

_LATENCY = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 60.0)


class _Registry(CollectorRegistry):
    """Without the ``_created`` samples, which double the page and which nobody reads."""

    def collect(self) -> Iterator[Metric]:
        for family in super().collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class Metrics:
    """calls: in progress. waiting: utterances in the engine's queue. stored: bytes of all calls."""

    def __init__(self, calls: Callable[[], float], waiting: Callable[[], float], stored: Callable[[], float]) -> None:
        self.registry = registry = _Registry()
        _gauge(registry, "calmline_calls_in_progress", "Calls being stepped", calls)
        _gauge(registry, "calmline_engine_queue", "Utterances asked and not yet answered", waiting)
        _gauge(registry, "calmline_stored_bytes", "Bytes of all stored calls", stored)
        self._ticks = Counter("calmline_ticks", "Frames of 32 ms taken in", registry=registry)
        self._audio = Counter("calmline_audio_seconds", "Seconds of calls taken in", registry=registry)
        self._events = Counter("calmline_events", "Events by type", ["type"], registry=registry)
        self._alerts = Counter("calmline_alerts", "Alerts raised, by kind", ["kind"], registry=registry)
        self._revised = Counter(
            "calmline_alerts_revised",
            "Alerts taken back, by kind; they are among those raised",
            ["kind"],
            registry=registry,
        )
        self._late = Counter("calmline_late_words", "Utterances whose words came late", registry=registry)
        self._door = Counter("calmline_door_bytes", "Bytes of audio received", ["door"], registry=registry)
        self._pages = Counter("calmline_page_disconnects", "Pages gone, by reason", ["reason"], registry=registry)
        self._words = Histogram(
            "calmline_words_latency_seconds",
            "From the end of an utterance until its words were known",
            buckets=_LATENCY,
            registry=registry,
        )

    def took(self, frames: int) -> None:
        """Frames of audio were handed to a session."""
        self._ticks.inc(frames)
        self._audio.inc(seconds(frames * TICK))

    def heard(self, entries: list[Entry]) -> None:
        """Count what came out."""
        for entry in entries:
            if not is_event(entry):
                continue
            item = entry.item
            self._events.labels(item.type).inc()
            if isinstance(item, Alert) and item.of is None:
                self._alerts.labels(item.kind).inc()
            if isinstance(item, Alert) and item.state == "cleared" and item.reason == Reason.REVISED:
                self._revised.labels(item.kind).inc()
            if isinstance(item, Words):
                self._words.observe(max(0.0, seconds(item.at - item.span.end)))
                self._late.inc(item.late)

    def received(self, door: str, count: int) -> None:
        """Bytes of audio came through a door."""
        self._door.labels(door).inc(count)

    def page_gone(self, reason: str) -> None:
        """reason: ``slow`` (closed by us), ``left`` or ``ended``."""
        self._pages.labels(reason).inc()

    def text(self) -> bytes:
        """The exposition format. Blocks: it looks at the disk."""
        return generate_latest(self.registry)


def _gauge(registry: CollectorRegistry, name: str, text: str, value: Callable[[], float]) -> None:
    Gauge(name, text, registry=registry).set_function(value)
