"""Turns with their floor-transfer offsets, and silences of both parties.

Definitions follow Heldner and Edlund (2010), "Pauses, gaps and overlaps in conversations": a pause lies inside one
party's turn; a gap (> 0) or an overlap (< 0) lies between two parties' turns, and is the floor-transfer offset of the
second; speech that begins and ends inside the other's turn transfers nothing. A backchannel ("mm-hm", "right")
neither takes the floor nor tries to (Yngve 1970), so it is no turn, also where it falls into the other's pause.
"""

from collections import deque
from dataclasses import dataclass, field

from pipeline.channel import Channel
from pipeline.events import Silence, SpeechEnded, SpeechStarted, Turn, Words
from pipeline.inputs import Close
from pipeline.session import Floor, Tick
from pipeline.settings import Turns
from pipeline.text import acknowledges
from pipeline.timebase import Span, samples

JOIN = samples(0.6)
"""A pause shorter than this is inside one contribution: as long as the words node keeps one utterance together."""


class TurnsNode:
    """Emits Turn and Silence; writes ``tick.floor``, which is known at once, while a turn is told when it is over."""

    def __init__(self, settings: Turns) -> None:
        self._floor = _Floor(settings)
        self._turns = _Turns(settings)
        self._silence = _Silences(settings)

    def step(self, tick: Tick) -> None:
        self._floor.step(tick)
        self._turns.step(tick)
        self._silence.step(tick)


class _Floor:
    """Who holds the floor now: it passes when the holder is silent and the other one speaks.

    Who took it in a pause and spoke no longer than a backchannel gives it back as it was.
    """

    def __init__(self, settings: Turns) -> None:
        self._longest_pause = samples(settings.silence_s)
        self._brief = samples(settings.backchannel_s)
        self._floor: Floor | None = None
        self._before: Floor | None = None

    def step(self, tick: Tick) -> None:
        floor = self._floor
        if floor is None or not tick.activity[floor.holder].speaking:
            self._pass(tick, floor)
        tick.floor = self._floor

    def _pass(self, tick: Tick, floor: Floor | None) -> None:
        taker = next((channel for channel, activity in tick.activity.items() if activity.speaking), None)
        if taker is not None:
            start = tick.activity[taker].start
            brief = floor is not None and tick.activity[floor.holder].last - floor.since <= self._brief
            back = self._before if brief and self._before is not None and self._before.holder is taker else None
            self._before, self._floor = floor, back or Floor(taker, start)
        elif floor is not None and tick.end - tick.activity[floor.holder].last >= self._longest_pause:
            self._before = self._floor = None


@dataclass(slots=True)
class _Contribution:
    """Speech of one party with no pause of JOIN in it. talk: samples of speech. over: it has ended."""

    channel: Channel
    start: int
    last: int
    talk: int = 0
    over: bool = False
    texts: list[str] = field(default_factory=list)

    @property
    def length(self) -> int:
        return self.last - self.start


@dataclass(slots=True)
class _Open:
    """A turn that may still go on. talk: samples of speech inside. fto: as in Turn."""

    channel: Channel
    start: int
    last: int
    talk: int
    fto: int | None


