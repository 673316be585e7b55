"""What Prometheus reads. One registry an app; no call id, no agent and no text is ever a label."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from pipeline.alerts import Reason
from pipeline.events import Alert, Words
from pipeline.journal import is_event
from pipeline.pool import EnginePool
from pipeline.session import Entry
from pipeline.strain import Strain
from pipeline.timebase import TICK, seconds

_SIZES = (1, 2, 4, 8, 16, 32)
_LATENCY = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 60.0)


class _Registry(CollectorRegistry):
    """Without the ``_created`` samples, which double the page and which nobody reads."""

    def collect(self) -> Iterator[Metric]:
        for family in super().collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class Recogniser(Collector):
    """What the pool counts, read when it is asked for."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    def describe(self) -> list[Metric]:
        """Nothing is asked of the pool before the first page."""
        return []

    def collect(self) -> Iterator[Metric]:
        load, tally = self._pool.load(), self._pool.tally()
        yield _value("calmline_engine_queue", "Final utterances asked and not yet answered", self._pool.waiting)
        waiting = {kind.value: count for kind, count in load.waiting.items()}
        yield _labelled(GaugeMetricFamily, "calmline_words_waiting", "Utterances that wait, by kind", "kind", waiting)
        yield _value("calmline_words_behind_seconds", "How long the oldest final of a live call waits", load.behind_s)
        yield _value("calmline_drafts_off", "1 while drafts are left out, so that finals catch up", not load.drafts)
        left_out = "calmline_drafts_left_out", "Drafts that nobody got, by reason", "reason", tally.left_out
        yield _labelled(CounterMetricFamily, *left_out)
        late = "Finals of live calls that waited longer than words.behind_s for their turn"
        yield CounterMetricFamily("calmline_finals_late", late, tally.late)
        yield CounterMetricFamily("calmline_engine_failures", "Utterances that could not be heard", tally.failed)
        yield _histogram("calmline_engine_batch", "Utterances heard at once", tally.batches)
        took = {kind.value: spent for kind, spent in tally.engine_s.items()}
        heard = {kind.value: spent for kind, spent in tally.speech_s.items()}
        yield _labelled(CounterMetricFamily, "calmline_engine_seconds", "Seconds that engines took", "kind", took)
        yield _labelled(CounterMetricFamily, "calmline_engine_speech_seconds", "Seconds heard in them", "kind", heard)


class Lane(Collector):
    """How long calls wait for their steps, and what is left out so that they wait less."""

    def __init__(self, strain: Strain) -> None:
        self._strain = strain

    def describe(self) -> list[Metric]:
        """Nothing is read before the first page."""
        return []

    def collect(self) -> Iterator[Metric]:
        strain = self._strain
        yield _value("calmline_calls_late_seconds", "How long audio of live calls waits to be stepped", strain.late)
        yield _value("calmline_calls_shed", "What is left out for it: 0 nothing, up to 4", strain.shed)
        yield CounterMetricFamily("calmline_lane_turns", "Turns in which live calls were stepped", strain.turns)
        yield CounterMetricFamily("calmline_lane_waited_seconds", "Seconds that audio waited in them", strain.waited)
        spent = {shed.name.lower(): seconds for shed, seconds in strain.spent.items()}
        left_out = "calmline_calls_shed_seconds", "Seconds by what was left out, with all before it", "up_to", spent
        yield _labelled(CounterMetricFamily, *left_out)


class Metrics:
    """calls: in progress. pool: the recogniser, None without one. stored: bytes of all calls. strain: of the lane."""

    def __init__(
        self, calls: Callable[[], float], pool: EnginePool | None, stored: Callable[[], float], strain: Strain
    ) -> None:
        self.registry = registry = _Registry()
        _gauge(registry, "calmline_calls_in_progress", "Calls being stepped", calls)
        registry.register(Lane(strain))
        if pool is not None:
            registry.register(Recogniser(pool))
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
        received = Counter("calmline_door_bytes", "Bytes of audio received", ["door"], registry=registry)
        self._door = cache(received.labels)  # by name: it is asked for at every packet
        self._pages = Counter("calmline_page_disconnects", "Pages gone, by reason", ["reason"], registry=registry)
        self._refused = Counter("calmline_refused", "What was over a limit, by reason", ["reason"], registry=registry)
        self._webhooks = Counter(
            "calmline_webhooks",
            "Webhook events, by what became of them (retried: attempts)",
            ["fate"],
            registry=registry,
        )
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
        self._door(door).inc(count)

    def refused(self, reason: str) -> None:
        """Something was over a limit: see ``api.doors.limits``."""
        self._refused.labels(reason).inc()

    def page_gone(self, reason: str) -> None:
        """reason: ``slow`` (closed by us), ``left`` or ``ended``."""
        self._pages.labels(reason).inc()

    def webhook(self, fate: str) -> None:
        """fate: ``delivered``, ``retried``, ``dead`` (given up, kept) or ``lost``."""
        self._webhooks.labels(fate).inc()

    def webhooks_waiting(self, count: Callable[[], float], failing: Callable[[], float]) -> None:
        """Have the page say how many events wait, and for how many calls the last attempt failed."""
        _gauge(self.registry, "calmline_webhooks_waiting", "Webhook events not yet delivered", count)
        _gauge(self.registry, "calmline_webhooks_failing", "Calls whose next webhook event is sent again", failing)

    def text(self) -> bytes:
        """The exposition format. Blocks: it looks at the disk."""
        return generate_latest(self.registry)


def _value(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _labelled(
    family: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    text: str,
    label: str,
    of: Mapping[str, float],
) -> Metric:
    made = family(name, text, labels=[label])
    for key, value in of.items():
        made.add_metric([key], value)
    return made


def _histogram(name: str, text: str, counts: Mapping[int, int]) -> Metric:
    """counts: how often each value came."""
    total, edges = sum(counts.values()), [f"{edge:.1f}" for edge in _SIZES]
    buckets = [sum(count for value, count in counts.items() if value <= edge) for edge in _SIZES]
    cumulative = [*zip(edges, buckets, strict=True), ("+Inf", total)]
    return HistogramMetricFamily(name, text, cumulative, sum(value * count for value, count in counts.items()))


def _gauge(registry: CollectorRegistry, name: str, text: str, value: Callable[[], float]) -> None:
    Gauge(name, text, registry=registry).set_function(value)
