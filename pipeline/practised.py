"""The practices of the playbook in one call: seen, missing, gone against, without occasion, or not measured.

Most are about words: ``RULES`` names the agent's cues that show a practice or go against it, and the customer's cues
that call for it. The others are measured, each by a function of its own. Nothing is said without evidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.channel import Channel
from pipeline.moments import LEAST, helped, slow
from pipeline.past import Past
from pipeline.report import Practice, Statement
from pipeline.text import name_in, plain
from pipeline.view import AlertView, CueView, counted

NAMED = 3
"""Phrases that one sentence quotes; the others are counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """seen, against: cues of the agent. after: cues of the customer that call for it. turns: within how many turns of
    the agent it must come; None: before the end. always: every call calls for it. lack: the sentence where it is
    missing. upset: ``against`` counts only while anger is up. alerts: kinds that go against it too.
    """

    seen: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    turns: int | None = None
    always: bool = False
    lack: str = ""
    upset: bool = False
    alerts: tuple[str, ...] = ()


TROUBLE = ("complaint", "not_heard")
RULES = {
    4: Rule(seen=("empathy",), after=TROUBLE, turns=2, lack="no word of empathy within two turns of"),
    6: Rule(seen=("paraphrase",), after=TROUBLE, lack="not played back to the customer:"),
    7: Rule(seen=("question",), after=("complaint",), lack="no clarifying question after"),
    8: Rule(against=("defensive", "blame")),
    9: Rule(seen=("can_do",), against=("refusal",)),
    10: Rule(against=("promise",)),
    11: Rule(seen=("next_step",), always=True, lack="what happens next, and when, was not said"),
    12: Rule(
        seen=("follow_up", "resolution_check"), always=True, lack="neither a follow-up nor a check that it is solved"
    ),
    13: Rule(seen=("options",), after=("complaint",), lack="no choice offered after"),
    15: Rule(seen=("sees_history",), after=("repeat_contact",), turns=2, lack="not taken up within two turns:"),
    16: Rule(seen=("offers_supervisor",), after=("supervisor_request", "threat"), lack="no supervisor offered after"),
    18: Rule(seen=("wait_notice",), against=("upsell",), upset=True, alerts=("unexplained_silence",)),
    20: Rule(seen=("thanks", "apology"), always=True, lack="neither thanks nor an apology"),
    26: Rule(seen=("goodwill",), after=("repeat_contact",), lack="no gesture of goodwill after"),
    27: Rule(seen=("feedback_invite",), after=("relief", "gratitude"), lack="no invitation to give feedback after"),
}
"""By number of the practice; the cues as ``pipeline/cues/en.toml`` names them, the turns as the playbook says."""

JARGON = "jargon"
"""Cue of a deployment's own list, if it has one."""

UNMEASURED = {
    17: "no word of a deployment's list of jargon was said",
    19: "a matter of all calls, not of one",
    21: "private to the agent",
    22: "the moments above are what to listen to",
    24: "a matter of the channel, not of one call",
}


def practices(past: Past, titles: Mapping[int, str]) -> tuple[Practice, ...]:
    """All of the playbook. titles: by number, in its order."""
    return tuple(_practice(past, number, title) for number, title in titles.items())


def _practice(past: Past, number: int, title: str) -> Practice:
    why = _unmeasured(past, number)
    if why:
        return Practice(number=number, title=title, unmeasured=why)
    sides = MEASURED.get(number, _by_words)(past, number)
    return Practice(number=number, title=title, seen=sides.seen, missing=sides.missing, against=sides.against)


def _unmeasured(past: Past, number: int) -> str:
    """Why nothing can be said of it in this call; empty where something can."""
    if number == 17 and not past.cues(Channel.AGENT, JARGON):
        return UNMEASURED[17]
    if number not in RULES and number not in MEASURED:
        return UNMEASURED.get(number, "not measured")
    missing = past.view.unavailable
    if past.written and number in BY_VOICE:
        return "a written conversation has no voice"
    needs = {1: "talk_over", 3: "tension", 23: "anger"}.get(number, "" if number in BY_VOICE else "words")
    return missing.get(needs, "")


Statements = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """As in ``Practice``."""

    seen: Statements = ()
    missing: Statements = ()
    against: Statements = ()


def _by_words(past: Past, number: int) -> Sides:
    rule = RULES[number]
    seen = past.cues(Channel.AGENT, *rule.seen)
    against = [cue for cue in past.cues(Channel.AGENT, *rule.against) if not rule.upset or _upset(past, cue)]
    said = "the agent said"
    went_against = (*_quoted(past, said, against), *_alerts(past, number, rule.alerts))
    return Sides(_quoted(past, said, seen), _lacking(past, rule, seen), went_against)


def _upset(past: Past, cue: CueView) -> bool:
    anger = past.anger_at(cue.begin_ms)
    return anger is not None and anger.value >= LEAST


def _lacking(past: Past, rule: Rule, seen: Sequence[CueView]) -> Statements:
    """What called for it and found no answer, in one sentence."""
    if rule.always and not seen and past.turns_of(Channel.AGENT):
        return (Statement(text=rule.lack, evidence=past.whole, ms=past.turns_of(Channel.AGENT)[-1].begin),)
    called = past.cues(Channel.CUSTOMER, *rule.after)
    return _quoted(past, rule.lack, [cue for cue in called if not _answered(past, rule, cue, seen)])


def _answered(past: Past, rule: Rule, cue: CueView, seen: Sequence[CueView]) -> bool:
    until = past.view.now_ms
    if rule.turns is not None:
        following = [turn for turn in past.turns_of(Channel.AGENT) if turn.end > cue.end_ms]
        until = following[min(rule.turns, len(following)) - 1].end if following else cue.end_ms
    return any(cue.begin_ms <= answer.begin_ms <= until for answer in seen)