class _Turns:
    """Builds turns from contributions, in the order of their starts, each taken when it is settled.

    A long contribution is settled when it has ended; a short one when its words say whether it is a backchannel, or
    after ``settle_s`` without words, when ``brief_s`` and the other party's going on decide.
    """

    def __init__(self, settings: Turns) -> None:
        self._settings = settings
        self._waiting: deque[_Contribution] = deque()
        self._turn: _Open | None = None
        self._before: _Open | None = None
        self._asked: set[Channel] = set()

    def step(self, tick: Tick) -> None:
        for entry in tick.events:
            match entry.item:
                case SpeechStarted(channel=channel, span=span):
                    self._begin(channel, span.start)
                case SpeechEnded(channel=channel, span=span):
                    self._extend(channel, span)
                case Words(channel=channel, span=span, text=text):
                    self._said(channel, span, text)
        self._settle(tick)
        self._hand_over(tick)
        self._expire(tick)

    def _begin(self, channel: Channel, start: int) -> None:
        open_ = self._latest(channel)
        if open_ is None or open_.over or start - open_.last >= JOIN:
            self._waiting.append(_Contribution(channel, start, start))
            self._waiting = deque(sorted(self._waiting, key=lambda each: each.start))

    def _extend(self, channel: Channel, span: Span) -> None:
        contribution = self._latest(channel)
        if contribution is not None:
            contribution.last = span.end
            contribution.talk += span.length

    def _said(self, channel: Channel, span: Span, text: str) -> None:
        (self._asked.add if text.rstrip().endswith("?") else self._asked.discard)(channel)
        for each in self._waiting:
            if each.channel is channel and span.overlap(Span(each.start, max(each.start, each.last))):
                each.texts.append(text)

    def _latest(self, channel: Channel) -> _Contribution | None:
        return next((each for each in reversed(self._waiting) if each.channel is channel), None)

    def _settle(self, tick: Tick) -> None:
        """Take contributions from the front for as long as they are settled."""
        for each in self._waiting:
            activity = tick.activity[each.channel]
            each.over = each.over or (not activity.speaking and tick.end - max(each.last, each.start) >= JOIN)
        while self._waiting and self._waiting[0].over:
            first = self._waiting[0]
            short = first.length <= samples(self._settings.backchannel_s)
            if short and not first.texts and tick.end - first.last < self._patience(tick):
                return
            self._waiting.popleft()
            if not (short and self._is_backchannel(first)):
                self._take(tick, first)

    def _patience(self, tick: Tick) -> int:
        """After the call only the tail comes: what waits then is settled before it is over."""
        return samples(1.0 if tick.closing else self._settings.settle_s)

    def _is_backchannel(self, contribution: _Contribution) -> bool:
        """Whether the other party had the floor, keeps it, and these are the sounds of listening, not an answer."""
        turn = self._turn
        if turn is None or turn.channel is contribution.channel:
            return False
        goes_on = any(each.channel is turn.channel for each in self._waiting) or turn.last > contribution.last
        if not goes_on or contribution.start - turn.last > samples(self._settings.silence_s):
            return False
        if contribution.texts:
            return turn.channel not in self._asked and all(acknowledges(text) for text in contribution.texts)
        return contribution.length <= samples(self._settings.brief_s)

    def _take(self, tick: Tick, contribution: _Contribution) -> None:
        turn = self._turn
        pause = samples(self._settings.silence_s)
        if turn is not None and turn.channel is contribution.channel and contribution.start - turn.last < pause:
            turn.last = max(turn.last, contribution.last)
            turn.talk += contribution.talk
            return
        if turn is not None and turn.channel is not contribution.channel and contribution.last <= turn.last:
            return  # inside the other's turn: an overlap, and no transfer
        self._end(tick)
        before = self._before
        other = before is not None and before.channel is not contribution.channel
        fto = contribution.start - before.last if before is not None and other else None
        self._turn = _Open(contribution.channel, contribution.start, contribution.last, contribution.talk, fto)

    def _hand_over(self, tick: Tick) -> None:
        """A turn is over as soon as the other speaks alone for longer than a backchannel."""
        turn = self._turn
        if turn is None or len(self._waiting) != 1 or tick.activity[turn.channel].speaking:
            return
        running = self._waiting[0]
        alone = tick.activity[running.channel].last - max(running.start, turn.last)
        if running.channel is not turn.channel and alone > samples(self._settings.backchannel_s):
            self._end(tick)

    def _expire(self, tick: Tick) -> None:
        """A turn after which nobody spoke is over, by the longest pause or with the call."""
        turn = self._turn
        if turn is None or self._waiting:
            return
        patience = samples(1.0 if tick.closing else self._settings.silence_s)
        if tick.end - turn.last >= patience and not any(each.speaking for each in tick.activity.values()):
            self._end(tick)

    def _end(self, tick: Tick) -> None:
        turn = self._turn
        if turn is not None:
            span = Span(turn.start, turn.last)
            tick.emit(Turn(span=span, at=tick.end, channel=turn.channel, talk=turn.talk, fto=turn.fto))
            self._before, self._turn = turn, None


class _Silences:
    """Non-talk time: nobody speaks for more than ``silence_s``."""

    def __init__(self, settings: Turns) -> None:
        self._least = samples(settings.silence_s)
        self._since = 0
        self._n: int | None = None

    def step(self, tick: Tick) -> None:
        starts = [activity.start for activity in tick.activity.values() if activity.speaking]
        close = next((e.item for e in tick.inputs if isinstance(e.item, Close)), None)
        if starts or close is not None:
            end = min(starts) if starts else tick.start if close is None else close.end
            self._shut(tick, max(end, self._since))
            self._since = max([self._since, *(activity.last for activity in tick.activity.values())])
        elif self._n is None and not tick.closing and tick.end - self._since > self._least:
            self._n = tick.emit(Silence(span=Span(self._since, tick.end), at=tick.end, open=True))

    def _shut(self, tick: Tick, end: int) -> None:
        if self._n is not None:
            tick.emit(Silence(span=Span(self._since, end), at=tick.end, open=False, of=self._n))
            self._n = None
