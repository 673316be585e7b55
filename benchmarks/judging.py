"""What hearing anger and tension costs: CPU time of the prosody and score nodes in the real graph, without words.

    python -m benchmarks.judging [CALL] [--times 5]

CALL: a two-channel recording (default: our own billing_dispute). Told as a share of one core for each second of
measured speech of one channel, F0 included: time that the process computes, so another program on the machine counts
only by the caches and the shared core it takes away. The least of several runs is nearest to a free machine.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import sample_audio
from models.pitch import SwiftF0Tracker
from models.silero import SileroDetector
from pipeline.channel import TWO_CHANNEL
from pipeline.graph import Engines, build
from pipeline.inputs import Frame
from pipeline.nodes.prosody import ProsodyNode
from pipeline.nodes.scores import ScoresNode
from pipeline.playbook import load_playbook
from pipeline.session import CallInfo, Tick
from pipeline.settings import POLICIES, Settings
from pipeline.sources.recording import open_recording

JUDGES = (ProsodyNode, ScoresNode)


class Timed:
    """The ``step`` of one kind of node, and the CPU seconds it took since it was last asked."""

    def __init__(self, kind: type[ProsodyNode] | type[ScoresNode]) -> None:
        self.name, self._step, self._seconds = kind.__name__, kind.step, 0.0
        setattr(kind, "step", lambda node, tick: self._timed(node, tick))  # noqa: B010  # mypy: a method is replaced

    def _timed(self, node: Any, tick: Tick) -> None:
        began = time.process_time()
        self._step(node, tick)
        self._seconds += time.process_time() - began

    def taken(self) -> float:
        taken, self._seconds = self._seconds, 0.0
        return taken


def speech(file: Path, engines: Engines) -> float:
    """Hears a call; seconds of speech that were measured, both channels together."""
    info, measured = CallInfo(call_id="cost", channels=TWO_CHANNEL), 0.0
    session = build(info, Settings(policy=POLICIES["standard"]), engines)
    for item in open_recording([file]).frames():
        if isinstance(item, Frame):
            tick = session.hear(item)
            session.think(tick)
            measured += sum(manner.seconds for manner in tick.manners.values())
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=sample_audio.path("billing_dispute"), metavar="CALL")
    parser.add_argument("--times", type=int, default=5, metavar="N")
    options = parser.parse_args()
    engines = Engines(SileroDetector(), SwiftF0Tracker(), None, load_playbook())
    timed, costs = [Timed(kind) for kind in JUDGES], []
    for _ in range(options.times):
        measured = speech(options.file, engines)
        costs.append([100 * each.taken() / measured for each in timed])
    wholes = [sum(cost) for cost in costs]
    print(
        f"{options.file.name}: {measured:.0f} s of measured speech, {options.times} runs; percent of a core a channel"
    )
    for kind, each in zip(timed, zip(*costs, strict=True), strict=True):
        print(f"  {kind.name:12s} least {min(each):.2f}, middle {statistics.median(each):.2f}")
    print(f"  both         least {min(wholes):.2f}, middle {statistics.median(wholes):.2f}")


if __name__ == "__main__":
    main()
