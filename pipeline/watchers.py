"""Watchers: each looks at a tick's events for one of the playbook's triggers."""

from dataclasses import dataclass
from typing import TypeVar, assert_never

from pipeline.alerts import Reason
from pipeline.channel import Channel
from pipeline.events import Cue, OverlapRevised, Pace, Region, Score, Silence, Turn, Words
from pipeline.explain import reasons
from pipeline.playbook import Advice
from pipeline.session import Tick
from pipeline.text import name_in, plain, sentence
from pipeline.timebase import samples, seconds
from pipeline.triggers import (
    OnCue,
    OnInterruption,
    OnMonologue,
    OnPace,
    OnRelief,
    OnRepeated,
    OnScore,
    OnSilence,
    OnUnnamed,
)


@dataclass(slots=True)
class Signal:
    """What a watcher found in a tick. begins: raise, if the budget lets. ends: the reason to clear, if raised.

    evidence: numbers of the events it rests on; of a judgement taken back, the overlap, and only an alert that rests on
    it is cleared.
    """

    begins: bool = False
    ends: Reason | None = None
    because: str = ""
    evidence: tuple[int, ...] = ()


class Watcher:
    """Looks at a tick's events for one trigger. moment: what it finds passes by itself."""

    moment = False

    @property
    def waits(self) -> bool:
        """Whether time alone may bring something: then it looks at ticks without events too."""
        return False

    def look(self, tick: Tick) -> Signal:
        raise NotImplementedError


def watcher(advice: Advice) -> Watcher:
    match advice.when:
        case OnScore():
            return _ScoreWatcher(advice.when)
        case OnPace():
            return _PaceWatcher(advice.when)
        case OnInterruption():
            return _InterruptionWatcher(advice.when)
        case OnSilence():
            return _SilenceWatcher(advice.when)
        case OnCue():
            return _CueWatcher(advice.when)
        case OnMonologue():
            return _MonologueWatcher(advice.when)
        case OnRepeated():
            return _RepeatedWatcher(advice.when)
        case OnUnnamed():
            return _UnnamedWatcher(advice.when)
        case OnRelief():
            return _ReliefWatcher(advice.when)
        case _:
            assert_never(advice.when)


class _ScoreWatcher(Watcher):
    def __init__(self, when: OnScore) -> None:
        self._when = when
        self._since: int | None = None
        self._last: tuple[int, Score] | None = None

    @property
    def waits(self) -> bool:
        return self._since is not None

    def look(self, tick: Tick) -> Signal:
        signal = Signal()
        if tick.strained:
            self._since = None
            signal.ends = Reason.FADED
        for number, score in _found(tick, Score):
            if score.kind == self._when.score:
                self._last = (number, score)
                if score.value < self._when.below:
                    signal.ends = Reason.OVER
                if score.value < self._when.above:
                    self._since = None
                elif self._since is None:
                    self._since = score.at
        if self._since is not None and self._last is not None:
            number, score = self._last
            signal.begins = tick.end - self._since >= samples(self._when.for_s)
            signal.because = _explain(score)
            signal.evidence = (number, *score.evidence)
        return signal


def _explain(score: Score) -> str:
    why = "; ".join(reasons(score.parts, score.measures))
    return f"{score.kind} {score.value:.2f}" + (f": {why}" if why else "")


STANDS = samples(20.0)
"""Samples for which a pace stands without a newer one: who is silent no longer rushes."""


class _PaceWatcher(Watcher):
    def __init__(self, when: OnPace) -> None:
        self._when = when
        self._fast: tuple[int, Pace] | None = None

    @property
    def waits(self) -> bool:
        return self._fast is not None

    def look(self, tick: Tick) -> Signal:
        ends: Reason | None = None
        for number, pace in _found(tick, Pace):
            if pace.channel is self._when.channel and pace.relative is not None:
                ends = Reason.OVER if pace.relative < self._when.below else None
                self._fast = (number, pace) if pace.relative >= self._when.above else None
        if self._fast is not None and tick.end - self._fast[1].at > STANDS:
            self._fast, ends = None, Reason.FADED
        if self._fast is None:
            return Signal(ends=ends)
        number, pace = self._fast
        because = f"{pace.talk_speed:.0f} words a minute, {pace.relative:.2f} of usual"
        return Signal(begins=True, because=because, evidence=(number,))


class _InterruptionWatcher(Watcher):
    """A revision that takes the judgement back clears the alert and the interruption counts no more."""

    moment = True

    def __init__(self, when: OnInterruption) -> None:
        self._when = when
        self._counted: dict[int, int] = {}

    def look(self, tick: Tick) -> Signal:
        signal = Signal()
        for number, revised in _found(tick, OverlapRevised):
            ours = revised.kind == "interruption" and revised.interrupter is self._when.by
            if ours and revised.of not in self._counted:
                self._counted[revised.of] = revised.at
                self._judge(tick, signal, number)
            elif not ours and self._counted.pop(revised.of, None) is not None and not signal.begins:
                signal.ends, signal.evidence = Reason.REVISED, (revised.of,)
        return signal

    def _judge(self, tick: Tick, signal: Signal, number: int) -> None:
        since = tick.end - samples(self._when.within_s)
        recent = [of for of, at in self._counted.items() if at >= since]
        signal.begins = len(recent) >= self._when.least
        times = "once" if len(recent) == 1 else f"{len(recent)} times"
        signal.because = f"the {self._when.by} interrupted {times} in {self._when.within_s:g} s"
        signal.evidence = (*recent, number)


MEANT = ("hold", "mute", "pause", "music", "ringing", "tones")
"""Regions in which a silence of the parties is no failing of theirs."""


