"""What comes of sounds that are no conversation, through the whole lane: words, overlaps, alerts, and what was marked.

    uv run python -m benchmarks.sounds FOLDER [--seconds 60] [--speech INDEX.csv ...]

Every audio file of FOLDER, and ringing of two countries made here, is heard three ways: alone on the agent's channel,
alone on the customer's, and on the agent's under the customer's speech (our own sample call's, or the clips of
INDEX.csv's column ``path``, relative to its folder, one after the other). Counted are words and overlaps of the sound's
channel, and alerts; under speech only those kinds of alert that the same call without the sound does not raise.
`marked` is the share of the sound's time in regions of each kind.

    uv run python -m benchmarks.sounds --fast SPEECH ...

Speech alone (an INDEX.csv with a column ``corpus``, or a recording) through the nodes that mark regions: seconds in
regions an hour. All of them are false, except where the recording is clipped.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from models.silero import SileroDetector
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.events import Region
from pipeline.graph import Engines, build, load
from pipeline.inputs import Close, Frame
from pipeline.nodes.sounds import SoundsNode
from pipeline.nodes.speech import SpeechNode
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo, Node, Session
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE
from pipeline.view import View

SETTINGS = Settings(policy=POLICIES["standard"])
AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
RINGING = {"ringing (US)": ((440, 480), 2.0, 4.0), "ringing (Germany)": ((425,), 1.0, 4.0)}
PAUSE = 0.3
"""Seconds between two clips."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one call. marked: share of the sound's time by kind."""

    words: int
    overlaps: int
    alerts: frozenset[str]
    marked: dict[str, float]


