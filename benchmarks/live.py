"""How far behind the speaker a live call is: a recording at real time through ``/doors/pcm``, events from ``/live``.

    uv run calmline serve --policy standard        in one terminal, then
    uv run python -m benchmarks.live FILE [--port 8765]
    uv run python -m benchmarks.live --overlaps SEED       a call of 8 kHz built by ``benchmarks.turns``

Seconds between the end of the audio that an event describes and its arrival here, sender and page being this process.
For overlaps, as ``known`` and ``overlap``, also from the sample at which a threshold was crossed (half a second of it,
a second of it, half a second after a cut): until the event was known in the call, and until it was here.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from benchmarks.turns import Casts, telephone
from benchmarks.voices import scene
from pipeline.settings import Turns

PACKET_S = 0.02
RATE = 16_000
_TURNS = Turns()
SHOWN_S, LONG_S, CUT_S = _TURNS.overlap_s, _TURNS.interruption_s, _TURNS.cut_s


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


async def follow(address: str, call_id: str, begin: float) -> dict[str, list[float]]:
    """Delays by type of event, seconds."""
    delays: dict[str, list[float]] = defaultdict(list)
    async with connect(f"{address}/live/{call_id}?after=0", proxy=None, max_queue=None) as page:
        async for text in page:
            event = json.loads(text)["event"]
            now = time.perf_counter() - begin
            delays[event["type"]].append(now - event["span"]["end"] / RATE)
            crossed = threshold(event)
            if crossed is not None:
                delays["overlap: known"].append(event["at"] / RATE - crossed)
                delays["overlap: here"].append(now - crossed)
            if event.get("late"):
                delays["late words"].append(delays["words"][-1])
    return delays


def built(seed: int) -> tuple[NDArray[np.int16], int]:
    """A telephone call of three minutes with many overlaps, and its rate."""
    played = scene(Casts([]).pair("made", seed), 180.0, seed)
    line = telephone(played, np.random.default_rng(seed))
    return np.rint(line.pcm.clip(-1, 1) * 32767).astype(np.int16), line.rate


async def play(pcm: NDArray[np.int16], rate: int, address: str) -> dict[str, list[float]]:
    start = {"type": "start", "rate": rate, "format": "s16le", "channels": ["agent", "customer"], "agent_id": "bench"}
    async with connect(f"{address}/doors/pcm", proxy=None) as door:
        await door.send(json.dumps(start))
        call_id = json.loads(await door.recv())["call_id"]
        begin = time.perf_counter()
        page = asyncio.create_task(follow(address, call_id, begin))
        packet = round(rate * PACKET_S)
        for at in range(0, len(pcm), packet):
            await asyncio.sleep(max(0.0, begin + (at + packet) / rate - time.perf_counter()))
            await door.send(pcm[at : at + packet].tobytes())
        await door.send('{"type":"stop"}')
        print(await door.recv())
        return await page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--overlaps", type=int, metavar="SEED")
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    if (options.file is None) == (options.overlaps is None):
        parser.error("give a file, or --overlaps SEED")
    if options.file is None:
        pcm, rate = built(options.overlaps)
    else:
        pcm, rate = soundfile.read(options.file, dtype="int16", always_2d=True)
    for kind, delays in sorted(asyncio.run(play(pcm, rate, f"ws://127.0.0.1:{options.port}")).items()):
        half, most = np.percentile(delays, (50, 95))
        print(f"{kind:16s} {len(delays):5d}   p50 {half:5.2f} s   p95 {most:5.2f} s")


if __name__ == "__main__":
    main()
