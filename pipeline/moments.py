"""The three moments of a call that mattered, and what helped. Each rule is written here and names its evidence.

1. Worst: the highest anger, where it reached ``LEAST``; without a voice, the gravest thing that the customer said.
2. Friction: the longest interruption by the agent, one that took the floor before others; else the longest wait for
   an answer from ``SLOW`` on; else the first thing that the agent said against the playbook.
3. Better: the first "That helped" after the worst moment and a technique; else the greatest fall of anger within
   ``WINDOW``, from ``FALL`` on; else the customer's first relief or thanks after it. None where the customer says
   something grave (``GRAVEST``) later: then it was no turn.

"After" is all that these sentences claim: what came first is known, what it did is not.
"""

from collections.abc import Iterator

from pipeline.channel import Channel
from pipeline.past import Past, Stretch
from pipeline.report import Moment, Statement
from pipeline.view import CueView, ScoreView, counted

LEAST = 0.4
"""Anger from which the playbook speaks of it (advice customer_anger)."""
FALL = 0.15
"""Fall of anger, 0-1, that is told: ours, not measured: a score moves by less from one sentence to the next."""
WINDOW = 20_000
"""Milliseconds in which a fall is looked for: what was said fades by e in as long (setting scores.fade_s)."""
SLOW = 3000
"""Milliseconds of waiting from which an answer is slow: as a silence (setting turns.silence_s)."""
GRAVE = ("threat", "insult", "supervisor_request", "not_heard", "profanity", "repeat_contact", "complaint")
"""Customer's cues, the gravest first."""
GRAVEST = GRAVE[:4]
AGAINST = ("blame", "defensive", "refusal")
TECHNIQUES = (
    "empathy", "apology", "paraphrase", "can_do", "options", "next_step", "follow_up", "goodwill", "sees_history",
    "offers_supervisor", "question",
)  # fmt: skip
"""Agent's cues that may bring anger down."""


def moments(past: Past) -> tuple[Moment, ...]:
    """At most three, in the order of time."""
    worst = _worst(past)
    found = (worst, _friction(past), _better(past, 0 if worst is None else worst.ms))
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.ms))


def helped(past: Past) -> tuple[Statement, ...]:
    """Techniques after which anger fell within ``WINDOW``; those in one fall are told together with its first."""
    told: list[Statement] = []
    until = -1
    for cue in past.cues(Channel.AGENT, *TECHNIQUES):
        before = past.anger_at(cue.begin_ms)
        if cue.begin_ms <= until or before is None or before.value < LEAST:
            continue
        after = _lowest(past, cue.end_ms, WINDOW)
        if after is not None and before.value - after.value >= FALL:
            told.append(_fell(past, cue, before, after))
            until = after.ms
    return tuple(told)


def _fell(past: Past, cue: CueView, before: ScoreView, after: ScoreView) -> Statement:
    text = f"After {past.quote(cue)} ({_name(cue)}) anger fell from {before.value:.2f} to {after.value:.2f}"
    return Statement(text=text, evidence=(cue.n, before.n, after.n), ms=cue.begin_ms)


def _name(cue: CueView) -> str:
    return cue.name.replace("_", " ")


def _lowest(past: Past, begin: int, within: int) -> ScoreView | None:
    inside = (point for point in past.view.scores.anger if begin <= point.ms <= begin + within)
    return min(inside, key=lambda point: point.value, default=None)


def _worst(past: Past) -> Moment | None:
    peak = max(past.view.scores.anger, key=lambda point: point.value, default=None)
    if peak is not None and peak.value >= LEAST:
        said = _last_said(past, peak.ms)
        text = f"Anger was highest: {peak.value:.2f}" + (f", at {past.quote(said)}" if said else "")
        return Moment(kind="worst", ms=peak.ms, text=text, evidence=(peak.n, *([said.n] if said else [])))
    gravest = min(past.cues(Channel.CUSTOMER, *GRAVE), key=lambda cue: GRAVE.index(cue.name), default=None)
    if gravest is None:
        return None
    text = f"The customer's gravest words ({_name(gravest)}): {past.quote(gravest)}"
    return Moment(kind="worst", ms=gravest.begin_ms, text=text, evidence=(gravest.n,))


