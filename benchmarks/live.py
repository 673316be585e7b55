"""How far behind the speaker a live call is: a recording at real time through ``/doors/pcm``, events from ``/live``.

    uv run calmline serve --policy standard        in one terminal, then
    uv run python -m benchmarks.live FILE [--port 8765]

Seconds between the end of the audio that an event describes and its arrival here, sender and page being this process.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
from websockets.asyncio.client import connect

PACKET_S = 0.02


async def follow(address: str, call_id: str, begin: float) -> dict[str, list[float]]:
    """Delays by type of event, seconds."""
    delays: dict[str, list[float]] = defaultdict(list)
    async with connect(f"{address}/live/{call_id}?after=0", proxy=None, max_queue=None) as page:
        async for text in page:
            event = json.loads(text)["event"]
            delays[event["type"]].append(time.perf_counter() - begin - event["span"]["end"] / 16_000)
            if event.get("late"):
                delays["late words"].append(delays["words"][-1])
    return delays


async def play(file: Path, address: str) -> dict[str, list[float]]:
    pcm, rate = soundfile.read(file, dtype="int16", always_2d=True)
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
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    for kind, delays in sorted(asyncio.run(play(options.file, f"ws://127.0.0.1:{options.port}")).items()):
        half, most = np.percentile(delays, (50, 95))
        print(f"{kind:16s} {len(delays):5d}   p50 {half:5.2f} s   p95 {most:5.2f} s")


if __name__ == "__main__":
    main()
