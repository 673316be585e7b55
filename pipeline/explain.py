"""A score in words: what speaks for it and against it, the weightiest first, each with its share of the value."""

from collections.abc import Iterator, Mapping

from pipeline.hints import CUES

LEAST = 0.02
"""Share of a value under which a part is not worth a word."""
PARTS = {
    "melody": "how the pitch moves",
    "loudness": "how loud it is",
    "pitch": "how high it is",
    "timbre": "how hard the voice sounds",
    "voice quality": "how clear the voice is",
    "rhythm": "the rhythm",
    "tone": "the tone of what was said",
    "pace": "the pace",
    "words": "what was said",
    "interruptions": "cutting in",
    "cut_off": "being cut off",
}
ORDINALS = ("", "", "second ", "third ", "fourth ", "fifth ")
TIMES = ("", "once", "twice")
_NAMES = {name for cues in CUES.values() for name in cues}


def reasons(parts: Mapping[str, float], measures: Mapping[str, float], most: int = 4) -> list[str]:
    """What a score rests on: "louder than usual by 6 dB (+0.11)", "third complaint (+0.06)".

    parts, measures: of a ``Score``. most: how many are named. What is usual for anybody is no reason and left out.
    """
    shares = sorted(((name, share) for name, share in parts.items() if name != "usual"), key=lambda pair: -abs(pair[1]))
    told = [(name, share) for name, share in shares if abs(share) >= LEAST][:most]
    return [f"{_said(name, share, measures)} ({share:+.2f})" for name, share in told]


def _said(name: str, share: float, measures: Mapping[str, float]) -> str:
    """A measure where it points the same way as the part, else what the part is about."""
    match name:
        case "loudness" if (decibels := measures.get("level", 0.0)) * share > 0 and abs(decibels) >= 1:
            return f"{'louder' if decibels > 0 else 'quieter'} than usual by {abs(decibels):.0f} dB"
        case "pitch" if (semitones := measures.get("pitch", 0.0)) and abs(semitones) >= 0.5:
            return f"pitch {_number(abs(semitones))} {'up' if semitones > 0 else 'down'}"
        case "pace" if (relative := measures.get("pace", 1.0)) > 1:
            return f"speaks {100 * (relative - 1):.0f} % faster than usual"
        case "words":
            return ", ".join(_cues(measures)) or PARTS[name]
        case "interruptions" | "cut_off" if name in measures:
            return f"{'cut in' if name == 'interruptions' else 'cut off'} {_times(int(measures[name]))}"
        case _:
            return PARTS.get(name, name)


def _cues(measures: Mapping[str, float]) -> Iterator[str]:
    for name, count in measures.items():
        if name in _NAMES:
            yield f"{_ordinal(int(count))}{name.replace('_', ' ')}"


def _ordinal(count: int) -> str:
    return ORDINALS[count] if count < len(ORDINALS) else f"{count}th "


def _times(count: int) -> str:
    return TIMES[count] if count < len(TIMES) else f"{count} times"


def _number(semitones: float) -> str:
    whole = round(semitones, 1)
    return f"{whole:g} semitone" + ("" if whole == 1 else "s")
