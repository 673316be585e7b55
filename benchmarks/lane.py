"""What a tick of a live call costs the lane: each call stepped by itself, and all of a turn side by side.

    uv run python -m benchmarks.lane --calls 1,8,20,40 [--seconds S] [--bare] [FILE...]

No sockets and no recogniser; journal, tape and live view are written as in a server. Both ways are taken in turns of
some frames in one run, so that they see the same machine; told is CPU time of the one thread, in microseconds a tick
of 32 ms and as share of a core a call. Calls begin elsewhere in their recordings (default: three of our sample calls).
--bare: turn-taking alone ([measures] all off).
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import sample_audio
from benchmarks.pipeline import SETTINGS
from pipeline.call import Call
from pipeline.graph import Engines, build, load
from pipeline.inputs import Frame
from pipeline.journal import Header, Journal
from pipeline.session import CallInfo
from pipeline.settings import Measures, Settings
from pipeline.sources.recording import open_recording
from pipeline.tape import Tape
from pipeline.timebase import RATE, TICK
from pipeline.together import Asking, together

TURN = 4
"""Frames of a call in a turn of the lane: what comes in 128 ms."""
APART = 37
"""Frames by which calls begin apart."""
BARE = Measures(words=False, voice=False, sounds=False, echo=False)


class Player:
    """One call, its frames without end."""

    def __init__(self, call: Call, frames: Iterator[Frame]) -> None:
        self.call = call
        self._frames = frames

    def turn(self) -> Asking[None]:
        for frame in islice(self._frames, TURN):
            self.call.think((yield from self.call.hearing(frame)))


def player(number: int, audio: Sequence[Frame], settings: Settings, engines: Engines, folder: Path) -> Player:
    info = CallInfo(call_id=f"call-{number}", channels=open_recording([sample_audio.path("calm_order")]).channels)
    journal = Journal(folder / f"{number}.jsonl", Header(info, settings))
    call = Call(
        build(info, settings, engines),
        journal=journal,
        tape=Tape(folder / f"{number}.flac", len(audio[0].pcm)),
        live=True,
    )
    begins = number * APART % len(audio)
    endless = (each.pcm for each in islice(cycle(audio), begins, None))
    return Player(call, (Frame(TICK * n, pcm) for n, pcm in zip(count(), endless, strict=False)))


def spent(work: Callable[[], object]) -> float:
    """CPU seconds of this thread."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def measure(calls: int, seconds: float, audio: Sequence[Sequence[Frame]], settings: Settings, engines: Engines) -> None:
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        groups = []
        for group in ("alone", "together"):
            (folder / group).mkdir()
            players = [player(n, audio[n % len(audio)], settings, engines, folder / group) for n in range(calls)]
            for each in players:
                stack.callback(each.call.release)
            groups.append([each.turn for each in players])
        turns = max(1, round(seconds * RATE / TICK / TURN))
        apart = beside = 0.0
        for _ in range(turns):
            apart += sum(spent(partial(together, [work])) for work in groups[0])
            beside += spent(partial(together, groups[1]))
        told(calls, apart / (turns * TURN * calls), beside / (turns * TURN * calls))


def told(calls: int, alone: float, beside: float) -> None:
    share = RATE / TICK
    print(
        f"{calls:5d}  {1e6 * alone:9.0f}  {1e6 * beside:12.0f}  {beside / alone:5.2f}  "
        f"{alone * share:15.4f}  {beside * share:18.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--calls", default="1,8,20,40", help="numbers of calls, one run each, with commas")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each call")
    parser.add_argument("--bare", action="store_true", help="turn-taking alone")
    options = parser.parse_args()
    settings = SETTINGS.model_copy(update={"measures": BARE}) if options.bare else SETTINGS
    engines = replace(load(settings, Path("models")), transcriber=None)
    files = options.files or [sample_audio.path(n) for n in ("billing_dispute", "calm_order", "impatient_agent")]
    audio = [[item for item in open_recording([each]).frames() if isinstance(item, Frame)] for each in files]
    print("calls  us alone   us together  ratio  core a call alone  core a call together")
    for calls in options.calls.split(","):
        measure(int(calls), options.seconds, audio, settings, engines)


if __name__ == "__main__":
    main()
