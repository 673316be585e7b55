"""How found turn-taking compares with the truth: counts, errors and latencies that add up over calls.

Matching: a found overlap and a true one make a pair when they share at least ``LEAST_IOU`` of what they cover together;
one true overlap has one partner at most, and the pairs are those with the most shared time in all. How far bounds are
off is told apart from that. Kinds are compared as finally judged.

Found overlaps without a partner are false, true ones without a partner (if long enough to be shown) are missed. An
overlap whose truth is doubtful (not ``Known.clear``) is neither right nor wrong, unless every one is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.counts import Count
from pipeline.events import Overlap, OverlapKind, OverlapRevised, SpeechEnded
from pipeline.session import Entry
from pipeline.timebase import RATE, Span, ms, samples
from pipeline.truth import RULE, Known, Truth

LEAST_IOU = 0.3
"""Shared over covered: at 0.5 s, the shortest overlap shown, bounds may be off by 0.18 s each way."""


@dataclass(frozen=True, slots=True)
class Found:
    """One overlap as calmline finally told it. shown, accused: when it was told, when it became an interruption."""

    span: Span
    kind: OverlapKind
    interrupter: Channel | None
    cut: bool
    shown: int
    accused: int | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What calmline made of a call. speech: stretches of each party, in order."""

    speech: dict[Channel, tuple[Span, ...]]
    overlaps: tuple[Found, ...]


@dataclass(slots=True)
class Share:
    """part of whole."""

    part: int = 0
    whole: int = 0

    def add(self, other: "Share") -> None:
        self.part, self.whole = self.part + other.part, self.whole + other.whole

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None


@dataclass(slots=True)
class Tally:
    """Of one call, or of many added up. Errors and latencies in samples, found minus true.

    interruptions: of 1 s or more, or with a cut. shorter: the others of 0.5 s or more. every: both, whatever the kind.
    interrupter: named rightly, of the overlaps found. accused: backchannels finally called interruptions, of those
    long enough to be shown. kinds: (true, found), ``none`` where there is none. latency: event.at minus the sample at
    which the overlap was 0.5 s long (shown), 1 s long (length) or the interrupter had been alone for 0.5 s (cut).
    talk: found minus true talk time; talk_true: true talk time.
    """

    interruptions: Count = field(default_factory=Count)
    shorter: Count = field(default_factory=Count)
    every: Count = field(default_factory=Count)
    interrupter: Share = field(default_factory=Share)
    accused: Share = field(default_factory=Share)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    latency: dict[str, list[int]] = field(default_factory=lambda: {"shown": [], "length": [], "cut": []})
    speech_bounds: list[int] = field(default_factory=list)
    talk: Counter[Channel] = field(default_factory=Counter)
    talk_true: Counter[Channel] = field(default_factory=Counter)
    doubtful: int = 0

    def add(self, other: "Tally") -> None:
        for name in ("interruptions", "shorter", "every", "interrupter", "accused"):
            getattr(self, name).add(getattr(other, name))
        for name in ("kinds", "talk", "talk_true"):
            getattr(self, name).update(getattr(other, name))
        for name in ("starts", "ends", "speech_bounds"):
            getattr(self, name).extend(getattr(other, name))
        for cause, values in other.latency.items():
            self.latency[cause] += values
        self.doubtful += other.doubtful


def heard(entries: Iterable[Entry]) -> Heard:
    """What the events of a call say of speech and overlaps. entries: those of a whole call, in order."""
    speech: dict[Channel, list[Span]] = {who: [] for who in TWO_CHANNEL}
    overlaps: dict[int, Found] = {}
    for entry in entries:
        match entry.item:
            case SpeechEnded() as ended:
                speech[ended.channel].append(ended.span)
            case Overlap() as new:
                accused = new.at if new.kind == "interruption" else None
                overlaps[entry.n] = Found(new.span, new.kind, new.interrupter, new.cut, new.at, accused)
            case OverlapRevised() as now:
                overlaps[now.of] = _revised(overlaps[now.of], now)
            case _:
                pass
    return Heard({who: tuple(spans) for who, spans in speech.items()}, tuple(overlaps.values()))


def _revised(found: Found, now: OverlapRevised) -> Found:
    accused = now.at if found.accused is None and now.kind == "interruption" else found.accused
    return replace(found, span=now.span, kind=now.kind, interrupter=now.interrupter, cut=now.cut, accused=accused)


def compare(truth: Truth, call: Heard, *, every: bool = False) -> Tally:
    """The tally of one call. every: overlaps whose truth is doubtful count too."""
    tally = Tally()
    _speech(tally, truth, call)
    pairs = match([known.span for known in truth.overlaps], [found.span for found in call.overlaps])
    partner = {j: truth.overlaps[i] for i, j in pairs}
    alone = set(range(len(truth.overlaps))) - {i for i, _ in pairs}
    rows: list[tuple[Known | None, Found | None]] = [(partner.get(j), found) for j, found in enumerate(call.overlaps)]
    rows += [(truth.overlaps[i], None) for i in sorted(alone) if truth.overlaps[i].shown]
    for known, found in rows:
        if every or _decided(truth, known, found):
            _count(tally, known, found)
        else:
            tally.doubtful += 1
    return tally


