"""Live calls at real time: a sender through ``/doors/pcm`` and a page that follows ``/live/{id}``, for benchmarks.

Everything is timed by one clock, that of this process: a packet leaves when its last sample has been spoken, and a
delay runs from the end of the audio that something describes until it is here. Sockets do not compress: no telephone
system does, and the cost would be the sender's and the server's alike.
"""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.turns import Casts, telephone
from benchmarks.voices import scene
from pipeline.settings import Turns
from pipeline.timebase import RATE

Pcm = NDArray[np.int16]

PACKET_S = 0.02
_TURNS = Turns()
SHOWN_S, LONG_S, CUT_S = _TURNS.overlap_s, _TURNS.interruption_s, _TURNS.cut_s


@dataclass(frozen=True, slots=True)
class Line:
    """What is sent. pcm: int16 (n, 2), agent and customer. rate: Hz."""

    pcm: Pcm
    rate: int

    def turned(self, share: float, seconds: float) -> "Line":
        """So many seconds of it, begun at a share of its length, from the start again where it ends."""
        count, first = round(seconds * self.rate), round(share * len(self.pcm))
        return Line(self.pcm[(first + np.arange(count)) % len(self.pcm)], self.rate)


@dataclass(slots=True)
class Told:
    """What came of one call, or of several. delays: seconds, by type of event, ``draft``, and overlaps as below.

    lags: seconds by which a packet left late although the server had taken the one before. held: seconds by which the
    server kept the sender waiting, at most. phrases: words and cues of the call by number: advice about them is timed
    from the end of the utterance (``advice: known``, ``advice: here``) where it did not wait its turn or in patience.
    """

    calls: list[str] = field(default_factory=list)
    delays: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    phrases: dict[int, dict[str, Any]] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    held: float = 0.0

    def add(self, other: "Told") -> None:
        self.calls += other.calls
        for kind, delays in other.delays.items():
            self.delays[kind] += delays
        self.lags += other.lags
        self.held = max(self.held, other.held)


def built(seed: int, casts: Casts | None = None) -> Line:
    """A telephone call of three minutes with many overlaps; made voices, or the last cast's."""
    casts = casts or Casts([])
    played = scene(casts.pair(casts.names[-1], seed), 180.0, seed)
    line = telephone(played, np.random.default_rng(seed))
    return Line(np.rint(line.pcm.clip(-1, 1) * 32767).astype(np.int16), line.rate)


def threshold(event: dict[str, Any]) -> float | None:
    """Second of the call at which an overlap became what the event says."""
    start, end = event["span"]["start"] / RATE, event["span"]["end"] / RATE
    match event["type"], event.get("because"):
        case "overlap", _:
            return start + SHOWN_S
        case "overlap_revised", "length":
            return start + LONG_S
        case "overlap_revised", "cut":
            return end + CUT_S
    return None


async def play(line: Line, address: str, told: Told) -> None:
    """One call from start to ``ended``. address: ws://host:port. told: what came of it is added here."""
    start = {"type": "start", "rate": line.rate, "format": "s16le", "channels": ["agent", "customer"]}
    async with connect(f"{address}/doors/pcm", proxy=None, compression=None) as door:
        await door.send(json.dumps(start))
        call_id = json.loads(await door.recv())["call_id"]
        told.calls.append(call_id)
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow(address, call_id, begin, told))
            await _send(door, line, begin, told)
            await door.send('{"type":"stop"}')
            await door.recv()


async def _send(door: ClientConnection, line: Line, begin: float, told: Told) -> None:
    packet, ready = round(line.rate * PACKET_S), begin
    for at in range(0, len(line.pcm), packet):
        due = begin + (at + packet) / line.rate
        await asyncio.sleep(due - time.perf_counter())
        if ready < due:
            told.lags.append(time.perf_counter() - due)
        begun = time.perf_counter()
        await door.send(line.pcm[at : at + packet].tobytes())
        ready = time.perf_counter()
        told.held = max(told.held, ready - begun)


async def _follow(address: str, call_id: str, begin: float, told: Told) -> None:
    url = f"{address}/live/{call_id}?after=0&drafts=true"
    async with connect(url, proxy=None, compression=None, max_queue=None) as page:
        async for text in page:
            now = time.perf_counter() - begin
            message = json.loads(text)
            if "event" in message:
                _event(message["event"], now, told)
                _advice(message["n"], message["event"], now, told)
            elif message["draft"]["stable"] or message["draft"]["rest"]:  # an empty one takes back what is shown
                told.delays["draft"].append(now - message["draft"]["at"] / RATE)


def _advice(number: int, event: dict[str, Any], now: float, told: Told) -> None:
    if event["type"] in ("words", "cue"):
        told.phrases[number] = event
    if event["type"] != "alert" or event["of"] is not None:
        return
    found = [told.phrases[n] for n in event["evidence"] if n in told.phrases]
    if any(each["at"] == event["at"] for each in found):
        end = max(each["span"]["end"] for each in found if each["type"] == "words") / RATE
        told.delays["advice: known"].append(event["at"] / RATE - end)
        told.delays["advice: here"].append(now - end)


def _event(event: dict[str, Any], now: float, told: Told) -> None:
    told.delays[event["type"]].append(now - event["span"]["end"] / RATE)
    crossed = threshold(event)
    if crossed is not None:
        told.delays["overlap: known"].append(event["at"] / RATE - crossed)
        told.delays["overlap: here"].append(now - crossed)
    if event.get("late"):
        told.delays["late words"].append(told.delays["words"][-1])
