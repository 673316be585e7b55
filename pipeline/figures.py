"""The measures of a call, against the same agent's own earlier calls. Nobody is ranked, nobody compared with others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from statistics import median

from pipeline.channel import Channel
from pipeline.moments import GRAVE
from pipeline.past import Past
from pipeline.report import Measure, Statement
from pipeline.timebase import ms
from pipeline.view import OverlapView

ENOUGH = 3
"""Earlier calls from which something is usual."""
HARD = 0.6
"""Anger from which a call was hard: where the playbook offers a supervisor (advice long_anger)."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier call of the same agent. hard: it was a hard one. recent: in the shift that the later call is in."""

    call_id: str
    measures: tuple[Measure, ...]
    hard: bool
    recent: bool


def earlier(past: Past, *, recent: bool) -> Earlier:
    return Earlier(past.header.call.call_id, figures(past), bool(_hard(past)), recent)


def against_own(measures: Sequence[Measure], before: Sequence[Earlier]) -> tuple[Measure, ...]:
    """The same measures with what is usual for their agent, where ``ENOUGH`` earlier calls have them."""
    return tuple(_against(measure, before) for measure in measures)


def _against(measure: Measure, before: Sequence[Earlier]) -> Measure:
    same = (each for call in before for each in call.measures if each.name == measure.name)
    known = [each.agent for each in same if each.agent is not None]
    return replace(measure, usual=round(median(known), 3), calls=len(known)) if len(known) >= ENOUGH else measure


def figures(past: Past) -> tuple[Measure, ...]:
    """What this call has of them."""
    return tuple(measure for measure in (_written if past.written else _spoken)(past) if measure.agent is not None)


def _written(past: Past) -> Iterator[Measure]:
    agent, customer = (past.turns_of(channel) for channel in (Channel.AGENT, Channel.CUSTOMER))
    evidence = tuple(turn.n for turn in past.turns) or past.whole
    yield Measure(name="lines", unit="times", agent=len(agent), customer=len(customer), evidence=evidence)


def _spoken(past: Past) -> Iterator[Measure]:
    yield from _talk(past)
    yield from _taking_turns(past)
    yield from _quiet(past)
    peak = max(past.view.scores.tension, key=lambda point: point.value, default=None)
    if peak is not None and "tension" not in past.view.unavailable:
        yield Measure(name="highest tension", unit="0-1", agent=peak.value, evidence=(peak.n,))


def _talk(past: Past) -> Iterator[Measure]:
    parties = [past.view.channels.get(channel) for channel in (Channel.AGENT, Channel.CUSTOMER)]
    shares = [None if each is None or each.talk_share is None else round(100 * each.talk_share, 1) for each in parties]
    rates = [None if each is None else each.wpm for each in parties]
    turns = tuple(turn.n for turn in past.turns) or past.whole
    lines = tuple(line.n for line in past.view.transcript) or past.whole
    yield Measure(name="talk share", unit="%", agent=shares[0], customer=shares[1], evidence=turns)
    yield Measure(name="pace", unit="words/min", agent=rates[0], customer=rates[1], evidence=lines)


def _taking_turns(past: Past) -> Iterator[Measure]:
    agents, customers = _interruptions(past, Channel.AGENT), _interruptions(past, Channel.CUSTOMER)
    if "talk_over" not in past.view.unavailable:
        evidence = tuple(each.n for each in (*agents, *customers)) or past.whole
        made = len(agents), len(customers)
        yield Measure(name="interruptions made", unit="times", agent=made[0], customer=made[1], evidence=evidence)
    answers = [(turn.n, turn.wait) for turn in past.turns_of(Channel.AGENT) if turn.wait is not None and turn.wait > 0]
    if answers:
        evidence = tuple(n for n, _ in answers)
        middle = past.view.channels[Channel.AGENT].response_ms
        theirs = past.view.channels[Channel.CUSTOMER].response_ms
        yield Measure(name="response time", unit="s", agent=_s(middle), customer=_s(theirs), evidence=evidence)
        n, longest = max(answers, key=lambda pair: pair[1])
        yield Measure(name="longest wait for an answer", unit="s", agent=_s(longest), evidence=(n,))
    longest_turn = max(past.turns_of(Channel.AGENT), key=lambda turn: turn.end - turn.begin, default=None)
    if longest_turn is not None:
        lasted = _s(longest_turn.end - longest_turn.begin)
        yield Measure(name="longest turn", unit="s", agent=lasted, evidence=(longest_turn.n,))


def _interruptions(past: Past, by: Channel) -> list[OverlapView]:
    return [each for each in past.view.overlaps if each.kind == "interruption" and each.interrupter is by]


def _quiet(past: Past) -> Iterator[Measure]:
    """Silence belongs to both; it stands in the agent's column because the agent can end it."""
    total = sum(ms(silence.span.length) for _, silence in past.silences)
    evidence = tuple(n for n, _ in past.silences) or past.whole
    yield Measure(name="silence of both over 3 s", unit="s", agent=_s(total), evidence=evidence)


def _s(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 1)


def _hard(past: Past) -> tuple[int, ...]:
    """What made it a hard call: anger from ``HARD``, a threat or an insult; empty when it was none."""
    peak = max(past.view.scores.anger, key=lambda point: point.value, default=None)
    angry = [peak.n] if peak is not None and peak.value >= HARD else []
    return (*angry, *(cue.n for cue in past.cues(Channel.CUSTOMER, *GRAVE[:2])))


def load(past: Past, before: Sequence[Earlier]) -> tuple[Statement, ...]:
    """For the agent alone: hard calls in a row up to this one, in one shift, and a break where due.

    before: the latest first.
    """
    why = _hard(past)
    if not why:
        return ()
    hard = takewhile(lambda call: call.hard and call.recent, before)
    names = [past.header.call.call_id, *(call.call_id for call in hard)]
    if len(names) == 1:
        return (Statement(text="This was a hard call. Breathe out before the next one.", evidence=why),)
    text = f"{len(names)} hard calls in a row ({', '.join(names)}). Take two minutes; tell a colleague."
    return (Statement(text=text, evidence=why),)
