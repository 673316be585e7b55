"""How soon anger is heard in a call, how often, and how often it is heard where there is none.

    python -m benchmarks.anger EMOTION.csv --calm SPEECH.csv [--calm MORE.csv] [--call CALL.wav ...] --cache FOLDER
        [--half test] [--scorer formula|FOLDER] [--gain DB] [--words] [--split FOLDER]

EMOTION.csv: labelled clips. Each second speaker of a corpus, and of a table of calm speech, is the tune half, the
others are the test half: bounds and time constants are set on the first, figures told of the second. A trained scorer
must not know the tested speakers: ``--split FOLDER`` writes the halves as tables for ``calmline train`` (HALF.csv, and
HALF.calm.csv for its ``--calm``), and ends. Calls are built by ``benchmarks.spliced`` at 8 kHz mu-law and go through
the door and the real graph, recorded; what the voices were like is kept in the cache, so another scorer or bound costs
seconds. ``--words`` also asks the recogniser (tiny.en, whatever the language), whose encoder is then heard too: the
fused score; give it a cache of its own.

- found: the score reached the bound of the alert ``customer_anger`` for as long as the playbook says, within the angry
  stretch; after so many seconds of angry speech (clips alone, pauses left out).
- false: stretches over that bound in calm calls, and in these and what is before the moved stretch in the others, also
  those that the alert's budget would have held back; an hour of call, with the exact Poisson interval (95 %).

All anger here is acted, and cut together from clips: none is real telephone anger.
"""

import argparse
import csv
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import count
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from benchmarks.spliced import Cast, Plan, Scene, built, halves
from models import checkpoints
from models.affect import AffectModel
from models.pitch import SwiftF0Tracker
from models.protocols import Identity
from models.silero import SileroDetector
from models.training.corpus import read
from models.whisper import WhisperTranscriber
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.events import Cue, OverlapRevised, Pace, Score, Words
from pipeline.graph import WEIGHTS, Engines, build
from pipeline.inputs import EngineResult, Frame
from pipeline.nodes.scores import ScoresNode
from pipeline.playbook import load_playbook
from pipeline.pool import EnginePool
from pipeline.session import CallInfo, Entry, Manner, Tick
from pipeline.settings import POLICIES, Scores, Settings
from pipeline.sources.recording import open_recording
from pipeline.timebase import RATE, TICK, samples
from pipeline.triggers import OnScore

SETTINGS = Settings(policy=POLICIES["standard"])
TOLD = (Cue, OverlapRevised, Pace, Words)
MOVED = ("anger", "happy", "surprise")


@dataclass(slots=True)
class Moment:
    """What a tick told the scores. doubted: channels in doubt or blurred."""

    start: int
    manners: dict[Channel, Manner]
    events: list[Entry]
    doubted: frozenset[Channel]


@dataclass(slots=True)
class Heard:
    """One call as the graph heard it. seconds: of the call. speech: seconds measured, by channel. cpu: core-seconds."""

    name: str
    seconds: float
    cpu: float
    moved: tuple[tuple[float, float], ...]
    moments: list[Moment] = field(default_factory=list)

    @property
    def calm_s(self) -> float:
        """Seconds in which nobody is moved: the whole call, or what is before."""
        return self.moved[0][0] if self.moved else self.seconds

    @property
    def calm_speech(self) -> float:
        """Seconds of the customer's measured speech in them."""
        calm = [moment for moment in self.moments if moment.start < self.calm_s * RATE]
        return sum(m.manners[Channel.CUSTOMER].seconds for m in calm if Channel.CUSTOMER in m.manners)


class Pooled:
    """Stands where a scorer does, and passes on what the encoder says: any scorer can be asked about it later."""

    identity = Identity("pooled", "0", "")

    def score(self, pooled: NDArray[np.float32]) -> tuple[float, ...]:
        return tuple(float(value) for value in pooled)


def listened(
    name: str,
    frames: Iterator[Frame],
    engines: Engines,
    pool: EnginePool | None,
    moved: Sequence[tuple[float, float]] = (),
) -> Heard:
    """A call through the graph; words are admitted at the nominal delay of a recorded run."""
    session = build(CallInfo(call_id="anger", channels=TWO_CHANNEL), SETTINGS, engines)
    began, moments = time.process_time(), []
    due: deque[tuple[int, Future[EngineResult]]] = deque()
    delay = round(SETTINGS.words.nominal_delay_s * RATE)
    for frame in frames:
        while due and due[0][0] <= frame.start:
            session.admit(due.popleft()[1].result())
        tick = session.hear(frame)
        session.think(tick)
        if pool is not None:
            due.extend((tick.end + delay, pool.ask(each, bulk=True)) for each in tick.asked if each.stage == "final")
        events = [entry for entry in tick.events if isinstance(entry.item, TOLD)]
        doubted = frozenset(tick.doubt | tick.blurred)
        if tick.manners or events or (doubted and frame.start % RATE < TICK):
            moments.append(Moment(tick.start, tick.manners, events, doubted))
    return Heard(name, session.heard / RATE, time.process_time() - began, tuple(moved), moments)