def match(true: Sequence[Span], found: Sequence[Span]) -> list[tuple[int, int]]:
    """Pairs of indices with the most shared samples in all. Each side: in order, none overlapping another.

    Such pairs never cross, so this is an alignment of two sequences.
    """
    best = [[0] * (len(found) + 1) for _ in range(len(true) + 1)]
    for i in range(len(true) - 1, -1, -1):
        for j in range(len(found) - 1, -1, -1):
            both = best[i + 1][j + 1] + _shared(true[i], found[j])
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both)
    pairs, i, j = [], 0, 0
    while i < len(true) and j < len(found):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _shared(one: Span, two: Span) -> int:
    """Samples in both; 0 where too little is shared for a pair."""
    shared = one.overlap(two)
    return shared if shared >= LEAST_IOU * (one.length + two.length - shared) else 0


def _decided(truth: Truth, known: Known | None, found: Found | None) -> bool:
    """Whether this can be called right or wrong: the truth is clear, or nothing doubtful is touched."""
    if known is not None or found is None:
        return known is not None and known.clear
    return all(each.clear for each in truth.overlaps if each.span.overlap(found.span))


def _count(tally: Tally, known: Known | None, found: Found | None) -> None:
    """One pair, or one that has no partner."""
    true_kind = known.kind if known is not None and known.shown else "none"
    found_kind = found.kind if found is not None else "none"
    tally.kinds[true_kind, found_kind] += 1
    _class(tally.every, true_kind != "none", found_kind != "none")
    _class(tally.interruptions, true_kind == "interruption", found_kind == "interruption")
    _class(tally.shorter, true_kind not in ("none", "interruption"), found_kind not in ("none", "interruption"))
    if true_kind == "backchannel":
        tally.accused.add(Share(found_kind == "interruption", 1))
    if known is not None and known.shown and found is not None:
        _pair(tally, known, found)


def _class(count: Count, true: bool, found: bool) -> None:
    count.hits += true and found
    count.false += found and not true
    count.missed += true and not found


def _pair(tally: Tally, known: Known, found: Found) -> None:
    tally.interrupter.add(Share(known.interrupter is found.interrupter, 1))
    tally.starts.append(found.span.start - known.span.start)
    tally.ends.append(found.span.end - known.span.end)
    tally.latency["shown"].append(found.shown - known.span.start - samples(RULE.shown_s))
    if known.kind == "interruption" and found.kind == "interruption" and found.accused is not None:
        long = known.span.length >= samples(RULE.long_s)
        due = known.span.start + samples(RULE.long_s) if long else known.span.end + samples(RULE.cut_s)
        tally.latency["length" if long else "cut"].append(found.accused - due)


def _speech(tally: Tally, truth: Truth, call: Heard) -> None:
    """Bounds of speech (each true one to the nearest found one of its kind) and talk time."""
    for who in TWO_CHANNEL:
        true, found = truth.speech[who], call.speech[who]
        tally.talk_true[who] += sum(span.length for span in true)
        tally.talk[who] += sum(span.length for span in found) - sum(span.length for span in true)
        if found:
            tally.speech_bounds += [_nearest(span.start, [each.start for each in found]) for span in true]
            tally.speech_bounds += [_nearest(span.end, [each.end for each in found]) for span in true]


def _nearest(bound: int, found: Sequence[int]) -> int:
    return min((each - bound for each in found), key=abs)


def figures(tally: Tally) -> dict[str, Any]:
    """The tally as plain numbers: shares from 0 to 1, times in ms; None where there was nothing to count."""
    return {
        "interruptions": _counted(tally.interruptions),
        "shorter": _counted(tally.shorter),
        "every": _counted(tally.every),
        "interrupter": {
            "right": tally.interrupter.part,
            "of": tally.interrupter.whole,
            "share": tally.interrupter.value,
        },
        "backchannels_accused": {"part": tally.accused.part, "of": tally.accused.whole, "share": tally.accused.value},
        "start_ms": _off(tally.starts),
        "end_ms": _off(tally.ends),
        "bounds_ms": _off(tally.starts + tally.ends),
        "latency_ms": {cause: _spread(values, (50, 95)) for cause, values in tally.latency.items()},
        "speech_bounds_ms": _off(tally.speech_bounds),
        "talk": {who.value: _talk(tally, who) for who in TWO_CHANNEL},
        "kinds": [{"true": true, "found": found, "count": n} for (true, found), n in sorted(tally.kinds.items())],
        "doubtful": tally.doubtful,
    }


def _counted(count: Count) -> dict[str, Any]:
    return {
        "hits": count.hits,
        "false": count.false,
        "missed": count.missed,
        "precision": count.precision,
        "recall": count.recall,
        "f1": count.f1,
    }


def _off(errors: Sequence[int]) -> dict[str, float | None]:
    """How far off, either way: median and 90th percentile in ms; bias: the median with its sign."""
    bias = _spread(errors, (50,))["p50"]
    return _spread([abs(error) for error in errors], (50, 90)) | {"bias": bias}


def _spread(values: Sequence[int], percentiles: tuple[int, ...]) -> dict[str, float | None]:
    if not values:
        return {f"p{p}": None for p in percentiles}
    return {f"p{p}": round(float(np.percentile(values, p)) * 1000 / RATE, 1) for p in percentiles}


def _talk(tally: Tally, who: Channel) -> dict[str, float | None]:
    true, error = tally.talk_true[who], tally.talk[who]
    return {"true_ms": ms(true), "error_ms": ms(error), "error_share": error / true if true else None}
