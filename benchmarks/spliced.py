"""Telephone calls put together from clips: calm ones, and ones in which the customer grows angry at a known moment.

Two parties take turns; each party is one speaker. Every clip is brought to one active level before a telephone's band
and mu-law, so loudness tells nothing: harder than a real line, where who shouts is louder. Nobody reacts to anybody.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from api.splicing import NOMINAL_DBFS, Floats, fitted
from models.training.audio import RATE as CLIP_RATE
from models.training.audio import load
from models.training.corpus import Clip, read
from sample_audio.studio.telephone import RATE, mu_law, noise

GAP, PAUSE = RATE * 2 // 5, RATE // 2
"""Samples at 8 kHz: between two clips of one turn, and between two turns."""
TURN_S = 5.0
CALM_S, MOVED_S = 60.0, 30.0
"""Seconds of calm speech before, at most, and of moved speech."""
LEAST_CALM_S = 15.0
CALM = ("neutral", "calm")


@dataclass(frozen=True, slots=True)
class Scene:
    """One call. pcm: int16 (n, 2) at 8 kHz, agent left. moved: stretches of moved clips, seconds."""

    name: str
    pcm: NDArray[np.int16]
    moved: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A call to be built. calm, moved: the customer's clips in order. agent: the other party's."""

    name: str
    calm: tuple[Path, ...]
    moved: tuple[Path, ...]
    agent: tuple[Path, ...]


def built(plan: Plan) -> Scene:
    """The audio of a plan; the same each time."""
    customer = [(_sound(path), False) for path in plan.calm] + [(_sound(path), True) for path in plan.moved]
    agent = [(_sound(path), False) for path in plan.agent]
    channels: list[list[Floats]] = [[], []]
    moved: list[tuple[float, float]] = []
    turns, answers, length = _turns(customer), _pieces(agent), 0
    for turn in turns:
        for sound, angry in turn:
            moved += [(length / RATE, (length + len(sound)) / RATE)] if angry else []
            length = _say(channels, 1, sound, GAP, length)
        answer = next(answers, None)
        if answer is not None:
            length = _say(channels, 0, answer, PAUSE, length)
    pcm = np.stack([mu_law(_on_a_line(np.concatenate(parts), who)) for who, parts in enumerate(channels)], axis=1)
    return Scene(plan.name, pcm, tuple(moved))


def _say(channels: list[list[Floats]], who: int, sound: Floats, pause: int, length: int) -> int:
    filled = np.pad(sound, (0, pause))
    channels[who].append(filled)
    channels[1 - who].append(np.zeros(len(filled)))
    return length + len(filled)


def _on_a_line(audio: Floats, who: int) -> Floats:
    return audio + noise(len(audio), np.random.default_rng(who))


def _sound(path: Path) -> Floats:
    return fitted(load(path).astype(np.float64), CLIP_RATE, RATE, NOMINAL_DBFS)


def _turns(clips: Sequence[tuple[Floats, bool]]) -> Iterator[list[tuple[Floats, bool]]]:
    """Clips in turns of about TURN_S; a long clip is cut into several."""
    turn: list[tuple[Floats, bool]] = []
    for sound, angry in clips:
        for start in range(0, len(sound), round(TURN_S * RATE)):
            turn.append((sound[start : start + round(TURN_S * RATE)], angry))
            if sum(len(each) for each, _ in turn) >= TURN_S * RATE * 0.7:
                yield turn
                turn = []
    if turn:
        yield turn


def _pieces(clips: Sequence[tuple[Floats, bool]]) -> Iterator[Floats]:
    """The agent's answers, as long as there is something to say."""
    for turn in _turns(clips):
        yield np.concatenate([each for each, _ in turn])


class Cast:
    """Who there is. half: "tune" or "test"; of every corpus each second speaker belongs to the other half.

    emotion: table of labelled clips. calm: tables of clips in which nobody is upset, for agents and calm customers.
    """

    def __init__(self, emotion: Path, calm: Sequence[Path], half: str) -> None:
        clips = read([emotion])
        whos = halves(sorted({clip.who for clip in clips}))[half]
        self.clips = {who: [clip for clip in clips if clip.who == who] for who in whos}
        tables = [voices(table) for table in calm]
        self.calm = {who: table[who] for table in tables for who in halves(sorted(table))[half]}

    def moved(self, emotion: str, *, at_once: bool, most: int) -> Iterator[Plan]:
        """Calls in which the customer grows, or is from the first word, angry (happy...): up to ``most`` a speaker."""
        agents = list(self.calm.values())
        for number, (who, clips) in enumerate(self.clips.items()):
            rng = np.random.default_rng(number)
            calm, hot = _shuffled(clips, CALM, rng), _shuffled(clips, (emotion,), rng)
            if not at_once and _seconds(calm) < LEAST_CALM_S:
                continue
            for part in range(most):
                before = () if at_once else tuple(_take(calm, CALM_S))
                after = tuple(_take(hot, MOVED_S))
                if _seconds(after) < 5 or not (at_once or _seconds(before) >= LEAST_CALM_S):
                    break
                agent = tuple(agents[(7 * number + part) % len(agents)])
                yield Plan(f"{who}-{emotion}-{part}{'-at0' if at_once else ''}", before, after, agent)

    def calm_calls(self) -> Iterator[Plan]:
        """Calls in which nobody is moved: every calm voice is a customer once, with the next one as agent."""
        neutral = {who: [c.file for c in clips if c.emotion in CALM] for who, clips in self.clips.items()}
        voices = [*self.calm.items(), *((who, paths) for who, paths in neutral.items() if paths)]
        for number, (who, paths) in enumerate(voices):
            agent = voices[(number + 1) % len(voices)][1]
            yield Plan(f"calm-{who}", tuple(paths), (), tuple(agent) * (len(paths) // max(1, len(agent)) + 1))


def halves(names: Sequence[str]) -> dict[str, list[str]]:
    """Every second one, within each corpus."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition("/")[0], []).append(name)
    return {
        "tune": [name for group in groups.values() for name in group[::2]],
        "test": [name for group in groups.values() for name in group[1::2]],
    }


def voices(table: Path) -> dict[str, list[Path]]:
    """Clips by speaker, of a table with path, corpus and speaker."""
    voices: dict[str, list[Path]] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            voices.setdefault(f"{row['corpus']}/{row['speaker']}", []).append(table.parent / row["path"])
    return voices


def _shuffled(clips: Sequence[Clip], emotions: Sequence[str], rng: np.random.Generator) -> list[Path]:
    files = [clip.file for clip in clips if clip.emotion in emotions]
    return [files[index] for index in rng.permutation(len(files))]


def _seconds(paths: Sequence[Path]) -> float:
    return sum(soundfile.info(path).duration for path in paths)


def _take(paths: list[Path], seconds: float) -> Iterator[Path]:
    """From the front, removed, until so many seconds are reached."""
    taken = 0.0
    while paths and taken < seconds:
        path = paths.pop(0)
        taken += soundfile.info(path).duration
        yield path
