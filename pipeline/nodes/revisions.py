"""Hindsight: the words of an overlap may change what it was called by its sound, once.

What the overlapper said decides: nothing but the sounds of listening is a backchannel, however long it was; the
incumbent's own words, said along or supplied, are a completion (Lerner 1996, "collaborative completion"); and a short
contribution that is neither was no backchannel, but an attempt that failed: a neutral overlap.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.channel import Channel
from pipeline.events import Overlap, OverlapKind, OverlapRevised, Word, Words
from pipeline.session import Tick
from pipeline.text import acknowledges, plain
from pipeline.timebase import Span, samples

WAITS = samples(20.0)
"""Samples after which an overlap waits no longer for its words: longer than an utterance and its answer, and shorter
than an alert about it stands."""
EARLY = samples(0.2)
"""How far before the overlap a word of its may begin: the recogniser's word times are good to about this."""
PAUSE = samples(0.6)
"""A pause that ends the overlapper's contribution, as it ends an utterance."""
LONGEST = 8
"""Words of a completion at most; who says more has made a point of their own."""
CONTENT = 4
"""Letters from which a word can be recognised as the other's: shorter ones are in every sentence."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """An overlap as it was last judged. over: by its sound nothing more will change."""

    of: int
    span: Span
    kind: OverlapKind
    interrupter: Channel | None
    cut: bool = False
    over: bool = False


class RevisionsNode:
    """Emits OverlapRevised with ``because="words"``, at most once for an overlap."""

    def __init__(self) -> None:
        self._overlaps: dict[int, _Judged] = {}
        self._said: deque[Words] = deque()

    def step(self, tick: Tick) -> None:
        news = False
        for entry in tick.events:
            match entry.item:
                case Overlap() as shown:
                    self._overlaps[entry.n] = _Judged(entry.n, shown.span, shown.kind, shown.interrupter)
                case OverlapRevised() as revised if revised.of in self._overlaps:
                    self._overlaps[revised.of] = _after(self._overlaps[revised.of], revised)
                    news = True
                case Words() as words:
                    self._said.append(words)
                    news = True
        if news:
            self._forget(tick.end - WAITS)
            for judged in [each for each in self._overlaps.values() if each.over]:
                self._reconsider(tick, judged)

    def _reconsider(self, tick: Tick, judged: _Judged) -> None:
        if judged.interrupter is None or judged.kind == "dual_start":
            del self._overlaps[judged.of]
            return
        own = _contribution(self._words(judged.interrupter), judged.span)
        others = [word for channel in Channel if channel is not judged.interrupter for word in self._words(channel)]
        near = [word for word in others if word.span.overlap(_around(judged.span))]
        if not own or not (near or acknowledges(_text(own))):
            return  # the words of one of them are not known yet
        kind = _kind(judged.kind, own, near)
        del self._overlaps[judged.of]
        if kind != judged.kind:
            _revise(tick, judged, kind)

    def _words(self, channel: Channel) -> list[Word]:
        return [word for words in self._said if words.channel is channel for word in words.words]

    def _forget(self, before: int) -> None:
        while self._said and self._said[0].at < before:
            self._said.popleft()
        for old in [each.of for each in self._overlaps.values() if each.over and each.span.end < before]:
            del self._overlaps[old]


def _after(judged: _Judged, revised: OverlapRevised) -> _Judged:
    over = revised.because in ("ended", "cut")
    return replace(
        judged,
        span=revised.span,
        kind=revised.kind,
        interrupter=revised.interrupter,
        cut=revised.cut,
        over=over,
    )


def _around(span: Span) -> Span:
    """The overlap and a second more, in which the incumbent says what the other has said already."""
    return Span(max(0, span.start - EARLY), span.end + samples(1.0))


def _contribution(words: Sequence[Word], overlap: Span) -> list[Word]:
    """What the overlapper said from the overlap's start to their first pause."""
    found: list[Word] = []
    for word in sorted(words, key=lambda each: each.span.start):
        if word.span.start < overlap.start - EARLY or (not found and word.span.start >= overlap.end):
            continue
        if found and word.span.start - found[-1].span.end >= PAUSE:
            break
        found.append(word)
    return found


def _kind(kind: OverlapKind, own: Sequence[Word], near: Sequence[Word]) -> OverlapKind:
    if acknowledges(_text(own)):
        return "backchannel"
    if len(own) <= LONGEST and _content(own) and _content(own) <= _content(near):
        return "completion"
    return "overlap" if kind == "backchannel" else kind


def _content(words: Sequence[Word]) -> set[str]:
    return {word for word in plain(_text(words)).split() if len(word) >= CONTENT}


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _revise(tick: Tick, judged: _Judged, kind: OverlapKind) -> None:
    tick.emit(
        OverlapRevised(
            span=judged.span,
            at=tick.end,
            of=judged.of,
            kind=kind,
            interrupter=judged.interrupter,
            cut=judged.cut,
            because="words",
        )
    )
