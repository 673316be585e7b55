"""Order and place of packets: what their numbers and timestamps say, and when they are not believed."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.doors.mulaw import RATE
from api.doors.reorder import RESTART, Reorder
from api.doors.stamps import Pace
from api.doors.tracks import LIKELY, PATIENCE, Tracks

PACKET = 160
"""Samples: 20 ms."""


def both(tracks: Tracks, first: int, last: int, speed: float = 1.0) -> list[tuple[int, int]]:
    """Where packets ``first`` to ``last`` of both tracks go."""
    return [
        (tracks.place("in", PACKET, int(n * PACKET * speed)), tracks.place("out", PACKET, int(n * PACKET * speed)))
        for n in range(first, last)
    ]


def alone(tracks: Tracks, name: str, first: int, last: int, speed: float = 1.0, shift: int = 0) -> list[int]:
    return [tracks.place(name, PACKET, int(n * PACKET * speed) + shift) for n in range(first, last)]


@pytest.mark.parametrize("speed", [1.0, 0.5, 2.0, 0.0])
def test_audio_without_a_break_is_counted(speed: float) -> None:
    assert both(Tracks(("in", "out")), 0, 500, speed) == [(n * PACKET, n * PACKET) for n in range(500)]


@pytest.mark.parametrize("speed", [1.0, 0.5])
@pytest.mark.parametrize("shift", [0, -250 * PACKET])
def test_a_track_that_begins_late_begins_there(speed: float, shift: int) -> None:
    """Also where its timestamps count from its own beginning."""
    tracks = Tracks(("in", "out"))
    alone(tracks, "in", 0, 251, speed)
    assert tracks.place("out", PACKET, int((250 * PACKET + shift) * speed)) == 250 * PACKET


def test_tracks_that_begin_together_do_so_in_any_order_of_arrival() -> None:
    tracks = Tracks(("in", "out"))
    alone(tracks, "in", 0, 3)
    assert alone(tracks, "out", 0, 3) == [0, PACKET, 2 * PACKET]


@pytest.mark.parametrize("speed", [1.0, 0.5])
def test_a_jump_that_the_next_packet_agrees_with_is_a_gap(speed: float) -> None:
    tracks = Tracks(("in", "out"))
    both(tracks, 0, 100, speed)
    assert both(tracks, 250, 253, speed)[1:] == [(n * PACKET, n * PACKET) for n in (251, 252)]


@pytest.mark.parametrize("glitch", [10**9, 60 * RATE, 2 * PACKET, -3 * PACKET])
def test_one_wrong_timestamp_moves_nothing(glitch: int) -> None:
    tracks = Tracks(("in", "out"))
    both(tracks, 0, 100)
    assert tracks.place("in", PACKET, 100 * PACKET + glitch) == 100 * PACKET
    assert alone(tracks, "in", 101, 110) == [n * PACKET for n in range(101, 110)]


def test_timestamps_of_another_clock_move_nothing() -> None:
    tracks = Tracks(("in", "out"))
    both(tracks, 0, 100)
    assert alone(tracks, "in", 100, 110, shift=10**9) == [n * PACKET for n in range(100, 110)]
    assert alone(tracks, "in", 110, 120, shift=0) == [n * PACKET for n in range(110, 120)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=60, max_size=120))
def test_timestamps_without_sense_move_little(stamps: list[int]) -> None:
    """Whatever they say, a call is not flooded with silence: no jump is longer than the longest, few are believed."""
    tracks = Tracks(("in",))
    places = [tracks.place("in", PACKET, stamp) for stamp in stamps]
    assert all(later > before for before, later in itertools.pairwise(places))


def test_one_lost_packet_is_a_gap_of_its_length() -> None:
    tracks = Tracks(("in", "out"))
    both(tracks, 0, 100)
    assert both(tracks, 101, 104)[-1] == (103 * PACKET, 103 * PACKET)


def test_what_was_held_back_and_comes_at_once_keeps_its_time() -> None:
    tracks = Tracks(("in", "out"))
    both(tracks, 0, 100)
    alone(tracks, "in", 100, 250)
    assert alone(tracks, "out", 100, 250) == [n * PACKET for n in range(100, 250)]
    assert both(tracks, 250, 260) == [(n * PACKET, n * PACKET) for n in range(250, 260)]


def test_a_track_that_stays_behind_goes_on_where_the_other_is() -> None:
    """It lost three seconds, and its timestamps say nothing of it."""
    tracks = Tracks(("in", "out"))
    both(tracks, 0, 100, 0.0)
    alone(tracks, "in", 100, 250, 0.0)
    places = both(tracks, 250, 250 + PATIENCE // PACKET + 2, 0.0)
    assert places[-1][0] == places[-1][1]
    assert places[0][1] == 100 * PACKET


def test_a_first_timestamp_far_from_its_arrival_is_not_believed() -> None:
    tracks = Tracks(("in", "out"))
    alone(tracks, "in", 0, 100)
    assert tracks.place("out", PACKET, 99 * PACKET + 2 * LIKELY) == 99 * PACKET


def test_pace_is_not_known_at_once_nor_from_nonsense() -> None:
    pace = Pace()
    assert pace.speed is None
    for step in (0.5, 3.0, -1.0, 9.0, 0.1, 40.0):
        pace.measure(step)
    assert pace.speed is None


# order


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_order_within_the_room_becomes_the_right_one(data: st.DataObject) -> None:
    numbers = list(range(1, 41))
    swaps = data.draw(st.lists(st.integers(0, 37), max_size=12))
    sent = numbers.copy()
    for at in swaps:
        if abs(sent[at] - at - 1) <= 2 and abs(sent[at + 2] - at - 3) <= 2:
            sent[at], sent[at + 2] = sent[at + 2], sent[at]
    order: Reorder[int] = Reorder(8)
    got = [item for number in sent for item in order.put(number, 1, number)]
    assert got + order.rest() == numbers


def test_a_missing_packet_is_given_up_when_the_room_is_full() -> None:
    order: Reorder[int] = Reorder(3)
    got = [order.put(number, 1, number) for number in (1, 3, 4, 5, 6, 7)]
    assert got == [[1], [], [], [], [3, 4, 5, 6], [7]]


def test_what_comes_twice_or_too_late_is_dropped() -> None:
    order: Reorder[int] = Reorder(3)
    got = [item for number in (1, 1, 2, 2, 1, 3) for item in order.put(number, 1, number)]
    assert got == [1, 2, 3]


def test_a_track_may_begin_to_count_anew_or_anywhere() -> None:
    order: Reorder[int] = Reorder(0)
    assert order.put(1000, 1, 1000) == [1000]
    assert order.put(1001 - RESTART, 1, 0) == []
    assert order.put(1, 1, 1) == [1]
    assert order.put(2, 1, 2) == [2]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**53), st.integers(0, 500)), max_size=200))
def test_what_waits_is_bounded(packets: list[tuple[int, int]]) -> None:
    order: Reorder[int] = Reorder(1200)
    for number, size in packets:
        order.put(number, size, size)
        assert sum(size for size, _ in order._waiting.values()) <= 1200
