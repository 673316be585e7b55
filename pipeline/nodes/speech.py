"""Speech activity of each channel: detector probabilities with hysteresis become stretches of speech."""

from collections.abc import Sequence

import numpy as np

from models.protocols import Samples, SpeechDetector
from pipeline.channel import Channel
from pipeline.events import SpeechEnded, SpeechStarted
from pipeline.session import Activity, Tick
from pipeline.settings import Speech
from pipeline.timebase import TICK, Span, samples


class SpeechNode:
    """Emits SpeechStarted and SpeechEnded; writes ``tick.activity``.

    A stretch is known after ``onset_s`` over the onset, starts where the probability rose over the release before
    that, and ends with its last tick over the release,
    known ``hangover_s`` later.
    """

    def __init__(self, channels: Sequence[Channel], settings: Speech, detector: SpeechDetector) -> None:
        self._settings = settings
        self._streams = [detector.stream() for _ in channels]
        self._stretches = [_Stretch() for _ in channels]

    def step(self, tick: Tick) -> None:
        for row, channel in enumerate(tick.channels):
            probability = self._streams[row].detect(tick.samples[row])
            if _quiet(tick.samples[row], self._settings.floor_dbfs):
                probability = 0.0
            self._follow(tick, channel, self._stretches[row], probability)

    def _follow(self, tick: Tick, channel: Channel, stretch: "_Stretch", probability: float) -> None:
        if stretch.speaking:
            self._hold(tick, channel, stretch, probability)
        else:
            self._listen(tick, channel, stretch, probability)
        tick.activity[channel] = Activity(probability, stretch.speaking, stretch.start, stretch.last)

    def _listen(self, tick: Tick, channel: Channel, stretch: "_Stretch", probability: float) -> None:
        settings = self._settings
        stretch.rise = stretch.rise + TICK if probability >= settings.release else 0
        stretch.run = stretch.run + TICK if probability >= settings.onset else 0
        if stretch.run >= samples(settings.onset_s):
            stretch.speaking, stretch.start, stretch.last = True, tick.end - stretch.rise, tick.end
            tick.emit(SpeechStarted(span=Span(stretch.start, stretch.start), at=tick.end, channel=channel))

    def _hold(self, tick: Tick, channel: Channel, stretch: "_Stretch", probability: float) -> None:
        if probability >= self._settings.release:
            stretch.last = tick.end
        elif tick.end - stretch.last >= samples(self._settings.hangover_s):
            stretch.speaking, stretch.run, stretch.rise = False, 0, 0
            tick.emit(SpeechEnded(span=Span(stretch.start, stretch.last), at=tick.end, channel=channel))


class _Stretch:
    """run: samples in a row over the onset. rise: samples in a row over the release, where the stretch will begin."""

    __slots__ = ("last", "rise", "run", "speaking", "start")

    def __init__(self) -> None:
        self.speaking = False
        self.run = 0
        self.rise = 0
        self.start = 0
        self.last = 0


def _quiet(window: Samples, floor_dbfs: float) -> bool:
    return float(np.dot(window, window)) / TICK < 10 ** (floor_dbfs / 10)
