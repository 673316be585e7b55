"""A mono recording told apart by voice, as an ordinary two-channel call.

A row holds the recording where its party speaks and zeros elsewhere; where both speak, both rows hold the mixture,
bit for bit the same, so that any later node can see it in the audio alone (``mixed``). What belongs to neither
party goes to neither row. These rows are what is stored, so a replay needs no voice model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.diarise import Diarisation, Diariser
from models.errors import ModelError
from pipeline.channel import MONO, TWO_CHANNEL
from pipeline.errors import BadInput, EngineFault
from pipeline.inputs import Frame
from pipeline.sources.recording import Recording
from pipeline.timebase import RATE, TICK, samples

LONGEST_S = 2 * 3600.0
"""Seconds that can be told apart: a call is held in memory whole, some 1.2 GB for two hours."""
RAMP = samples(0.008)
"""Samples over which a row opens and closes: an edge in the middle of a sound would click."""
ALIKE = 0.98
"""Share of the power that two channels have in common from which they are one sound twice."""

UNSURE = "one channel: told apart by voice, the roles are not certain"
ESTIMATE = "one channel, told apart by voice: who spoke, talk-over and interruptions are estimates"

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class ToldApart:
    """The recording as two rows. ``frames`` may be run more than once.

    rows: int16 (2, n), agent and customer. heard: samples at 16 kHz. unavailable, warnings: for ``CallInfo``.
    """

    rows: Pcm
    heard: int
    unavailable: dict[str, str]
    warnings: tuple[str, ...]
    channels = TWO_CHANNEL
    attribution: Literal["diarised"] = "diarised"

    def exchanged(self) -> "ToldApart":
        """The same two voices, the other one the agent's."""
        return replace(self, rows=self.rows[::-1])

    def frames(self) -> Iterator[Frame]:
        """Exact int16 frames, the last one padded with zeros."""
        for start in range(0, self.rows.shape[1], TICK):
            part = self.rows[:, start : start + TICK]
            yield Frame(start, np.pad(part, ((0, 0), (0, TICK - part.shape[1]))))


def tell_apart(recording: Recording, diariser: Diariser, agent_voice: int | None = None) -> ToldApart:
    """Read a whole recording, mono or one sound on two channels, and tell its voices apart.

    agent_voice: 1 when the agent speaks first, 2 when the customer does; None: the first voice is taken for the agent
    and nothing about feelings is judged.
    Raises BadInput for more than LONGEST_S and for silence, EngineFault when the model fails.
    """
    pcm = _whole(recording)
    try:
        found = diariser.diarise(pcm.astype(np.float32) / 32768.0)
    except ModelError as error:
        raise EngineFault(str(error)) from error
    if not found.speakers:
        raise BadInput("no voice was found to tell apart; check that the file holds a call")
    agent = 0 if agent_voice is None else agent_voice - 1
    unavailable = dict.fromkeys(("anger", "tension"), UNSURE) if agent_voice is None else {}
    return ToldApart(rows_of(pcm, found, agent), recording.heard, unavailable, _warnings(recording, found, diariser))


def rows_of(pcm: Pcm, found: Diarisation, agent: int = 0) -> Pcm:
    """int16 (n,) → (2, n): what the speaker ``agent`` says, and what the other party does.

    The two with the most speech are the parties, in order of first speech. A row opens before a stretch and closes
    after it, so that within one it is the recording itself.
    """
    rows = np.zeros((2, len(pcm)), np.int16)
    for row, speaker in enumerate(_parties(found)):
        on = np.zeros(len(pcm), np.bool_)
        for stretch in found.stretches:
            if stretch.speaker == speaker:
                on[stretch.start : stretch.end] = True
        rows[row] = _gated(pcm, on)
    return rows if agent == 0 else rows[::-1]


def mixed(frame: Pcm) -> NDArray[np.bool_]:
    """int16 (2, n) of a told-apart call → where both rows hold the mixture, and so two voices at once."""
    return np.asarray((frame[0] == frame[1]) & (frame[0] != 0))


class Likeness:
    """Whether two channels are one sound twice. Fed while a recording is read."""

    def __init__(self) -> None:
        self._left = self._right = self._both = 0.0

    def add(self, pcm: Pcm) -> None:
        """int16 (channels, n); a mono recording is left out."""
        if len(pcm) == 2:
            left, right = pcm.astype(np.float64)
            self._left += float(left @ left)
            self._right += float(right @ right)
            self._both += float(left @ right)

    @property
    def same(self) -> bool:
        """The squared correlation is above ALIKE: equal but for a gain."""
        return self._both > 0 and self._both**2 > ALIKE * self._left * self._right


def _whole(recording: Recording) -> Pcm:
    """int16 (n,), one channel, or the mean of two."""
    if recording.channels != MONO and len(recording.channels) != 2:
        raise ValueError(f"expected one or two channels, got {recording.channels}")
    if recording.seconds > LONGEST_S:
        hours, most = recording.seconds / 3600, LONGEST_S / 3600
        raise BadInput(
            f"lasts {hours:.1f} h; voices can be told apart in {most:g} h at most: "
            "cut it (ffmpeg -i IN -f segment -segment_time 3600 OUT%d.wav)"
        )
    parts, length = [], 0
    for item in recording.frames():
        if isinstance(item, Frame):
            parts.append(np.rint(item.pcm.mean(axis=0)).astype(np.int16))
            length += TICK
            if length > LONGEST_S * RATE:
                raise BadInput(f"lasts longer than its header says, over {LONGEST_S / 3600:g} h; cut it")
    return np.concatenate(parts)[: recording.heard]


def _parties(found: Diarisation) -> list[int]:
    """At most two speakers, in order of first speech."""
    talk = dict.fromkeys(range(found.speakers), 0)
    for stretch in found.stretches:
        talk[stretch.speaker] += stretch.end - stretch.start
    return sorted(sorted(talk, key=lambda speaker: (-talk[speaker], speaker))[:2])


def _gated(pcm: Pcm, on: NDArray[np.bool_]) -> Pcm:
    """``pcm`` where ``on``, and a ramp outside each edge."""
    row = np.where(on, pcm, 0).astype(np.int16)
    edges = np.diff(np.concatenate(([False], on, [False])).astype(np.int8))
    rise = (np.arange(RAMP, dtype=np.float32) + 1) / (RAMP + 1)
    for start in np.flatnonzero(edges == 1).tolist():
        _fade(row, pcm, on, start - RAMP, rise)
    for end in np.flatnonzero(edges == -1).tolist():
        _fade(row, pcm, on, end, rise[::-1])
    return row


def _fade(row: Pcm, pcm: Pcm, on: NDArray[np.bool_], start: int, gain: NDArray[np.floating[Any]]) -> None:
    """Let the recording be heard, as loud as ``gain``, where the row is closed."""
    where = np.arange(max(0, start), min(len(row), start + len(gain)))
    where = where[~on[where]]
    row[where] = np.rint(pcm[where] * gain[where - start]).astype(np.int16)


def _warnings(recording: Recording, found: Diarisation, diariser: Diariser) -> tuple[str, ...]:
    lines = [*recording.warnings, f"{ESTIMATE} ({diariser.identity.name}, {diariser.identity.version})"]
    kept = set(_parties(found))
    others = found.foreign + sum(each.end - each.start for each in found.stretches if each.speaker not in kept)
    if found.speakers == 1:
        lines.append("only one voice was found, taken for the first party's; the other one's channel is silent")
    if others >= samples(1.0):
        lines.append(f"{others / RATE:.0f} s of other voices belong to neither party and are left out")
    return tuple(lines)
