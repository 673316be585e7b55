"""``splice``: clips of one speaker put into a call's customer channel, with a file that says where.

So that a deployment can hear its own scorer find an anger whose every second is known. The clips are acted or from
another call: what comes out is a test, no recording of a conversation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from api.commands.console import note, out
from api.commands.output import check
from api.splicing import NOMINAL_DBFS, Floats, Stretch, active_dbfs, fitted, floor_dbfs, splice
from models.training.audio import RATE as CLIP_RATE
from models.training.audio import load
from models.training.corpus import Clip, read
from models.training.errors import TrainingError
from pipeline.errors import BadInput
from pipeline.sources.recording import open_recording

TELEPHONE = 8_000
"""Hz: a call of this rate is written as 8 kHz mu-law, as a line carries it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """at_s: second of the call. gap_s: between two clips. speaker: as ``corpus/name`` or, where
    that is enough, ``name``; empty when the index has one alone."""

    at_s: float
    emotion: str = "anger"
    speaker: str = ""
    agent_channel: Literal["left", "right"] = "left"
    gap_s: float = 0.4
    json: bool = False


def run(call: Path, index: Path, target: Path, wanted: Wanted, *, force: bool) -> int:
    """0 when the call and its truth were written. Raises BadInput."""
    truth = target.with_suffix(".truth.json")
    for file in (target, truth):
        check(file, force=force, text=False)
    if target.suffix.lower() != ".wav":
        raise BadInput(f"{target} is no name of a WAV file; end it with .wav")
    clips = chosen(index, wanted)
    audio, rate = _call(call)
    if not 0 <= wanted.at_s < len(audio) / rate:
        raise BadInput(f"--at {wanted.at_s:g} lies outside of {call}, which lasts {len(audio) / rate:.1f} s")
    spliced, stretches = _spliced(audio, rate, clips, wanted)
    soundfile.write(target, spliced.clip(-1, 1), rate, subtype="ULAW" if rate == TELEPHONE else "PCM_16")
    known = _truth(target, len(audio), rate, clips, stretches, wanted)
    truth.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    if wanted.json:
        out.file.write(json.dumps(known) + "\n")
    placed = sum(end - begin for begin, end in stretches) / rate
    note(f"{len(stretches)} of {len(clips)} clips, {placed:.1f} s, in {target}; where each lies is in {truth}")
    return 0


def chosen(index: Path, wanted: Wanted) -> list[Clip]:
    """The clips of one speaker with the wanted emotion, in the order of the index. Raises BadInput."""
    clips = _read(index)
    speaker = _speaker(index, sorted({clip.who for clip in clips}), wanted.speaker)
    own = [clip for clip in clips if clip.who == speaker]
    found = [clip for clip in own if clip.emotion == wanted.emotion]
    if not found:
        there = _some(sorted({clip.emotion for clip in own}))
        raise BadInput(f"{index}: no clip of {speaker} is {wanted.emotion!r}; --emotion one of {there}")
    return found


def _speaker(index: Path, there: Sequence[str], name: str) -> str:
    """The one who is meant. Corpora number their speakers alike: ``corpus/speaker`` says which."""
    found = [each for each in there if name in ("", each, each.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInput(f"{index}: has no speaker {name!r}; it has {_some(there)}")
    raise BadInput(f"{index}: has {len(found)} such speakers; choose one with --speaker: {_some(found)}")


def _read(index: Path) -> list[Clip]:
    try:
        return read([index])
    except TrainingError as error:
        raise BadInput(str(error)) from None


def _call(file: Path) -> tuple[Floats, int]:
    """float64 (n, 2) and its rate, whole in memory. Raises BadInput."""
    recording = open_recording([file])
    if len(recording.channels) != 2:
        raise BadInput(f"{file}: has one channel; clips go into the customer's channel of a call with two")
    audio, rate = soundfile.read(file, dtype="float64", always_2d=True)
    return audio, rate


def _heard(clip: Clip) -> Floats:
    """float64 (n,) at CLIP_RATE. Raises BadInput."""
    try:
        return load(clip.file).astype(np.float64)
    except TrainingError as error:
        raise BadInput(str(error)) from None


def _spliced(audio: Floats, rate: int, clips: Sequence[Clip], wanted: Wanted) -> tuple[Floats, list[Stretch]]:
    column = 1 if wanted.agent_channel == "left" else 0
    customer = audio[:, column]
    level = active_dbfs(customer)
    dbfs = NOMINAL_DBFS if level is None else level
    voices = [fitted(_heard(clip), CLIP_RATE, rate, dbfs) for clip in clips]
    start, gap = round(wanted.at_s * rate), round(wanted.gap_s * rate)
    spliced, stretches = splice(audio, column, voices, start, gap, floor_dbfs(customer))
    if not stretches:
        left = len(audio) / rate - wanted.at_s
        raise BadInput(f"the call has {left:.1f} s left at --at {wanted.at_s:g}, too short for a clip; choose earlier")
    return spliced, stretches


def _truth(
    target: Path, count: int, rate: int, clips: Sequence[Clip], stretches: Sequence[Stretch], wanted: Wanted
) -> dict[str, object]:
    """As in sample_audio/*.truth.json, of what was put in: the ``state`` of each stretch, its speaker and its clip."""
    states = [
        {
            "begin_ms": round(begin * 1000 / rate),
            "end_ms": round(end * 1000 / rate),
            "channel": "customer",
            "state": clip.emotion,
            "speaker": clip.who,
            "clip": clip.file.name,
        }
        for (begin, end), clip in zip(stretches, clips, strict=False)
    ]
    return {
        "call": target.stem,
        "duration_ms": round(count * 1000 / rate),
        "agent_channel": wanted.agent_channel,
        "states": states,
    }


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
