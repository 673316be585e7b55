"""The table of advice: each row is given at its moment, and not while the agent does it already."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from pipeline.channel import Channel
from pipeline.events import Alert, Cue, Event, Pace, Silence, SpeechEnded, SpeechStarted, Turn, Words
from pipeline.graph import build
from pipeline.inputs import ChatLine
from pipeline.nodes.advice import AdviceNode
from pipeline.playbook import load_playbook
from pipeline.session import CallInfo, Floor, Session, Tick
from pipeline.settings import Alerts, Settings
from pipeline.timebase import RATE, Span, samples
from tests.fakes import fake_engines
from tests.pipeline.drive import INFO, events, frames, run
from tests.pipeline.test_alerts import Scripted, in_call, interruption, score

A, C = Channel.AGENT, Channel.CUSTOMER
BOOK = load_playbook()
Script = list[tuple[float, Event]]


def cue(at: float, name: str, by: Channel = A, phrase: str = "x") -> tuple[float, Event]:
    end = samples(at)
    return at, Cue(span=Span(max(0, end - RATE), end), at=end, channel=by, name=name, phrase=phrase, of=1)


def theirs(at: float, name: str, phrase: str = "x") -> tuple[float, Event]:
    return cue(at, name, C, phrase)


def pace(at: float, relative: float) -> tuple[float, Event]:
    span = Span(0, samples(at))
    return at, Pace(span=span, at=span.end, channel=A, talk_speed=200, articulation_rate=6, words=40, relative=relative)


def spoke(at: float, until: float) -> Script:
    """The agent speaks."""
    here = Span(samples(at), samples(at))
    return [
        (at, SpeechStarted(span=here, at=here.end, channel=A)),
        (until, SpeechEnded(span=Span(here.start, samples(until)), at=samples(until), channel=A)),
    ]


def quiet(after: Channel, at: float = 4.1) -> Script:
    turn = Turn(span=Span(0, RATE), at=samples(4), channel=after, talk=RATE, fto=None)
    return [(4, turn), (at, Silence(span=Span(RATE, samples(at)), at=samples(at), open=True))]


BROKEN = (25.0, Silence(span=Span(RATE, samples(25)), at=samples(25), open=False, of=2))


def kinds(script: Script, length: float = 40, **alerts: float) -> list[str]:
    """Kinds raised, in order."""
    entries = in_call(sorted(script, key=lambda pair: pair[0]), length, **alerts)
    return [each.kind for each in events(entries, Alert) if each.state == "raised"]


TROUBLE = theirs(2, "not_heard")
CALLS: dict[str, tuple[Script, Script | None]] = {
    "supervisor_request": ([theirs(5, "supervisor_request")], [cue(3, "offers_supervisor")]),
    "threat": ([theirs(5, "threat")], [cue(3, "options")]),
    "long_anger": ([score(t, 0.7) for t in range(2, 38)], [cue(10, "offers_supervisor")]),
    "abuse": ([theirs(5, "insult")], [cue(4, "empathy")]),
    "customer_anger": ([theirs(3, "complaint"), score(5, 0.5), score(6, 0.5)], [cue(4, "empathy"), score(12, 0.1)]),
    "raised_voice": ([score(t, 0.7) for t in range(2, 13)], [cue(9, "empathy"), score(13, 0.1)]),
    "agent_tension": (
        [cue(4, "blame"), score(5, 0.5, "tension"), score(6, 0.5, "tension")],
        [pace(4, 0.9), score(11, 0.1, "tension")],
    ),
    "talk_over": ([interruption(5)], spoke(2, 4)),
    "not_heard": ([theirs(5, "not_heard")], [cue(4, "paraphrase")]),
    "defensive": ([theirs(3, "complaint"), cue(5, "defensive")], [cue(5, "empathy")]),
    "blame": ([cue(5, "blame")], [cue(5, "apology")]),
    "upsell": ([theirs(2, "not_heard"), cue(5, "upsell")], [theirs(4, "relief")]),
    "rushing": ([theirs(3, "complaint"), pace(5, 1.5)], [*spoke(1, 2), pace(6, 1.0)]),
    "slow_answer": (quiet(C), [cue(3, "wait_notice"), BROKEN]),
    "options": ([cue(5, "refusal"), cue(9, "refusal"), cue(5, "can_do")], [cue(8, "options")]),
    "unexplained_silence": (quiet(A), [cue(3, "wait_notice"), BROKEN]),
    "repeat_contact": ([theirs(5, "repeat_contact")], [cue(11, "sees_history")]),
    "complaint": ([theirs(3, "complaint"), cue(9, "can_do")], [cue(6, "question")]),
    "refusal": ([cue(5, "refusal")], [cue(8, "can_do")]),
    "promise": ([cue(5, "promise")], [cue(6, "refusal")]),
    "goodwill": ([theirs(3, "repeat_contact"), cue(4, "sees_history"), cue(5, "can_do")], [cue(9, "goodwill")]),
    "next_step": ([TROUBLE, cue(3, "paraphrase"), theirs(5, "gratitude")], [cue(8, "next_step")]),
    "resolution_check": ([theirs(2, "insult"), cue(3, "empathy"), cue(40, "next_step")], [cue(45, "resolution_check")]),
    "feedback": (
        [TROUBLE, cue(3, "paraphrase"), cue(3, "next_step"), theirs(5, "relief"), theirs(5, "gratitude")],
        [cue(7, "feedback_invite")],
    ),
    "thanks": ([theirs(2, "insult"), cue(30, "next_step"), theirs(31, "relief")], [cue(33, "thanks")]),
    "own_words": ([], None),
    "monologue": ([], None),
    "jargon": ([], None),
    "use_name": ([], None),
    "that_helped": ([theirs(3, "complaint"), score(5, 0.5), score(30, 0.1)], None),
}
"""Kind: what calls for it, and what the agent does, or the customer says, that makes it needless."""


def test_every_row_has_its_moment_here() -> None:
    assert set(CALLS) == {advice.kind for advice in BOOK.advice}


@pytest.mark.parametrize("kind", [kind for kind, (moment, _) in CALLS.items() if moment])
def test_it_is_given_at_its_moment(kind: str) -> None:
    assert kind in kinds(CALLS[kind][0], 60, gap_s=0, may_offer=("free shipping",))


@pytest.mark.parametrize("kind", [kind for kind, (_, done) in CALLS.items() if done])
def test_it_is_not_given_where_the_agent_does_it_already(kind: str) -> None:
    moment, done = CALLS[kind]
    assert kind not in kinds([*moment, *(done or [])], 60, gap_s=0, may_offer=("free shipping",))


def test_what_was_done_long_ago_is_not_done_now() -> None:
    assert "customer_anger" in kinds([TROUBLE, cue(2, "empathy"), score(20, 0.5), score(21, 0.5)])


@pytest.mark.parametrize("name", ["anger", "tension"])
def test_a_voice_alone_is_not_believed_for_a_moment(name: str) -> None:
    """Of real people it is often wrong; of a voice that stays raised for long it is not."""
    assert kinds([score(5, 0.9, name), score(6, 0.9, name), score(9, 0.1, name)]) == []


def test_the_same_technique_is_not_advised_twice_in_two_minutes_by_two_rows() -> None:
    loud = [score(t, 0.8) for t in range(4, 80)]
    assert kinds([theirs(3, "complaint"), *loud], 80).count("raised_voice") == 0


def test_interruptions_count_until_they_are_taken_back() -> None:
    tense = [score(t, 0.5, "tension") for t in range(40, 44)]
    assert "agent_tension" in kinds([interruption(12, of=2), *tense], 60, gap_s=0)
    back = interruption(14, of=2, kind="backchannel")
    assert "agent_tension" not in kinds([interruption(12, of=2), back, *tense], 60, gap_s=0)


def said(at: float, text: str, n: int, name: str, by: Channel = A) -> Script:
    """A line with a cue in it, and numbers as a session would give them: the line's is ``n``."""
    here = Span(samples(at) - RATE, samples(at))
    words = Words(span=here, at=here.end, channel=by, utterance=1, text=text, words=(), late=False)
    found = Cue(span=here, at=here.end, channel=by, name=name, phrase=text.lower().strip("."), of=n)
    return [(at, words), (at, found)]


