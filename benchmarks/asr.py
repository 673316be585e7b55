"""What recognition costs and how many words it gets wrong: faster-whisper's two interfaces and ours, in one run.

    OMP_NUM_THREADS=1 uv run python -m benchmarks.asr INDEX.csv [--clips N] [--line telephone] [--half test]
    OMP_NUM_THREADS=1 uv run python -m benchmarks.asr INDEX.csv --half tune --curve CURVE.png

Everything runs on one thread of one core, and cost is CPU time of the process (features included) a second of speech.
Each system gives words with times, so each aligns. Every second speaker of each corpus belongs to the half "tune",
on which our contexts were chosen, the others to "test", from which figures are told. Words are compared by
``benchmarks.clips.tokens``, the same for all.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from matplotlib.figure import Figure

from benchmarks.clips import Clip, load, telephone, wrong
from models import checkpoints, whisper
from models.protocols import Identity
from models.whisper import WhisperTranscriber
from pipeline.timebase import RATE

Texts = list[str]
System = Callable[[Sequence[Clip]], Texts]
CONTEXTS = (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 20.0, 30.0)


@dataclass
class Row:
    """One system on some clips. cost: core-seconds a second of speech. rate: share of words wrong."""

    name: str
    cost: float
    rate: float
    errors: int = 0
    words: int = 0


def utterances(model: WhisperModel, **options: Any) -> System:
    """``transcribe()`` of each utterance."""

    def hear(clips: Sequence[Clip]) -> Texts:
        found = (model.transcribe(clip.samples, language="en", word_timestamps=True, **options)[0] for clip in clips)
        return ["".join(segment.text for segment in segments) for segments in found]

    return hear


def batched(model: WhisperModel, size: int) -> System:
    """``BatchedInferencePipeline`` over utterances laid end to end, their bounds given."""

    def hear(clips: Sequence[Clip]) -> Texts:
        texts: Texts = []
        for start in range(0, len(clips), size):
            texts += together(clips[start : start + size])
        return texts

    def together(clips: Sequence[Clip]) -> Texts:
        edges = np.cumsum([0, *(len(clip.samples) for clip in clips)]) / RATE
        bounds = [{"start": float(a), "end": float(b)} for a, b in pairwise(edges)]
        segments, _ = BatchedInferencePipeline(model).transcribe(
            np.concatenate([clip.samples for clip in clips]),
            language="en",
            word_timestamps=True,
            clip_timestamps=bounds,
            batch_size=size,
        )
        texts = [""] * len(clips)
        for segment in segments:
            texts[int(np.searchsorted(edges * 100, segment.seek + 1, side="right")) - 1] += segment.text
        return texts

    return hear


def ours(engine: WhisperTranscriber, size: int, *, draft: bool = False) -> System:
    """Batches of one context, as the scheduler makes them."""

    def hear(clips: Sequence[Clip]) -> Texts:
        texts = [""] * len(clips)

        def context(index: int) -> int:
            return engine.context(len(clips[index].samples))

        for _, group in groupby(sorted(range(len(clips)), key=context), context):
            same = list(group)
            for start in range(0, len(same), size):
                part = same[start : start + size]
                heard = engine.transcribe([clips[index].samples for index in part], draft=draft)
                for index, transcript in zip(part, heard, strict=True):
                    texts[index] = transcript.text
        return texts

    return hear


def measured(name: str, system: System, clips: Sequence[Clip]) -> Row:
    system(clips[:2])
    start = time.process_time()
    texts = system(clips)
    cost = (time.process_time() - start) / sum(clip.seconds for clip in clips)
    counts = [wrong(clip.text, text) for clip, text in zip(clips, texts, strict=True)]
    errors, words = (sum(column) for column in zip(*counts, strict=True))
    return Row(name, cost, errors / words, errors, words)


@dataclass
class Timed:
    """A CTranslate2 model whose calls are timed. spent: CPU seconds by method."""

    model: Any
    spent: dict[str, float] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.model, name)
        return self.timing(name, value) if callable(value) else value

    def timing(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.spent[name] = self.spent.get(name, 0.0) + time.process_time() - start

        return timed


@contextmanager
def profiled(engine: WhisperTranscriber) -> Iterator[Timed]:
    """Where the time of an engine goes while this lasts."""
    model, mel = engine._model, engine._mel
    timed = Timed(model)
    engine._model = engine._shell.model = timed
    engine._mel = timed.timing("mel", mel)  # type: ignore[assignment]
    try:
        yield timed
    finally:
        engine._model = engine._shell.model = model
        engine._mel = mel


def profile(engine: WhisperTranscriber, clips: Sequence[Clip]) -> str:
    """Shares of the cost, batches of 8."""
    seconds = sum(clip.seconds for clip in clips)
    start = time.process_time()
    with profiled(engine) as timed:
        ours(engine, 8)(clips)
    spent = timed.spent | {"rest": time.process_time() - start - sum(timed.spent.values())}
    return ", ".join(f"{name} {value / seconds:.4f}" for name, value in spent.items())


def engine(least_s: float = 5.0) -> WhisperTranscriber:
    identity = Identity("whisper tiny.en", "benchmark", checkpoints.EMBEDDED_PINS["model.bin"])
    return WhisperTranscriber(checkpoints.embedded(), identity=identity, threads=1, least_s=least_s)


def side_by_side(clips: Sequence[Clip]) -> None:
    model = WhisperModel(str(checkpoints.embedded()), device="cpu", compute_type="int8", cpu_threads=1)
    own = engine()
    systems = {
        "faster-whisper transcribe()": utterances(model),
        "faster-whisper transcribe(beam_size=1)": utterances(model, beam_size=1),
        "faster-whisper batched pipeline, 8": batched(model, 8),
        "ours, batches of 1": ours(own, 1),
        "ours, batches of 8": ours(own, 8),
        "ours, batches of 16": ours(own, 16),
        "ours, drafts, batches of 8": ours(own, 8, draft=True),
    }
    first: Row | None = None
    for name, system in systems.items():
        row = measured(name, system, clips)
        first = first or row
        less = f"{first.cost / row.cost:5.1f} x less, {100 * (row.rate - first.rate):+.1f} points"
        print(f"{name:40s}{row.cost:8.4f} core-s/s  WER {row.rate:6.1%} ({row.errors}/{row.words})  {less}", flush=True)
    print(f"ours, where it goes (core-s/s): {profile(own, clips)}")


def curve(clips: Sequence[Clip], picture: Path) -> None:
    """Cost against WER for contexts from 3 to 30 s, with and without silence behind them for the decoder."""
    tail, figure = whisper.TAIL, Figure(figsize=(7, 4.5))
    axes = figure.subplots()
    try:
        for positions, name in ((tail, f"with {tail / 50:g} s of silence for the decoder"), (0, "without")):
            whisper.TAIL = positions
            rows = [measured(f"{least:g} s", ours(engine(least), 8), clips) for least in CONTEXTS]
            for row in rows:
                print(f"{name:42s}{row.name:>6s}{row.cost:9.4f} core-s/s  WER {row.rate:6.1%}", flush=True)
            axes.plot([row.cost for row in rows], [100 * row.rate for row in rows], "o-", label=name)
            for row in rows:
                axes.annotate(row.name, (row.cost, 100 * row.rate), textcoords="offset points", xytext=(4, 4))
    finally:
        whisper.TAIL = tail
    axes.set(xlabel="core-seconds a second of speech", ylabel="words wrong, %", xscale="log", yscale="log")
    axes.legend(title="shortest context")
    figure.savefig(picture, dpi=120, bbox_inches="tight")


def chosen(options: argparse.Namespace) -> list[Clip]:
    clips = load(options.index, options.half)
    if options.clips and options.clips < len(clips):
        order = np.random.default_rng(options.seed).permutation(len(clips))[: options.clips]
        clips = [clips[index] for index in sorted(order)]
    return [telephone(clip, seed) for seed, clip in enumerate(clips)] if options.line == "telephone" else clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, help="clips: path, corpus, speaker, text")
    parser.add_argument("--clips", type=int, default=0, help="this many, drawn by seed; all without it")
    parser.add_argument("--line", choices=("clean", "telephone"), default="clean")
    parser.add_argument("--half", choices=("tune", "test", "all"), default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--curve", type=Path, metavar="PICTURE.png", help="draw this instead of comparing")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    clips = chosen(options)
    speakers = len({clip.speaker for clip in clips})
    seconds = sum(clip.seconds for clip in clips)
    print(f"{len(clips)} clips of {speakers} speakers, {seconds:.0f} s of speech, {options.line}, half {options.half}")
    if options.curve:
        curve(clips, options.curve)
    else:
        side_by_side(clips)


if __name__ == "__main__":
    main()