class _SilenceWatcher(Watcher):
    """A silence on hold, mute or pause is meant, and nobody is waited for; nor does who hears music or ringing wait."""

    def __init__(self, when: OnSilence) -> None:
        self._when = when
        self._after: Channel | None = None
        self._open: tuple[int, Silence] | None = None
        self._told_to_wait = 0
        self._meant_until = 0

    @property
    def waits(self) -> bool:
        return self._open is not None

    def look(self, tick: Tick) -> Signal:
        for _, region in _found(tick, Region):
            if region.kind in MEANT:
                self._told_to_wait += 1 if region.open else -1
                self._meant_until = tick.end
        for _, turn in _found(tick, Turn):
            self._after = turn.channel
        for number, silence in _found(tick, Silence):
            self._open = (number, silence) if silence.open else None
            if not silence.open:
                return Signal(ends=Reason.OVER)
        if self._open is None or self._told_to_wait or self._after is not self._when.after:
            return Signal()
        number, silence = self._open
        lasted = tick.end - max(silence.span.start, self._meant_until)
        because = f"silent for {seconds(lasted):.0f} s after the {self._after or 'start'}"
        return Signal(begins=lasted >= samples(self._when.for_s), because=because, evidence=(number,))


class _CueWatcher(Watcher):
    moment = True

    def __init__(self, when: OnCue) -> None:
        self._when = when
        self._heard: list[tuple[int, int]] = []

    def look(self, tick: Tick) -> Signal:
        signal = Signal()
        for number, cue in _found(tick, Cue):
            if cue.name in self._when.cues:
                since = tick.end - samples(self._when.within_s)
                self._heard = [(n, at) for n, at in self._heard if at > since] + [(number, cue.at)]
                signal.begins = len(self._heard) >= self._when.least
                signal.because = f"the {cue.channel} said: {cue.phrase}"
                signal.evidence = (*(n for n, _ in self._heard), cue.of)
        return signal


class _RepeatedWatcher(Watcher):
    """A sentence of ``WHOLE`` words or more; shorter ones are nobody's script."""

    moment = True
    WHOLE = 4

    def __init__(self, when: OnRepeated) -> None:
        self._when = when
        self._said: dict[str, int] = {}

    def look(self, tick: Tick) -> Signal:
        signal = Signal()
        texts = {number: words.text for number, words in _found(tick, Words)}
        for number, cue in _found(tick, Cue):
            if cue.name != self._when.cue or cue.of not in texts:
                continue
            said = sentence(texts[cue.of], cue.phrase)
            before = self._said.setdefault(plain(said), number)
            if before != number and len(said.split()) >= self.WHOLE:
                signal = Signal(begins=True, because=f"the {cue.channel} said again: {said}", evidence=(before, number))
        return signal


class _UnnamedWatcher(Watcher):
    """A name counts as used when one of its words is said; it is asked for once."""

    moment = True

    def __init__(self, when: OnUnnamed) -> None:
        self._when = when
        self._given: tuple[int, Cue] | None = None
        self._names: set[str] = set()

    @property
    def waits(self) -> bool:
        return self._given is not None

    def look(self, tick: Tick) -> Signal:
        for number, cue in _found(tick, Cue):
            names = name_in(cue.phrase) if cue.name == "gives_name" and cue.channel is Channel.CUSTOMER else set()
            if names and not self._names:
                self._given, self._names = (number, cue), names
        for _, words in _found(tick, Words):
            if words.channel is Channel.AGENT and self._names & set(plain(words.text).split()):
                self._given = None
        if self._given is None or tick.end - self._given[1].at < samples(self._when.for_s):
            return Signal()
        (number, cue), self._given = self._given, None
        return Signal(begins=True, because=f"not used since the customer said: {cue.phrase}", evidence=(number,))


class _MonologueWatcher(Watcher):
    waits = True

    def __init__(self, when: OnMonologue) -> None:
        self._when = when
        self._stands = False

    def look(self, tick: Tick) -> Signal:
        held = tick.floor is not None and tick.floor.holder is self._when.by
        lasted = tick.end - tick.floor.since if held and tick.floor is not None else 0
        was, self._stands = self._stands, lasted >= samples(self._when.for_s)
        if not self._stands:
            return Signal(ends=Reason.OVER if was else None)
        return Signal(begins=True, because=f"the {self._when.by} has spoken for {seconds(lasted):.0f} s")


RELIEF_S = 30.0
"""Seconds after a fall for which it may still be told: the advice before it may stand in its way for 20."""


class _ReliefWatcher(Watcher):
    """A score that had risen has fallen, and stays low: what the agent did has helped."""

    moment = True

    def __init__(self, when: OnRelief) -> None:
        self._when = when
        self._peak: tuple[int, float] | None = None
        self._fell: tuple[int, str, tuple[int, ...]] | None = None

    def look(self, tick: Tick) -> Signal:
        signal = Signal()
        for number, score in _found(tick, Score):
            if score.kind != self._when.score:
                continue
            if score.value >= self._when.above:
                best = 0.0 if self._peak is None else self._peak[1]
                self._peak = (number, score.value) if score.value >= best else self._peak
                self._fell = None
            elif score.value < self._when.below and self._peak is not None:
                because = f"{score.kind} fell from {self._peak[1]:.2f} to {score.value:.2f}"
                self._fell, self._peak = (tick.end, because, (self._peak[0], number)), None
            if self._fell is not None and tick.end - self._fell[0] <= samples(RELIEF_S):
                signal.begins, (_, signal.because, signal.evidence) = score.value < self._when.below, self._fell
        return signal


E = TypeVar("E")


def _found(tick: Tick, kind: type[E]) -> list[tuple[int, E]]:
    """This tick's events of one kind, with their numbers."""
    return [(entry.n, entry.item) for entry in tick.events if isinstance(entry.item, kind)]
