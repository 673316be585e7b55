"""The features of the last seconds of a person's speech: what they are of, and where there must be none."""

from __future__ import annotations

import numpy as np
import pytest

from models.voice import FEATURES, describe, frames
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.inputs import Mark
from pipeline.nodes.prosody import ProsodyNode
from pipeline.nodes.speech import SpeechNode
from pipeline.session import Session, Tick
from pipeline.window import Window
from tests.pipeline.drive import INFO, STANDARD, detector, frames_of, run, tracker
from tests.synth import Line, build

A, C = Channel.AGENT, Channel.CUSTOMER
LEVEL, F0 = FEATURES.index("level"), FEATURES.index("f0_median")
Kept = list[tuple[int, Channel, np.ndarray]]


class Keep:
    """Keeps the manners of every tick; doubts or blurs a channel for a while."""

    def __init__(self, where: str = "doubt", seconds: tuple[float, float] = (0, 0)) -> None:
        self.kept: Kept = []
        self._where, self._seconds = where, seconds

    def step(self, tick: Tick) -> None:
        if self._seconds[0] <= tick.start / 16_000 < self._seconds[1]:
            getattr(tick, self._where).add(C)
        self.kept += [(tick.end, channel, each.features) for channel, each in tick.manners.items()]


def kept(lines: list[Line], length: float, spoil: Keep | None = None, voiced=TWO_CHANNEL, marks=()) -> Kept:  # type: ignore[no-untyped-def]
    pcm, _ = build(lines, length, telephone=True)
    keep, spoil = Keep(), spoil or Keep()
    prosody = ProsodyNode(frozenset(voiced), TWO_CHANNEL, STANDARD.voice, tracker())
    speech = SpeechNode(TWO_CHANNEL, STANDARD.speech, detector())
    run(Session(INFO, [speech, spoil, prosody, keep]), frames_of(pcm), marks)
    return keep.kept


def test_features_follow_the_voice_and_forget_what_was_said_before_the_window() -> None:
    lines = [Line("customer", 1 + 3 * i, 2.8, f0_hz=140, level_dbfs=-30) for i in range(3)]
    lines += [Line("customer", 10 + 3 * i, 2.8, f0_hz=220, level_dbfs=-20) for i in range(3)]
    found = kept(lines, 20)
    early = [features for end, _, features in found if end < 9.5 * 16_000]
    late = [features for end, _, features in found if end > 15 * 16_000]
    assert late[-1][F0] - early[-1][F0] == pytest.approx(12 * np.log2(220 / 140), abs=0.7)
    assert late[-1][LEVEL] - early[-1][LEVEL] == pytest.approx(10, abs=1.5)


def test_they_are_those_of_the_whole_clip_in_training() -> None:
    """One line of under 3 s: what the call measures block by block is what training measures at once."""
    pcm, _ = build([Line("customer", 1, 2.8, f0_hz=180)], 5, telephone=True)
    _, _, live = kept([Line("customer", 1, 2.8, f0_hz=180)], 5)[-1]
    audio = pcm[16_000 : round(3.8 * 16_000), 1].astype(np.float32) / 32768
    whole = describe(frames(audio, tracker().stream().finish(audio)))
    assert whole is not None
    assert live[F0] == pytest.approx(whole[F0], abs=0.3)
    assert live[LEVEL] == pytest.approx(whole[LEVEL], abs=0.7)


@pytest.mark.parametrize("where", ["doubt", "blurred"])
def test_where_the_voice_may_not_be_judged_there_are_none(where: str) -> None:
    lines = [Line("customer", 1, 9)]
    spoilt = kept(lines, 12, Keep(where, (4, 7)))
    ends = [end / 16_000 for end, _, _ in spoilt]
    assert ends
    assert not [end for end in ends if 4.1 < end < 7.5]
    assert any(end > 8.5 for end in ends)


def test_nothing_is_described_of_a_channel_that_is_not_scored() -> None:
    lines = [Line("customer", 1, 3), Line("agent", 5, 3)]
    assert {channel for _, channel, _ in kept(lines, 9)} == {A, C}
    assert {channel for _, channel, _ in kept(lines, 9, voiced=(C,))} == {C}


def test_a_transfer_forgets_the_agents_window() -> None:
    lines = [Line("agent", 1, 3, f0_hz=100), Line("agent", 5, 2, f0_hz=180), Line("customer", 8, 1)]
    found = kept(lines, 10, marks=[(4.6, Mark(kind="transfer"))])
    first = next(features for end, channel, features in found if channel is A and end > 5 * 16_000)
    assert first[F0] == pytest.approx(12 * np.log2(180 / 27.5), abs=1)


def test_audio_and_f0_stay_together_over_blocks() -> None:
    audio = build([Line("customer", 0, 3, f0_hz=150)], 3)[0][:, 1].astype(np.float32) / 32768
    stream, window, last = tracker().stream(), Window(1000), None
    for start in range(0, len(audio) // 8192 * 8192, 8192):
        block = audio[start : start + 8192]
        last = window.take(block, stream.track(block), doubted=False)
    used = audio[: len(audio) // 8192 * 8192]
    whole = tracker().stream().track(used)
    expected = describe(frames(used, whole))
    assert last is not None
    assert expected is not None
    near = np.isclose(last, expected, rtol=0.05, atol=0.15)
    assert near.mean() > 0.9
