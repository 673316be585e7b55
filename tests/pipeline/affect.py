"""Voices as the scores see them: features made up, so that what a score should do is known."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from models.affect import OUTPUTS, SPEEDS, AffectModel, write
from models.formula import arrays
from models.protocols import Identity
from models.voice import FEATURES
from pipeline.channel import Channel
from pipeline.events import Event, Prosody, Score
from pipeline.nodes.scores import ScoresNode
from pipeline.session import Manner, Session, Tick
from pipeline.settings import Scores
from pipeline.timebase import TICK, Span, samples
from tests.pipeline.drive import INFO, events, frames, run

C, A = Channel.CUSTOMER, Channel.AGENT
BLOCK = 16 * TICK / 16_000
USUAL = {"f0_median": 35.0, "f0_high": 38.0, "level": -26.0, "alpha_mean": -9.0, "alpha_loud": -9.0}
"""Of a calm voice; what is not named is 0."""
MOVED = {"f0_median": 6.0, "f0_high": 7.0, "level": 8.0, "alpha_mean": 8.0, "alpha_loud": 8.0}
"""What an angry voice has more."""


def manner(share: float, **more: float) -> np.ndarray:
    """float32 features of a voice that is so far (0-1) from calm to angry."""
    values = {name: USUAL.get(name, 0.0) + share * MOVED.get(name, 0.0) + more.get(name, 0.0) for name in FEATURES}
    return np.array([values[name] for name in FEATURES], np.float32)


class Stage:
    """Emits events and puts manners into the tick at their seconds, as the nodes before the scores do."""

    def __init__(
        self,
        spoken: Iterable[tuple[float, Channel, np.ndarray]],
        told: Iterable[tuple[float, Event]],
        doubt: tuple[float, float] = (0, 0),
    ) -> None:
        self._spoken = sorted(spoken, key=lambda each: each[0])
        self._told = sorted(told, key=lambda each: each[0])
        self._doubt = doubt

    def step(self, tick: Tick) -> None:
        if self._doubt[0] <= tick.start / 16_000 < self._doubt[1]:
            tick.doubt.add(C)
        while self._told and samples(self._told[0][0]) <= tick.start:
            tick.emit(self._told.pop(0)[1])
        while self._spoken and samples(self._spoken[0][0]) <= tick.start:
            _, channel, features = self._spoken.pop(0)
            tick.manners[channel] = Manner(features, BLOCK, tick.emit(prosody(tick.end, channel)))


def prosody(end: int, channel: Channel) -> Prosody:
    return Prosody(
        span=Span(max(0, end - 8192), end),
        at=end,
        channel=channel,
        level=-25,
        level_move=None,
        f0=200,
        f0_move=None,
        f0_range=3,
        voiced=0.6,
        alpha_ratio=-8,
        alpha_move=None,
        baseline_seconds=12,
    )


def speech(begin: float, end: float, share: float, to: float | None = None, channel: Channel = C, **more: float):  # type: ignore[no-untyped-def]
    """Blocks of unbroken speech, from one share of anger to another."""
    times = np.arange(begin, end, BLOCK)
    shares = np.linspace(share, share if to is None else to, len(times))
    return [(float(at), channel, manner(float(each), **more)) for at, each in zip(times, shares, strict=True)]


def scored(spoken=(), told=(), length: float = 30, model: AffectModel | None = None, doubt=(0, 0), **settings: float):  # type: ignore[no-untyped-def]
    """Every Score of such a call."""
    node = ScoresNode((A, C), Scores(**settings), plain() if model is None else model)  # type: ignore[arg-type]
    return events(run(Session(INFO, [Stage(spoken, told, doubt), node]), frames(length)), Score)


@cache
def plain() -> AffectModel:
    """Knows ``MOVED`` alone: 0.8 nats for each of its five features in an angry voice, and what is usual for people."""
    return AffectModel(**_fields())


def toned(folder: Path, weight: float = 2.0) -> AffectModel:
    """The formula in a folder, and an encoder of one number that counts so many nats."""
    made = dict(arrays())
    made |= {"projection": np.ones((4, 1)), "numbers.centre": np.zeros(1)}
    made |= {f"numbers.{output}": np.full(1, weight) for output in OUTPUTS}
    write(folder, made, {"name": "toned", "version": "0", "encoder": "fake"})
    return AffectModel.load(folder)


def with_tone(weight: float = 2.0) -> AffectModel:
    """``plain`` with an encoder of one number that counts so many nats."""
    numbers = {output: np.full(1, weight, np.float32) for output in OUTPUTS}
    encoder = {"projection": np.ones((4, 1), np.float32), "numbers_centre": np.zeros(1, np.float32)}
    return AffectModel(**_fields() | encoder | {"number_weights": numbers})


def _fields() -> dict[str, Any]:
    centre = [np.nan if name == "level" else USUAL.get(name, 0.0) for name in FEATURES]
    weights = np.array([0.8 if name in MOVED else 0.0 for name in FEATURES], np.float32)
    biases = {"arousal": -1.0, "anger": -2.2, "tension": -2.2}
    every = [(speed, output) for speed in SPEEDS for output in OUTPUTS]
    return {
        "identity": Identity("plain", "0", ""),
        "about": {},
        "centre": np.array(centre, np.float32),
        "scale": np.array([MOVED.get(name, 1.0) for name in FEATURES], np.float32),
        "strength": 8.0,
        "clip": 3.0,
        "weights": dict.fromkeys(every, weights),
        "biases": {(speed, output): biases[output] for speed, output in every},
        "projection": np.zeros((0, 0), np.float32),
        "numbers_centre": np.zeros(0, np.float32),
        "number_weights": {output: np.zeros(0, np.float32) for output in OUTPUTS},
    }


def at(found: list[Score], second: float) -> float:
    """The value that holds at a second."""
    return [score.value for score in found if score.at <= samples(second)][-1]
