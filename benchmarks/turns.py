"""Turn-taking against known truth, over many lines: how often overlaps are found, judged and timed rightly.

    uv run python -m benchmarks.turns [--speech INDEX.csv] [--calls N] [--seed S] [--conditions a,b] [--json]

Calls are built by ``benchmarks.voices`` with synthetic voices and, where an index of clips is given, with real ones;
each then goes over each line below, through the door and the real fast lane (Silero, no words). ``clear`` leaves out
overlaps whose truth hangs on a threshold by less than 0.1 s (``pipeline.truth``); ``all`` counts every one.

Seeds below 1000 are for looking and tuning, those from 1000 on for figures that are told: never tune on them. All
overlap here is built: nobody reacted to anybody, and half of it is interruptions, so no rate of real calls follows.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmarks.voices import Floats, Made, Scene, Voice, scene, speakers
from models.pitch import SwiftF0Tracker
from models.silero import SileroDetector
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.graph import Engines, build
from pipeline.inputs import Close, Frame, Loss
from pipeline.judge import Tally, compare, figures, heard
from pipeline.playbook import load_playbook
from pipeline.session import TAIL, CallInfo, Entry
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE, Span
from pipeline.truth import truth_of
from tests.synth import telephone_band

SETTINGS = Settings(policy=POLICIES["measures-only"])
"""No score of anybody is asked for, so no pitch is tracked: turn-taking is the same with and without."""
TELEPHONE = 8_000
LATE_S = 0.15
PACKET_S = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """What a scene became on its way. pcm: float (n, 2). rate: Hz. late: seconds the customer's packets come later."""

    pcm: Floats
    rate: int
    late: float = 0.0


Way = Callable[[Scene, np.random.Generator], Line]


def clean(scene: Scene, rng: np.random.Generator) -> Line:
    return Line(noisy(scene.audio, -75, rng), RATE)


def telephone(scene: Scene, rng: np.random.Generator) -> Line:
    """300-3400 Hz at 8 kHz with line noise of -55 to -45 dBFS, another on each channel."""
    return Line(noisy(narrow(scene.audio), rng.uniform(-55, -45, 2), rng), TELEPHONE)


def mulaw(scene: Scene, rng: np.random.Generator) -> Line:
    return Line(coded(noisy(narrow(scene.audio), -60, rng), "WAV", "ULAW"), TELEPHONE)


def gsm(scene: Scene, rng: np.random.Generator) -> Line:
    """GSM 06.10 full rate, 13 kbit/s."""
    return Line(coded(noisy(narrow(scene.audio), -60, rng), "WAV", "GSM610"), TELEPHONE)


def opus(scene: Scene, rng: np.random.Generator) -> Line:
    """Opus at libsndfile's lowest rate, about 8 kbit/s."""
    return Line(coded(noisy(narrow(scene.audio), -60, rng), "OGG", "OPUS"), TELEPHONE)


def unequal(scene: Scene, rng: np.random.Generator) -> Line:
    """One party, this one or that, 20 dB quieter than the other: -20 and -40 dBFS."""
    gains = 10 ** (np.array([6.0, -14.0]) / 20)
    return Line(noisy(narrow(scene.audio * rng.permutation(gains)), -65, rng), TELEPHONE)


def bleed(decibels: float) -> Way:
    """Each party is heard in the other's channel too, 40 ms later."""

    def way(scene: Scene, rng: np.random.Generator) -> Line:
        delay = round(0.04 * RATE)
        leaked = np.roll(scene.audio[:, ::-1], delay, axis=0) * 10 ** (decibels / 20)
        leaked[:delay] = 0
        return Line(noisy(narrow(scene.audio + leaked), -65, rng), TELEPHONE)

    return way


def late_packets(scene: Scene, rng: np.random.Generator) -> Line:
    """The customer's packets reach the door 150 ms after the agent's, with positions."""
    return Line(noisy(scene.audio, -75, rng), RATE, LATE_S)


def prompt_packets(scene: Scene, rng: np.random.Generator) -> Line:
    """Packets as in ``late_packets``, on time: what those must agree with."""
    return Line(noisy(scene.audio, -75, rng), RATE, PACKET_S)


def narrow(audio: Floats) -> Floats:
    columns = [soxr.resample(telephone_band(audio[:, who], RATE), RATE, TELEPHONE) for who in (0, 1)]
    return np.stack(columns, axis=1)


