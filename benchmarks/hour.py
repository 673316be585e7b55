"""One hour of call with one line every ten minutes: do the times drift, does memory grow?

    uv run python -m benchmarks.hour [--minutes 60]

An 8 kHz µ-law sender in packets of 20 ms, noise at -62 dBFS, the same line of a sample call at the same place of every
tenth minute, through door, real detector and every node; the recogniser's share (the spans it would be given) is
measured, not its answers. Drift is the distance of an utterance's span from the truth, against the first one's.
"""

import argparse
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from models.protocols import SpeechDetector
from pipeline.channel import TWO_CHANNEL
from pipeline.door import Door
from pipeline.graph import Engines, build
from pipeline.inputs import Close, Frame
from pipeline.playbook import load_playbook
from pipeline.session import TAIL, CallInfo, Session, Step
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE, Span

LINE_RATE = 8_000
PACKET = LINE_RATE // 50
EVERY_S = 600
FIRST_S = 60


@dataclass(frozen=True, slots=True)
class Hour:
    """starts: where each line truly begins. spans: of the utterances asked. memory: MB resident, at each line."""

    starts: list[int]
    spans: list[Span]
    memory: list[float]

    @property
    def drift_ms(self) -> float:
        """Most by which a span lies elsewhere than the first one did, start or end."""
        places = [(span.start - start, span.end - start) for span, start in zip(self.spans, self.starts, strict=True)]
        return max(max(abs(a - places[0][0]), abs(b - places[0][1])) for a, b in places) * 1000 / RATE


def line() -> NDArray[np.float32]:
    """A line of a sample call at 8 kHz: the customer's first of ``billing_dispute``."""
    audio, rate = soundfile.read(sample_audio.path("billing_dispute"), dtype="float32")
    return np.asarray(soxr.resample(audio[int(6.0 * rate) : int(11.8 * rate), 1], rate, LINE_RATE), np.float32)


def packets(minutes: int, voice: NDArray[np.float32]) -> Iterator[NDArray[np.int16]]:
    """Interleaved int16 (160, 2); the customer speaks."""
    rng = np.random.default_rng(0)
    at = {(FIRST_S + EVERY_S * n) * LINE_RATE for n in range(minutes * 60 // EVERY_S)}
    left = np.zeros(0, np.float32)
    for start in range(0, minutes * 60 * LINE_RATE, PACKET):
        left = voice if start in at else left
        packet = rng.normal(0, 10 ** (-62 / 20), (PACKET, 2))
        packet[: len(left), 1] += left[:PACKET]
        left = left[PACKET:]
        yield _mulaw(packet)


def _mulaw(packet: NDArray[np.float64]) -> NDArray[np.int16]:
    """G.711 with a continuous curve of 255 steps, and back."""
    squeezed = np.sign(packet) * np.log1p(255 * np.abs(packet.clip(-1, 1))) / np.log(256)
    steps = np.rint(squeezed * 127) / 127
    return np.asarray(np.rint(np.sign(steps) * (256 ** np.abs(steps) - 1) / 255 * 32767), np.int16)


def measure(engines: Engines, minutes: int) -> Hour:
    session = build(CallInfo(call_id="hour", channels=TWO_CHANNEL), Settings(policy=POLICIES["standard"]), engines)
    door, spans, memory = Door(TWO_CHANNEL, LINE_RATE), list[Span](), list[float]()
    for packet in packets(minutes, line()):
        _step(session, door.push(packet), spans, memory)
    _step(session, door.finish(), spans, memory)
    session.admit(Close(end=session.position, reason="end"))
    for _ in range(TAIL):
        spans += _finals(session.step(session.silence()))
    starts = [(FIRST_S + EVERY_S * n) * RATE for n in range(minutes * 60 // EVERY_S)]
    return Hour(starts, spans, memory)


def _step(session: Session, items: list, spans: list[Span], memory: list[float]) -> None:  # type: ignore[type-arg]
    for item in items:
        if isinstance(item, Frame):
            for span in _finals(session.step(item)):
                spans.append(span)
                memory.append(resident_mb())
        else:
            session.admit(item)


def _finals(step: Step) -> list[Span]:
    return [asked.span for asked in step.asked if asked.stage == "final"]


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    from models.pitch import SwiftF0Tracker
    from models.silero import SileroDetector

    detector: SpeechDetector = SileroDetector()
    hour = measure(Engines(detector, SwiftF0Tracker(), None, load_playbook()), options.minutes)
    for start, span, used in zip(hour.starts, hour.spans, hour.memory, strict=True):
        begin, end = (span.start - start) * 1000 / RATE, (span.end - start) * 1000 / RATE
        print(f"line at {start // RATE:5d} s: utterance {begin:+7.1f} to {end:+7.1f} ms from it; {used:.1f} MB")
    print(f"drift {hour.drift_ms:.1f} ms")


if __name__ == "__main__":
    main()
