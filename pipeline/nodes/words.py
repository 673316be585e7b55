"""Words: cuts utterances from the speech of each channel, asks the recogniser, and judges what it answers."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline import settings as s
from pipeline.channel import MONO, Channel
from pipeline.events import Fault, Region, Rejected, RejectReason, Word, Words
from pipeline.inputs import EngineResult
from pipeline.session import Tick, Utterance
from pipeline.timebase import TICK, Span, samples

SEARCH = samples(3.0)
"""A cut inside running speech is made at the quietest tick of this last stretch."""


class WordsNode:
    """One utterance is the speech of one channel between pauses longer than ``join_s``, at most ``longest_s``.

    told_apart: both rows come from one channel and hold the same mixture where both speak; who came in later is not
    transcribed there, or every word would be heard twice.
    What a singer sings is not asked for, and refused where the music was told only after the asking: an utterance that
    lies in music for the most part.
    """

    def __init__(
        self, channels: Sequence[Channel], settings: s.Words, *, enabled: bool, told_apart: bool = False
    ) -> None:
        self._settings = settings
        self._told_apart = told_apart
        self._enabled = enabled
        self._cutters = {channel: _Cutter(settings) for channel in (*channels, Channel.UNKNOWN)}
        self._music = {channel: _Music() for channel in self._cutters}
        self._two = tuple(channels) if len(channels) == 2 else ()
        self._joined: tuple[Channel, ...] = ()
        self._asked = 0

    def step(self, tick: Tick) -> None:
        if self._enabled:
            if self._told_apart:
                _hush(tick)
            if tick.channels == MONO and self._two:
                self._join()
            for entry in tick.events:
                if isinstance(entry.item, Region) and entry.item.kind == "music" and entry.item.channel is not None:
                    self._music[entry.item.channel].take(entry.item)
            for channel, cutter in self._cutters.items():
                for span, pcm in cutter.step(tick, channel):
                    if not self._music[channel].covers(span):
                        self._asked += 1
                        tick.ask(Utterance(self._asked, channel, span, pcm))
        for entry in tick.inputs:
            if isinstance(entry.item, EngineResult):
                self._judge(tick, entry.item)

    def _join(self) -> None:
        """Both channels turned out to carry one sound: what the first had begun goes on as the unknown speaker's."""
        first, second = self._two
        self._cutters[Channel.UNKNOWN] = self._cutters[first]
        self._cutters |= {first: _Cutter(self._settings), second: _Cutter(self._settings)}
        self._joined, self._two = self._two, ()

    def _judge(self, tick: Tick, result: EngineResult) -> None:
        if result.fault is not None:
            tick.emit(Fault(span=result.span, at=tick.end, part="words", message=result.fault, fatal=False))
            return
        reason = self._refusal(result)
        if reason is None and tick.channels == MONO and result.channel in self._joined:
            if result.channel is self._joined[1]:
                reason = "doubled"
            result = replace(result, channel=Channel.UNKNOWN)
        if reason is None:
            tick.emit(_words(tick, result, late=tick.end - result.span.end > samples(self._settings.late_s)))
            return
        tick.emit(
            Rejected(
                span=result.span,
                at=tick.end,
                channel=result.channel,
                utterance=result.utterance,
                text=result.text,
                reason=reason,
            )
        )

    def _refusal(self, result: EngineResult) -> RejectReason | None:
        """Whisper's own guards (Radford et al. 2022, section 4.5), and a bound on what a tongue can do."""
        limits = self._settings
        if not result.words:
            return "empty"
        if self._music[result.channel].covers(result.span):
            return "not_speech"
        if result.no_speech > limits.no_speech and result.log_probability < limits.log_probability:
            return "no_speech"
        if result.compression > limits.compression:
            return "repetition"
        if len(result.words) > max(2.0, limits.fastest_words_per_s * result.span.seconds):
            return "too_fast"
        return None


def _hush(tick: Tick) -> None:
    """Silence the mixture in the row of whoever came in later; speech was told from it before."""
    starts = [tick.activity[channel].start for channel in tick.channels]
    mixture = tick.samples[0] == tick.samples[1]
    if mixture.any():
        tick.samples[starts.index(max(starts)), mixture] = 0.0


