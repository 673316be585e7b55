"""One word at fixed moments of a call, whatever came before it: is it heard each time, and how far off are its times?

    uv run python -m benchmarks.marker [--minutes 10] [--seeds 3] [--speech INDEX.csv] [--marker CLIP WORD] [--json]

The word stands at the same samples in every call, 8 to 90 s after the one before it on the same channel. What is said
before it is drawn from the seed: nothing for all that time, one utterance or many, with a pause before the word of
0.15 s (one utterance with it) to 6 s. The call goes over a telephone line (300-3400 Hz, G.711, line noise of -55 dBFS)
and as a recording through the whole lane. Without CLIP the word is "Goodbye." of our own sample call, without INDEX.csv
the other utterances are lines of these calls: synthetic voices. The truth is where the clean word is heard by its
energy: from the first to the last 10 ms within 26 dB of its loudest, so take a clip whose background is quieter.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.graph import Engines, build, load
from pipeline.inputs import Frame
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.text import plain
from pipeline.timebase import RATE, Span, samples
from pipeline.view import View
from tests import noises, synth

SETTINGS = Settings(policy=POLICIES["standard"])
APART_S = (8.0, 20.0, 12.0, 45.0, 15.0, 90.0, 10.0, 30.0)
"""Seconds from one word to the next, again and again; the customer's begin elsewhere in the round."""
LEVEL_DBFS, LINE_DBFS = -26.0, -55.0
NEAR = samples(1.5)
"""Samples round the truth in which the word is looked for."""
BOUND = samples(0.15)
WINDOW = RATE // 100
QUIETEST_DB = -26.0
"""Against the loudest 10 ms: the weakest sound of a word."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clip:
    audio: Floats
    text: str


@dataclass(frozen=True, slots=True)
class Marker:
    """before: samples of silence before it. span: where it is heard."""

    channel: Channel
    span: Span
    before: int


@dataclass(frozen=True, slots=True)
class Found:
    """start, end: samples that the word was heard too late; None where it was not heard. instead: what was, then."""

    marker: Marker
    start: int | None
    end: int | None
    instead: str = ""

    @property
    def right(self) -> bool:
        return self.start is not None and abs(self.start) <= BOUND


def spoken_part(clip: Clip) -> Clip:
    """From the first to the last sound of it, at the common level."""
    windows = clip.audio[: len(clip.audio) // WINDOW * WINDOW].reshape(-1, WINDOW)
    level = 10 * np.log10(np.mean(windows**2, axis=1) + 1e-12)
    loud = np.flatnonzero(level > level.max() + QUIETEST_DB)
    return Clip(noises.at(clip.audio[loud[0] * WINDOW : (loud[-1] + 1) * WINDOW], LEVEL_DBFS), clip.text)


def sample_lines() -> list[Clip]:
    """Every line of our own sample calls that is long enough to be a sentence."""
    found = []
    for name in ("calm_order", "billing_dispute", "impatient_agent"):
        lines = json.loads(sample_audio.path(name).with_suffix(".truth.json").read_text(encoding="utf-8"))["lines"]
        texts = [(number, line["text"]) for number, line in enumerate(lines) if line["words"] > 3]
        found += [spoken_part(Clip(synth.sample_line(name, number), text)) for number, text in texts]
    return found


def sample_marker() -> Clip:
    lines = json.loads(sample_audio.path("calm_order").with_suffix(".truth.json").read_text(encoding="utf-8"))["lines"]
    number = next(number for number, line in enumerate(lines) if line["text"] == "Goodbye.")
    return spoken_part(Clip(synth.sample_line("calm_order", number), "goodbye"))


def clips_of(index: Path) -> list[Clip]:
    with index.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["text"]]
    return [clip_of(index.parent / row["path"], row["text"]) for row in rows]


def clip_of(path: Path, text: str) -> Clip:
    audio, rate = soundfile.read(path, dtype="float64")
    return spoken_part(Clip(np.asarray(soxr.resample(audio, rate, RATE)), text))


def scene(marker: Clip, others: Sequence[Clip], seconds: float, seed: int) -> tuple[Floats, list[Marker]]:
    """A clean call, float64 (n, 2), and its markers. Their places depend on ``seconds`` alone."""
    rng, audio = np.random.default_rng(seed), np.zeros((samples(seconds), 2))
    others = [clip for clip in others if plain(marker.text) not in plain(clip.text)]
    markers = []
    for row, channel in enumerate(TWO_CHANNEL):
        free = 0
        for start in _places(len(audio) - samples(3.0), 3 * row):
            before = _speak(audio[:, row], free, start, others, rng)
            audio[start : start + len(marker.audio), row] = marker.audio
            free = start + len(marker.audio)
            markers.append(Marker(channel, Span(start, free), start - before))
    return audio, markers


def _places(end: int, first: int) -> Iterator[int]:
    place = 0
    for apart in islice(cycle(APART_S), first, None):
        place += samples(apart)
        if place >= end:
            return
        yield place


def _speak(audio: Floats, free: int, start: int, others: Sequence[Clip], rng: np.random.Generator) -> int:
    """Fill a stretch up to a pause before ``start``, backwards, or leave it silent. Returns where the last one ends."""
    at, last = start - samples(float(np.exp(rng.uniform(np.log(0.15), np.log(6.0))))), free
    for _ in range(rng.integers(0, 7)):
        clip = others[int(rng.integers(len(others)))].audio
        if at - len(clip) < free + samples(0.15):
            continue
        audio[at - len(clip) : at] = clip
        last = max(last, at)
        at -= len(clip) + samples(float(rng.uniform(0.15, 3.0)))
    return last


def heard(audio: Floats, engines: Engines, pool: EnginePool) -> View:
    """The recorded run of a clean call over a telephone line."""
    line = np.random.default_rng(1).standard_normal(audio.shape) * 10 ** (LINE_DBFS / 20)
    pcm = np.stack([noises.mulaw(column) for column in (audio + line).T], axis=1)
    door = Door(TWO_CHANNEL, RATE)
    pushed = (*door.push((pcm * 32767).astype(np.int16)), *door.finish())
    frames = (item for item in pushed if isinstance(item, Frame))
    call = Call(build(CallInfo(call_id="marker", channels=TWO_CHANNEL), SETTINGS, engines))
    return Recorder(call, pool.ask, SETTINGS.words.nominal_delay_s).run(frames, lambda: door.heard)


def matched(view: View, markers: Sequence[Marker], word: str) -> Iterator[Found]:
    """The nearest such word to each marker; "good bye" is "goodbye"."""
    for marker in markers:
        near = [each for each in _heard(view, marker.channel) if abs(each[1].start - marker.span.start) <= NEAR]
        same = [span for text, span in near if text == plain(word)]
        best = min(same, key=lambda span: abs(span.start - marker.span.start), default=None)
        if best is None:
            yield Found(marker, None, None, " ".join(text for text, _ in near[::2]))
        else:
            yield Found(marker, best.start - marker.span.start, best.end - marker.span.end)


def _heard(view: View, channel: Channel) -> Iterator[tuple[str, Span]]:
    """Each word, and each together with the next one."""
    words = [word for line in view.transcript if line.channel is channel for word in line.words]
    for word, after in zip(words, [*words[1:], words[-1]] if words else [], strict=True):
        start, end, last = (ms * RATE // 1000 for ms in (word.begin_ms, word.end_ms, max(word.end_ms, after.end_ms)))
        yield plain(word.text), Span(start, end)
        yield plain(word.text) + plain(after.text), Span(start, last)


def told(found: Sequence[Found]) -> dict[str, float]:
    """The errors in ms over the markers that were heard: their magnitudes, and which way they lean (late is > 0)."""
    starts = [1000 * each.start / RATE for each in found if each.start is not None]
    ends = [1000 * each.end / RATE for each in found if each.end is not None]
    right = sum(each.right for each in found)
    figures: dict[str, float] = {"markers": len(found), "heard": len(starts), "within 150 ms": right}
    for name, errors in (("start", starts), ("end", ends)):
        p50, p95, most = np.percentile(np.abs(errors), (50, 95, 100)) if errors else (np.nan,) * 3
        figures |= {f"{name} p50": round(p50), f"{name} p95": round(p95), f"{name} most": round(most)}
        figures |= {f"{name} leans": round(float(np.median(errors)))} if errors else {}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=3, help="calls, alike in where the word stands alone")
    parser.add_argument("--first", type=int, default=1000, help="first seed")
    parser.add_argument("--speech", type=Path, metavar="INDEX.csv")
    parser.add_argument("--marker", nargs=2, metavar=("CLIP", "WORD"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    marker = clip_of(Path(options.marker[0]), options.marker[1]) if options.marker else sample_marker()
    others = clips_of(options.speech) if options.speech else sample_lines()
    engines = load(SETTINGS, Path("models"))
    assert engines.transcriber is not None
    pool, everything = EnginePool(engines.transcriber), []
    for seed in range(options.first, options.first + options.seeds):
        audio, markers = scene(marker, others, options.minutes * 60, seed)
        everything.append(list(matched(heard(audio, engines, pool), markers, marker.text)))
    pool.close()
    report(everything, as_json=options.json)


def report(calls: Sequence[Sequence[Found]], *, as_json: bool) -> None:
    """All of them, by the pause before, and how far the calls differ about one and the same moment."""
    every = [found for call in calls for found in call]
    joined = [found for found in every if found.marker.before <= samples(0.6)]
    groups = {"all": every, "in an utterance": joined, "after a pause": [each for each in every if each not in joined]}
    rows = {name: told(group) for name, group in groups.items()}
    spreads = [max(starts) - min(starts) for starts in _by_place(calls) if len(starts) > 1]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for name, row in rows.items():
        print(f"{name:16s} " + ", ".join(f"{key} {value:g}" for key, value in row.items()))
    if spreads:
        print(f"one moment, other words before: starts differ by {1000 * np.median(spreads) / RATE:.0f} ms (median)")
    for each in (each for each in every if not each.right):
        said = f"not heard, but: {each.instead}" if each.start is None else f"{1000 * each.start / RATE:+.0f} ms"
        at, before = each.marker.span.start / RATE, each.marker.before / RATE
        print(f"  {each.marker.channel} {at:.1f} s, {before:.2f} s after other words: {said}")


def _by_place(calls: Sequence[Sequence[Found]]) -> Iterator[list[int]]:
    for place in zip(*calls, strict=True):
        yield [each.start for each in place if each.start is not None]


if __name__ == "__main__":
    main()
