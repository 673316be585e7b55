"""The report after a call, from calls whose events are written by hand: each rule, and evidence for every sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from pipeline import events as ev
from pipeline.errors import Conflict
from pipeline.figures import ENOUGH, Earlier, against_own, earlier, figures, load
from pipeline.moments import helped, moments
from pipeline.past import Past
from pipeline.playbook import load_playbook
from pipeline.practised import RULES, practices
from pipeline.report import REPORT, Practice, Report, Statement
from pipeline.review import POINTS, report
from tests.pipeline.story import AGENT, CUSTOMER, Story, dispute

TITLES = {each.number: each.title for each in load_playbook().practice}


def practice(past: Past, number: int) -> Practice:
    return next(each for each in practices(past, TITLES) if each.number == number)


def made(story: Story, **options: Any) -> Report:
    return report(story.past(), TITLES, **options)


# --- as a whole


def evidences(value: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Every part of a report that has evidence."""
    if is_dataclass(value) and not isinstance(value, type):
        if hasattr(value, "evidence"):
            yield value, value.evidence
        for each in fields(value):
            yield from evidences(getattr(value, each.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from evidences(each)


def test_every_statement_names_events_of_the_journal() -> None:
    story = dispute()
    last = len(story.entries) + 1
    found = list(evidences(made(story, own=True)))
    assert len(found) > 20
    for part, evidence in found:
        assert evidence, part
        assert all(1 <= n <= last for n in evidence), part


def test_it_survives_json() -> None:
    whole = made(dispute(), own=True)
    assert REPORT.validate_json(REPORT.dump_json(whole)) == whole


def test_a_call_without_an_end_has_no_report() -> None:
    with pytest.raises(Conflict, match="call c has no end yet: it is in progress"):
        report(dispute().past(end=None), TITLES)


def test_a_call_in_which_nothing_happened_has_a_report_that_says_so() -> None:
    whole = made(Story())
    assert (whole.moments, whole.alerts, whole.helped, whole.own) == ((), (), (), ())
    assert not any(each.seen or each.missing or each.against for each in whole.practices)
    assert [each.number for each in whole.practices] == list(TITLES)


def test_a_curve_keeps_its_peak_however_long_it_is() -> None:
    story = Story()
    for at in range(1000):
        story.score(at / 20, 0.99 if at == 777 else 0.1)
    anger = made(story).anger
    assert len(anger) <= POINTS
    assert max(point.value for point in anger) == 0.99


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("over", "it was over"),
        ("done", "the agent did it"),
        ("faded", "faded by itself"),
        ("dismissed", "dismissed by the agent as wrong"),
    ],
)
def test_an_alert_says_how_it_ended(reason: str, told: str) -> None:
    story = Story()
    story.clear(9, story.alert(5, "talk_over", 1, 1), reason)
    (alert,) = made(story).alerts
    assert (alert.ms, alert.ended_ms, alert.ended, alert.evidence) == (5000, 9000, told, (2, 1))


def test_an_alert_on_a_judgement_taken_back_is_not_held_against_anybody() -> None:
    story = Story()
    story.clear(9, story.alert(5, "talk_over", 1, 1), "revised")
    assert made(story).alerts == ()


# --- moments


def test_the_three_moments_of_a_dispute() -> None:
    friction, worst, better = moments(dispute().past())
    assert (friction.kind, friction.ms) == ("friction", 6000)
    assert friction.text == "The agent spoke over the customer for 1.4 s, and the customer stopped"
    assert (worst.kind, worst.ms) == ("worst", 8000)
    assert worst.text == "Anger was highest: 0.80, at “That is ridiculous.”"
    assert (better.kind, better.ms, better.text) == (
        "better",
        8000,
        "The turn for the better: anger fell from 0.80 to 0.20",
    )


def test_a_calm_call_has_no_worst_moment() -> None:
    story = Story()
    story.score(5, 0.39)
    story.score(9, 0.1)
    assert moments(story.past()) == ()


