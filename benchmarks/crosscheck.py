"""Talk time, pace and interruptions of the sample calls beside an independent package's: call-ai-metrics (MIT, PyPI).

    uv run --with call-ai-metrics python -m benchmarks.crosscheck [--words]

It is given the same recording (its own detector: energy over each channel's noise floor), and the segments of the truth
file with the text of each line (its definitions alone, no detector). Three columns a call: what calmline heard, what
it heard, what it makes of the truth. ``--words`` lets calmline's recogniser run, for its pace.

Where definitions differ, so must figures:

- interruption: theirs is any start during the other's speech with more than 0.5 s in common (``grace_s``); ours needs
  1 s, or a cut, a floor held for 1 s, and no backchannel. So ours are among theirs; what is left are our backchannels
  and neutral overlaps of 0.5 s or more.
- talk time: both are the union of speech; they join pauses up to 0.3 s, we up to 0.256 s.
- words per minute: both are words over own speech. Ours counts what the recogniser heard; theirs, given the
  truth, counts the words of a line as written, with the broken last word of one that was cut.
"""

import argparse
import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import sample_audio
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.graph import build, load
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.sources.recording import open_recording
from pipeline.view import View

PARTIES = [channel.value for channel in TWO_CHANNEL]
POLICY = POLICIES["measures-only"]


def ours(file: Path, *, words: bool) -> View:
    settings = Settings(policy=POLICY.model_copy(update={"words": words}))
    engines, recording = load(settings, Path("models")), open_recording([file])
    call = Call(build(CallInfo(call_id=file.stem, channels=recording.channels), settings, engines))
    pool = EnginePool(engines.transcriber) if engines.transcriber is not None else None
    recorder = Recorder(call, pool.ask if pool else None, settings.words.nominal_delay_s)
    try:
        return recorder.run(recording.frames(), lambda: recording.heard)
    finally:
        if pool:
            pool.close()


def segments(truth: dict[str, Any]) -> list[tuple[float, float, str, str]]:
    """Stretches of speech in seconds, with the words of their line shared out by length."""
    rows = []
    for line in truth["lines"]:
        words, at = line["text"].split(), 0.0
        inside = [span for span in truth["speech"][line["channel"]] if _inside(span, line)]
        total = sum(span["end_ms"] - span["begin_ms"] for span in inside)
        for span in inside:
            share = (span["end_ms"] - span["begin_ms"]) / total * len(words)
            text = " ".join(words[round(at) : round(at + share)])
            rows.append((span["begin_ms"] / 1000, span["end_ms"] / 1000, line["channel"], text))
            at += share
    return sorted(rows)


def _inside(span: dict[str, int], line: dict[str, int]) -> bool:
    return line["begin_ms"] <= span["begin_ms"] and span["end_ms"] <= line["end_ms"]


def stereo(file: Path) -> tuple[Any, int]:
    """The package reads WAV alone, so it is given the samples."""
    import soundfile

    return soundfile.read(file, dtype="float32")


def compared(name: str, package: Any, *, words: bool) -> None:
    file = sample_audio.path(name)
    truth = json.loads(file.with_suffix(".truth.json").read_text(encoding="utf-8"))
    pcm, rate = stereo(file)
    view = ours(file, words=words)
    heard = package.analyze(pcm, sample_rate=rate, speakers=PARTIES)
    told = package.analyze(segments(truth), speakers=PARTIES)
    print(f"\n{name}{'':34s}{'calmline':>12s}{'theirs':>12s}{'on truth':>12s}{'truth':>12s}")
    for party, channel in zip(PARTIES, view.channels.values(), strict=True):
        spoken = sum(span["end_ms"] - span["begin_ms"] for span in truth["speech"][party]) / 1000
        values = channel.talk_ms / 1000, heard[party].talk_time_s, told[party].talk_time_s, spoken
        print(row(f"{party} talk time, s", *(f"{value:.2f}" for value in values)))
        pace = "-" if channel.wpm is None else f"{channel.wpm:.0f}"
        theirs = told[party].words_per_minute
        print(
            row(
                f"{party} words per minute", pace, "-", f"{theirs:.0f}" if theirs else "-", f"{truth['wpm'][party]:.0f}"
            )
        )
        known = sum(each["kind"] == "interruption" and each["interrupter"] == party for each in truth["overlaps"])
        counts = channel.interruptions, heard[party].interruptions, told[party].interruptions, known
        print(row(f"{party} interruptions", *map(str, counts)))
    listed(view, heard, told)


def row(label: str, *values: str) -> str:
    return f"{label:45s}" + "".join(f"{value:>12s}" for value in values)


def listed(view: View, heard: Any, told: Any) -> None:
    """Each overlap of calmline beside their interruptions, by start."""
    for overlap in view.overlaps:
        begin, length = overlap.begin_ms / 1000, (overlap.end_ms - overlap.begin_ms) / 1000
        near = {
            label: [e for e in report.interruption_events if abs(e.time_s - begin) < 0.5]
            for label, report in (("theirs", heard), ("on truth", told))
        }
        also = "; ".join(f"{label}: by {e.by}, {e.overlap_s:.2f} s" for label, events in near.items() for e in events)
        print(
            f"  {begin:7.2f} s  {length:.2f} s  {overlap.kind} by {overlap.interrupter}, cut {overlap.cut}; "
            f"{also or 'none'}"
        )
    ours_at = [overlap.begin_ms / 1000 for overlap in view.overlaps]
    for label, report in (("theirs", heard), ("on truth", told)):
        for event in report.interruption_events:
            if not any(abs(event.time_s - at) < 0.5 for at in ours_at):
                print(f"  {event.time_s:7.2f} s  {label} alone: by {event.by}, {event.overlap_s:.2f} s")
    print("  they say of their detector:", "; ".join(map(str, heard.notes)) or "nothing")
    print("  our overlaps:", dict(Counter(overlap.kind for overlap in view.overlaps)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", action="store_true", help="let the recogniser run")
    options = parser.parse_args()
    try:
        package = import_module("call_ai_metrics")
    except ModuleNotFoundError:
        parser.exit(
            2, "call-ai-metrics is not installed: uv run --with call-ai-metrics python -m benchmarks.crosscheck\n"
        )
    for name in sample_audio.names():
        compared(name, package, words=options.words)


if __name__ == "__main__":
    main()
