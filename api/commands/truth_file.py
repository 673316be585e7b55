"""A truth file, as it lies beside each call of ``sample_audio``: who spoke when, and what each overlap was."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.events import OverlapKind
from pipeline.timebase import Span, ms, samples
from pipeline.truth import RULE, Known, Truth, truth_of

LIKE = "sample_audio/*.truth.json show what it looks like"


def load(path: Path) -> dict[str, Any]:
    """The file as it is. Raises BadInput when it is no JSON object."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise BadInput(f"{path}: is not JSON ({error}); {LIKE}") from None
    if not isinstance(table, dict):
        raise BadInput(f"{path}: holds no JSON object; {LIKE}")
    return table


def agent_channel(path: Path) -> Literal["left", "right"] | None:
    """The agent's side, where the file says it. Raises BadInput."""
    side = load(path).get("agent_channel")
    if side not in ("left", "right", None):
        raise BadInput(f"{path}: agent_channel is {side!r}; it is left or right")
    return cast(Literal["left", "right"] | None, side)


def read(path: Path, heard: int, margin_s: float) -> Truth:
    """``{"speech": {"agent": [{"begin_ms", "end_ms"}, ...], "customer": [...]}, "overlaps": [...]}``.

    overlaps may be left out. Where each has a ``kind`` (with ``interrupter`` and ``cut``) they are the truth, else
    what follows from the speech is. heard: samples of the recording. margin_s: as in ``truth_of``.
    Raises BadInput, one line.
    """
    table = load(path)
    try:
        speech = {who: _spans(table["speech"][who.value], f"speech of {who}", heard) for who in TWO_CHANNEL}
        truth, rows = truth_of(speech, margin_s), table.get("overlaps") or []
        if not all("kind" in row for row in rows):
            return truth
        spans = _spans(rows, "overlaps", heard)
        told = [_told(row, span, truth) for row, span in zip(rows, spans, strict=True)]
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except KeyError as error:
        raise BadInput(f"{path}: {error} is missing; {LIKE}") from None
    except (TypeError, AttributeError):
        raise BadInput(f"{path}: has lists or numbers where they do not belong; {LIKE}") from None
    return Truth(truth.speech, tuple(sorted(told, key=lambda known: known.span.start))) if told else truth


def _spans(rows: Sequence[Mapping[str, Any]], what: str, heard: int) -> list[Span]:
    """begin_ms and end_ms to samples; an end up to a millisecond after the audio is rounding."""
    spans = []
    for number, row in enumerate(rows, start=1):
        begin, end = row["begin_ms"], row["end_ms"]
        if not isinstance(begin, int | float) or not isinstance(end, int | float):
            raise BadInput(f"{what}, number {number}: begin_ms and end_ms must be numbers, not {begin!r} and {end!r}")
        if not 0 <= begin < end:
            raise BadInput(f"{what}, number {number}: {begin} to {end} ms is no stretch; begin is 0 or more, end later")
        if end > ms(heard) + 1:
            late = f"ends at {end} ms, after the audio ({ms(heard)} ms)"
            raise BadInput(f"{what}, number {number}: {late}; is it another call's truth?")
        spans.append(Span(samples(begin / 1000), samples(end / 1000)))
    return spans


def _told(row: Mapping[str, Any], span: Span, derived: Truth) -> Known:
    """An overlap as the file tells it. Whether it is clear follows from the speech."""
    kind, who = row["kind"], row.get("interrupter")
    if kind not in get_args(OverlapKind):
        raise BadInput(f"{kind!r} is no kind of overlap; there are {', '.join(get_args(OverlapKind))}")
    if who is not None and who not in TWO_CHANNEL:
        raise BadInput(f"{who!r} interrupts nobody; an interrupter is agent, customer or null")
    clear = all(known.clear for known in derived.overlaps if known.span.overlap(span))
    shown = span.length >= samples(RULE.shown_s)
    return Known(span, kind, None if who is None else Channel(who), bool(row.get("cut")), shown, clear)