def noisy(audio: Floats, dbfs: Any, rng: np.random.Generator) -> Floats:
    """White noise at a level, or at one each, under both channels."""
    return np.asarray(audio + rng.standard_normal(audio.shape) * 10 ** (np.asarray(dbfs) / 20))


def coded(audio: Floats, container: str, codec: str) -> Floats:
    """Each channel through a coder and back."""
    columns = []
    for who in (0, 1):
        file = BytesIO()
        options = {"compression_level": 1.0} if codec == "OPUS" else {}
        soundfile.write(file, audio[:, who].clip(-1, 1), TELEPHONE, format=container, subtype=codec, **options)
        file.seek(0)
        columns.append(soundfile.read(file, dtype="float64")[0][: len(audio)])
    return np.stack(columns, axis=1)


WAYS: dict[str, Way] = {
    "clean": clean,
    "telephone": telephone,
    "mulaw": mulaw,
    "gsm": gsm,
    "opus": opus,
    "unequal": unequal,
    "bleed-30": bleed(-30),
    "bleed-20": bleed(-20),
    "delayed": clean,
}
"""``delayed``: one party hears the other, and is heard, 150 ms late; the truth is that at the monitoring point. Packets
of one track that come 150 ms late must change nothing, so they are no row: ``same_whenever_it_comes``."""


def delayed(scene: Scene) -> Scene:
    """The customer's channel as it is where the agent is: everything 150 ms later."""
    shift = round(LATE_S * RATE)
    audio = np.pad(scene.audio, ((0, shift), (0, 0)))
    audio[:, 1] = np.roll(audio[:, 1], shift)
    customer = tuple(Span(span.start + shift, span.end + shift) for span in scene.speech[Channel.CUSTOMER])
    return Scene(audio, {**scene.speech, Channel.CUSTOMER: customer})


def items(line: Line, door: Door) -> Iterator[Frame | Loss]:
    pcm = line.pcm.clip(-1, 1).astype(np.float32)
    if line.late:
        yield from _packets(pcm, line, door)
    else:
        for start in range(0, len(pcm), line.rate):
            yield from door.push(pcm[start : start + line.rate])
    yield from door.finish()


def _packets(pcm: NDArray[np.float32], line: Line, door: Door) -> Iterator[Frame | Loss]:
    """Packets of 20 ms of each track in turn, the customer's ``late`` behind."""
    size = round(PACKET_S * line.rate)
    behind = round(line.late / PACKET_S) * size
    for start in count(0, size):
        if start - behind >= len(pcm):
            return
        if len(agent := pcm[start : start + size, 0]):
            yield from door.push_track(Channel.AGENT, agent, position=start)
        if start >= behind:
            customer = pcm[start - behind : start - behind + size, 1]
            yield from door.push_track(Channel.CUSTOMER, customer, position=start - behind)


def events_of(line: Line, engines: Engines) -> list[Entry]:
    """Everything the fast lane makes of a line."""
    session = build(CallInfo(call_id="turns", channels=TWO_CHANNEL), SETTINGS, engines)
    door = Door(TWO_CHANNEL, line.rate)
    entries: list[Entry] = []
    for item in items(line, door):
        if isinstance(item, Frame):
            entries += session.step(item).entries
        else:
            session.admit(item)
    session.admit(Close(end=door.heard, reason="end"))
    for _ in range(TAIL):
        entries += session.step(session.silence()).entries
    return entries + session.end().entries


@dataclass(frozen=True, slots=True)
class Casts:
    """Who can speak: pairs of voices by seed."""

    real: list[Any]

    @property
    def names(self) -> list[str]:
        return ["made", "real"] if self.real else ["made"]

    def pair(self, name: str, seed: int) -> list[Voice]:
        rng = np.random.default_rng(seed)
        if name == "made":
            return [Made(float(hz)) for hz in rng.permutation([rng.uniform(90, 140), rng.uniform(170, 230)])]
        return [self.real[n] for n in rng.choice(len(self.real), 2, replace=False)]


def measure(
    casts: Casts, ways: list[str], calls: int, seed: int, seconds: float, engines: Engines
) -> list[dict[str, Any]]:
    """One row a cast, condition and call: its two tallies."""
    rows = []
    for number in range(seed, seed + calls):
        for cast in casts.names:
            played = scene(casts.pair(cast, number), seconds, number)
            for way in ways:
                rows.append(_row(cast, way, number, delayed(played) if way == "delayed" else played, engines))
        print(f"seed {number}", file=sys.stderr)
    return rows


