"""Many live calls at once on one server: how far behind words and talk-over are, and what a call costs.

    uv run python -m benchmarks.calls --calls 1,20,40 [--seconds S] [--profile] [--speech INDEX.csv] [FILE...]

A real ``calmline serve --policy standard`` in a process and a folder of its own; the senders (8 kHz telephone lines,
packets of 20 ms) and the pages that follow every call are in this process, whose own cost is told apart, and which must
keep real time itself, or the run is void. Each call begins elsewhere in its recording, which starts again at its end.
Of four calls three play the files (default: three of our sample calls), one a call built with many overlaps, of made
voices or of real ones (``--speech``): made voices say nothing that can be written down.

- finals: from the end of the utterance until its words are on the page. late: the share that says so itself; lost:
  those of which the journal has neither words nor a refusal (a call waits a minute for its last answers, and writes a
  fault for each that does not come). refused: among them whatever the made voices said.
- drafts: from the audio that they cover until they are on the page.
- talk-over: from the sample at which a threshold was crossed (``benchmarks.load``) until it is on the page.
- lane: how long audio waits to be stepped, once it is in the call's turn. left out: seconds in which so much was not
  done for that, in the order running (drafts), drafts, workers (all but one), voice; each with all before it.
- cores, MB: of the server alone, from /proc, while all calls run. A warm-up call has gone before.
"""

import argparse
import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

import sample_audio
from benchmarks.load import Line, Told, built, play
from benchmarks.served import Server, Usage, served
from benchmarks.turns import TELEPHONE, Casts
from benchmarks.voices import speakers
from pipeline.events import Fault, Rejected, Words
from pipeline.inputs import EngineResult
from pipeline.journal import read_entries

SAMPLES = ("billing_dispute", "calm_order", "impatient_agent")
WARM_UP_S = 12.0
OPEN_S = 2.0
"""Seconds over which the calls begin."""
LAG_S = 0.05
"""The senders kept real time when all but a hundredth of their packets left within this of their moment."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of the utterances of all calls, by their journals.

    asked: answers of the recogniser, also those that say what failed. heard: of these, such as have words or a refusal.
    """

    asked: int = 0
    heard: int = 0
    words: int = 0
    refused: int = 0
    faults: int = 0
    late: int = 0

    @property
    def lost(self) -> int:
        return self.asked - self.heard


@dataclass(frozen=True, slots=True)
class Run:
    """One number of calls. usage: from when all calls had begun until the first one's audio was over.

    own: cores of this process. metrics: what the server counted in it.
    """

    calls: int
    told: Told
    answered: Answered
    before: Usage
    usage: list[Usage]
    own: float
    metrics: dict[str, float]

    @property
    def wall(self) -> float:
        return self.usage[-1].at - self.usage[0].at

    @property
    def cores(self) -> float:
        return (self.usage[-1].cpu - self.usage[0].cpu) / self.wall

    @property
    def threads(self) -> Counter[str]:
        """Cores by thread name."""
        spent = self.usage[-1].threads - self.usage[0].threads
        return Counter({name: cpu / self.wall for name, cpu in spent.items()})

    @property
    def void(self) -> bool:
        return float(np.percentile(self.told.lags, 99)) > LAG_S


def measure(count: int, lines: Sequence[Line], seconds: float) -> Run:
    """A server of its own for this number of calls."""
    with served("--policy", "standard") as server:
        address = f"ws://{server.address}"
        asyncio.run(play(lines[0].turned(0.0, WARM_UP_S), address, Told()))
        before, counted = server.usage(), server.metrics()
        told, usage, own = asyncio.run(_load(count, lines, seconds, server))
        metrics = {name: value - counted.get(name, 0.0) for name, value in server.metrics().items()}
        return Run(count, told, answered(server.folder, told.calls), before, usage, own, metrics)


async def _load(count: int, lines: Sequence[Line], seconds: float, server: Server) -> tuple[Told, list[Usage], float]:
    tolds = [Told() for _ in range(count)]
    watch = asyncio.create_task(_watched(server, seconds))
    begun, own = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number, told in enumerate(tolds):
            line = lines[number % len(lines)].turned(number / count, seconds)
            group.create_task(_one(number * OPEN_S / count, line, server, told))
    own = (time.process_time() - own) / (time.perf_counter() - begun)
    whole = Told()
    for told in tolds:
        whole.add(told)
    return whole, await watch, own


async def _one(wait: float, line: Line, server: Server, told: Told) -> None:
    await asyncio.sleep(wait)
    await play(line, f"ws://{server.address}", told)


async def _watched(server: Server, seconds: float) -> list[Usage]:
    """A sample a second while all calls run."""
    await asyncio.sleep(OPEN_S + 1.0)
    end, samples = time.perf_counter() + seconds - OPEN_S - 1.0, [server.usage()]
    while time.perf_counter() < end:
        await asyncio.sleep(min(1.0, max(0.1, end - time.perf_counter())))
        server.check()
        samples.append(server.usage())
    return samples


def answered(folder: Path, calls: Sequence[str]) -> Answered:
    """Count what the journals of these calls hold."""
    asked, found = 0, Counter[str]()
    for call in calls:
        entries = [entry.item for entry in read_entries(folder / call / "journal.jsonl")]
        numbers = {item.utterance for item in entries if isinstance(item, EngineResult)}
        asked += len(numbers)
        found["heard"] += len(numbers & {item.utterance for item in entries if isinstance(item, Words | Rejected)})
        found["words"] += sum(isinstance(item, Words) for item in entries)
        found["refused"] += sum(isinstance(item, Rejected) for item in entries)
        found["faults"] += sum(isinstance(item, Fault) for item in entries)
        found["late"] += sum(isinstance(item, Words) and item.late for item in entries)
    return Answered(asked, **found)


