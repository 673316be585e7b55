"""One Media Stream without its socket: messages in, the call's facts and its audio out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.doors.mulaw import RATE
from api.doors.reorder import Reorder
from api.doors.tracks import Tracks
from api.doors.twilio_messages import MULAW, Media, Packet, Start, Started, Stop, parse
from pipeline.errors import BadInput

TRACKS = ("inbound", "outbound")
LONGEST_PACKET = RATE // 5
"""Samples of one packet, the skew that the door allows: a longer one would leave the other track behind."""
_ROOM = 3 * RATE // 20
"""Samples that wait for a packet that is missing: 150 ms, within the skew that the door allows."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A packet at its place. codes: µ-law, uint8 (n,), at 8 kHz. position: of its first one, from the call's start."""

    track: str
    codes: NDArray[np.uint8]
    position: int


class Stream:
    """``take`` each message; ``started`` is set from the first ``start`` on, ``over`` with ``stop``."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.over = False
        self._tracks = Tracks(TRACKS)
        self._orders: dict[str, Reorder[tuple[Media, bytes]]] = {name: Reorder(_ROOM) for name in TRACKS}

    def take(self, text: str) -> list[Audio]:
        """The audio that is in order now. Raises BadInput for what does not follow the protocol."""
        if self.over:
            return []
        message = parse(text)
        match message:
            case Started():
                self._start(message)
            case Packet():
                self._check_stream(message.stream)
                return self._media(message.media)
            case Stop():
                self._check_stream(message.stream)
                self.over = True
                return self.rest()
            case _:
                pass
        return []

    def rest(self) -> list[Audio]:
        """What still waits for a packet that never came: nothing follows."""
        return [self._placed(*held) for name in TRACKS for held in self._orders[name].rest()]

    def _start(self, message: Started) -> None:
        if self.started is not None:
            raise BadInput("start: this stream has started already")
        _check_format(message.start)
        self.started = message

    def _check_stream(self, stream: str) -> None:
        if self.started is None:
            raise BadInput("expected start before anything else")
        if stream and self.started.stream and stream != self.started.stream:
            raise BadInput("this connection carries another stream")

    def _media(self, media: Media) -> list[Audio]:
        if media.track not in TRACKS:
            return []
        audio = media.audio
        if len(audio) > LONGEST_PACKET:
            raise BadInput(f"media: a packet of {len(audio) / RATE:g} s; send {LONGEST_PACKET / RATE:g} s at most")
        if media.chunk is None:
            return [self._placed(media, audio)]
        ready = self._orders[media.track].put(media.chunk, len(audio), (media, audio))
        return [self._placed(*held) for held in ready]

    def _placed(self, media: Media, audio: bytes) -> Audio:
        stamp = None if media.timestamp is None else media.timestamp * RATE // 1000
        return Audio(media.track, np.frombuffer(audio, np.uint8), self._tracks.place(media.track, len(audio), stamp))


def _check_format(start: Start) -> None:
    given = start.format
    if given.encoding.lower() not in MULAW or given.sample_rate != RATE or given.channels != 1:
        raise BadInput(f"start: expected µ-law at {RATE} Hz, one channel a track")
    if start.tracks and not set(start.tracks) & set(TRACKS):
        raise BadInput("start: expected the track inbound or outbound, best both_tracks")
