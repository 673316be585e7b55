"""Where the speech of one channel is cut into utterances, and when the recogniser is asked: activity in, asks out.

An utterance ends with a pause. A short one needs all of ``join_s``, for longer context makes better words. The longer
it runs, the shorter the pause that ends it, so that nearly all speech is cut where its speaker breathes, and its words
are known at once. Only what runs on past ``longest_s`` is cut at the quietest moment of its last second.
The other party need not be looked at: its voice is not on this channel, and what leaks of it is weaker than this
party's own, so that the quietest moment is this party's pause all the same.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline import settings as s
from pipeline.session import Activity, Stage
from pipeline.timebase import TICK, Span, samples, ticks

Pcm = NDArray[np.int16]

SEARCH = ticks(1.0)
"""Ticks: running speech is cut in this last stretch. Each second of it is a second that the words are late."""
STILL = 3
"""Ticks that are quiet together: 96 ms. One alone may be the closure of a "p" or a "t", within a word."""
FIRST = samples(1.0)
"""Of an utterance, from which drafts are wanted: less is seldom a word that stays."""
GROWTH = 8
"""A draft hears its utterance from the beginning, so the longer it is, the more must have come since: an eighth. All
drafts of an utterance then hear nine times its length at most."""
BEFORE = samples(1.0)
"""What is kept of silence: speech may be told later than it began."""


@dataclass(frozen=True, slots=True)
class Ask:
    """pcm: int16 (n,), the audio of ``span``. stage: see ``Utterance``."""

    stage: Stage
    span: Span
    pcm: Pcm


class Cutter:
    """The running utterance of one channel, and the audio it may need."""

    def __init__(self, settings: s.Words) -> None:
        self._join, self._breath = samples(settings.join_s), samples(settings.breath_s)
        self._easy, self._longest = samples(settings.easy_s), samples(settings.longest_s)
        self._pad, self._shortest = samples(settings.pad_s), samples(settings.shortest_s)
        self._draft = samples(settings.draft_s)
        self._audio = bytearray()  # int16: grows behind and is forgotten in front without being moved
        self._first = self._end = 0
        self._start: int | None = None
        self._last = self._over = 0
        self._spoken = 0
        self._due = 0
        self._paused_at = -1

    def step(self, pcm: Pcm, end: int, activity: Activity) -> Ask | None:
        """The next tick: int16 (512,), the sample behind it, and whether it is speech."""
        if not self._audio:
            self._first = end - TICK
        self._audio += pcm.tobytes()
        self._end = end
        if activity.last == end and activity.speaking:
            self._speak(activity)
        if self._start is None:
            self._forget(end - self._pad - BEFORE)
            return None
        return self._final() or self._running(activity.speaking)

    def leave(self) -> Ask | None:
        """The channel has no sound of its own any more: what it had begun ends here."""
        ask = None if self._start is None else self._ask("final", self._end)
        self._start = None
        self._audio.clear()
        return ask

    def _speak(self, activity: Activity) -> None:
        if self._start is None:
            self._begin(max(self._first, self._over, activity.start - self._pad), spoken=0)
        self._spoken += TICK
        self._last = activity.last

    def _begin(self, start: int, spoken: int) -> None:
        self._start, self._spoken, self._due = start, spoken, start + FIRST

    def _final(self) -> Ask | None:
        assert self._start is not None
        too_long = self._end - self._start >= self._longest
        enough = STILL * TICK if too_long else self._pause(self._last - self._start)
        if self._end - self._last >= enough:
            return self._finish()
        return self._cut() if too_long else None

    def _pause(self, length: int) -> int:
        """Samples of pause that end an utterance of ``length`` samples."""
        tired = min(1.0, max(0, length - self._easy) / max(1, self._longest - self._easy))
        return round(self._join + tired * (min(self._breath, self._join) - self._join))

    def _finish(self) -> Ask | None:
        """It ends with the pause that runs; None where it is but a click."""
        end = min(self._end, self._last + self._pad)
        ask = self._ask("final", end) if self._worth() else None
        self._start, self._over = None, end
        return ask

    def _cut(self) -> Ask:
        """Cut running speech at its quietest moment, so that no word is split or heard twice.

        What remains is long enough to be asked for.
        """
        recent = np.frombuffer(self._audio[-SEARCH * TICK * 2 :], np.int16).reshape(-1, TICK)
        power = np.square(recent, dtype=np.float64).sum(axis=1)
        still = np.convolve(power, np.ones(STILL), "valid")
        kept = ceil((self._end - self._last + self._shortest) / TICK)
        middle = int(np.argmin(still[: len(still) - kept])) + STILL / 2
        where = self._end - round((SEARCH - middle) * TICK)
        ask = self._ask("final", where)
        self._forget(where)
        self._begin(where, spoken=self._last - where)
        return ask

    def _running(self, speaking: bool) -> Ask | None:
        if not self._draft or not self._worth():
            return None
        if self._end == self._last and self._end >= self._due:
            return self._ask("running", self._end)
        end = self._last + self._pad
        if not speaking and self._end >= end and self._paused_at != self._last:
            self._paused_at = self._last
            return self._ask("paused", end)
        return None

    def _worth(self) -> bool:
        """Whether there is more in it than a click."""
        return self._spoken >= self._shortest

    def _ask(self, stage: Stage, end: int) -> Ask:
        assert self._start is not None
        self._due = end + max(self._draft, (end - self._start) // GROWTH)
        first, last = 2 * (self._start - self._first), 2 * (end - self._first)
        return Ask(stage, Span(self._start, end), np.frombuffer(self._audio[first:last], np.int16))

    def _forget(self, before: int) -> None:
        count = (before - self._first) // TICK * TICK
        if count > 0:
            del self._audio[: 2 * count]
            self._first += count