def test_the_same_sentence_of_empathy_again_is_a_script() -> None:
    line = "I understand how you feel."
    first, other = said(3, line, 2, "empathy"), said(9, "That must be tiring for you.", 4, "empathy")
    assert "own_words" not in kinds([*first, *other])
    assert "own_words" in kinds([*first, *said(9, line, 4, "empathy")])
    assert "own_words" not in kinds([*said(3, "I understand.", 2, "empathy"), *said(9, "I understand.", 4, "empathy")])


def test_the_name_is_asked_for_while_they_are_upset_and_until_it_is_used() -> None:
    given = said(2, "my name is dana harper", 2, "gives_name", C)
    angry = theirs(60, "not_heard")
    assert "use_name" not in kinds(given, 120)
    assert "use_name" in kinds([*given, angry], 120)
    assert "use_name" not in kinds([*given, angry, *said(70, "Thank you Dana.", 6, "thanks")], 120)


class _Talks:
    """The agent holds the floor from a second on."""

    def __init__(self, since: float) -> None:
        self._since = samples(since)

    def step(self, tick: Tick) -> None:
        if tick.start >= self._since:
            tick.floor = Floor(A, self._since)


def test_who_speaks_for_long_is_told_to_pause() -> None:
    node = AdviceNode(Alerts(), BOOK)
    entries = run(Session(INFO, [_Talks(5), Scripted([(5, spoke(5, 6)[0][1])]), node]), frames(60))
    (raised,) = (each for each in events(entries, Alert) if each.state == "raised")
    assert (raised.kind, round(raised.at / RATE)) == ("monologue", 50)


