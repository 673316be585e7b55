"""What phone systems send, for tests and benchmarks: a recorded call played into one of the doors.

    line = read("sample_audio/calm_order.flac")
    await pcm("ws://127.0.0.1:8765/doors/pcm", line, call_id="a")
    await twilio("ws://127.0.0.1:8765/doors/twilio", line, call_id="b", signed=Signed(public_url, auth_token))
    await audiohook("ws://127.0.0.1:8765/doors/audiohook", line, call_id="c", keys=Keys("an API key", "client secret"))

speed: seconds of audio a second; 1 is a live call, ``math.inf`` as fast as the door takes it. Sockets do not compress.
What is sent is built without a socket (``wire_twilio``, ``wire_audiohook``), so that tests can take it as it is.
"""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.doors.signature import sign_address
from benchmarks.load import Line
from benchmarks.wire_audiohook import Client, Keys, audiohook_frames
from benchmarks.wire_twilio import Manner, telephone, twilio_messages

PCM_PACKET_S = 0.02


@dataclass(slots=True)
class Sent:
    """opened_s: from the first byte of the connection until the door had taken the call; None where it never says so.

    lags: seconds by which a packet left after its moment. close: the door's close code. began: time of day (seconds) of
    the call's first sample; only ``pcm`` tells.
    """

    call_id: str
    opened_s: float | None = None
    lags: list[float] = field(default_factory=list)
    close: int | None = None
    began: float = math.nan


@dataclass(frozen=True, slots=True)
class Signed:
    """A Twilio account: the address it was given, and its auth token."""

    url: str
    token: str


def read(path: Path | str) -> Line:
    """A recording of two channels, agent first."""
    pcm, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return Line(np.asarray(pcm, np.int16), rate)


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
    async with connect(url, proxy=None, compression=None, ping_interval=None, additional_headers=headers) as socket:
        await socket.send(json.dumps(first))
        sent = Sent(json.loads(await socket.recv())["call_id"], time.perf_counter() - begin)
        sent.began = time.time()
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
    async with connect(url, proxy=None, compression=None, ping_interval=None, additional_headers=headers) as socket:
        clock = _Clock(speed, sent.lags)
        for second, message in twilio_messages(line, call_id, manner or Manner(), parameters):
            await clock.until(second)
            await socket.send(json.dumps(message))
        await socket.close() if manner and not manner.farewell else await socket.wait_closed()
        sent.close = socket.close_code
    return sent


async def audiohook(
    url: str,
    line: Line,
    *,
    speed: float = 1.0,
    call_id: str,
    keys: Keys | None = None,
    config: dict[str, Any] | None = None,
    pauses: Sequence[tuple[float, float]] = (),
    discards: Sequence[tuple[float, float]] = (),
    frame_s: float = 0.2,
) -> Sent:
    """One call through ``/doors/audiohook``: the customer is external, the agent internal.

    call_id: of the conversation. pauses, discards: begin and length, in seconds, of what is not streamed.
    """
    client = Client(call_id)
    begin = time.perf_counter()
    headers = client.headers(url, keys, time.time()) if keys else client.ids
    async with connect(url, proxy=None, compression=None, ping_interval=None, additional_headers=headers) as socket:
        await socket.send(client.open(config))
        client.hear(await socket.recv())
        sent = Sent(call_id, time.perf_counter() - begin)
        clock, hearing = _Clock(speed, sent.lags), asyncio.create_task(_hear(socket, client))
        for second, frame in audiohook_frames(client, telephone(line), frame_s, pauses, discards):
            await clock.until(second)
            if hearing.done():
                break
            await socket.send(frame)
        if not client.told:
            await socket.send(client.say("close", reason="end"))
        await hearing
        sent.close = socket.close_code
    return sent


async def _hear(socket: ClientConnection, client: Client) -> None:
    """Until it is closed, or disconnected: then the client closes."""
    with suppress(ConnectionClosed):
        while client.hear(await socket.recv()) != "closed":
            if client.told:
                await socket.send(client.say("close", reason="disconnect"))
        await socket.close()