def _last_said(past: Past, moment: int) -> CueView | None:
    """What of weight the customer said in the 10 s before."""
    said = [cue for cue in past.cues(Channel.CUSTOMER, *GRAVE) if moment - 10_000 <= cue.begin_ms <= moment]
    return said[-1] if said else None


def _friction(past: Past) -> Moment | None:
    return _interruption(past) or _wait(past) or _against(past)


def _interruption(past: Past) -> Moment | None:
    made = [each for each in past.view.overlaps if each.kind == "interruption" and each.interrupter is Channel.AGENT]
    worst = max(made, key=lambda each: (each.cut, each.end_ms - each.begin_ms), default=None)
    if worst is None:
        return None
    took = ", and the customer stopped" if worst.cut else ""
    text = f"The agent spoke over the customer for {(worst.end_ms - worst.begin_ms) / 1000:.1f} s{took}"
    return Moment(kind="friction", ms=worst.begin_ms, text=text, evidence=(worst.n,))


def slow(past: Past) -> list[Stretch]:
    """The agent's turns that began later than ``SLOW`` after the customer's."""
    return [turn for turn in past.turns_of(Channel.AGENT) if turn.wait is not None and turn.wait >= SLOW]


def _wait(past: Past) -> Moment | None:
    longest = max(slow(past), key=lambda turn: turn.wait or 0, default=None)
    if longest is None or longest.wait is None:
        return None
    text = f"The customer waited {longest.wait / 1000:.1f} s for an answer"
    return Moment(kind="friction", ms=max(0, longest.begin - longest.wait), text=text, evidence=(longest.n,))


def _against(past: Past) -> Moment | None:
    said = next(iter(past.cues(Channel.AGENT, *AGAINST)), None)
    if said is None:
        return None
    text = f"The agent said {past.quote(said)} ({_name(said)})"
    return Moment(kind="friction", ms=said.begin_ms, text=text, evidence=(said.n,))


def _better(past: Past, after: int) -> Moment | None:
    found = _noted(past, after) or _greatest_fall(past, after) or _relief(past, after)
    if found is None or any(cue.begin_ms > found.ms for cue in past.cues(Channel.CUSTOMER, *GRAVEST)):
        return None
    return found


def _noted(past: Past, after: int) -> Moment | None:
    """ "That helped", at the technique before it."""
    notes = (alert for alert in counted(past.view.alerts) if alert.kind == "that_helped" and alert.raised_ms >= after)
    note = next(notes, None)
    if note is None:
        return None
    said = next((cue for cue in past.cues(Channel.AGENT, *TECHNIQUES) if after <= cue.begin_ms <= note.raised_ms), None)
    if said is None:
        return None
    text = f"The turn for the better: {note.reason}, after {past.quote(said)}"
    return Moment(kind="better", ms=said.begin_ms, text=text, evidence=(note.n, *note.evidence, said.n))


def _greatest_fall(past: Past, after: int) -> Moment | None:
    falls = list(_falls(past, after))
    if not falls:
        return None
    before, low = max(falls, key=lambda pair: pair[0].value - pair[1].value)
    text = f"The turn for the better: anger fell from {before.value:.2f} to {low.value:.2f}"
    return Moment(kind="better", ms=before.ms, text=text, evidence=(before.n, low.n))


def _falls(past: Past, after: int) -> Iterator[tuple[ScoreView, ScoreView]]:
    for point in past.view.scores.anger:
        low = _lowest(past, point.ms, WINDOW)
        if point.ms >= after and point.value >= LEAST and low is not None and point.value - low.value >= FALL:
            yield point, low


def _relief(past: Past, after: int) -> Moment | None:
    said = next((cue for cue in past.cues(Channel.CUSTOMER, "relief", "gratitude") if cue.begin_ms >= after), None)
    if said is None:
        return None
    text = f"The turn for the better: the customer said {past.quote(said)} ({_name(said)})"
    return Moment(kind="better", ms=said.begin_ms, text=text, evidence=(said.n,))
