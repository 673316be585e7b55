"""Card data: while a ``pause`` holds, nothing is heard, so nothing can be stored or transcribed."""

import numpy as np

from pipeline.inputs import Frame, Mark
from pipeline.timebase import samples

GUARD = samples(0.25)
"""Samples still withheld after a ``resume``: longer than what a door holds back (resampler 115 ms, packet, tick)."""


class Hush:
    """Zeroes frames from a pause to its resume, on the safe side of both.

    A sender's own pause stands in its place between the frames. One from outside is announced: it counts at once, for
    audio that waits too. A resume counts in its place behind the audio that came before it, and a little later.
    """

    def __init__(self) -> None:
        self._announced: list[Mark] = []
        self._spoken = 0
        self._paused = False
        self._until = 0

    def announce(self, mark: Mark, spoken: int) -> None:
        """A mark from outside has come and is queued behind the audio before it.

        spoken: sample up to which audio may have been spoken by now, though not all of it has come yet.
        """
        if mark.kind == "pause":
            self._announced.append(mark)
        elif mark.kind == "resume":
            self._spoken = max(self._spoken, spoken)

    def obey(self, mark: Mark, position: int) -> None:
        """The mark's place is reached. position: first sample of the next frame."""
        if mark.kind == "pause":
            self._take(mark)
            self._paused = True
        elif mark.kind == "resume" and self._paused:
            self._paused = False
            self._until = max(position, self._spoken) + GUARD

    def pass_on(self, frame: Frame) -> Frame:
        """The frame, or silence in its place."""
        return Frame(frame.start, np.zeros_like(frame.pcm)) if self.withholds(frame.start) else frame

    def withholds(self, position: int) -> bool:
        """Whether what was said or written at this sample is kept from everybody."""
        return self._paused or bool(self._announced) or position < self._until

    def _take(self, mark: Mark) -> None:
        """In place: another thread may announce the next one at this moment."""
        for place, announced in enumerate(self._announced):
            if announced is mark:
                del self._announced[place]
                return
