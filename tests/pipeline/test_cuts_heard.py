"""No word is lost or heard twice where running speech is cut: real speech activity, the real recogniser, known words.

One party's lines of a sample call, joined so that nothing but the cutter parts them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from benchmarks.clips import tokens
from models import checkpoints
from models.protocols import Identity
from models.whisper import WhisperTranscriber
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.nodes.speech import SpeechNode
from pipeline.nodes.utterances import UtterancesNode
from pipeline.session import Session, Tick, Utterance
from pipeline.timebase import RATE
from tests.pipeline.drive import INFO, STANDARD, detector, frames_of, run

CALLS = (("calm_order", Channel.CUSTOMER), ("impatient_agent", Channel.AGENT))


def joined(name: str, party: Channel) -> tuple[NDArray[np.int16], str]:
    """The party's whole lines of some words without the time between them, int16 (n,), and their words."""
    file = sample_audio.path(name)
    audio, rate = soundfile.read(file, dtype="float32")
    truth = json.loads(file.with_suffix(".truth.json").read_text(encoding="utf-8"))
    row = soxr.resample(audio[:, TWO_CHANNEL.index(party)], rate, RATE)
    lines = [line for line in truth["lines"] if line["channel"] == party and line["words"] > 5]
    lines = [line for line in lines if not line["text"].endswith("-")]
    pieces = [row[line["begin_ms"] * 16 : line["end_ms"] * 16] for line in lines]
    pcm = np.concatenate([np.zeros(RATE // 2), *pieces]) * 32767
    return pcm.astype(np.int16), " ".join(line["text"] for line in lines)


def finals(pcm: NDArray[np.int16]) -> list[Utterance]:
    found: list[Utterance] = []

    class Listens:
        def step(self, tick: Tick) -> None:
            found.extend(each for each in tick.asked if each.stage == "final")

    ears = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, detector()),
        UtterancesNode(TWO_CHANNEL, STANDARD.words, enabled=True),
        Listens(),
    ]
    run(Session(INFO, [], ears), frames_of(np.stack([pcm, np.zeros_like(pcm)], axis=1)))
    return found


def lost_or_doubled(known: Sequence[str], heard: Sequence[Sequence[str]]) -> list[str]:
    """Words missing or too many right at a cut. Another word in a word's place is a mistake, and no cut's."""
    edges = set(list(accumulate(len(words) for words in heard))[:-1])
    whole = [word for words in heard for word in words]
    changes = SequenceMatcher(None, known, whole, autojunk=False).get_opcodes()
    return [
        f"{kind}: {' '.join(known[a:b])} -> {' '.join(whole[c:d])}"
        for kind, a, b, c, d in changes
        if kind != "equal" and b - a != d - c and any(c <= edge <= d for edge in edges)
    ]


def test_what_is_lost_or_doubled_is_found() -> None:
    known = ["the", "cat", "sat", "on", "the", "mat"]
    assert not lost_or_doubled(known, [["the", "cat"], ["sat", "on", "the", "mat"]])
    assert not lost_or_doubled(known, [["the", "cap"], ["sat", "on", "a", "mat"]])
    assert lost_or_doubled(known, [["the", "cat"], ["on", "the", "mat"]])
    assert lost_or_doubled(known, [["the", "cat", "sat"], ["sat", "on", "the", "mat"]])


@pytest.fixture(scope="module")
def whisper() -> WhisperTranscriber:
    return WhisperTranscriber(checkpoints.embedded(), identity=Identity("tiny.en", "", ""))


@pytest.mark.parametrize(("name", "party"), CALLS)
def test_no_word_is_lost_or_doubled_at_a_cut(whisper: WhisperTranscriber, name: str, party: Channel) -> None:
    pcm, text = joined(name, party)
    asked = finals(pcm)
    assert len(asked) >= 3
    assert any(one.span.end == two.span.start for one, two in pairwise(asked)), "running speech was cut nowhere"
    heard = [whisper.transcribe([each.pcm.astype(np.float32) / 32768])[0].text for each in asked]
    assert lost_or_doubled(tokens(text), [tokens(each) for each in heard]) == []