def _quoted(past: Past, opening: str, cues: Sequence[CueView]) -> Statements:
    """One sentence with the first few phrases, which names all as evidence; none without any."""
    if not cues:
        return ()
    more = f" and {len(cues) - NAMED} more" if len(cues) > NAMED else ""
    phrases = ", ".join(dict.fromkeys(past.quote(cue) for cue in cues[:NAMED]))
    text = f"{opening} {phrases}{more}"
    return (Statement(text=text, evidence=tuple(cue.n for cue in cues), ms=cues[0].begin_ms),)


def _alerts(past: Past, number: int, kinds: Sequence[str] | None = None) -> Statements:
    """The first alerts of a practice. kinds: None for all."""
    found = [
        each for each in counted(past.view.alerts) if each.practice == number and (kinds is None or each.kind in kinds)
    ]
    return tuple(_alerted(alert) for alert in found[:NAMED])


def _alerted(alert: AlertView) -> Statement:
    return Statement(text=alert.reason, evidence=(alert.n, *alert.evidence), ms=alert.raised_ms)


def _finishing(past: Past, _: int) -> Sides:
    made = [each for each in past.view.overlaps if each.kind == "interruption" and each.interrupter is Channel.AGENT]
    theirs = past.turns_of(Channel.CUSTOMER)
    if not made:
        text = f"no interruption in {len(theirs)} turn{'s' if len(theirs) > 1 else ''} of the customer"
        return Sides(seen=(Statement(text=text, evidence=tuple(turn.n for turn in theirs)),)) if theirs else Sides()
    stopped = sum(each.cut for each in made)
    text = f"the agent interrupted {_times(len(made))}" + (
        f"; the customer stopped {_times(stopped)}" if stopped else ""
    )
    return Sides(against=(Statement(text=text, evidence=tuple(each.n for each in made), ms=made[0].begin_ms),))


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _pace(past: Past, number: int) -> Sides:
    rushed = _alerts(past, number)
    known = [
        (n, pace.relative) for n, pace in past.paces if pace.channel is Channel.AGENT and pace.relative is not None
    ]
    if rushed or not known:
        return Sides(against=rushed)
    n, fastest = max(known, key=lambda pair: pair[1])
    return Sides(seen=(Statement(text=f"pace at most {fastest:.2f} of the agent's usual in this call", evidence=(n,)),))


def _composure(past: Past, number: int) -> Sides:
    peak = max(past.view.scores.tension, key=lambda point: point.value, default=None)
    if peak is None:
        return Sides()
    calm = peak.value < LEAST
    text = f"tension {'stayed under' if calm else 'rose to'} {LEAST if calm else peak.value:.2f}"
    statement = Statement(text=text, evidence=(peak.n,), ms=peak.ms)
    raised = _alerts(past, number)
    return Sides(seen=(statement,), against=raised) if calm else Sides(against=raised or (statement,))


def _own_words(past: Past, _: int) -> Sides:
    """The same sentence of empathy word for word again."""
    said: dict[str, list[CueView]] = {}
    for cue in past.cues(Channel.AGENT, "empathy"):
        line = past.line_at(cue)
        said.setdefault(plain(line.text if line else cue.phrase), []).append(cue)
    again = [cue for cues in said.values() for cue in cues if len(cues) > 1]
    return Sides(against=_quoted(past, "the same sentence again:", again))


def _name(past: Past, _: int) -> Sides:
    """Whether the agent uses a name that the customer gave."""
    given = past.cues(Channel.CUSTOMER, "gives_name")
    names = {word for cue in given for word in name_in(cue.phrase)}
    if not names:
        return Sides()
    since = given[0].end_ms
    lines = [line for line in past.view.transcript if line.channel is Channel.AGENT and line.begin_ms >= since]
    uses = [line for line in lines if names & set(plain(line.text).split())]
    if uses:
        text = f"the customer's name was used {_times(len(uses))}"
        return Sides(
            seen=(Statement(text=text, evidence=(given[0].n, *(line.n for line in uses)), ms=uses[0].begin_ms),)
        )
    return Sides(missing=_quoted(past, "the name was not used after", given))


def _what_helped(past: Past, _: int) -> Sides:
    return Sides(seen=helped(past))


def _answers(past: Past, number: int) -> Sides:
    late = slow(past)
    alerts = _alerts(past, number)
    if late:
        waits = ", ".join(f"{(turn.wait or 0) / 1000:.1f} s" for turn in late[:NAMED])
        text = f"the customer waited for an answer {_times(len(late))}: {waits}"
        first = late[0]
        at = max(0, first.begin - (first.wait or 0))
        return Sides(against=(Statement(text=text, evidence=tuple(turn.n for turn in late), ms=at), *alerts))
    answers = [turn for turn in past.turns_of(Channel.AGENT) if turn.wait is not None]
    if alerts or not answers:
        return Sides(against=alerts)
    text = f"none of {len(answers)} answers came later than 3 s"
    return Sides(seen=(Statement(text=text, evidence=tuple(turn.n for turn in answers)),))


def _jargon(past: Past, _: int) -> Sides:
    return Sides(against=_quoted(past, "the agent said", past.cues(Channel.AGENT, JARGON)))


MEASURED: dict[int, Callable[[Past, int], Sides]] = {
    1: _finishing,
    2: _pace,
    3: _composure,
    5: _own_words,
    14: _name,
    17: _jargon,
    23: _what_helped,
    25: _answers,
}
BY_VOICE = frozenset({1, 2, 3, 23, 25})
"""What a written conversation cannot show."""
