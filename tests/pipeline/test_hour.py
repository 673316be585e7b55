"""An hour of call: nothing drifts and nothing grows. (With the real detector: ``benchmarks.hour``.)"""

from __future__ import annotations

from benchmarks.hour import measure
from tests.fakes import fake_engines


def test_utterances_keep_their_place_and_memory_its_size_over_an_hour() -> None:
    hour = measure(fake_engines(words=False), 60)
    assert len(hour.spans) == 6
    assert hour.drift_ms <= 10
    assert hour.memory[-1] - hour.memory[1] < 8
