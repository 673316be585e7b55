"""Two-channel calls with known truth, for benchmarks: what people do in a call, with voices made or real.

A plan of who speaks when is drawn from a seed: turns with gaps, terminal overlaps, interruptions with and without a
cut, backchannels during the other's speech and in its pauses, starts together, long silences. A voice fills it:

- ``Made``: the synthetic voice of ``tests.synth``, whose bounds are known to the sample.
- ``Real``: clips of one speaker of a speech index. Where a clip is heard is told from its energy alone, in the clean
  clip, so no detector that is measured has a say: where a window of 10 ms is 12 dB over the clip's background (its
  quietest tenth) and less than 36 dB under its loudest. A background less than 38 dB under that leaves a clip out.

The truth follows from the placed speech by ``pipeline.truth``, not from what the plan meant to happen.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.timebase import RATE, Span
from pipeline.truth import RULE, joined
from tests import synth

Floats = NDArray[np.float64]
LEVEL_DBFS = -26.0
JOINT_S = 0.1
"""Pause between two clips of one contribution: no longer than a stop consonant."""
WINDOW = RATE // 100
LEAST = 3 * WINDOW
"""Samples of sound that are no click."""
QUIETEST_DB, BACKGROUND_DB = -36.0, -38.0
"""Against the loudest window: weak consonants lie above the first, the background must lie below the second."""
BREATH_S = 0.4
"""Least pause between two contributions of one party: longer than one that is joined."""
EDGE = RATE // 200
"""Samples of fade where a clip is cut, 5 ms."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One contribution. audio: float (n,) at 16 kHz, full scale 1.0. speech: where it is heard, in its own samples."""

    audio: Floats
    speech: tuple[Span, ...]


class Voice(Protocol):
    """One speaker."""

    def say(self, seconds: float, rng: np.random.Generator) -> Sound:
        """A contribution of about this length."""
        ...


class Made:
    """A synthetic speaker. f0: Hz."""

    def __init__(self, f0: float) -> None:
        self._f0 = f0

    def say(self, seconds: float, rng: np.random.Generator) -> Sound:
        rate = float(rng.uniform(3.5, 5.5))
        line = synth.Line("agent", 0, seconds, f0_hz=self._f0, level_dbfs=LEVEL_DBFS, rate_syllables=rate)
        audio = synth.say(line, RATE, int(rng.integers(1 << 31)))
        return Sound(audio, (Span(0, len(audio)),))


class Real:
    """One speaker's clips, said one after the other and cut to length."""

    def __init__(self, clips: Sequence[Path]) -> None:
        self._sounds = [sound for clip in clips if (sound := _clip(clip)) is not None]

    def __bool__(self) -> bool:
        """Whether there is enough to speak with."""
        return sum(len(sound.audio) for sound in self._sounds) > 10 * RATE

    def say(self, seconds: float, rng: np.random.Generator) -> Sound:
        audio, speech = np.zeros(0), []
        while len(audio) < seconds * RATE:
            sound = self._sounds[rng.integers(len(self._sounds))]
            speech += [Span(len(audio) + span.start, len(audio) + span.end) for span in sound.speech]
            audio = np.concatenate([audio, sound.audio, np.zeros(round(JOINT_S * RATE))])
        end = round(seconds * RATE)
        kept = tuple(Span(span.start, min(span.end, end)) for span in speech if span.start < end)
        audio = audio[: kept[-1].end].copy()
        audio[-EDGE:] *= np.linspace(1, 0, EDGE)
        heard = np.concatenate([audio[span.start : span.end] for span in kept])
        return Sound(audio * _gain(heard), kept)


def _gain(heard: Floats) -> float:
    return float(10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(heard**2)))


def _clip(path: Path) -> Sound | None:
    """A clip from the first sound to the last, at the common level; None when its background is too loud."""
    audio, rate = soundfile.read(path, dtype="float64")
    audio = soxr.resample(audio, rate, RATE) if rate != RATE else audio
    spans = _active(audio)
    if not spans:
        return None
    start, end = spans[0].start, spans[-1].end
    audio = audio[start:end] * _gain(np.concatenate([audio[span.start : span.end] for span in spans]))
    return Sound(audio, tuple(Span(span.start - start, span.end - start) for span in spans))