def audio(path: Path) -> Floats:
    """(n, channels) at 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    return np.asarray(soxr.resample(samples, rate, RATE))


def ringing(hz: tuple[int, ...], on: float, off: float, seconds: float) -> Floats:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.sum([np.sin(2 * np.pi * f * time) for f in hz], axis=0) / len(hz)
    return np.asarray(0.2 * wave * (time % (on + off) < on))


def clips(index: Path) -> list[Floats]:
    with index.open(encoding="utf-8") as file:
        return [audio(index.parent / row["path"])[:, 0] for row in csv.DictReader(file)]


def joined(parts: list[Floats], seconds: float) -> Floats:
    """Parts one after the other until it is long enough, again from the first if need be."""
    line: list[Floats] = []
    length = 0
    while length < seconds * RATE:
        part = parts[len(line) // 2 % len(parts)]
        line += [part, np.zeros(round(PAUSE * RATE))]
        length += len(part) + len(line[-1])
    return np.concatenate(line)[: round(seconds * RATE)]


def call_of(agent: Floats, customer: Floats) -> NDArray[np.int16]:
    """Two voices and a quiet line: int16 (n, 2)."""
    both = np.random.default_rng(1).normal(0, 10 ** (-65 / 20), (max(len(agent), len(customer)), 2))
    both[: len(agent), 0] += agent
    both[: len(customer), 1] += customer
    return (both.clip(-1, 1) * 32767).astype(np.int16)


def frames(pcm: NDArray[np.int16]) -> tuple[Door, Iterator[Frame]]:
    door = Door(TWO_CHANNEL, RATE)
    return door, (item for item in [*door.push(pcm), *door.finish()] if isinstance(item, Frame))


def heard(pcm: NDArray[np.int16], engines: Engines, pool: EnginePool) -> View:
    """The full lane, words included."""
    door, source = frames(pcm)
    call = Call(build(CallInfo(call_id="sounds", channels=TWO_CHANNEL), SETTINGS, engines))
    return Recorder(call, pool.ask, SETTINGS.words.nominal_delay_s).run(source, lambda: door.heard)


def found(view: View, channel: Channel, seconds: float) -> Found:
    marked: Counter[str] = Counter()
    for region in view.regions:
        if region.channel is channel:
            marked[region.kind] += (region.end_ms - region.begin_ms) / 1000 / seconds  # type: ignore[assignment]
    words = sum(len(line.words) for line in view.transcript if line.channel is channel)
    return Found(words, len(view.overlaps), frozenset(alert.kind for alert in view.alerts), dict(marked))


def told(name: str, way: str, result: Found) -> None:
    marked = ", ".join(f"{kind} {share:.0%}" for kind, share in sorted(result.marked.items())) or "nothing"
    alerts = ", ".join(sorted(result.alerts)) or "none"
    print(f"{name:32.32s} {way:18s} {result.words:5d} {result.overlaps:8d}  {alerts:20s} {marked}", flush=True)


def lane(folder: Path, seconds: float, speech: list[Path]) -> None:
    engines = load(SETTINGS, Path("models"))
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)
    voices = [clip for index in speech for clip in clips(index)] or [audio(sample_audio.path("calm_order"))[:, 1]]
    sounds = {path.name: audio(path)[:, 0] for path in sorted(folder.iterdir()) if path.suffix in AUDIO}
    if not sounds:
        raise SystemExit(f"no audio in {folder}: name a folder of {', '.join(sorted(AUDIO))} files")
    sounds |= {name: ringing(*how, 30.0) for name, how in RINGING.items()}
    without: dict[int, View] = {}
    print(f"{'sound':32s} {'heard':18s} words overlaps  {'alerts':20s} marked")
    for name, sound in sounds.items():
        sound = sound[: round(seconds * RATE)]
        length = len(sound) / RATE
        nobody = np.zeros(len(sound))
        told(name, "agent", found(heard(call_of(sound, nobody), engines, pool), Channel.AGENT, length))
        told(name, "customer", found(heard(call_of(nobody, sound), engines, pool), Channel.CUSTOMER, length))
        voice = joined(voices, max(length, 20.0))
        if len(voice) not in without:
            without[len(voice)] = heard(call_of(np.zeros(1), voice), engines, pool)
        result = found(heard(call_of(sound, voice), engines, pool), Channel.AGENT, length)
        new = result.alerts - {alert.kind for alert in without[len(voice)].alerts}
        told(name, "agent, under speech", Found(result.words, result.overlaps, new, result.marked))
    pool.close()


def regions(pcm: NDArray[np.int16], detector: SileroDetector) -> Counter[str]:
    """Seconds of each kind, by the nodes that mark them alone."""
    nodes: list[Node] = [SpeechNode(TWO_CHANNEL, SETTINGS.speech, detector), SoundsNode(TWO_CHANNEL, SETTINGS.sounds)]
    session = Session(CallInfo(call_id="sounds", channels=TWO_CHANNEL), nodes)
    entries = [entry for frame in frames(pcm)[1] for entry in session.step(frame).entries]
    session.admit(Close(end=session.position, reason="end of recording"))
    entries += session.step(session.silence()).entries
    seconds: Counter[str] = Counter()
    for entry in entries:
        if isinstance(entry.item, Region) and not entry.item.open:
            seconds[entry.item.kind] += entry.item.span.seconds  # type: ignore[assignment]
    return seconds


def false_alarms(paths: list[Path], most: int) -> None:
    """most: clips of an index that are heard, evenly taken."""
    detector = SileroDetector()
    for path in paths:
        if path.suffix == ".csv":
            parts = clips_of_corpora(path, most)
        else:
            both = audio(path)
            parts = {path.name: (both[:, 0], both[:, -1] if both.shape[1] > 1 else np.zeros(1))}
        for name, (one, two) in parts.items():
            hours = (len(one) + len(two)) / RATE / 3600 if len(two) > 1 else len(one) / RATE / 3600
            kinds = regions(call_of(one, two), detector)
            rates = ", ".join(f"{kind} {value / hours:.0f} s" for kind, value in kinds.items()) or "none"
            print(f"{name:24s} {60 * hours:6.1f} min; regions an hour: {rates}", flush=True)


def clips_of_corpora(index: Path, most: int) -> dict[str, tuple[Floats, Floats]]:
    """Each corpus of an index, its clips alternating between the parties with a pause after each."""
    with index.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    corpora: dict[str, tuple[Floats, Floats]] = {}
    for corpus in sorted({row["corpus"] for row in rows}):
        mine = [row["path"] for row in rows if row["corpus"] == corpus]
        picked = [audio(index.parent / path)[:, 0] for path in mine[:: max(1, len(mine) // most)][:most]]
        halves = [np.concatenate([np.pad(clip, (0, round(PAUSE * RATE))) for clip in picked[k::2]]) for k in (0, 1)]
        corpora[corpus] = (halves[0], halves[1])
    return corpora


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of sounds")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each file (default 60)")
    parser.add_argument("--speech", type=Path, nargs="*", default=[], help="indexes of speech of the other party")
    parser.add_argument("--fast", type=Path, nargs="*", help="indexes and recordings to count false regions in")
    parser.add_argument("--most", type=int, default=100, help="clips of a corpus for --fast (default 100)")
    options = parser.parse_args()
    if options.fast:
        false_alarms(options.fast, options.most)
    elif options.folder is not None:
        lane(options.folder, options.seconds, options.speech)
    else:
        parser.error("name a folder of sounds, or speech with --fast")


if __name__ == "__main__":
    main()