def test_an_interruption_that_took_the_floor_goes_before_a_longer_one() -> None:
    story = Story()
    story.interrupt(5, 9, AGENT)
    cut = story.interrupt(20, 21, AGENT, cut=True)
    story.interrupt(30, 39, CUSTOMER, cut=True)
    (friction,) = moments(story.past())
    assert friction.evidence == (cut,)


def test_without_an_interruption_the_longest_wait_is_the_friction() -> None:
    story = Story()
    story.say(CUSTOMER, 5, "And now?")
    story.say(AGENT, 11, "One moment.", wait=4.0)
    (friction,) = moments(story.past())
    assert (friction.ms, friction.text) == (7000, "The customer waited 4.0 s for an answer")


def test_that_helped_is_the_turn_for_the_better_at_the_technique_before_it() -> None:
    story = dispute()
    note = story.alert(20, "that_helped", 23, 5, reason="anger fell from 0.80 to 0.20")
    better = moments(story.past())[-1]
    assert note in better.evidence
    assert (better.ms, better.text.endswith("after “I am sorry about that.”")) == (10_000, True)


def test_a_fall_of_anger_before_a_threat_was_no_turn_for_the_better() -> None:
    story = dispute()
    assert [each.kind for each in moments(story.past())] == ["friction", "worst", "better"]
    story.say(CUSTOMER, 30, "I will cancel.", "threat")
    assert [each.kind for each in moments(story.past())] == ["friction", "worst"]


def test_that_helped_without_a_technique_is_told_as_a_fall_alone() -> None:
    story = Story()
    story.score(5, 0.8)
    story.score(9, 0.2)
    story.alert(10, "that_helped", 23, 2, 3)
    (_, better) = moments(story.past())
    assert better.text == "The turn for the better: anger fell from 0.80 to 0.20"


def test_a_chat_has_moments_by_its_words() -> None:
    story = Story(attribution="written", unavailable={"anger": "no voice", "tension": "no voice", "talk_over": "x"})
    story.say(CUSTOMER, 5, "Your bill is wrong.", "complaint")
    story.say(AGENT, 9, "That is our policy.", "refusal")
    threat = story.say(CUSTOMER, 14, "I will cancel.", "threat")
    story.say(AGENT, 20, "You get it back today.", "can_do")
    story.say(CUSTOMER, 25, "Thank you.", "gratitude")
    friction, worst, better = moments(story.past())
    assert (worst.kind, worst.evidence) == ("worst", (threat,))
    assert friction.text == "The agent said “That is our policy.” (refusal)"
    assert "the customer said “Thank you.” (gratitude)" in better.text


# --- what helped


def test_a_technique_before_a_fall_is_told_with_both_values() -> None:
    (told,) = helped(dispute().past())
    assert told.text == "After “I am sorry about that.” (apology) anger fell from 0.80 to 0.20"
    assert told.ms == 10_000


def test_a_fall_too_small_or_too_late_is_not_told() -> None:
    for low, at in ((0.7, 14), (0.1, 40)):
        story = Story()
        story.score(4, 0.8)
        story.say(AGENT, 5, "I am sorry.", "apology")
        story.score(at, low)
        assert helped(story.past()) == ()


def test_two_techniques_in_one_fall_are_told_once() -> None:
    story = Story()
    story.score(4, 0.8)
    story.say(AGENT, 5, "I am sorry.", "apology")
    story.say(AGENT, 8, "That must be hard.", "empathy")
    story.score(15, 0.3)
    assert [told.ms for told in helped(story.past())] == [5000]


# --- practices


def test_empathy_counts_within_two_turns_of_the_complaint_only() -> None:
    for turns, answered in ((1, True), (2, False)):
        story = Story()
        complaint = story.say(CUSTOMER, 5, "This is broken.", "complaint")
        for turn in range(turns):
            story.say(AGENT, 10 + 6 * turn, "Okay.")
            story.say(CUSTOMER, 13 + 6 * turn, "Well.")
        story.say(AGENT, 40, "That must be hard.", "empathy")
        found = practice(story.past(), 4)
        assert [each.text for each in found.seen] == ["the agent said “That must be hard.”"]
        assert (found.missing == ()) is answered
        if not answered:
            assert found.missing[0].evidence == (complaint,)
            assert found.missing[0].ms == 5000


