"""What phone systems send, for tests and benchmarks: a recorded call played into one of the doors.

    line = read("sample_audio/calm_order.flac")
    await pcm("ws://127.0.0.1:8765/doors/pcm", line, call_id="a")
    await twilio("ws://127.0.0.1:8765/doors/twilio", line, call_id="b", signed=Signed(public_url, auth_token))
    await audiohook("ws://127.0.0.1:8765/doors/audiohook", line, call_id=a_uuid, key="...", secret="...")

speed: seconds of audio a second; 1 is a live call, ``math.inf`` as fast as the door takes it. Sockets do not compress.
What is sent is built without a socket (``twilio_messages``), so that tests can take it as it is.
"""

import asyncio
import base64
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import connect

from api.doors import mulaw
from api.doors.signature import sign_address
from benchmarks.load import Line, Pcm

PCM_PACKET_S = 0.02


@dataclass(slots=True)
class Sent:
    """opened_s: from the first byte of the connection until the door had taken the call; None where it never says so.

    lags: seconds by which a packet left after its moment. close: the door's close code.
    """

    call_id: str
    opened_s: float | None = None
    lags: list[float] = field(default_factory=list)
    close: int | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A Twilio account: the address it was given, and its auth token."""

    url: str
    token: str


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


def read(path: Path | str) -> Line:
    """A recording of two channels, agent first."""
    pcm, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return Line(np.asarray(pcm, np.int16), rate)


def telephone(line: Line) -> Line:
    """The same at 8 kHz, as a telephone line has it."""
    if line.rate == mulaw.RATE:
        return line
    import soxr

    return Line(np.asarray(soxr.resample(line.pcm, line.rate, mulaw.RATE), np.int16), mulaw.RATE)


class _Clock:
    """Waits until a second of the call has come, and keeps how late it was."""

    def __init__(self, speed: float, lags: list[float]) -> None:
        self._speed = speed
        self._lags = lags
        self._begin = time.perf_counter()

    async def until(self, second: float) -> None:
        if math.isinf(self._speed):
            return
        due = self._begin + second / self._speed
        await asyncio.sleep(due - time.perf_counter())
        self._lags.append(time.perf_counter() - due)


async def pcm(url: str, line: Line, *, speed: float = 1.0, token: str = "", **start: Any) -> Sent:
    """One call through ``/doors/pcm``. start: further facts of its first message, ``call_id`` among them."""
    first = {"type": "start", "rate": line.rate, "format": "s16le", "channels": ["agent", "customer"]} | start
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    begin = time.perf_counter()
    async with connect(url, proxy=None, compression=None, additional_headers=headers) as socket:
        await socket.send(json.dumps(first))
        sent = Sent(json.loads(await socket.recv())["call_id"], time.perf_counter() - begin)
        clock, packet = _Clock(speed, sent.lags), round(line.rate * PCM_PACKET_S)
        for at in range(0, len(line.pcm), packet):
            await clock.until((at + packet) / line.rate)
            await socket.send(line.pcm[at : at + packet].tobytes())
        await socket.send('{"type":"stop"}')
        await socket.recv()
        await socket.wait_closed()
        sent.close = socket.close_code
    return sent


async def twilio(
    url: str,
    line: Line,
    *,
    speed: float = 1.0,
    call_id: str,
    signed: Signed | None = None,
    manner: Manner | None = None,
    parameters: dict[str, str] | None = None,
) -> Sent:
    """One call through ``/doors/twilio``: the customer is inbound, the agent outbound."""
    headers = {"X-Twilio-Signature": sign_address(signed.url, signed.token)} if signed else {}
    sent = Sent(call_id)
    async with connect(url, proxy=None, compression=None, additional_headers=headers) as socket:
        clock = _Clock(speed, sent.lags)
        for second, message in twilio_messages(line, call_id, manner or Manner(), parameters):
            await clock.until(second)
            await socket.send(json.dumps(message))
        await socket.close() if manner and not manner.farewell else await socket.wait_closed()
        sent.close = socket.close_code
    return sent


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
