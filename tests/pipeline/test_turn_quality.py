"""How well turn-taking is judged on a few lines: a small fixed part of ``benchmarks.turns``, with its bounds.

One call of synthetic voices, chosen for what truly happens in it (five clear interruptions, four of them short cuts,
and five backchannels), not for how it is judged.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benchmarks.turns import WAYS, Casts, events_of, late_packets, prompt_packets
from benchmarks.voices import Scene, scene
from pipeline.judge import Tally, compare, figures, heard
from pipeline.session import Entry
from pipeline.truth import truth_of
from tests.pipeline.drive import engines

SEED = 599
LINES = ("clean", "telephone", "gsm", "unequal")


@cache
def played() -> Scene:
    return scene(Casts([]).pair("made", SEED), 75, SEED)


@cache
def events(line: str) -> list[Entry]:
    way = prompt_packets if line == "clean" else WAYS[line]
    return events_of(way(played(), np.random.default_rng(SEED)), engines())


@cache
def tally(line: str) -> Tally:
    return compare(truth_of(played().speech), heard(events(line)))


def together() -> Tally:
    total = Tally()
    for line in LINES:
        total.add(tally(line))
    return total


def test_interruptions_and_shorter_overlaps_are_found() -> None:
    total = together()
    assert total.interruptions.hits >= 19
    assert figures(total)["interruptions"]["f1"] >= 0.95
    assert figures(total)["shorter"]["f1"] >= 0.95


def test_backchannels_are_not_accused_and_interrupters_are_named() -> None:
    total = together()
    assert total.accused.whole >= 18
    assert total.accused.part == 0
    assert total.interrupter.value is not None
    assert total.interrupter.value >= 0.98


@pytest.mark.parametrize("line", LINES)
def test_bounds_are_good_and_what_is_told_is_told_soon(line: str) -> None:
    row = figures(tally(line))
    assert row["bounds_ms"]["p50"] <= 80
    assert row["latency_ms"]["shown"]["p50"] <= 100
    assert row["latency_ms"]["cut"]["p50"] <= 150


def test_packets_that_come_late_change_no_event() -> None:
    late = events_of(late_packets(played(), np.random.default_rng(SEED)), engines())
    assert len(late) > 50
    assert [entry.item for entry in late] == [entry.item for entry in events("clean")]