def frames(pcm: NDArray[np.int16], rate: int, gain_db: float = 0.0) -> Iterator[Frame]:
    door = Door(TWO_CHANNEL, rate)
    louder = np.rint(pcm * 10 ** (gain_db / 20)).clip(-32768, 32767).astype(np.int16)
    for start in range(0, len(louder), rate):
        yield from (item for item in door.push(louder[start : start + rate]) if isinstance(item, Frame))
    yield from (item for item in door.finish() if isinstance(item, Frame))


def scored(heard: Heard, model: AffectModel, settings: Scores) -> list[Score]:
    """The customer's scores, by the node that gives them in a call."""
    node = ScoresNode((Channel.CUSTOMER,), settings, model)
    moments, found = {moment.start: moment for moment in heard.moments}, []
    blank, numbers = np.zeros((2, TICK), np.int16), count(1)
    silent = np.zeros((2, TICK), np.float32)
    for start in range(0, int(heard.seconds * RATE), TICK):
        tick = Tick(Frame(start, blank), TWO_CHANNEL, silent, False, numbers)
        if (moment := moments.get(start)) is not None:
            tick.events = [_read(entry, model) for entry in moment.events]
            tick.manners, tick.doubt = moment.manners, set(moment.doubted)
        node.step(tick)
        found += [entry.item for entry in tick.events if isinstance(entry.item, Score)]
    return found


def _read(entry: Entry, model: AffectModel) -> Entry:
    """The encoder's pooled output in words as the numbers of this scorer."""
    if not isinstance(entry.item, Words) or not entry.item.emotion:
        return entry
    numbers = model.encoder(np.array(entry.item.emotion, np.float32))
    return replace(entry, item=replace(entry.item, emotion=tuple(round(number, 4) for number in numbers)))


@dataclass(frozen=True, slots=True)
class Point:
    """What a score would be (0-1) at a sample."""

    at: int
    value: float


def raisings(scores: Sequence[Score | Point], when: OnScore) -> list[float]:
    """Seconds at which the score had been over the bound for long enough; again only after it was under the lower.

    As ``pipeline.watchers`` looks for it at every tick: a score holds until the next one, which may come just then.
    """
    held = ceil(samples(when.for_s) / TICK) * TICK
    raised, since, up = [], None, False
    for score in scores:
        if since is not None and not up and score.at - since > held:
            raised.append((since + held) / RATE)
            up = True
        since = None if score.value < when.above else (score.at if since is None else since)
        if since is not None and not up and score.at - since >= held:
            raised.append(score.at / RATE)
            up = True
        up = up and score.value >= when.below
    return raised


def spoken(moved: Sequence[tuple[float, float]], until: float) -> float:
    """Seconds of moved clips before a moment."""
    return sum(min(end, until) - begin for begin, end in moved if begin < until)


def interval(events: int, hours: float) -> tuple[float, float]:
    """Exact 95 % Poisson interval of a rate."""
    low = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
    return float(low / hours), float(chi2.ppf(0.975, 2 * events + 2) / 2 / hours)


def found_row(name: str, calls: Sequence[Heard], model: AffectModel, settings: Scores, when: OnScore) -> str:
    """How many moved stretches were found, and after how much moved speech."""
    delays, early = [], 0
    for heard in calls:
        raised = raisings(scored(heard, model, settings), when)
        begin, end = heard.moved[0][0], heard.moved[-1][1] + 1.0
        early += any(at < begin for at in raised)
        within = [at for at in raised if begin <= at <= end]
        delays += [spoken(heard.moved, within[0])] if within else []
    if not calls:
        return f"{name:22s} no calls"
    share = f"{len(delays)}/{len(calls)} = {len(delays) / len(calls):.2f}"
    late = "-" if not delays else "/".join(f"{each:.1f}" for each in np.percentile(delays, (50, 90)))
    return f"{name:22s} found {share:16s} after p50/p90 {late:10s} s of such speech; before it already {early}"


def calm_row(name: str, calls: Sequence[Heard], model: AffectModel, settings: Scores, when: OnScore) -> str:
    raised = [(heard, at) for heard in calls for at in raisings(scored(heard, model, settings), when)]
    count_ = sum(at < heard.calm_s for heard, at in raised)
    hours = sum(heard.calm_s for heard in calls) / 3600
    speech = sum(heard.calm_speech for heard in calls) / 3600
    if not hours:
        return f"{name:22s} no calls"
    low, high = interval(count_, hours)
    rate = f"{count_ / hours:.2f} [{low:.2f}, {high:.2f}]"
    return f"{name:22s} {count_} false in {hours:.2f} h ({speech:.2f} h of customers' speech) = {rate} an hour"


