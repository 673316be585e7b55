"""Words of a real call against another transcript: the share of words that differ, a party at a time.

    uv run python -m benchmarks.words CALL.wav TRANSCRIPT.txt

Lines of the transcript: start, end (s), L or R, text; L is the agent. Case and punctuation are left out. If the
transcript is a machine's own, the figure is a difference and no error.
"""

import argparse
import re
from pathlib import Path

from pipeline.call import Call
from pipeline.channel import Channel
from pipeline.graph import build, load
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.sources.recording import open_recording
from pipeline.text import plain
from pipeline.view import View

LINE = re.compile(r"\s*[\d.]+\s+[\d.]+\s+([LR])\s+(.*)")
SIDES = {"L": Channel.AGENT, "R": Channel.CUSTOMER}


def analysed(file: Path) -> View:
    settings = Settings(policy=POLICIES["standard"])
    engines = load(settings, Path("models"))
    assert engines.transcriber is not None
    pool, recording = EnginePool(engines.transcriber), open_recording([file])
    call = Call(build(CallInfo(call_id="words", channels=recording.channels), settings, engines))
    recorder = Recorder(call, pool.ask, settings.words.nominal_delay_s)
    view = recorder.run(recording.frames(), lambda: recording.heard)
    pool.close()
    return view


def difference(reference: list[str], found: list[str]) -> float:
    """Levenshtein distance in words over the reference's length."""
    row = list(range(len(found) + 1))
    for i, word in enumerate(reference, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(found, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1] / len(reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call", type=Path)
    parser.add_argument("transcript", type=Path)
    options = parser.parse_args()
    lines = [LINE.match(line) for line in options.transcript.read_text(encoding="utf-8").splitlines()]
    view = analysed(options.call)
    for side, channel in SIDES.items():
        reference = plain(" ".join(line[2] for line in lines if line and line[1] == side)).split()
        found = plain(" ".join(line.text for line in view.transcript if line.channel is channel)).split()
        share = difference(reference, found)
        print(f"{channel:9s} {len(reference)} words there, {len(found)} here, {share:.1%} differ")


if __name__ == "__main__":
    main()
