"""How far behind the speaker a live call is: a recording at real time through ``/doors/pcm``, events from ``/live``.

    uv run calmline serve --policy standard        in one terminal, then
    uv run python -m benchmarks.live FILE [--port 8765]
    uv run python -m benchmarks.live --overlaps SEED       a call of 8 kHz built by ``benchmarks.turns``

Seconds between the end of the audio that an event describes and its arrival here, sender and page being this process.
For overlaps, as ``known`` and ``overlap``, also from the sample at which a threshold was crossed (half a second of it,
a second of it, half a second after a cut): until the event was known in the call, and until it was here.
``benchmarks.calls`` plays many calls at once.
"""

import argparse
import asyncio
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.load import Line, Told, built, play


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--overlaps", type=int, metavar="SEED")
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    if (options.file is None) == (options.overlaps is None):
        parser.error("give a file, or --overlaps SEED")
    if options.file is None:
        line = built(options.overlaps)
    else:
        line = Line(*soundfile.read(options.file, dtype="int16", always_2d=True))
    told = Told()
    asyncio.run(play(line, f"ws://127.0.0.1:{options.port}", told))
    for kind, delays in sorted(told.delays.items()):
        half, most = np.percentile(delays, (50, 95))
        print(f"{kind:16s} {len(delays):5d}   p50 {half:5.2f} s   p95 {most:5.2f} s")


if __name__ == "__main__":
    main()
