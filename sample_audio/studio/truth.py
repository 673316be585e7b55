"""The truth file of a call, from what was really placed. All times are ms of the finished audio."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from sample_audio.studio.placement import Placed, duration_ms
from sample_audio.studio.script import CHANNELS, CUT_MARK, Channel, Script

Span = tuple[int, int]
OVERLAP_MS = 250
INTERRUPTION_MS = 1000
BACKCHANNEL_MS = 1000
FLOOR_MS = 1000
STOPS_WITHIN_MS = 1000
TIE_MS = 200
SILENCE_MS = 3000


def _segments(placed: list[Placed], who: Channel) -> list[Span]:
    return sorted(piece for item in placed if item.who == who for piece in item.pieces)


def _shared(one: list[Span], two: list[Span]) -> list[Span]:
    """Stretches in both lists."""
    both = [(max(a, c), min(b, d)) for a, b in one for c, d in two]
    return sorted((begin, end) for begin, end in both if end - begin >= OVERLAP_MS)


def _at(placed: list[Placed], who: Channel, span: Span) -> Placed:
    return next(p for p in placed if p.who == who and p.begin_ms <= span[0] and p.end_ms >= span[1])


def _overlap(placed: list[Placed], span: Span) -> dict[str, Any]:
    """One overlap with its kind: the later starter is the interrupter, whoever was cut stops soon after it."""
    incumbent, late = sorted((_at(placed, who, span) for who in CHANNELS), key=lambda p: p.begin_ms)
    lead, run = late.begin_ms - incumbent.begin_ms, span[1] - span[0]
    stops = CUT_MARK in incumbent.take.line.text and incumbent.end_ms - late.begin_ms <= STOPS_WITHIN_MS
    cut = stops and lead >= FLOOR_MS and late.end_ms > incumbent.end_ms
    if late.take.ms <= BACKCHANNEL_MS and incumbent.end_ms > late.end_ms:
        kind = "backchannel"
    elif cut or (run >= INTERRUPTION_MS and lead >= FLOOR_MS):
        kind = "interruption"
    else:
        kind = "overlap"
    who = late.who if lead > TIE_MS else None
    return {"begin_ms": span[0], "end_ms": span[1], "kind": kind, "interrupter": who, "cut": cut}


def _silences(spans: list[Span], total: int) -> list[dict[str, int]]:
    """Stretches without any of `spans`, longer than 3 s."""
    found, at = [], 0
    for begin, end in [*sorted(spans), (total, total)]:
        if begin - at > SILENCE_MS:
            found.append({"begin_ms": at, "end_ms": begin})
        at = max(at, end)
    return found


def _line(item: Placed) -> dict[str, Any]:
    line = item.take.line
    return {
        "channel": item.who,
        "begin_ms": item.begin_ms,
        "end_ms": item.end_ms,
        "text": line.heard,
        "words": len(line.complete.split()),
        "state": line.state,
        "rate_factor": line.rate,
        "pitch_shift_st": line.pitch_st,
        "level_db": line.level_db,
        "f0_median_hz": round(item.take.f0_median_hz, 1),
    }


def _states(placed: list[Placed]) -> list[dict[str, Any]]:
    """Neighbouring lines of one channel in one state, joined."""
    found = []
    for who in CHANNELS:
        own = [item for item in placed if item.who == who]
        for state, group in groupby(own, key=lambda item: item.take.line.state):
            items = list(group)
            span = {"begin_ms": items[0].begin_ms, "end_ms": items[-1].end_ms}
            found.append({**span, "channel": who, "state": state})
    return sorted(found, key=lambda row: (row["begin_ms"], row["channel"]))


def _wpm(placed: list[Placed], who: Channel) -> float:
    words = sum(len(item.take.line.complete.split()) for item in placed if item.who == who)
    return round(words / (sum(end - begin for begin, end in _segments(placed, who)) / 60_000), 1)


def tell(script: Script, placed: list[Placed]) -> dict[str, Any]:
    """Everything that is known about the call."""
    placed = sorted(placed, key=lambda item: item.begin_ms)
    agent, customer = (_segments(placed, who) for who in CHANNELS)
    total = duration_ms(script, placed)
    return {
        "call": script.name,
        "duration_ms": total,
        "agent_channel": "left",
        "speech": {
            who: [{"begin_ms": a, "end_ms": b} for a, b in spans]
            for who, spans in zip(CHANNELS, (agent, customer), strict=True)
        },
        "lines": [_line(item) for item in placed],
        "overlaps": [_overlap(placed, span) for span in _shared(agent, customer)],
        "silences": _silences(agent + customer, total),
        "wpm": {who: _wpm(placed, who) for who in CHANNELS},
        "states": _states(placed),
    }