def test_jargon_is_a_matter_of_the_deployments_own_list() -> None:
    assert kinds([cue(5, "jargon")]) == ["jargon"]


def test_goodwill_is_offered_from_the_deployments_list_and_never_without_one() -> None:
    script = CALLS["goodwill"][0]
    assert "goodwill" not in kinds(script, gap_s=0)
    entries = in_call(script, 40, gap_s=0, may_offer=("free shipping",))
    (raised,) = (each for each in events(entries, Alert) if (each.kind, each.state) == ("goodwill", "raised"))
    assert raised.advice == "You may offer: free shipping"


def test_an_offer_that_is_no_glance_is_refused() -> None:
    with pytest.raises(ValueError, match="one to three words"):
        Alerts(may_offer=("a whole month for nothing",))


def test_a_long_wait_is_worth_another_word() -> None:
    """ "One moment" holds for half a minute."""
    entries = in_call(sorted([*quiet(A), cue(3, "wait_notice")], key=lambda pair: pair[0]), 40)
    assert [round(each.at / RATE) for each in events(entries, Alert) if each.state == "raised"] == [33]


# the screen


def told(script: Script, length: float = 40, **alerts: float) -> list[tuple[int, str, str]]:
    """(second, kind, reason) of what was cleared."""
    found = events(in_call(sorted(script, key=lambda pair: pair[0]), length, **alerts), Alert)
    return [(round(each.at / RATE), each.kind, each.reason) for each in found if each.state == "cleared"]


def test_what_was_advised_and_is_done_goes_off_the_screen() -> None:
    assert told([theirs(5, "insult"), cue(9, "empathy")]) == [(9, "abuse", "done")]


def test_the_words_take_turns() -> None:
    script = [theirs(5, "insult"), theirs(135, "insult"), theirs(265, "insult")]
    raised = [each for each in events(in_call(script, 270), Alert) if each.state == "raised"]
    one, two, three = ((each.advice, each.detail) for each in raised)
    assert one == three
    assert one != two


def test_coaching_waits_for_its_turn_while_it_holds() -> None:
    script = [interruption(3), theirs(12, "not_heard")]
    entries = in_call(script, 40)
    raised = [(round(each.at / RATE), each.kind) for each in events(entries, Alert) if each.state == "raised"]
    assert raised == [(3, "talk_over"), (23, "not_heard")]


def test_coaching_that_was_done_meanwhile_does_not_come() -> None:
    assert kinds([interruption(3), theirs(12, "not_heard"), cue(18, "paraphrase")]) == ["talk_over"]


def test_coaching_that_waited_too_long_is_too_old() -> None:
    assert kinds([interruption(3), theirs(4, "not_heard")]) == ["talk_over"]


def test_a_note_does_not_wait() -> None:
    assert kinds([interruption(3), cue(12, "promise")]) == ["talk_over"]


def test_of_two_that_wait_the_graver_comes() -> None:
    script = [interruption(3), cue(11, "blame"), theirs(12, "not_heard"), score(14, 0.5), score(15, 0.5)]
    assert kinds(script, 30) == ["talk_over", "customer_anger"]


def test_an_interruption_taken_back_does_not_wait_any_more() -> None:
    script = [theirs(3, "insult"), interruption(12, of=7), interruption(15, of=7, kind="backchannel")]
    assert kinds(script) == ["abuse"]


# chat

VOICE = re.compile(r"\b(voice|listen\w*|hear\w*|speak\w*|spoke\w*|breath\w*|sound\w*|loud\w*|tone|silence|say)\b", re.I)


def chat(lines: Sequence[tuple[Channel, str]]) -> list[Alert]:
    info = CallInfo(call_id="c", channels=(A, C), attribution="written")
    session = build(info, Settings(), fake_engines())
    found = []
    for channel, text in lines:
        session.admit(ChatLine(channel=channel, text=text))
        for _ in range(1000):  # 32 s between lines
            found += [each.item for each in session.step(session.silence()).entries if isinstance(each.item, Alert)]
    return [each for each in found if each.state == "raised"]


def test_a_chat_is_not_told_of_voices_and_listening() -> None:
    lines = ["You are not listening to me.", "You are an idiot.", "This is useless."]
    raised = chat([(C, line) for line in lines])
    assert [each.kind for each in raised][:2] == ["not_heard", "abuse"]
    for each in raised:
        assert not re.search(r"voice|heard|listen", f"{each.advice} {each.detail}")


def test_no_words_of_a_chat_speak_of_sound() -> None:
    """Every row that a chat can call for. ("Say" is what people call writing too, where a name or a step is meant.)"""
    by_sound = {"score", "pace", "interruption", "silence", "monologue", "relief"}
    rows = [advice for advice in BOOK.advice if advice.when.on not in by_sound]
    assert len(rows) >= 15
    for advice in rows:
        for wording in advice.write or advice.say:
            found = set(VOICE.findall(f"{wording.text} {wording.why}".lower())) - {"say", "heard"}
            assert not found, (advice.kind, found)