def _words(tick: Tick, result: EngineResult, *, late: bool) -> Words:
    return Words(
        span=result.span,
        at=tick.end,
        channel=result.channel,
        utterance=result.utterance,
        text=result.text,
        words=tuple(Word(text=w.text, span=w.span, probability=w.probability) for w in result.words),
        late=late,
        emotion=result.emotion,
    )


class _Music:
    """Music of one channel: the region that is open, and the last one that was closed."""

    SHARE = 0.8
    """Of an utterance, from which it is the music's own."""
    BLIP = samples(0.6)
    """An utterance no longer than this, its padding included, may be the music's own beginning, before it was told."""
    BEFORE = samples(1.0)

    def __init__(self) -> None:
        self._since: int | None = None
        self._last = Span(0, 0)

    def take(self, region: Region) -> None:
        self._since = region.span.start if region.open else None
        self._last = self._last if region.open else region.span

    def covers(self, span: Span) -> bool:
        early = self.BEFORE if span.length <= self.BLIP else 0
        running = 0 if self._since is None else span.overlap(_from(self._since - early, span.end))
        return running + _from(self._last.start - early, self._last.end).overlap(span) >= self.SHARE * span.length


def _from(start: int, end: int) -> Span:
    start = max(0, start)
    return Span(start, max(start, end))


Cut = tuple[Span, NDArray[np.int16]]


@dataclass(slots=True)
class _Cutter:
    """The running utterance of one channel, and the audio it may need.

    pcm: one int16 (512,) array a tick. first: sample index of the oldest. last: end of the last speech.
    """

    settings: s.Words
    pcm: deque[NDArray[np.int16]] = field(default_factory=deque)
    first: int = 0
    start: int | None = None
    last: int = 0
    spoken: int = 0

    def step(self, tick: Tick, channel: Channel) -> list[Cut]:
        if channel not in tick.channels:
            return self._leave()
        if not self.pcm:
            self.first = tick.start
        row = tick.channels.index(channel)
        self.pcm.append(np.rint(tick.samples[row] * 32768.0).astype(np.int16))
        activity = tick.activity[channel]
        if activity.speaking:
            if self.start is None:
                self.start = max(self.first, activity.start - samples(self.settings.pad_s))
                self.spoken = 0
            if activity.last == tick.end:
                self.spoken += TICK
            self.last = activity.last
            return self._too_long(tick)
        if self.start is not None and tick.end - self.last >= samples(self.settings.join_s):
            return self._end(tick)
        if self.start is None:
            self._forget(tick.end - samples(self.settings.pad_s) - samples(1.0))
        return []

    def _leave(self) -> list[Cut]:
        """The channel has no sound of its own any more: what it had begun is cut here."""
        cut = [self._cut(self.start, self.first + sum(map(len, self.pcm)))] if self.start is not None else []
        self.start = None
        self.pcm.clear()
        return cut

    def _end(self, tick: Tick) -> list[Cut]:
        assert self.start is not None
        end = min(tick.end, self.last + samples(self.settings.pad_s))
        enough = self.spoken >= samples(self.settings.shortest_s)
        cut = [self._cut(self.start, end)] if enough else []
        self.start = None
        return cut

    def _too_long(self, tick: Tick) -> list[Cut]:
        """Cut running speech at its quietest moment, so that no word is split or heard twice."""
        assert self.start is not None
        if tick.end - self.start < samples(self.settings.longest_s):
            return []
        ticks = list(self.pcm)[-SEARCH // TICK :]
        energy = [float(np.dot(each.astype(np.float64), each)) for each in ticks]
        where = tick.end - (len(ticks) - int(np.argmin(energy))) * TICK + TICK // 2
        cut = self._cut(self.start, where)
        self.start = where
        self._forget(where)
        return [cut]

    def _cut(self, start: int, end: int) -> Cut:
        pcm = np.concatenate(self.pcm)[start - self.first : end - self.first]
        return Span(start, end), pcm

    def _forget(self, before: int) -> None:
        while self.pcm and self.first + TICK <= before:
            self.pcm.popleft()
            self.first += TICK
