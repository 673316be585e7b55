"""What must hold of every call: causality, shift, mirror and chunking, with the real detector and pitch tracker."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.events import (
    Alert,
    CallEnded,
    CallStarted,
    Overlap,
    OverlapRevised,
    SpeechEnded,
    SpeechStarted,
)
from pipeline.graph import build as graph
from pipeline.inputs import Frame, Loss
from pipeline.session import Entry, Session
from pipeline.timebase import TICK, Span
from tests.pipeline.drive import INFO, STANDARD, engines, events, frames_of, heard
from tests.synth import Line, build

LINES = [
    Line("agent", 1.0, 4.0, f0_hz=115),
    Line("customer", 3.5, 4.5, f0_hz=200),
    Line("agent", 7.2, 2.0, f0_hz=150, level_dbfs=-20),
    Line("customer", 10.0, 0.6, f0_hz=190),
    Line("agent", 9.6, 3.0, f0_hz=115),
]
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def call() -> NDArray[np.int16]:
    return build(LINES, 14, telephone=True)[0]


@cache
def whole() -> list[Entry]:
    return heard(call())


def stepped(session: Session, items: list[Frame | Loss]) -> list[Entry]:
    entries: list[Entry] = []
    for item in items:
        if isinstance(item, Frame):
            entries += session.step(item).entries
        else:
            session.admit(item)
    return entries


@FEW
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=40))
def test_any_chunking_gives_the_same_events(sizes: list[int]) -> None:
    pcm = call()[::2][: 7 * 8000]
    edges = [0, *np.cumsum(sizes * (1 + len(pcm) // sum(sizes))).clip(max=len(pcm)).tolist(), len(pcm)]

    def through(cuts: list[int]) -> list[Entry]:
        door = Door(TWO_CHANNEL, 8000)
        items = [item for a, b in itertools.pairwise(cuts) for item in door.push(pcm[a:b])] + door.finish()
        return stepped(graph(INFO, STANDARD, engines()), items)

    assert through(edges) == through([0, len(pcm)])


@FEW
@given(st.floats(2.0, 13.0), st.integers(0, 2**32 - 1))
def test_no_event_depends_on_later_audio(second: float, seed: int) -> None:
    tick = int(second * 16_000) // TICK
    changed = call().copy()
    noise = np.random.default_rng(seed).normal(0, 4000, changed[tick * TICK :].shape)
    changed[tick * TICK :] = noise.astype(np.int16)

    def before(entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.at < tick * TICK]

    assert before(heard(changed)) == before(whole())
    assert before(whole())


@FEW
@given(st.integers(1, 60))
def test_silence_in_front_shifts_everything_by_its_length(ticks: int) -> None:
    """Detectors settle in the first windows, so bounds may move by a tick; nothing else does."""
    shift = ticks * TICK
    floor = build([], 4)[0][:shift]
    shifted = heard(np.concatenate([floor, call()]))
    for kind in (SpeechStarted, SpeechEnded):
        one = [(e.channel, e.span.start, e.span.end) for e in events(whole(), kind)]
        two = [(e.channel, e.span.start - shift, e.span.end - shift) for e in events(shifted, kind)]
        assert len(one) == len(two)
        for first, second in zip(one, two, strict=True):
            assert first[0] == second[0]
            assert all(abs(a - b) <= TICK for a, b in zip(first[1:], second[1:], strict=True))


def test_swapping_channels_mirrors_overlaps() -> None:
    mirrored = heard(np.ascontiguousarray(call()[:, ::-1]))
    straight = events(whole(), OverlapRevised)
    assert straight
    told = [(e.span, e.kind, e.interrupter and e.interrupter.other, e.cut, e.because) for e in straight]
    assert told == [(e.span, e.kind, e.interrupter, e.cut, e.because) for e in events(mirrored, OverlapRevised)]


NEAR = 3 * TICK
"""What is far under the other's voice is taken for its bleed, so a soft end may be heard longer without it."""


def shared(items: list[Frame | Loss]) -> list[tuple[str, Span]]:
    """Speech events of the agent, as heard through a door."""
    entries = stepped(graph(INFO, STANDARD, engines()), items)
    agent = Channel.AGENT
    return [
        (type(e.item).__name__, e.item.span)
        for e in entries
        if isinstance(e.item, SpeechStarted | SpeechEnded) and e.item.channel is agent
    ]


def in_turns(door: Door, pcm: NDArray[np.int16], skip: range) -> list[Frame | Loss]:
    """20 ms of each track in turn; the customer's track is not sent while its sample is in ``skip``."""
    items: list[Frame | Loss] = []
    for start in range(0, len(pcm), 320):
        items += door.push_track(Channel.AGENT, pcm[start : start + 320, 0], position=start)
        if start not in skip:
            items += door.push_track(Channel.CUSTOMER, pcm[start : start + 320, 1], position=start)
    return items + door.finish()


def test_a_track_that_starts_late_or_stalls_shifts_nothing_outside_the_gap() -> None:
    pcm = call()
    full = in_turns(Door(TWO_CHANNEL, 16_000), pcm, range(0))
    for skip in (range(0, 80_000, 320), range(160_000, 160_000 + 48_000, 320)):
        items = in_turns(Door(TWO_CHANNEL, 16_000), pcm, skip)
        losses = [item for item in items if isinstance(item, Loss)]
        assert [(loss.channel, loss.span.start, loss.span.end) for loss in losses] == [
            (Channel.CUSTOMER, skip.start, skip.stop)
        ]
        assert [kind for kind, _ in shared(items)] == [kind for kind, _ in shared(full)]
        for (_, one), (_, two) in zip(shared(items), shared(full), strict=True):
            assert abs(one.start - two.start) <= NEAR
            assert abs(one.end - two.end) <= NEAR
        sent = np.concatenate([item.pcm for item in items if isinstance(item, Frame)], axis=1)
        kept = np.ones(sent.shape[1], bool)
        kept[skip.start : skip.stop] = False
        expected = np.concatenate([item.pcm for item in full if isinstance(item, Frame)], axis=1)
        assert np.array_equal(sent[1, kept], expected[1, kept])
        assert np.array_equal(sent[0], expected[0])


def test_a_session_is_deterministic() -> None:
    assert heard(call()) == whole()


def test_events_are_few_and_small() -> None:
    """At most 10 a second and 10 MB an hour for each call."""
    from pipeline.journal import encode

    seconds = len(call()) / 16_000
    assert len(whole()) / seconds < 10
    assert sum(len(encode(entry)) for entry in whole()) / seconds * 3600 < 10e6


def test_a_call_has_one_start_and_one_end() -> None:
    assert len(events(whole(), CallStarted)) == len(events(whole(), CallEnded)) == 1
    assert events(whole(), Overlap)
    assert all(e.at >= e.span.end for e in events(whole(), Alert))
    assert list(frames_of(call()))
