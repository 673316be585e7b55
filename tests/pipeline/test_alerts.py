"""The transition table, the budget, the playbook and the watchers that raise advice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from pipeline.alerts import CLEARING, TRANSITIONS, Budget, IllegalStepError, Reason, State, after
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.events import Alert, Cue, Event, OverlapRevised, Pace, Region, Score, Silence, Snoozed, Turn
from pipeline.inputs import Command, Input
from pipeline.nodes.advice import AdviceNode
from pipeline.playbook import load_playbook
from pipeline.session import Entry, Session, Tick
from pipeline.settings import Alerts
from pipeline.timebase import RATE, Span, samples
from tests.pipeline.drive import INFO, events, frames, run

A, C = Channel.AGENT, Channel.CUSTOMER


class Scripted:
    """Emits each event at its second."""

    def __init__(self, script: Sequence[tuple[float, Event]]) -> None:
        self._script = list(script)

    def step(self, tick: Tick) -> None:
        while self._script and self._script[0][0] * RATE <= tick.start:
            tick.emit(self._script.pop(0)[1])


def advised(
    script: Sequence[tuple[float, Event]], length: float, inputs: Sequence[tuple[float, Input]] = (), **alerts: float
) -> list[Entry]:
    """Of a call whose customer complains every 30 s: what their voice says is believed then."""
    complaints = [(second, complaint(second)) for second in range(1, round(length), 30)]
    return in_call([*complaints, *script], length, inputs, **alerts)


def in_call(
    script: Sequence[tuple[float, Event]], length: float, inputs: Sequence[tuple[float, Input]] = (), **alerts: float
) -> list[Entry]:
    node = AdviceNode(Alerts.model_validate(alerts), load_playbook())
    script = sorted(script, key=lambda pair: pair[0])
    return run(Session(INFO, [Scripted(script), node]), frames(length), inputs)


def complaint(at: float) -> Cue:
    span = Span(samples(at) - RATE, samples(at))
    return Cue(span=span, at=span.end, channel=C, name="complaint", phrase="x", of=1)


def told(entries: list[Entry]) -> list[tuple[int, str, str, str]]:
    return [(round(e.at / RATE), e.kind, e.state, e.reason) for e in events(entries, Alert) if e.state != "raised"] + [
        (round(e.at / RATE), e.kind, e.state, "") for e in events(entries, Alert) if e.state == "raised"
    ]


def score(at: float, value: float, kind: str = "anger") -> tuple[float, Event]:
    end = samples(at)
    event = Score(
        span=Span(max(0, end - RATE), end),
        at=end,
        kind=kind,  # type: ignore[arg-type]
        channel=C if kind == "anger" else A,
        value=value,
        coverage=1.0,
        parts={"level": value},
        evidence=(1,),
    )
    return at, event


def interruption(at: float, of: int = 2, kind: str = "interruption", by: Channel = A) -> tuple[float, Event]:
    end = samples(at)
    event = OverlapRevised(
        span=Span(end - RATE, end), at=end, of=of, kind=kind, interrupter=by, cut=False, because="length"  # type: ignore[arg-type]
    )  # fmt: skip
    return at, event


def test_every_step_outside_the_table_is_refused() -> None:
    for state, reason in itertools.product(State, Reason):
        if (state, reason) in TRANSITIONS:
            assert after(state, reason) in State
        else:
            with pytest.raises(IllegalStepError, match=str(state)):
                after(state, reason)


def test_every_clearing_reason_leads_to_quiet() -> None:
    for state, reason in itertools.product((State.RAISED, State.ACKNOWLEDGED), CLEARING):
        assert after(state, reason) is State.QUIET


def test_a_score_raises_with_evidence_and_clears_below_its_lower_bound() -> None:
    script = [score(5, 0.5), score(6, 0.5), score(7, 0.5), score(10, 0.3), score(12, 0.1)]
    raised, cleared = (e for e in events(advised(script, 15), Alert) if e.kind == "customer_anger")
    assert (raised.state, round(raised.at / RATE)) == ("raised", 5)
    assert raised.advice == "Acknowledge how they feel"
    assert raised.evidence
    assert (cleared.state, cleared.reason, round(cleared.at / RATE)) == ("cleared", "over", 12)
    assert cleared.of is not None


def test_evidence_is_numbers_of_events_that_came_before() -> None:
    entries = advised([score(5, 0.5), score(7, 0.5)], 9)
    numbers = {entry.n for entry in entries}
    for entry in entries:
        if isinstance(entry.item, Alert):
            assert all(n in numbers and n < entry.n for n in entry.item.evidence)


def test_a_moment_fades_by_itself() -> None:
    kinds = told(advised([interruption(3)], 40))
    assert (3, "talk_over", "raised", "") in kinds
    assert (28, "talk_over", "cleared", "faded") in kinds


def test_a_revised_interruption_takes_its_alert_back() -> None:
    kinds = told(advised([interruption(3), interruption(5, kind="backchannel")], 10))
    assert (5, "talk_over", "cleared", "revised") in kinds


def test_only_the_alert_that_rests_on_a_judgement_is_taken_back_with_it() -> None:
    """The first interruption raised; the second one, for which no alert was due, is revised."""
    script = [interruption(3, of=2), interruption(12, of=5), interruption(15, of=5, kind="backchannel")]
    assert "revised" not in [reason for _, _, _, reason in told(advised(script, 20))]


def test_what_was_taken_back_costs_no_budget() -> None:
    script = [interruption(3, of=2), interruption(5, of=2, kind="backchannel"), interruption(9, of=7)]
    assert (9, "talk_over", "raised", "") in told(advised(script, 12))


def test_the_customers_interruption_is_no_advice_to_the_agent() -> None:
    assert not events(advised([interruption(3, by=C)], 6), Alert)


def test_the_same_advice_does_not_come_twice_in_two_minutes() -> None:
    script = [interruption(3, of=2), interruption(60, of=3), interruption(130, of=4)]
    raised = [at for at, kind, state, _ in told(advised(script, 140)) if state == "raised"]
    assert raised == [3, 130]


def test_two_pieces_of_advice_keep_their_distance_and_a_state_waits_for_its_turn() -> None:
    script = [interruption(3), score(6, 0.5), score(8, 0.5)]
    raised = {kind: at for at, kind, state, _ in told(advised(script, 40)) if state == "raised"}
    assert raised == {"talk_over": 3, "customer_anger": 23}


def test_critical_advice_does_not_wait() -> None:
    budget = Budget(Alerts())
    budget.spend("talk_over", 0)
    assert not budget.allows("customer_anger", "coach", samples(5))
    assert budget.allows("supervisor_request", "critical", samples(5))


def test_the_gravest_comes_first_and_alone() -> None:
    def cue(name: str) -> tuple[float, Event]:
        span = Span(RATE, 2 * RATE)
        return 3.0, Cue(span=span, at=3 * RATE, channel=C, name=name, phrase="x", of=1)

    script = [cue("complaint"), cue("threat"), cue("supervisor_request"), interruption(3.0)]
    raised = [kind for _, kind, state, _ in told(advised(script, 6)) if state == "raised"]
    assert raised == ["supervisor_request"]


def test_not_more_than_so_many_a_minute_even_when_critical() -> None:
    budget = Budget(Alerts(per_minute=2))
    budget.spend("one", 0)
    budget.spend("two", samples(1))
    assert not budget.allows("three", "critical", samples(2))
    assert budget.allows("three", "critical", samples(61))


def test_acknowledge_then_over() -> None:
    script = [score(2, 0.5), score(4, 0.5), score(9, 0.1)]
    number = next(e.n for e in advised(script, 12) if isinstance(e.item, Alert))
    entries = advised(script, 12, [(5, Command(kind="acknowledge", alert=number, by="anna"))])
    anger = [e for e in events(entries, Alert) if e.kind == "customer_anger"]
    assert [(e.state, e.reason) for e in anger][1:] == [("acknowledged", "acknowledge"), ("cleared", "over")]


def test_a_second_acknowledgement_changes_nothing() -> None:
    script = [score(2, 0.5), score(4, 0.5), score(9, 0.1)]
    number = next(e.n for e in advised(script, 12) if isinstance(e.item, Alert))
    twice = [(second, Command(kind="acknowledge", alert=number)) for second in (5.0, 6.0)]
    assert [e.state for e in events(advised(script, 12, twice), Alert)] == ["raised", "acknowledged", "cleared"]


def test_a_dismissed_alert_is_cleared_and_a_second_command_changes_nothing() -> None:
    script = [score(2, 0.5), score(4, 0.5)]
    number = next(e.n for e in advised(script, 12) if isinstance(e.item, Alert))
    twice = [(5.0, Command(kind="dismiss", alert=number)), (6.0, Command(kind="dismiss", alert=number))]
    assert [e.reason for e in events(advised(script, 12, twice), Alert)][1:] == ["dismissed"]


ANGRY = [score(2, 0.5), score(4, 0.5)]


def test_who_asks_for_quiet_gets_no_advice_until_it_is_over() -> None:
    entries = advised(ANGRY, 25, [(6, Command(kind="snooze", by="anna"))], snooze_s=10, repeat_s=0, gap_s=0)
    assert (6, "customer_anger", "cleared", "snoozed") in told(entries)
    raised = [at for at, _, state, _ in told(entries) if state == "raised"]
    assert len(raised) == 2
    assert raised[1] == 16
    (snoozed,) = events(entries, Snoozed)
    assert (snoozed.by, round((snoozed.until - snoozed.at) / RATE)) == ("anna", 10)


def test_critical_advice_breaks_the_quiet() -> None:
    span = Span(7 * RATE, 8 * RATE)
    threat = (8.0, Cue(span=span, at=8 * RATE, channel=C, name="supervisor_request", phrase="x", of=1))
    entries = advised([*ANGRY, threat], 12, [(6, Command(kind="snooze"))])
    assert [each.kind for each in events(entries, Alert) if each.state == "raised"][-1] == "supervisor_request"


def test_quiet_can_be_ended_at_once() -> None:
    asked = [(6.0, Command(kind="snooze")), (9.0, Command(kind="wake"))]
    entries = advised(ANGRY, 12, asked, repeat_s=0, gap_s=0)
    assert [at for at, _, state, _ in told(entries) if state == "raised"][1] == 9
    assert [each.until > each.at for each in events(entries, Snoozed)] == [True, False]


def test_what_stands_at_the_end_is_cleared_with_the_call() -> None:
    assert [e.reason for e in events(advised([score(2, 0.5), score(4, 0.5)], 6), Alert)][1:] == ["call ended"]


def test_a_waiting_customer_raises_and_the_answer_clears() -> None:
    def silence(at: float, start: float, *, opened: bool) -> tuple[float, Event]:
        span = Span(samples(start), samples(at))
        return at, Silence(span=span, at=samples(at), open=opened, of=None if opened else 4)

    turn = Turn(span=Span(0, RATE), at=samples(4), channel=C, talk=RATE, fto=None)
    kinds = told(advised([(4, turn), silence(4.1, 1.0, opened=True), silence(9, 1.0, opened=False)], 12))
    assert (6, "slow_answer", "raised", "") in kinds
    assert (9, "slow_answer", "cleared", "over") in kinds


def test_nobody_waits_on_hold() -> None:
    turn = Turn(span=Span(0, RATE), at=samples(4), channel=C, talk=RATE, fto=None)
    opened = Silence(span=Span(RATE, samples(4.1)), at=samples(4.1), open=True)
    hold = Region(span=Span(samples(2), samples(2.1)), at=samples(2.1), kind="hold", channel=None, open=True)
    assert not events(advised([(2.1, hold), (4, turn), (4.1, opened)], 8), Alert)


def test_time_on_hold_is_no_time_of_waiting() -> None:
    """The silence is told before the hold and goes on after it; waiting begins anew."""
    turn = Turn(span=Span(0, RATE), at=samples(4), channel=C, talk=RATE, fto=None)
    opened = Silence(span=Span(RATE, samples(4.1)), at=samples(4.1), open=True)
    hold = Region(span=Span(samples(4.2), samples(4.3)), at=samples(4.3), kind="hold", channel=None, open=True)
    resumed = Region(span=Span(samples(4.2), samples(20)), at=samples(20), kind="hold", channel=None, open=False, of=4)
    script = [(4, turn), (4.1, opened), (4.3, hold), (20, resumed)]
    raised = [each for each in events(advised(script, 30), Alert) if each.state == "raised"]
    assert [round(each.at / RATE) for each in raised] == [25]


def test_rushing_holds_until_the_pace_is_usual_again() -> None:
    def pace(at: float, relative: float) -> tuple[float, Event]:
        span = Span(0, samples(at))
        event = Pace(
            span=span, at=span.end, channel=A, talk_speed=200, articulation_rate=6, words=40, relative=relative
        )
        return at, event

    kinds = told(advised([pace(3, 1.4), pace(6, 1.2), pace(9, 1.0)], 12))
    assert (3, "rushing", "raised", "") in kinds
    assert (9, "rushing", "cleared", "over") in kinds


def test_who_falls_silent_no_longer_rushes() -> None:
    fast = Pace(
        span=Span(0, samples(3)), at=samples(3), channel=A, talk_speed=240, articulation_rate=6, words=40, relative=1.5
    )
    kinds = told(advised([(3, fast)], 40))
    assert (23, "rushing", "cleared", "faded") in kinds
    assert len(kinds) == 2


def test_falling_anger_is_told_as_help() -> None:
    script = [score(2, 0.5), score(4, 0.5), score(40, 0.1)]
    assert (40, "that_helped", "raised", "") in told(advised(script, 45))


def test_help_is_told_once_the_advice_before_it_lets_it() -> None:
    script = [score(2, 0.5), score(9, 0.1), *(score(t, 0.05) for t in range(10, 40)), score(60, 0.1)]
    raised = [(at, kind) for at, kind, state, _ in told(advised(script, 70)) if state == "raised"]
    assert raised == [(2, "customer_anger"), (22, "that_helped")]


def test_help_is_not_told_where_anger_has_come_back() -> None:
    script = [score(2, 0.5), score(9, 0.1), score(15, 0.6), *(score(t, 0.3) for t in range(16, 40))]
    assert "that_helped" not in [kind for _, kind, _, _ in told(advised(script, 45))]


def test_help_of_long_ago_is_not_told() -> None:
    script = [score(2, 0.5), score(9, 0.1), *(score(t, 0.05) for t in range(45, 60))]
    raised = [kind for _, kind, state, _ in told(advised(script, 70, gap_s=40.0)) if state == "raised"]
    assert raised == ["customer_anger"]


def test_an_alert_is_never_raised_twice_without_clearing() -> None:
    script = [score(t, 0.1 if t % 7 == 0 else 0.6) for t in range(2, 200)]
    script += [interruption(t + 0.5, of=t) for t in range(2, 200, 3)]
    open_kinds: set[str] = set()
    entries = advised(sorted(script, key=lambda pair: pair[0]), 210, gap_s=0, repeat_s=0, per_minute=60)
    for event in events(entries, Alert):
        if event.state == "raised":
            assert event.kind not in open_kinds
            open_kinds.add(event.kind)
        elif event.state == "cleared":
            open_kinds.remove(event.kind)
    assert not open_kinds


def test_no_practice_is_missing_and_no_advice_is_long() -> None:
    playbook = load_playbook()
    assert [practice.number for practice in playbook.practice] == list(range(1, 28))
    said = [wording for advice in playbook.advice for wording in (*advice.say, *advice.write)]
    assert all(len(wording.text.split()) <= 6 and wording.why for wording in said)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("text = \"Let them finish\"", "text = \"Let them finish all they are saying\""), "longer than six words"),
        (("cue = \"threat\"", "cue = \"thread\""), "unknown cue 'thread'"),
        (("kind = \"threat\"", "kind = \"talk_over\""), "same kind"),
        (("practice = 16", "practice = 61"), "no practice 61"),
        (("patience_s = 8", "patience_s = 80"), "patience_s"),
        (("did = \"yielded\", for_s = 0.5", "did = \"sighed\", for_s = 0.5"), "unless"),
        (("to = [\"agent\", \"supervisor\"]", ""), "a supervisor must hear of it"),
        (("for_s = 0.5 }\ngiven", "for_s = 0.5 }\npatience_s = 3\ngiven"), "waits for a state"),
        (("[[advice]]", "[[advice"), "cannot be used"),
    ],
)  # fmt: skip
def test_a_broken_playbook_says_what_is_wrong(change: tuple[str, str], message: str) -> None:
    from importlib.resources import files

    text = files("pipeline").joinpath("playbook.toml").read_text(encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        load_playbook(text.replace(*change))
