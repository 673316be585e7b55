"""Utterances: cuts from the speech of each channel what is handed to the recogniser."""

from collections.abc import Sequence

import numpy as np

from pipeline import settings as s
from pipeline.channel import MONO, Channel
from pipeline.cutter import Ask, Cutter
from pipeline.events import Region
from pipeline.music import Music
from pipeline.session import Tick, Utterance


class UtterancesNode:
    """One utterance is the speech of one channel between pauses (see ``cutter``), at most ``longest_s``.

    While it runs, drafts of it are asked for; its number is taken at the first asking and kept by its final.
    told_apart: both rows come from one channel and hold the same mixture where both speak; who came in later is not
    transcribed there, or every word would be heard twice.
    What a singer sings is not asked for.
    """

    def __init__(
        self, channels: Sequence[Channel], settings: s.Words, *, enabled: bool, told_apart: bool = False
    ) -> None:
        self._settings = settings
        self._told_apart = told_apart
        self._enabled = enabled
        self._cutters = {channel: Cutter(settings) for channel in (*channels, Channel.UNKNOWN)}
        self._music = {channel: Music() for channel in self._cutters}
        self._two = tuple(channels) if len(channels) == 2 else ()
        self._asked = 0
        self._numbers: dict[Channel, int] = {}

    def step(self, tick: Tick) -> None:
        if not self._enabled:
            return
        if self._told_apart:
            _hush(tick)
        if tick.channels == MONO and self._two:
            self._join()
        for entry in tick.events:
            if isinstance(entry.item, Region) and entry.item.kind == "music" and entry.item.channel is not None:
                self._music[entry.item.channel].take(entry.item)
        scaled = tick.samples * 32768.0
        pcm = np.rint(scaled, out=scaled).astype(np.int16)
        for channel, cutter in self._cutters.items():
            if channel in tick.channels:
                ask = cutter.step(pcm[tick.channels.index(channel)], tick.end, tick.activity[channel])
            else:
                ask = cutter.leave()
            if ask is not None:
                self._pass_on(tick, channel, ask)

    def _pass_on(self, tick: Tick, channel: Channel, ask: Ask) -> None:
        if not self._music[channel].covers(ask.span):
            if channel not in self._numbers:
                self._asked += 1
                self._numbers[channel] = self._asked
            tick.ask(Utterance(self._numbers[channel], channel, ask.span, ask.pcm, ask.stage))
        if ask.stage == "final":
            self._numbers.pop(channel, None)

    def _join(self) -> None:
        """Both channels turned out to carry one sound: what the first had begun goes on as the unknown speaker's."""
        first, second = self._two
        self._cutters[Channel.UNKNOWN] = self._cutters[first]
        self._cutters |= {first: Cutter(self._settings), second: Cutter(self._settings)}
        numbers, self._numbers, self._two = self._numbers, {}, ()
        if first in numbers:
            self._numbers[Channel.UNKNOWN] = numbers[first]


def _hush(tick: Tick) -> None:
    """Silence the mixture in the row of whoever came in later; speech was told from it before."""
    starts = [tick.activity[channel].start for channel in tick.channels]
    mixture = tick.samples[0] == tick.samples[1]
    if mixture.any():
        tick.samples[starts.index(max(starts)), mixture] = 0.0
