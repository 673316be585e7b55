"""What a media stream consists of, as Twilio and its like send it: messages without a socket."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soxr

from api.doors import mulaw
from benchmarks.load import Line, Pcm


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sender of media streams behaves. packet_s: seconds of audio in a packet. late: track to the second of the
    call at which it begins. stalled: a track that stands still, from when and for how many seconds; bursts: whether
    what it held back comes then, or never. stamps: how fast timestamps run. snake: names as Telnyx has them, packets in
    another order, chunks counted. first: its first sequenceNumber. farewell: it says ``stop``.
    """

    packet_s: float = 0.02
    late: dict[str, float] = field(default_factory=dict)
    stalled: tuple[str, float, float] | None = None
    bursts: bool = False
    stamps: float = 1.0
    snake: bool = False
    first: int = 1
    farewell: bool = True
    own_stamps: bool = False
    """Timestamps of each track count from its own beginning."""


def telephone(line: Line) -> Line:
    """The same at 8 kHz, as a telephone line has it."""
    if line.rate == mulaw.RATE:
        return line
    return Line(np.asarray(soxr.resample(line.pcm, line.rate, mulaw.RATE), np.int16), mulaw.RATE)


def twilio_messages(
    line: Line, call_id: str, manner: Manner, parameters: dict[str, str] | None = None
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Every message of a stream, and the second of the call at which it is sent."""
    stream = f"MZ{call_id}"
    about: dict[str, Any] = {
        "streamSid": stream,
        "accountSid": "AC0",
        "callSid": call_id,
        "tracks": ["inbound", "outbound"],
        "customParameters": parameters or {},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": mulaw.RATE, "channels": 1},
    }
    yield 0.0, {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    yield 0.0, _named({"event": "start", "streamSid": stream, "start": about}, manner.first, manner)
    number = manner.first
    for second, media in _shuffled(list(_media(telephone(line), manner)), manner):
        number += 1
        yield second, _named({"event": "media", "streamSid": stream, "media": media}, number, manner)
    if manner.farewell:
        end = {"accountSid": "AC0", "callSid": call_id}
        yield len(line.pcm) / line.rate, _named({"event": "stop", "streamSid": stream, "stop": end}, number + 1, manner)


def _media(line: Line, manner: Manner) -> Iterator[tuple[float, dict[str, Any]]]:
    """Both tracks' packets by the moment at which each leaves."""
    packets = [
        packet
        for channel, track in ((1, "inbound"), (0, "outbound"))
        for packet in _track(line.pcm[:, channel], track, manner)
    ]
    return iter(sorted(packets, key=lambda each: each[0]))


def _track(pcm: Pcm, track: str, manner: Manner) -> Iterator[tuple[float, dict[str, Any]]]:
    size = round(manner.packet_s * mulaw.RATE)
    begin = round(manner.late.get(track, 0.0) * mulaw.RATE)
    chunk = 0
    for at in range(begin, len(pcm), size):
        leaves = (at + size) / mulaw.RATE
        if (
            manner.stalled
            and manner.stalled[0] == track
            and 0 <= at / mulaw.RATE - manner.stalled[1] < manner.stalled[2]
        ):
            if not manner.bursts:
                continue
            leaves = max(leaves, manner.stalled[1] + manner.stalled[2])
        chunk += 1
        stamp = round((at - begin * manner.own_stamps) * 1000 / mulaw.RATE * manner.stamps)
        payload = base64.b64encode(mulaw.encode(pcm[at : at + size])).decode()
        yield leaves, {"track": track, "chunk": str(chunk), "timestamp": str(stamp), "payload": payload}


def _shuffled(packets: list[tuple[float, dict[str, Any]]], manner: Manner) -> list[tuple[float, dict[str, Any]]]:
    """In another order where the sender has no better: every fifth packet changes place with one two further on."""
    if manner.snake:
        for index in range(0, len(packets) - 4, 5):
            one, two = packets[index], packets[index + 4]
            packets[index], packets[index + 4] = (one[0], two[1]), (two[0], one[1])
    return packets


def _named(message: dict[str, Any], number: int, manner: Manner) -> dict[str, Any]:
    """Numbered, and in snake case where the sender has it so."""
    message = message | {"sequenceNumber": str(number)}
    return _snake(message) if manner.snake else message


def _snake(value: Any) -> Any:
    names = {
        "streamSid": "stream_id",
        "callSid": "call_control_id",
        "sequenceNumber": "sequence_number",
        "mediaFormat": "media_format",
        "sampleRate": "sample_rate",
        "customParameters": "custom_parameters",
    }
    if isinstance(value, dict):
        return {names.get(name, name): _snake(each) for name, each in value.items()}
    return value