def test_what_no_occasion_called_for_is_neither_seen_nor_missing() -> None:
    story = Story()
    story.say(AGENT, 5, "Hello.")
    for number in (4, 6, 7, 15, 16, 26, 27):
        assert practice(story.past(), number) == Practice(number=number, title=TITLES[number])


@pytest.mark.parametrize("number", [number for number, rule in RULES.items() if rule.seen])
def test_each_practice_about_words_is_seen_by_each_of_its_cues(number: int) -> None:
    for name in RULES[number].seen:
        story = Story()
        cue = story.say(AGENT, 5, "These words.", name)
        (seen,) = practice(story.past(), number).seen
        assert (seen.evidence, seen.ms) == ((cue,), 5000)


@pytest.mark.parametrize("number", [number for number, rule in RULES.items() if rule.after])
def test_each_occasion_without_an_answer_is_missing(number: int) -> None:
    for name in RULES[number].after:
        story = Story()
        story.say(CUSTOMER, 5, "These words.", name)
        story.say(AGENT, 9, "Okay.")
        (missing,) = practice(story.past(), number).missing
        assert missing.text == f"{RULES[number].lack} “These words.”"


def test_every_cue_of_the_rules_is_one_that_is_looked_for() -> None:
    named = {name for rule in RULES.values() for name in (*rule.seen, *rule.against, *rule.after)}
    assert named <= set(load_playbook().cues.names)
    assert {kind for rule in RULES.values() for kind in rule.alerts} <= {each.kind for each in load_playbook().advice}


def test_a_silence_without_a_word_goes_against_respect_for_their_time() -> None:
    story = Story()
    raised = story.alert(20, "unexplained_silence", 18, 1, reason="silent for 6 s after the agent")
    (against,) = practice(story.past(), 18).against
    assert against == Statement(text="silent for 6 s after the agent", evidence=(raised, 1), ms=20_000)


def test_an_upsell_goes_against_patience_only_while_anger_is_up() -> None:
    for anger, count in ((0.2, 0), (0.6, 1)):
        story = Story()
        story.score(4, anger)
        story.say(AGENT, 5, "We have an offer.", "upsell")
        assert len(practice(story.past(), 18).against) == count


def test_a_close_without_a_next_step_is_missing_with_the_last_turn_to_listen_to() -> None:
    story = Story()
    story.say(AGENT, 5, "Hello.")
    story.say(AGENT, 50, "Goodbye.")
    (missing,) = practice(story.past(), 11).missing
    assert (missing.ms, missing.evidence) == (50_000, (len(story.entries) + 1,))


def test_interruptions_are_counted_and_their_absence_is_seen() -> None:
    (against,) = practice(dispute().past(), 1).against
    assert against.text == "the agent interrupted once; the customer stopped once"
    calm = Story()
    turn = calm.say(CUSTOMER, 5, "Hello.") - 1
    assert practice(calm.past(), 1).seen == (
        Statement(text="no interruption in 1 turn of the customer", evidence=(turn,)),
    )


def test_the_same_empathy_twice_is_no_own_words() -> None:
    story = Story()
    story.say(AGENT, 5, "I understand how you feel.", "empathy")
    story.say(AGENT, 15, "I understand how you feel!", "empathy")
    story.say(AGENT, 25, "What a week you had.", "empathy")
    (against,) = practice(story.past(), 5).against
    assert len(against.evidence) == 2


def test_the_name_that_the_customer_gave_is_looked_for() -> None:
    for answer, used in (("Thank you, Ms. Harper.", True), ("Thank you, madam.", False)):
        story = Story()
        story.say(CUSTOMER, 5, "My name is Dana Harper.", "gives_name")
        story.say(AGENT, 9, answer)
        found = practice(story.past(), 14)
        assert (bool(found.seen), bool(found.missing)) == (used, not used)


def test_slow_answers_are_listed_from_where_the_wait_began() -> None:
    story = Story()
    story.say(CUSTOMER, 5, "And now?")
    late = story.say(AGENT, 11, "One moment.", wait=4.0) - 1
    (against,) = practice(story.past(), 25).against
    assert (against.ms, against.evidence) == (7000, (late,))


