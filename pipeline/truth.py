"""What really happened in a call: who spoke when, and what each overlap was, by the field's definitions.

``derive`` is a reference: it sees the whole call at once and knows nothing of ticks, detectors or the node that finds
overlaps live. A live judgement that differs from it is wrong, or one of the two misreads the definitions.

The definitions (seconds in ``Rule``), applied to stretches of speech whose short pauses are joined:

- An overlap is a longest stretch in which both parties speak. The later starter is the interrupter, the other the
  incumbent; starts closer than ``tie_s`` count for neither (``dual_start``).
- The incumbent has held the floor since its turn began. A turn goes on over pauses up to ``pause_s`` in which the other
  party says nothing, or only short things (``response_s``): they do not take the floor.
- ``backchannel``: the later starter's speech is at most ``response_s`` long and the incumbent goes on, through it or
  again within ``resume_s``.
- a cut: after ``shown_s`` of overlap or more the incumbent stops, and the interrupter goes on alone for ``cut_s``.
- ``interruption``: the incumbent had held the floor for ``floor_s``, and it is a cut or lasts for ``long_s``.
- ``overlap``: whatever is none of these. Under ``shown_s`` an overlap is no event, whatever its kind.

Whether words are in a list of backchannels is left out: spans have no words.

Near a threshold the truth itself is doubtful: bounds of speech are not known to the millisecond, by people or machines.
An overlap is ``clear`` when its kind, its interrupter, its bounds and whether it is shown stay the same with each
threshold of the rule moved by ``margin_s`` either way, one at a time. What the definitions leave open is doubtful too:
whether any word in a pause takes the floor, and whether a pause shorter than ``cut_s`` ends an overlap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import OverlapKind
from pipeline.timebase import Span, samples

Speech = Mapping[Channel, Sequence[Span]]

MARGIN_S = 0.1
"""Seconds that a threshold is moved to see whether a judgement hangs on it: as much as good bounds are off (p90)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The thresholds, in seconds. Not the settings of a call: a changed setting must not move the truth."""

    join_s: float = 0.256
    """Longest pause that is still one stretch of speech."""
    shown_s: float = 0.5
    long_s: float = 1.0
    floor_s: float = 1.0
    tie_s: float = 0.2
    response_s: float = 1.0
    resume_s: float = 1.0
    cut_s: float = 0.5
    pause_s: float = 3.0
    words_hold: bool = True
    """Whether short words of the other party in a pause leave the floor where it is."""


RULE = Rule()


@dataclass(frozen=True, slots=True)
class Known:
    """One overlap as it was. shown: long enough to be an event. clear: no threshold decides it by a hair."""

    span: Span
    kind: OverlapKind
    interrupter: Channel | None
    cut: bool
    shown: bool
    clear: bool = True


@dataclass(frozen=True, slots=True)
class Truth:
    """speech: stretches with short pauses joined, in order. overlaps: all of them in order, however short."""

    speech: dict[Channel, tuple[Span, ...]]
    overlaps: tuple[Known, ...]


def truth_of(speech: Speech, margin_s: float = MARGIN_S) -> Truth:
    """The truth that follows from who spoke when. speech: spans of each party, in any order."""
    moved = [derive(speech, rule) for rule in _variants(margin_s)]
    overlaps = tuple(replace(known, clear=all(_stands(known, other) for other in moved)) for known in derive(speech))
    return Truth({who: joined(speech[who], RULE.join_s) for who in TWO_CHANNEL}, overlaps)


def derive(speech: Speech, rule: Rule = RULE) -> list[Known]:
    """Every overlap with its kind, in order."""
    units = {who: joined(speech[who], rule.join_s) for who in TWO_CHANNEL}
    pairs = [(one, two) for one in units[Channel.AGENT] for two in units[Channel.CUSTOMER] if one.overlap(two)]
    return sorted((_judged(units, one, two, rule) for one, two in pairs), key=lambda known: known.span.start)


def joined(spans: Sequence[Span], pause_s: float) -> tuple[Span, ...]:
    """In order, with pauses up to ``pause_s`` closed."""
    done: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start):
        if done and span.start - done[-1].end <= samples(pause_s):
            done[-1] = Span(done[-1].start, max(done[-1].end, span.end))
        else:
            done.append(span)
    return tuple(done)


def _judged(units: Speech, agent: Span, customer: Span, rule: Rule) -> Known:
    if agent.start <= customer.start:
        incumbent, first, interrupter, second = Channel.AGENT, agent, Channel.CUSTOMER, customer
    else:
        incumbent, first, interrupter, second = Channel.CUSTOMER, customer, Channel.AGENT, agent
    span = Span(second.start, min(first.end, second.end))
    shown = span.length >= samples(rule.shown_s)
    if second.start - first.start < samples(rule.tie_s):
        return Known(span, "dual_start", None, False, shown)
    resumed = min((unit.start for unit in units[incumbent] if unit.start >= first.end), default=None)
    cut = shown and _alone(first, second, resumed) >= samples(rule.cut_s)
    goes_on = first.end > second.end or (resumed is not None and resumed - second.end <= samples(rule.resume_s))
    held = second.start - _turn_start(units, incumbent, first, rule)
    kind: OverlapKind = "overlap"
    if second.length <= samples(rule.response_s) and goes_on and not cut:
        kind = "backchannel"
    elif held >= samples(rule.floor_s) and (cut or span.length >= samples(rule.long_s)):
        kind = "interruption"
    return Known(span, kind, interrupter, cut, shown)


def _alone(first: Span, second: Span, resumed: int | None) -> int:
    """Samples for which the later starter speaks on after the incumbent has stopped."""
    return min(second.end, second.end if resumed is None else resumed) - first.end


def _turn_start(units: Speech, who: Channel, unit: Span, rule: Rule) -> int:
    """First sample of the turn that ``unit`` belongs to."""
    start = unit.start
    for before in reversed([each for each in units[who] if each.end <= unit.start]):
        pause = Span(before.end, start)
        between = [each for each in units[who.other] if each.overlap(pause)]
        short = rule.words_hold and all(each.length <= samples(rule.response_s) for each in between)
        if pause.length > samples(rule.pause_s) or (between and not short):
            break
        start = before.start
    return start


def _variants(margin_s: float) -> Iterator[Rule]:
    """The rule with one threshold moved at a time."""
    if margin_s == 0:
        return
    yield replace(RULE, join_s=RULE.cut_s)
    for field in fields(Rule):
        value = getattr(RULE, field.name)
        if isinstance(value, bool):
            yield replace(RULE, **{field.name: not value})
        else:
            yield replace(RULE, **{field.name: value - margin_s})
            yield replace(RULE, **{field.name: value + margin_s})


def _stands(known: Known, moved: Sequence[Known]) -> bool:
    """Whether an overlap is the same under another rule."""
    return any(replace(known, cut=each.cut) == each for each in moved)
