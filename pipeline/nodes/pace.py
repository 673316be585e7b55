"""Pace: talk speed and articulation rate of each speaker, against the speaker's own first minutes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.channel import Channel
from pipeline.events import Pace, SpeechEnded, Words
from pipeline.session import Tick
from pipeline.settings import Voice
from pipeline.text import syllables
from pipeline.timebase import RATE, Span, samples


class PaceNode:
    """Emits a Pace after each utterance's words.

    Talk speed is words over the speaker's own speaking minutes; articulation rate is syllables over the
    seconds in which words were spoken, pauses left out.
    """

    def __init__(self, channels: Sequence[Channel], settings: Voice) -> None:
        self._window = samples(settings.pace_window_s)
        self._learn = samples(settings.pace_baseline_s)
        self._speakers = {channel: _Speaker() for channel in (*channels, Channel.UNKNOWN)}

    def step(self, tick: Tick) -> None:
        if tick.new_agent and Channel.AGENT in self._speakers:
            self._speakers[Channel.AGENT] = _Speaker()
        for entry in tick.events:
            if isinstance(entry.item, SpeechEnded):
                self._speakers[entry.item.channel].speech.append(entry.item.span)
            elif isinstance(entry.item, Words):
                self._measure(tick, entry.item)

    def _measure(self, tick: Tick, words: Words) -> None:
        speaker = self._speakers[words.channel]
        running = tick.activity[words.channel]
        spoken = _Spoken(
            span=words.span,
            speech=speaker.speech_in(words.span, Span(running.start, running.last) if running.speaking else None),
            words=len(words.words),
            syllables=sum(syllables(word.text) for word in words.words),
            voiced=sum(word.span.length for word in words.words),
        )
        if spoken.speech == 0 or spoken.voiced == 0:
            return
        speaker.add(spoken, self._window)
        talk_speed, articulation = speaker.rates()
        relative = speaker.relative(talk_speed, self._learn)
        tick.emit(
            Pace(
                span=Span(min(each.span.start for each in speaker.recent), words.span.end),
                at=tick.end,
                channel=words.channel,
                talk_speed=round(talk_speed, 1),
                articulation_rate=round(articulation, 2),
                words=sum(each.words for each in speaker.recent),
                relative=None if relative is None else round(relative, 3),
            )
        )


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One utterance. speech: samples of speech in it. voiced: samples of its words."""

    span: Span
    speech: int
    words: int
    syllables: int
    voiced: int


@dataclass(slots=True)
class _Speaker:
    speech: deque[Span] = field(default_factory=lambda: deque(maxlen=256))
    recent: deque[_Spoken] = field(default_factory=deque)
    learnt_words: int = 0
    learnt_speech: int = 0
    baseline: float | None = None

    def speech_in(self, span: Span, running: Span | None) -> int:
        """Samples of speech inside an utterance, the stretch that still runs included."""
        known = sum(each.overlap(span) for each in self.speech)
        return known + (running.overlap(span) if running is not None else 0)

    def add(self, spoken: _Spoken, window: int) -> None:
        self.recent.append(spoken)
        while len(self.recent) > 1 and sum(each.speech for each in self.recent) > window:
            self.recent.popleft()
        if self.baseline is None:
            self.learnt_words += spoken.words
            self.learnt_speech += spoken.speech

    def rates(self) -> tuple[float, float]:
        """Words per minute, syllables per second."""
        words, speech = sum(e.words for e in self.recent), sum(e.speech for e in self.recent)
        count, voiced = sum(e.syllables for e in self.recent), sum(e.voiced for e in self.recent)
        return words * 60 * RATE / speech, count * RATE / voiced

    def relative(self, talk_speed: float, learn: int) -> float | None:
        if self.baseline is None and self.learnt_speech >= learn:
            self.baseline = self.learnt_words * 60 * RATE / self.learnt_speech
        return None if not self.baseline else talk_speed / self.baseline