class Calls:
    """The calls of a run, heard once and kept. gain_db: of the whole call."""

    def __init__(self, cache: Path, engines: Engines, pool: EnginePool | None, gain_db: float) -> None:
        self._cache, self._engines, self._pool, self._gain = cache, engines, pool, gain_db
        cache.mkdir(parents=True, exist_ok=True)

    def of(self, plans: Sequence[Plan]) -> list[Heard]:
        return [self._heard(plan.name, lambda plan=plan: built(plan)) for plan in self._told(plans)]

    def recorded(self, files: Sequence[Path]) -> list[Heard]:
        return [self._kept(f"call-{file.stem}", lambda file=file: self._file(file)) for file in files]

    def _file(self, file: Path) -> Heard:
        found = (item for item in open_recording([file]).frames() if isinstance(item, Frame))
        return listened(file.stem, found, self._engines, self._pool)

    def _heard(self, name: str, make: Callable[[], Scene]) -> Heard:
        def run() -> Heard:
            scene = make()
            return listened(scene.name, frames(scene.pcm, 8000, self._gain), self._engines, self._pool, scene.moved)

        return self._kept(name, run)

    def _kept(self, name: str, make: Callable[[], Heard]) -> Heard:
        file = self._cache / f"{name.replace('/', '_')}{self._gain:+g}.pickle"
        if file.exists():
            return pickle.loads(file.read_bytes())
        heard = make()
        part = file.with_suffix(".part")
        part.write_bytes(pickle.dumps(heard))
        part.replace(file)
        return heard

    def _told(self, plans: Sequence[Plan]) -> Iterator[Plan]:
        for number, plan in enumerate(plans, start=1):
            print(f"\r{number}/{len(plans)} {plan.name:40s}", end="", file=sys.stderr, flush=True)
            yield plan
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)


def split(emotion: Path, calm: Sequence[Path], folder: Path) -> None:
    """The two halves as tables, with absolute paths: what a scorer may be trained on to be measured on the other."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = read([emotion])
    for half, whos in halves(sorted({clip.who for clip in clips})).items():
        with (folder / f"{half}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "corpus", "speaker", "sex", "emotion"))
            rows = (clip for clip in clips if clip.who in whos)
            writer.writerows((clip.file.absolute(), clip.corpus, clip.speaker, clip.sex, clip.emotion) for clip in rows)
        with (folder / f"{half}.calm.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "corpus", "speaker"))
            for who, paths in Cast(emotion, calm, half).calm.items():
                writer.writerows((path.absolute(), *who.split("/", 1)) for path in paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emotion", type=Path, metavar="EMOTION.csv")
    parser.add_argument("--calm", type=Path, action="append", default=[], metavar="SPEECH.csv")
    parser.add_argument("--call", type=Path, action="append", default=[], metavar="CALL", help="calm two-channel calls")
    parser.add_argument("--cache", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--half", choices=("tune", "test"), default="test")
    parser.add_argument("--scorer", default="formula", metavar="NAME|FOLDER")
    parser.add_argument("--gain", type=float, default=0.0, metavar="DB")
    parser.add_argument("--words", action="store_true", help="ask the recogniser too")
    parser.add_argument("--most", type=int, default=3, metavar="N", help="spliced calls of a speaker and emotion")
    parser.add_argument("--moved", nargs="*", choices=MOVED, default=MOVED, help="spliced calls of these alone")
    parser.add_argument("--split", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.split is not None:
        return split(options.emotion, options.calm, options.split)
    transcriber = _transcriber() if options.words else None
    engines = Engines(SileroDetector(), SwiftF0Tracker(), transcriber, load_playbook())
    pool = EnginePool(transcriber, SETTINGS.words) if transcriber is not None else None
    named = WEIGHTS / options.scorer
    model = AffectModel.load(named if named.is_dir() else Path(options.scorer))
    calls, cast = Calls(options.cache, engines, pool, options.gain), Cast(options.emotion, options.calm, options.half)
    when = next(each.when for each in engines.playbook.advice if each.kind == "customer_anger")
    assert isinstance(when, OnScore)
    settings, every = SETTINGS.scores, []
    print(
        f"{options.half} half, scorer {model.identity.name}, {options.gain:+g} dB, bound {when.above}, {when.for_s} s"
    )
    for emotion in options.moved:
        for at_once in (False, True):
            moved = calls.of(list(cast.moved(emotion, at_once=at_once, most=options.most)))
            every += moved
            print(
                found_row(f"{emotion}, {'from the start' if at_once else 'after calm'}", moved, model, settings, when)
            )
    calm = [*calls.of(list(cast.calm_calls())), *calls.recorded(options.call)]
    print(calm_row("calm calls", calm, model, settings, when))
    print(calm_row("and calm openings", [*calm, *every], model, settings, when))
    cpu, seconds = sum(h.cpu for h in [*every, *calm]), sum(h.seconds for h in [*every, *calm])
    print(f"all of it took {cpu / seconds:.4f} core-seconds a second of call")
    if pool is not None:
        pool.close()
    return None


def _transcriber() -> WhisperTranscriber:
    words = SETTINGS.words
    folder = checkpoints.resolve(words.model, Path("none"))
    identity = checkpoints.identify(words.model, folder)
    return WhisperTranscriber(folder, identity=identity, threads=words.threads, workers=1, scorer=Pooled())


if __name__ == "__main__":
    main()
