"""What other settings would change: the alerts of a stored call, stepped again with both and laid side by side.

Both sides are stepped by today's code, so that nothing but the settings differs. What people answered to alerts is
left out on both: with other alerts their answers would go to the wrong ones. What was heard stays as it is in the
journal, so settings that decide what is cut and heard cannot be tried in this way (``TRIED`` can).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.alerts import Reason
from pipeline.errors import BadInput
from pipeline.events import Alert, Severity
from pipeline.graph import Engines, build
from pipeline.inputs import Command
from pipeline.journal import CallFolder, Header, read_entries
from pipeline.replay import again
from pipeline.session import Entry
from pipeline.settings import Settings
from pipeline.timebase import ms

TRIED = ("turns", "voice", "scores", "cues", "alerts", "policy")
"""Sections of the settings that can be tried on a stored call."""
SAME_MS = 50
"""Milliseconds: two ticks less than that apart are one moment."""
MOVED_MS = 30_000
"""Milliseconds: alerts of one kind further apart are two, one that vanished and one that appeared."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that counts. ms: when it was raised. because: the evidence in words."""

    kind: str
    severity: Severity
    advice: str
    ms: int
    because: str


@dataclass(frozen=True, slots=True)
class Change:
    """before, after: None on the side where there is no such alert."""

    what: Literal["appears", "vanishes", "moves"]
    before: Raised | None
    after: Raised | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """before, after: alerts with the call's own settings and with the others. kept: those alike in both."""

    call_id: str
    before: int
    after: int
    kept: int
    changes: tuple[Change, ...]

    def count(self, what: str) -> int:
        return sum(change.what == what for change in self.changes)


def compare(folder: CallFolder, header: Header, settings: Settings, load: Callable[[Settings], Engines]) -> Comparison:
    """load: gives the engines of the call's own settings, and those of ``settings``.

    Raises BadInput without audio, and for settings that decide what was heard.
    """
    check(header, settings)
    if header.call.attribution != "written" and not folder.audio.exists():
        raise BadInput(f"{folder.path.name} has no stored audio (policy without recording); nothing can be tried on it")
    entries = [entry for entry in read_entries(folder.journal) if not isinstance(entry.item, Command)]
    before = raised(again(build(header.call, header.settings, load(header.settings)), folder, entries))
    after = raised(again(build(header.call, settings, load(settings)), folder, entries))
    changes, kept = changed(before, after)
    return Comparison(header.call.call_id, len(before), len(after), kept, changes)


def check(header: Header, settings: Settings) -> None:
    """Raises BadInput naming a section that must be as it was when the call was heard."""
    theirs = header.settings
    differ = [name for name in Settings.model_fields if getattr(settings, name) != getattr(theirs, name)]
    wrong = [name for name in differ if name not in (*TRIED, "storage")]
    if wrong:
        raise BadInput(
            f"[{wrong[0]}] decides what was heard in {header.call.call_id} and cannot be tried on a stored call; "
            f"use analyze on the recording. Sections that can be tried: {', '.join(TRIED)}"
        )
    if settings.scores.model != theirs.scores.model:
        raise BadInput(
            f"scores.model: {header.call.call_id} was heard with the set {theirs.scores.model}, whose view of its "
            "words is in the journal; use analyze on the recording to try another"
        )
    if settings.policy.words != theirs.policy.words:
        raise BadInput(f"policy: whether {header.call.call_id} has words was decided when it was heard; keep it")


def raised(entries: Iterable[Entry]) -> list[Raised]:
    """The alerts that count, in order: one that was raised on a judgement since taken back does not."""
    found: dict[int, Raised] = {}
    for entry in entries:
        alert = entry.item
        if isinstance(alert, Alert) and alert.of is None:
            found[entry.n] = Raised(alert.kind, alert.severity, alert.advice, ms(alert.at), alert.reason)
        elif isinstance(alert, Alert) and alert.reason == Reason.REVISED and alert.of is not None:
            found.pop(alert.of, None)
    return list(found.values())


def changed(before: Sequence[Raised], after: Sequence[Raised]) -> tuple[tuple[Change, ...], int]:
    """What changes, in the order of time, and how many stay: the nearest of a kind belong together."""
    pairs = sorted(
        (
            (abs(one.ms - two.ms), i, j)
            for i, one in enumerate(before)
            for j, two in enumerate(after)
            if _alike(one, two)
        )
    )
    left, right = dict(enumerate(before)), dict(enumerate(after))
    changes: list[Change] = []
    kept = 0
    for apart, i, j in pairs:
        if i in left and j in right:
            one, two = left.pop(i), right.pop(j)
            kept += apart < SAME_MS
            changes += [] if apart < SAME_MS else [Change("moves", one, two)]
    changes += [Change("vanishes", one, None) for one in left.values()]
    changes += [Change("appears", None, two) for two in right.values()]
    return tuple(sorted(changes, key=_when)), kept


def _alike(one: Raised, two: Raised) -> bool:
    return one.kind == two.kind and one.severity == two.severity and abs(one.ms - two.ms) <= MOVED_MS


def _when(change: Change) -> int:
    return next(each.ms for each in (change.after, change.before) if each is not None)