@pytest.mark.parametrize(("value", "side"), [(0.39, "seen"), (0.41, "against")])
def test_tension_is_composure_or_not(value: float, side: str) -> None:
    story = Story()
    story.score(5, value, "tension")
    found = practice(story.past(), 3)
    assert [bool(found.seen), bool(found.against)] == [side == "seen", side == "against"]


def test_a_policy_without_agent_affect_tells_nothing_of_tension() -> None:
    whole = made(Story(unavailable={"tension": "policy eu-workplace"}))
    assert next(each for each in whole.practices if each.number == 3).unmeasured == "policy eu-workplace"
    assert whole.tension == ()
    assert "tension" not in " ".join(each.name for each in whole.measures)


def test_without_words_no_practice_about_words_is_judged() -> None:
    story = Story(unavailable={"words": "policy measures-only"})
    story.say(CUSTOMER, 5, "x")
    by_words = [practice(story.past(), number) for number in RULES]
    assert {each.unmeasured for each in by_words} == {"policy measures-only"}
    assert practice(story.past(), 1).seen


def test_a_chat_is_not_judged_by_its_voice() -> None:
    story = Story(attribution="written", unavailable={"talk_over": "x", "anger": "x", "tension": "x"})
    story.say(AGENT, 5, "Hello.")
    for number in (1, 2, 3, 23, 25):
        assert practice(story.past(), number).unmeasured == "a written conversation has no voice"
    assert [measure.name for measure in figures(story.past())] == ["lines"]


# --- measures


def test_measures_of_a_call() -> None:
    by_name = {measure.name: measure for measure in figures(dispute().past())}
    assert by_name["interruptions made"].agent == 1
    assert by_name["interruptions made"].customer == 0
    assert by_name["longest turn"].agent == 2.0
    assert by_name["highest tension"].agent == 0.3
    assert by_name["response time"].agent == 0.5


def test_usual_is_the_median_of_the_agents_own_calls_where_there_are_enough() -> None:
    measures = figures(dispute().past())
    one = Earlier("x", tuple(replace(each, agent=4.0) for each in measures), hard=False, recent=True)
    two, three = (replace(one, measures=tuple(replace(m, agent=v) for m in one.measures)) for v in (10.0, 6.0))
    assert {each.usual for each in against_own(measures, [one, two])} == {None}
    compared = against_own(measures, [one, two, three])
    assert {(each.usual, each.calls) for each in compared} == {(6.0, ENOUGH)}


def test_load_counts_hard_calls_in_a_row_of_one_shift() -> None:
    now = dispute().past()
    last, first = (replace(earlier(now, recent=True), call_id=f"at-{hour}") for hour in (11, 9))
    (told,) = load(now, [last, first])
    assert told.text == "3 hard calls in a row (c, at-11, at-9). Take two minutes; tell a colleague."
    (alone,) = load(now, [replace(last, hard=False), first])
    assert alone.text == "This was a hard call. Breathe out before the next one."
    assert load(now, [replace(last, recent=False), first]) == (alone,)
    assert load(Story().past(), [last, first]) == ()


def test_load_is_for_the_agent_alone() -> None:
    assert made(dispute()).own == ()
    assert made(dispute(), own=True).own


def test_a_long_sentence_is_quoted_around_what_was_found() -> None:
    story = Story()
    text = "Well the thing is that after all those weeks of waiting nothing works in the house any more at all."
    of = story.add(ev.Words, 5, 9, channel=CUSTOMER, utterance=1, text=text, words=(), late=False)
    story.add(ev.Cue, 6, 8, channel=CUSTOMER, name="complaint", phrase="nothing works", of=of)
    past = story.past()
    assert past.quote(past.view.cues[0]) == "“… weeks of waiting nothing works in the house any more at all.”"


def test_jargon_is_told_where_a_deployment_lists_it() -> None:
    story = Story()
    story.say(AGENT, 5, "We must re-provision the CPE.", "jargon")
    (against,) = practice(story.past(), 17).against
    assert "re-provision the cpe" in against.text
    assert "list of jargon" in practice(Story().past(), 17).unmeasured
