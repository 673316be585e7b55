"""Golden journals: the fast lane's events of each sample call, kinds and spans exactly, figures nearly.

Scores are left out: they are told when they move by 0.01, which another processor's last digit may decide.

After a change that is meant: ``uv run python -m tests.pipeline.test_golden``, and read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sample_audio
from pipeline.graph import build
from pipeline.inputs import Frame
from pipeline.journal import encode, is_event
from pipeline.session import CallInfo
from pipeline.sources.recording import open_recording
from tests.pipeline.drive import STANDARD, engines, run

FOLDER = Path(__file__).parents[1] / "golden"
NAMES = ("billing_dispute", "calm_order", "impatient_agent", "insulted_agent", "leaving_customer")
NEARLY = {"level", "level_move", "f0", "f0_move", "f0_range", "voiced", "alpha_ratio", "alpha_move", "baseline_seconds"}


def events_of(name: str) -> list[dict[str, Any]]:
    recording = open_recording([sample_audio.path(name)])
    session = build(CallInfo(call_id=name, channels=recording.channels), STANDARD, engines())
    entries = run(session, (item for item in recording.frames() if isinstance(item, Frame)))
    events = [json.loads(encode(entry))["ev"] for entry in entries if is_event(entry)]
    return [event for event in events if event["type"] != "score"]


def golden(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"


@pytest.mark.parametrize("name", NAMES)
def test_the_events_are_those_of_the_golden_journal(name: str) -> None:
    kept = [json.loads(line) for line in golden(name).read_text(encoding="utf-8").splitlines()]
    found = events_of(name)
    assert [shape(event) for event in found] == [shape(event) for event in kept]
    for one, two in zip(found, kept, strict=True):
        for key in NEARLY & one.keys():
            assert one[key] == pytest.approx(two[key], abs=0.05), (one, two)


def shape(event: dict[str, Any]) -> tuple[object, ...]:
    """What must be the same exactly. Numbers of events are left out: scores have some."""
    named = {key: event.get(key) for key in ("type", "at", "channel", "kind", "interrupter", "cut", "state", "open")}
    return (*named.values(), event["span"]["start"], event["span"]["end"])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in NAMES:
        golden(each).write_text("".join(json.dumps(event) + "\n" for event in events_of(each)), encoding="utf-8")