def lines_of(files: Sequence[Path], index: Path | None) -> list[Line]:
    """Three lines of files and one built, and so on until every file has its turn."""
    played = [_telephone(file) for file in files]
    casts = Casts(speakers(index) if index else [])
    mixed: list[Line] = []
    for group in range(-(-len(played) // 3)):
        mixed += [*played[3 * group : 3 * group + 3], built(1000 + group, casts)]
    while len(mixed) % 4:
        mixed.insert(-1, played[len(mixed) % len(played)])
    return mixed


def _telephone(file: Path) -> Line:
    pcm, rate = soundfile.read(file, dtype="float32", always_2d=True)
    if pcm.shape[1] != 2:
        sys.exit(f"{file}: has {pcm.shape[1]} channels; give a two-channel call, agent left")
    narrow = pcm if rate == TELEPHONE else soxr.resample(pcm, rate, TELEPHONE)
    return Line(np.rint(narrow.clip(-1, 1) * 32767).astype(np.int16), TELEPHONE)


COLUMNS = "calls  finals p50/p95/max s   drafts p50/p95 s   talk-over p50/p95 ms   late %  lost  faults"
COLUMNS += "  cores  a call   MB  MB a call   load cores  lag p99 ms"


def row(run: Run) -> str:
    told, done = run.told, run.answered
    resident = max(usage.resident for usage in run.usage)
    late = 100 * done.late / max(1, done.words)
    text = f"{run.calls:5d}  {_times(told.delays['words'], 50, 95, 100):>20s}"
    text += f"   {_times(told.delays['draft'], 50, 95):>16s}"
    text += f"   {_times(told.delays['overlap: here'], 50, 95, scale=1000):>20s}"
    text += f"   {late:6.1f}  {done.lost:4d}  {done.faults:6d}  {run.cores:5.2f}  {run.cores / run.calls:6.3f}"
    text += f"  {resident / 1e6:3.0f}  {(resident - run.before.resident) / 1e6 / run.calls:9.2f}"
    text += f"   {run.own:10.2f}  {1000 * float(np.percentile(told.lags, 99)):10.1f}"
    return text + ("  VOID: the senders did not keep real time" if run.void else "")


def _times(delays: Sequence[float], *percentiles: int, scale: float = 1.0) -> str:
    if not delays:
        return "-"
    digits = 0 if scale > 1 else 2
    return "/".join(f"{scale * value:.{digits}f}" for value in np.percentile(delays, percentiles))


def details(run: Run, *, profile: bool) -> Iterator[str]:
    done, counted = run.answered, run.metrics
    yield f"\n{run.calls} calls, {run.wall:.0f} s with all of them; a sender waited {run.told.held:.2f} s at most"
    yield f"  utterances   {done.asked}: {done.words} with words ({done.late} late), {done.refused} refused"
    dropped = _by(counted, "calmline_drafts_left_out_total", "reason")
    yield f"  drafts       {len(run.told.delays['draft'])} shown; left out: {_listed(dropped, '{:.0f}')}"
    yield f"  batches      {_listed(_sizes(counted), '{:.0f}')} (utterances heard at once: how often)"
    spent, heard = (_by(counted, f"calmline_engine_{what}_total", "kind") for what in ("seconds", "speech_seconds"))
    yield f"  engine       busy {sum(spent.values()) / run.wall:.2f} of the time; s by kind: {_listed(spent, '{:.1f}')}"
    yield f"  speech heard s by kind: {_listed(heard, '{:.0f}')}"
    turns, waited = (counted[f"calmline_lane_{what}_total"] for what in ("turns", "waited_seconds"))
    shed = _by(counted, "calmline_calls_shed_seconds_total", "up_to")
    yield f"  lane         {turns:.0f} turns; audio waited {1000 * waited / max(1.0, turns):.0f} ms in one, on average"
    yield f"  left out     s by the last thing: {_listed(shed, '{:.1f}')}"
    if profile:
        for name, cores in run.threads.most_common():
            yield f"  {name:16s} {cores:6.3f} cores  {cores / run.calls:7.4f} a call"


def _by(metrics: dict[str, float], name: str, label: str) -> dict[str, float]:
    """Samples of one metric by the value of their label, without those that are nought."""
    found = ((re.fullmatch(rf'{name}{{{label}="(.*)"}}', key), value) for key, value in metrics.items())
    return {match[1]: value for match, value in found if match and value}


def _sizes(metrics: dict[str, float]) -> dict[str, float]:
    """How often a batch had up to so many utterances, and more than the bound before."""
    upto = _by(metrics, "calmline_engine_batch_bucket", "le")
    bounds = sorted(upto, key=float)
    below = [0.0, *(upto[bound] for bound in bounds)]
    return {bound: upto[bound] - before for bound, before in zip(bounds, below, strict=False) if upto[bound] > before}


def _listed(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items()) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="two-channel recordings, agent left")
    parser.add_argument("--calls", default="1,20,40", help="at once, one run each, with commas")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each call, 10 at least")
    parser.add_argument("--speech", type=Path, metavar="INDEX.csv", help="clips of real speech for the built calls")
    parser.add_argument("--profile", action="store_true", help="CPU time of the server by thread")
    options = parser.parse_args()
    if options.seconds < 10:
        parser.error("--seconds must be 10 or more: a shorter call holds too little to measure")
    lines = lines_of(options.files or [sample_audio.path(name) for name in SAMPLES], options.speech)
    runs = []
    for count in map(int, options.calls.split(",")):
        runs.append(measure(count, lines, options.seconds))
        print(*details(runs[-1], profile=options.profile), sep="\n", flush=True)
    print("", COLUMNS, *map(row, runs), sep="\n")


if __name__ == "__main__":
    main()
