"""Where the packets of two tracks belong on the one clock of a call.

A track is on time by its own count of samples; what its timestamps reveal as missing moves it on. A track that begins
late begins where the other one is, by timestamp if that is likely, else by arrival. A track that falls behind and
catches up (a burst) keeps its own time, and the door drops what is late; one that stays behind was never late, it has
lost audio without a word, and goes on where the other one is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from api.doors.mulaw import RATE
from api.doors.stamps import Pace, Stamps

LIKELY = 1 * RATE
"""Samples between a late track's first timestamp and its arrival: more is a timestamp that counts from elsewhere."""
BEHIND = RATE // 5
"""Samples that a track may be behind the other: the skew bound of ``pipeline.door``."""
PATIENCE = 1 * RATE
"""Samples of the other track in which one that is behind must have begun to catch up."""
LONGEST_JUMP = 100 * RATE
"""Samples; a longer jump is another clock's. The door takes no more than 120 s."""


@dataclass(slots=True)
class _Track:
    """begin: where its first packet is, stamped ``first``. last: where its latest one begins. end: where its next one
    goes; None before the first. All in samples of the call.

    watched: where the other track was, and by how much this one was behind, when it was found to be.
    """

    stamps: Stamps
    begin: int = 0
    first: int | None = None
    last: int = 0
    end: int | None = None
    watched: tuple[int, int] | None = None

    def place(self, stamp: int) -> float | None:
        """Where a timestamp of the same clock lies. One not measured yet tells only what began together."""
        since = self.stamps.since(stamp)
        if since is not None:
            return self.last + since
        return None if self.first is None else float(self.begin + stamp - self.first)


class Tracks:
    """Positions of packets by the name of their track. All counts are of samples at 8 kHz."""

    def __init__(self, names: Iterable[str]) -> None:
        pace = Pace()
        self._tracks = {name: _Track(Stamps(pace)) for name in names}

    def place(self, name: str, count: int, stamp: int | None) -> int:
        """Where a packet of ``count`` samples begins. stamp: its timestamp in samples, if it has one."""
        track = self._tracks[name]
        if track.end is None:
            track.begin = track.end = self._beginning(count, stamp)
            track.first = stamp
        missing = track.stamps.lost(stamp, count) if stamp is not None else 0
        if missing <= LONGEST_JUMP:
            track.end += missing
        self._watch(track, count)
        track.last = track.end
        track.end += count
        return track.last

    @property
    def lead(self) -> int:
        """The end of the track that is furthest."""
        return max((track.end for track in self._tracks.values() if track.end is not None), default=0)

    def _beginning(self, count: int, stamp: int | None) -> int:
        arrival = max(0, self.lead - count)  # the other's packet of the same moment is here already
        other = next((track for track in self._tracks.values() if track.end is not None), None)
        if other is None or stamp is None:
            return arrival
        place = other.place(stamp)
        return max(0, round(place)) if place is not None and abs(place - arrival) <= LIKELY else arrival

    def _watch(self, track: _Track, count: int) -> None:
        assert track.end is not None
        lead = self.lead
        behind = lead - track.end - count
        if behind <= BEHIND:
            track.watched = None
        elif track.watched is None:
            track.watched = (lead, behind)
        elif lead - track.watched[0] >= PATIENCE:
            if behind > track.watched[1] - PATIENCE // 2:
                track.end = lead - count
                track.watched = None
            else:
                track.watched = (lead, behind)
