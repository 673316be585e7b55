"""What a call script says: the TOML beside it, read into frozen values.

A line starts by exactly one rule:
`gap`      seconds after everything said so far;
`overlap`  seconds before the end of the other party's latest line;
`into`     seconds after the start of the other party's latest line;
`at`       seconds from the start of the call.
A `|` in the text marks the cut: the line breaks off inside the word that carries the mark.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Channel = Literal["agent", "customer"]
CHANNELS: tuple[Channel, Channel] = ("agent", "customer")
RULES = ("gap", "overlap", "into", "at")
CUT_MARK = "|"


@dataclass(frozen=True, slots=True)
class Voice:
    """A synthesiser's voice and the factor that brings it to a normal telephone pace."""

    engine: Literal["festival", "flite"]
    name: str
    pace: float


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One line as it should be said."""

    who: Channel
    text: str
    rule: str
    seconds: float
    state: str
    rate: float
    """Speed against the speaker's normal pace, as a factor."""
    pitch_st: float
    """Move of the whole line, semitones."""
    spread: float
    """Factor on the pitch movement around the line's median."""
    level_db: float
    """Against the speaker's normal level, dB."""
    treble_db: float
    """Lift above 1 kHz, dB."""

    @property
    def spoken(self) -> str:
        """The text the synthesiser gets (all of it; the cut happens in the audio)."""
        return self.text.replace(CUT_MARK, "")

    @property
    def complete(self) -> str:
        """The words that are said to their end."""
        if CUT_MARK not in self.text:
            return self.text
        return self.text.split(CUT_MARK)[0].rpartition(" ")[0]

    @property
    def heard(self) -> str:
        """The text of the truth file: a word broken off ends in a dash."""
        return self.text.split(CUT_MARK)[0] + "-" if CUT_MARK in self.text else self.text


@dataclass(frozen=True, slots=True)
class Script:
    """A call: its name, the two voices, the lines in order."""

    name: str
    seed: int
    tail_s: float
    voices: dict[Channel, Voice]
    lines: tuple[ScriptLine, ...]


def _line(raw: dict[str, Any]) -> ScriptLine:
    rules = [rule for rule in RULES if rule in raw]
    if len(rules) != 1:
        raise ValueError(f"a line needs exactly one of {RULES}: {raw['text']!r}")
    return ScriptLine(
        who=raw["who"],
        text=raw["text"],
        rule=rules[0],
        seconds=float(raw[rules[0]]),
        state=raw.get("state", "calm"),
        rate=float(raw.get("rate", 1.0)),
        pitch_st=float(raw.get("pitch_st", 0.0)),
        spread=float(raw.get("spread", 1.0)),
        level_db=float(raw.get("level_db", 0.0)),
        treble_db=float(raw.get("treble_db", 0.0)),
    )


def read(file: Path) -> Script:
    """Read one script; the call is named after the file."""
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return Script(
        name=file.stem,
        seed=int(raw["seed"]),
        tail_s=float(raw["tail_s"]),
        voices={who: Voice(**raw["voice"][who]) for who in CHANNELS},
        lines=tuple(_line(line) for line in raw["line"]),
    )