def _row(cast: str, way: str, number: int, played: Scene, engines: Engines) -> dict[str, Any]:
    truth = truth_of(played.speech)
    call = heard(events_of(WAYS[way](played, np.random.default_rng(number)), engines))
    tallies = {"clear": compare(truth, call), "all": compare(truth, call, every=True)}
    return {"cast": cast, "way": way, "seed": number, "truth": truth, "call": call, "tallies": tallies}


def summed(rows: list[dict[str, Any]], which: str) -> Tally:
    total = Tally()
    for row in rows:
        total.add(row["tallies"][which])
    return total


def same_whenever_it_comes(casts: Casts, seed: int, seconds: float, engines: Engines) -> int:
    """How many events differ when one track's packets come 150 ms late."""
    played = scene(casts.pair(casts.names[-1], seed), seconds, seed)
    prompt, late = (
        [entry.item for entry in events_of(way(played, np.random.default_rng(seed)), engines)]
        for way in (prompt_packets, late_packets)
    )
    return sum(one != two for one, two in zip(prompt, late, strict=False)) + abs(len(prompt) - len(late))


HEAD = f"{'':24s}{'F1 int':>8s}{'F1 short':>9s}{'F1 all':>8s}{'n int':>7s}{'n short':>8s}{'who':>7s}"
HEAD += f"{'bound':>7s}{'p90':>6s}{'bc→int':>9s}{'shown p50/95':>14s}{'1 s p50/95':>13s}{'cut p50/95':>13s}"


def told(name: str, tally: Tally) -> str:
    """One line of the table; times in ms."""
    row = figures(tally)
    shorter, interruptions = tally.shorter, tally.interruptions
    line = f"{name:24s}{share(interruptions.f1):>8s}{share(shorter.f1):>9s}{share(tally.every.f1):>8s}"
    line += f"{interruptions.hits + interruptions.missed:7d}{shorter.hits + shorter.missed:8d}"
    line += (
        f"{share(tally.interrupter.value):>7s}{row['bounds_ms']['p50'] or 0:7.0f}{row['bounds_ms']['p90'] or 0:6.0f}"
    )
    line += f"{tally.accused.part:5d}/{tally.accused.whole:<3d}"
    for width, cause in ((14, "shown"), (13, "length"), (13, "cut")):
        low, high = row["latency_ms"][cause].values()
        line += f"{'-' if low is None else f'{low:.0f}/{high:.0f}':>{width}s}"
    return line


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    for which in ("clear", "all"):
        yield f"\n{which}\n{HEAD}"
        for cast in dict.fromkeys(row["cast"] for row in rows):
            own = [row for row in rows if row["cast"] == cast]
            for way in dict.fromkeys(row["way"] for row in own):
                yield told(f"{cast} {way}", summed([row for row in own if row["way"] == way], which))
            yield told(f"{cast} together", summed(own, which))
        yield told("together", summed(rows, which))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, metavar="INDEX.csv", help="clips of real speech: path, speaker")
    parser.add_argument("--calls", type=int, default=10, help="calls for each kind of voice")
    parser.add_argument("--seconds", type=float, default=90.0, help="about how long a call is")
    parser.add_argument("--seed", type=int, default=1000, help="of the first call; below 1000 is for tuning")
    parser.add_argument("--conditions", default=",".join(WAYS), help="some of these, with commas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ways = options.conditions.split(",")
    if unknown := set(ways) - set(WAYS):
        parser.error(f"no such condition: {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}")
    engines = Engines(SileroDetector(), SwiftF0Tracker(), None, load_playbook())
    casts = Casts(speakers(options.speech) if options.speech else [])
    rows = measure(casts, ways, options.calls, options.seed, options.seconds, engines)
    differ = same_whenever_it_comes(casts, options.seed, options.seconds, engines)
    if options.json:
        plain = [{key: row[key] for key in ("cast", "way", "seed")} for row in rows]
        for row, each in zip(rows, plain, strict=True):
            each |= {which: figures(tally) for which, tally in row["tallies"].items()}
        total = {which: figures(summed(rows, which)) for which in ("clear", "all")}
        print(json.dumps({"calls": plain, "together": total, "events_changed_by_late_packets": differ}))
        return
    print(*table(rows), sep="\n")
    print(f"\nevents that differ when one track's packets come 150 ms late: {differ}")


if __name__ == "__main__":
    main()
