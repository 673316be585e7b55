"""What is given up when, under a clock that the test turns."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.strain import EASY_S, IDLE_S, LATE_S, LONGEST_S, RECOVERY_S, STEP_S, Shed, Strain

TURN_S = 0.05


class Lane:
    """Turns of one length after another. changes: (second, what is left out from then on)."""

    def __init__(self) -> None:
        self.strain, self.now = Strain(), 100.0
        self.changes: list[tuple[float, Shed]] = []

    def turns(self, seconds: float, waited: float) -> None:
        for _ in range(round(seconds / TURN_S)):
            self.now += TURN_S
            before = self.strain.shed
            if self.strain.feel(waited, self.now) is not before:
                self.changes.append((self.now, self.strain.shed))

    @property
    def order(self) -> list[Shed]:
        return [shed for _, shed in self.changes]


def test_nothing_is_left_out_while_the_lane_is_in_time() -> None:
    lane = Lane()
    lane.turns(60, LATE_S - 0.01)
    assert lane.changes == []
    assert lane.strain.spent[Shed.NOTHING] > 59


def test_one_long_turn_is_no_strain() -> None:
    lane = Lane()
    lane.turns(5, 0.05)
    lane.turns(TURN_S, 0.5)
    lane.turns(5, 0.05)
    assert lane.changes == []


def test_under_strain_everything_goes_in_the_stated_order_and_no_faster_than_it_shows() -> None:
    lane = Lane()
    lane.turns(5, 0.05)
    lane.turns(5, 0.6)
    assert lane.order == [Shed.RUNNING, Shed.DRAFTS, Shed.VOICE, Shed.WORKERS]
    assert all(after - before >= STEP_S - 1e-6 for (before, _), (after, _) in pairwise(lane.changes))
    assert lane.changes[-1][0] - 105 < 3


def test_only_as_much_is_left_out_as_helps() -> None:
    lane = Lane()
    lane.turns(5, 0.05)
    while lane.strain.shed < Shed.DRAFTS:
        lane.turns(TURN_S, 0.6)
    lane.turns(RECOVERY_S - 1, 0.08)
    assert lane.order == [Shed.RUNNING, Shed.DRAFTS]


def test_it_all_comes_back_by_itself_one_by_one() -> None:
    lane = Lane()
    lane.turns(5, 0.6)
    lane.changes.clear()
    lane.turns(4 * RECOVERY_S + 3, 0.05)
    assert lane.order == [Shed.VOICE, Shed.DRAFTS, Shed.RUNNING, Shed.NOTHING]
    assert lane.strain.late < EASY_S


def test_between_the_bounds_nothing_changes() -> None:
    lane = Lane()
    lane.turns(5, 0.6)
    lane.changes.clear()
    lane.turns(120, (EASY_S + LATE_S) / 2)
    assert lane.changes == []
    assert lane.strain.shed is Shed.WORKERS


def test_what_is_late_again_whenever_it_comes_back_comes_back_ever_more_rarely() -> None:
    lane = Lane()
    for _ in range(round(900 / TURN_S)):
        lane.turns(TURN_S, 0.05 if lane.strain.shed is max(Shed) else 0.4)
    returns = [at for at, shed in lane.changes if shed is Shed.VOICE][1:]
    waits = [after - before for before, after in pairwise(returns)]
    assert waits == sorted(waits) or waits[-1] >= LONGEST_S
    assert waits[0] < 2.5 * RECOVERY_S
    assert waits[-1] >= LONGEST_S


def test_only_what_had_to_go_again_takes_longer_to_come_back() -> None:
    lane = Lane()
    for _ in range(round(300 / TURN_S)):
        lane.turns(TURN_S, 0.05 if lane.strain.shed is max(Shed) else 0.4)
    lane.turns(LONGEST_S + 5, 0.05)
    lane.changes.clear()
    lane.turns(3 * RECOVERY_S + 1, 0.05)
    assert lane.strain.shed is Shed.NOTHING


def test_after_a_while_without_turns_nothing_is_left_out() -> None:
    lane = Lane()
    lane.turns(5, 0.6)
    lane.now += IDLE_S
    lane.turns(TURN_S, 0.6)
    assert lane.strain.shed is Shed.NOTHING
    assert lane.strain.late == 0.0


@given(st.lists(st.tuples(st.floats(0.001, 10), st.floats(0, 5)), max_size=200))
def test_it_moves_one_step_at_a_time_and_counts_every_second_once(turns: list[tuple[float, float]]) -> None:
    strain, now = Strain(), 0.0
    for passed, waited in turns:
        now += passed
        before = strain.shed
        shed = strain.feel(waited, now)
        assert abs(shed - before) <= 1 or (passed >= IDLE_S and shed <= Shed.RUNNING)
    assert strain.turns == len(turns)
    assert sum(strain.spent.values()) <= now + 1e-6