def _active(audio: Floats) -> list[Span]:
    """Where a clean clip is heard, short pauses joined; empty when its background leaves that open."""
    windows = audio[: len(audio) // WINDOW * WINDOW].reshape(-1, WINDOW)
    level = 10 * np.log10(np.mean(windows**2, axis=1) + 1e-12)
    level -= level.max()
    background = float(np.percentile(level, 10))
    if background > BACKGROUND_DB:
        return []
    loud = level > max(background + 12, QUIETEST_DB)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(np.int8), [0])))) * WINDOW
    runs = [Span(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= LEAST]
    return list(joined(runs, RULE.join_s))


def speakers(index: Path) -> list[Real]:
    """Every speaker of a speech index (path, speaker) with enough clean material. Paths are relative to the index."""
    with index.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    clips: dict[str, list[Path]] = {}
    for row in rows:
        clips.setdefault(row["speaker"], []).append(index.parent / row["path"])
    return [voice for paths in clips.values() if (voice := Real(paths))]


@dataclass(frozen=True, slots=True)
class Scene:
    """A call before it went over any line. audio: float (n, 2) at 16 kHz, agent first. speech: of each party."""

    audio: Floats
    speech: dict[Channel, tuple[Span, ...]]


def scene(voices: Sequence[Voice], seconds: float, seed: int) -> Scene:
    """A call of about this length between the two voices."""
    rng = np.random.default_rng(seed)
    stage = _Stage(voices, rng)
    stage.turn(0.5)
    while stage.end < (seconds - 12) * RATE:
        pattern = rng.choice(list(_PATTERNS), p=_WEIGHTS)
        _PATTERNS[pattern](stage, rng)
    return stage.scene()


class _Stage:
    """What has been said so far. holder: column of the party that spoke last; start, end: of its last contribution."""

    def __init__(self, voices: Sequence[Voice], rng: np.random.Generator) -> None:
        self._voices = voices
        self._rng = rng
        self._said: list[tuple[int, int, Sound]] = []
        self.holder = int(rng.integers(2))
        self.start = self.end = 0

    def turn(self, after: float, seconds: float | None = None, *, same: bool = False) -> None:
        """The other party (or the same one) speaks, ``after`` seconds past the end of the holder's speech."""
        self.holder = self.holder if same else 1 - self.holder
        length = self._rng.uniform(2.5, 6) if seconds is None else seconds
        self.start, self.end = self._say(self.holder, self.end + round(after * RATE), length)

    def aside(self, at: int, seconds: float) -> None:
        """The other party says something at a sample and does not take the floor."""
        self._say(1 - self.holder, at, seconds)

    def _say(self, who: int, start: int, seconds: float) -> tuple[int, int]:
        """Bounds of what was said. Nobody talks over himself: he breathes for ``BREATH_S`` first."""
        own = [at + len(sound.audio) for speaker, at, sound in self._said if speaker == who]
        start = max(start, own[-1] + round(BREATH_S * RATE)) if own else start
        sound = self._voices[who].say(seconds, self._rng)
        self._said.append((who, start, sound))
        return start, start + len(sound.audio)

    def scene(self) -> Scene:
        length = max(start + len(sound.audio) for _, start, sound in self._said) + RATE
        audio = np.zeros((length, 2))
        speech: dict[Channel, list[Span]] = {who: [] for who in TWO_CHANNEL}
        for who, start, sound in self._said:
            audio[start : start + len(sound.audio), who] += sound.audio
            speech[TWO_CHANNEL[who]] += [Span(start + span.start, start + span.end) for span in sound.speech]
        return Scene(audio, {who: tuple(spans) for who, spans in speech.items()})


def _gap(stage: _Stage, rng: np.random.Generator) -> None:
    stage.turn(rng.uniform(0.1, 1.2))


def _terminal(stage: _Stage, rng: np.random.Generator) -> None:
    """The next speaker starts a little before the turn ends."""
    stage.turn(-rng.uniform(0.1, 0.45))


def _cut_off(stage: _Stage, rng: np.random.Generator) -> None:
    """The incumbent stops soon after the interrupter starts."""
    stage.turn(-rng.uniform(0.5, 1.0))


def _talked_down(stage: _Stage, rng: np.random.Generator) -> None:
    """The incumbent gives way only after a second or more."""
    stage.turn(-rng.uniform(1.0, 2.4), rng.uniform(4, 6))


def _held_out(stage: _Stage, rng: np.random.Generator) -> None:
    """The interrupter gives up after a second or more; the incumbent goes on."""
    stage.turn(rng.uniform(0.2, 0.8), rng.uniform(5, 6.5))
    stage.aside(stage.start + round(rng.uniform(1.2, 2.0) * RATE), rng.uniform(1.0, 2.4))


def _response(stage: _Stage, rng: np.random.Generator) -> None:
    """One or two backchannels, or failed attempts to come in, during a turn."""
    stage.turn(rng.uniform(0.2, 0.8), rng.uniform(5, 6.5))
    stage.aside(stage.start + round(rng.uniform(1.2, 1.6) * RATE), _brief(rng))
    if rng.random() < 0.5:
        stage.aside(stage.start + round(rng.uniform(3.2, 3.6) * RATE), _brief(rng))


def _brief(rng: np.random.Generator) -> float:
    """Seconds of a backchannel, most of them long enough to be shown."""
    return float(rng.uniform(0.55, 0.95) if rng.random() < 0.7 else rng.uniform(0.25, 0.55))


def _response_in_pause(stage: _Stage, rng: np.random.Generator) -> None:
    """A backchannel in a pause of the turn, which then goes on."""
    said = rng.uniform(0.3, 0.9)
    wait = rng.uniform(0.1, 0.3)
    stage.aside(stage.end + round(wait * RATE), said)
    stage.turn(wait + said + rng.uniform(-0.2, 0.4), same=True)


def _together(stage: _Stage, rng: np.random.Generator) -> None:
    """Both start after a gap; one gives up, or neither does for long."""
    stage.turn(rng.uniform(0.6, 1.5))
    stage.aside(stage.start + round(rng.uniform(0, 0.2) * RATE), rng.uniform(0.6, 2.0))


def _too_early(stage: _Stage, rng: np.random.Generator) -> None:
    """Somebody comes in on a turn that has only just begun."""
    stage.turn(rng.uniform(0.4, 1.0), rng.uniform(1.8, 2.6))
    stage.turn(-(stage.end - stage.start) / RATE + rng.uniform(0.3, 0.8), rng.uniform(3.5, 5))


def _silence(stage: _Stage, rng: np.random.Generator) -> None:
    stage.turn(rng.uniform(3.5, 6))


_PATTERNS = {
    "gap": _gap,
    "terminal": _terminal,
    "cut_off": _cut_off,
    "talked_down": _talked_down,
    "held_out": _held_out,
    "response": _response,
    "response_in_pause": _response_in_pause,
    "together": _together,
    "too_early": _too_early,
    "silence": _silence,
}
_WEIGHTS = [0.13, 0.1, 0.15, 0.12, 0.1, 0.22, 0.05, 0.05, 0.05, 0.03]
"""How often each is drawn. Interruptions are far commoner here than in calls, so that there are enough to count."""
