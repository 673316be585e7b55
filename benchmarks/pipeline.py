"""What a call costs: fast lane, words, one tick, memory. Figures are ratios to real time, for docs/performance.md.

    uv run python -m benchmarks.pipeline [FILE]

FILE is a two-channel recording (default: our own billing_dispute). The fast lane (everything but words) runs pinned to
one core, words on all cores. Wall time and CPU time are both shown: on a shared machine only CPU time is steady.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import sample_audio
from pipeline.call import Call
from pipeline.graph import Engines, build, load
from pipeline.inputs import Frame
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo, Node, Session, Tick
from pipeline.settings import POLICIES, Settings
from pipeline.sources.recording import Recording, open_recording

SETTINGS = Settings(policy=POLICIES["standard"])


class Timed:
    """A node with a stopwatch."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.seconds = 0.0

    def step(self, tick: Tick) -> None:
        begin = time.perf_counter()
        self.node.step(tick)
        self.seconds += time.perf_counter() - begin


def session(recording: Recording, engines: Engines, name: str = "bench") -> Session:
    return build(CallInfo(call_id=name, channels=recording.channels), SETTINGS, engines)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def fast_lane(recording: Recording, engines: Engines) -> None:
    """Decode, resample, and step every node on one core, without words."""
    silent = replace(engines, transcriber=None)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    runs = []
    for _ in range(3):
        call = Call(session(recording, silent))
        recorder = Recorder(call, None, 1.0)
        runs.append(measured(lambda recorder=recorder: recorder.run(recording.frames(), lambda: recording.heard)))  # type: ignore[misc]
    os.sched_setaffinity(0, cores)
    told("fast lane, one core", recording.seconds, *min(runs))


def with_words(recording: Recording, engines: Engines) -> None:
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber, SETTINGS.words)
    call = Call(session(recording, engines))
    run = Recorder(call, partial(pool.ask, bulk=True), SETTINGS.words.nominal_delay_s)
    wall, cpu = measured(lambda: run.run(recording.frames(), lambda: recording.heard))
    pool.close()
    told(f"with words, {len(os.sched_getaffinity(0))} cores", recording.seconds, wall, cpu)
    speech = sum(channel.talk_ms for channel in call.view.channels.values()) / 1000
    print(f"{'':28s} {cpu / speech:.3f} core-seconds for each second of speech ({speech:.0f} s)")


def ticks(recording: Recording, engines: Engines) -> None:
    """Cost of one tick, and of each node in it."""
    stepped = session(recording, replace(engines, transcriber=None))
    timed = [Timed(node) for node in (*stepped._ears, *stepped._mind)]
    stepped._ears, stepped._mind = timed, ()
    costs = []
    for item in recording.frames():
        if isinstance(item, Frame):
            begin = time.perf_counter()
            stepped.step(item)
            costs.append((time.perf_counter() - begin) * 1000)
    costs.sort()
    print(f"{'one tick (32 ms, 2 channels)':28s} median {statistics.median(costs):.2f} ms, ", end="")
    print(f"99th percentile {costs[int(0.99 * len(costs))]:.2f} ms, most {costs[-1]:.1f} ms")
    for each in timed:
        share = 1000 * each.seconds / len(costs)
        print(f"{'':28s} {type(each.node).__name__:14s} {share:.3f} ms a tick")


def memory(recording: Recording, engines: Engines, count: int) -> None:
    """Resident memory with models loaded, and for each further call stepped side by side."""
    warm = Call(session(recording, replace(engines, transcriber=None), "warm"), live=True)
    for _ in range(500):
        warm.advance(warm.session.silence())
    rest = resident()
    calls = [Call(session(recording, replace(engines, transcriber=None), str(n)), live=True) for n in range(count)]
    for number, item in enumerate(recording.frames()):
        if isinstance(item, Frame):
            for call in calls:
                call.advance(item)
        if number > 2000:
            break
    print(f"{'memory':28s} {rest / 1e6:.0f} MB at rest with models, ", end="")
    print(f"{(resident() - rest) / 1e6 / count:.2f} MB for each of {count} calls after a minute")


def resident() -> int:
    """Bytes resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def told(what: str, seconds: float, wall: float, cpu: float) -> None:
    print(f"{what:28s} {seconds / wall:6.1f} x real time, {cpu / seconds:.4f} core-seconds for each second of call")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=sample_audio.path("billing_dispute"))
    parser.add_argument("--calls", type=int, default=20, help="calls side by side for the memory figure")
    options = parser.parse_args()
    recording = open_recording([options.file])
    print(f"{options.file.name}: {recording.seconds:.0f} s, {len(recording.channels)} channels, {recording.rate} Hz")
    engines = load(SETTINGS, Path("models"))
    list(recording.frames())
    memory(recording, engines, options.calls)
    fast_lane(recording, engines)
    ticks(recording, engines)
    with_words(recording, engines)


if __name__ == "__main__":
    main()
