"""Speech activity of each channel: detector probabilities with hysteresis become stretches of speech."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from models.loudness import levels_dbfs
from models.protocols import SpeechDetector
from pipeline.channel import Channel
from pipeline.events import SpeechEnded, SpeechStarted
from pipeline.session import Activity, Tick
from pipeline.settings import Speech
from pipeline.timebase import TICK, Span, samples, ticks
from pipeline.together import Question, answered

ECHO = ticks(0.35)
"""Ticks within which a voice comes back as an echo."""


class SpeechNode:
    """Emits SpeechStarted and SpeechEnded; writes ``tick.activity``.

    A stretch is known after ``onset_s`` over the onset, starts where the probability rose over the release before
    that, and ends with its last tick over the release,
    known ``hangover_s`` later. A channel that a tick does not have (see dual mono) is silent.
    """

    def __init__(self, channels: Sequence[Channel], settings: Speech, detector: SpeechDetector) -> None:
        self._settings = settings
        self._detector = detector
        self._streams = {tuple(channels): detector.stream(len(channels))}
        self._voices = {channel: _Voice() for channel in channels}
        self._asked: Question | None = None

    def ask(self, tick: Tick) -> Question:
        """Where who steps it stops here, many calls are answered in one go; else ``step`` finds the answer itself."""
        if tick.channels not in self._streams:
            self._meet(tick.channels)
        self._asked = Question(self._detector.detect_all, self._streams[tick.channels], tick.samples)
        return self._asked

    def step(self, tick: Tick) -> None:
        question, self._asked = self._asked or self.ask(tick), None
        for channel, level in zip(tick.channels, levels_dbfs(tick.samples), strict=True):
            self._voices[channel].levels.append(level)
        for channel, probability in zip(tick.channels, answered(question), strict=True):
            self._follow(tick, channel, 0.0 if self._inaudible(tick, channel) else probability)
        for channel in self._voices:
            if channel not in tick.channels:
                self._follow(tick, channel, 0.0)

    def _meet(self, channels: tuple[Channel, ...]) -> None:
        """Other channels than the call began with: one sound on both, which is nobody's own."""
        self._streams[channels] = self._detector.stream(len(channels))
        self._voices |= {channel: _Voice() for channel in channels if channel not in self._voices}

    def _inaudible(self, tick: Tick, channel: Channel) -> bool:
        """Under the noise of the line, or so far under the other's voice that it is nothing but that voice's bleed."""
        others = (max(self._voices[other].levels) for other in tick.channels if other is not channel)
        floor = max(self._settings.floor_dbfs, max(others, default=-np.inf) - self._settings.bleed_db)
        return self._voices[channel].levels[-1] < floor

    def _follow(self, tick: Tick, channel: Channel, probability: float) -> None:
        voice = self._voices[channel]
        if voice.speaking:
            self._hold(tick, channel, voice, probability)
        else:
            self._listen(tick, channel, voice, probability)
        tick.activity[channel] = Activity(probability, voice.speaking, voice.start, voice.last)

    def _listen(self, tick: Tick, channel: Channel, voice: "_Voice", probability: float) -> None:
        settings = self._settings
        voice.rise = voice.rise + TICK if probability >= settings.release else 0
        voice.run = voice.run + TICK if probability >= settings.onset else 0
        if voice.run >= samples(settings.onset_s):
            voice.speaking, voice.start, voice.last = True, tick.end - voice.rise, tick.end
            tick.emit(SpeechStarted(span=Span(voice.start, voice.start), at=tick.end, channel=channel))

    def _hold(self, tick: Tick, channel: Channel, voice: "_Voice", probability: float) -> None:
        if probability >= self._settings.release:
            voice.last = tick.end
        elif tick.end - voice.last >= samples(self._settings.hangover_s):
            voice.speaking, voice.run, voice.rise = False, 0, 0
            tick.emit(SpeechEnded(span=Span(voice.start, voice.last), at=tick.end, channel=channel))


class _Voice:
    """run: samples in a row over the onset. rise: samples in a row over the release, where the stretch will begin.

    levels: dBFS of the last ticks, as many as an echo may be late.
    """

    __slots__ = ("last", "levels", "rise", "run", "speaking", "start")

    def __init__(self) -> None:
        self.levels: deque[float] = deque(maxlen=ECHO)
        self.speaking = False
        self.run = 0
        self.rise = 0
        self.start = 0
        self.last = 0
