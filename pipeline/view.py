"""What a person sees of a call: the shape of a view. ``pipeline.reducer`` folds it from events.

All times in a view are milliseconds since the start of the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from pipeline import events as ev
from pipeline.alerts import Reason
from pipeline.channel import Channel


@dataclass(slots=True, kw_only=True)
class ChannelView:
    """talk_ms: own speech. wpm: words per minute of own speech, None before any words. talk_share: talk_ms over the
    duration of the call, 0-1.

    words: counted. speaking: at this moment. interruptions, interrupted_ms: made by this party, and how long they
    lasted. backchannels: overlapping ones. turns: finished. monologue_ms: the longest turn. response_ms: median
    response time (positive floor-transfer offsets of this party's turns), None before any. foreign: utterances in
    another language than the recogniser's, whose text is withheld.
    """

    talk_ms: int = 0
    wpm: float | None = None
    articulation_rate: float | None = None
    words: int = 0
    talk_share: float | None = None
    interruptions: int = 0
    interrupted_ms: int = 0
    backchannels: int = 0
    turns: int = 0
    monologue_ms: int = 0
    response_ms: int | None = None
    foreign: int = 0
    speaking: bool = False


@dataclass(slots=True, kw_only=True)
class OverlapView:
    n: int
    begin_ms: int
    end_ms: int
    kind: ev.OverlapKind
    interrupter: Channel | None
    cut: bool


@dataclass(slots=True, kw_only=True)
class StretchView:
    begin_ms: int
    end_ms: int
    open: bool = False


@dataclass(slots=True, kw_only=True)
class RegionView:
    kind: ev.RegionKind
    channel: Channel | None
    begin_ms: int
    end_ms: int
    open: bool = False


@dataclass(slots=True, kw_only=True)
class LeakView:
    """channel: where the other party's voice was heard. gain_db: against that voice itself."""

    channel: Channel
    begin_ms: int
    delay_ms: int
    gain_db: float
    state: Literal["suspected", "removed", "gone"]


@dataclass(slots=True, kw_only=True)
class SuspectedView:
    n: int
    ms: int
    kind: Literal["swapped_roles"]
    confidence: float
    because: str


@dataclass(slots=True, kw_only=True)
class GapView:
    channel: Channel
    begin_ms: int
    end_ms: int
    reason: str


@dataclass(slots=True, kw_only=True)
class WordView:
    begin_ms: int
    end_ms: int
    text: str
    probability: float


@dataclass(slots=True, kw_only=True)
class LineView:
    n: int
    channel: Channel
    begin_ms: int
    end_ms: int
    text: str
    late: bool
    words: list[WordView]


@dataclass(slots=True, kw_only=True)
class TurnView:
    """fto_ms: floor-transfer offset, None when nothing came before."""

    channel: Channel
    begin_ms: int
    end_ms: int
    talk_ms: int
    fto_ms: int | None


@dataclass(slots=True, kw_only=True)
class ScoreView:
    """parts: they sum to value. measures: what they rest on (``pipeline.explain`` puts both into words)."""

    n: int
    ms: int
    value: float
    coverage: float
    parts: dict[str, float]
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ProsodyView:
    """level_db, f0_st: against the speaker's own baseline, None where not measurable."""

    ms: int
    level_db: float | None
    f0_st: float | None
    f0_hz: float | None


@dataclass(slots=True, kw_only=True)
class PaceView:
    ms: int
    wpm: float
    articulation_rate: float
    relative: float | None


@dataclass(slots=True, kw_only=True)
class CueView:
    n: int
    channel: Channel
    name: str
    phrase: str
    begin_ms: int
    end_ms: int


@dataclass(slots=True, kw_only=True)
class AlertView:
    n: int
    kind: str
    state: ev.AlertState
    severity: ev.Severity
    raised_ms: int
    cleared_ms: int | None
    advice: str
    detail: str
    practice: int
    reason: str
    cleared_because: str | None
    evidence: list[int]
    to: list[ev.Party] = field(default_factory=lambda: ["agent"])


@dataclass(slots=True, kw_only=True)
class FaultView:
    ms: int
    part: str
    message: str
    fatal: bool


@dataclass(slots=True, kw_only=True)
class ScoresView:
    """Curves of the two scores; empty where a score is unavailable."""

    anger: list[ScoreView] = field(default_factory=list)
    tension: list[ScoreView] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class View:
    """n: number of the last event. now_ms: audio heard. advice: the latest alert that still stands raised.
    snoozed_until_ms: advice is withheld up to there, critical advice excepted; None unless somebody asked for it.

    unavailable: measure to the reason why this call cannot have it. warnings: what is wrong with the source.
    queue, team, direction, fields: what the phone system says of the call.
    attribution: how it is known who speaks. non_talk_ms: hold, and silences of both over 3 s
    outside redacted stretches. hold_ms: on hold. rejected: utterances whose text was refused, or a part of it.
    refused: those by reason. claimed_by: the supervisor who looks after the call, None when nobody does.
    """

    call_id: str = ""
    agent_id: str = ""
    policy: str = ""
    source: str = ""
    notice_given: str = ""
    queue: str = ""
    team: str = ""
    direction: ev.Direction = ""
    fields: dict[str, str] = field(default_factory=dict)
    state: str = "waiting"
    ended_because: str | None = None
    claimed_by: str | None = None
    n: int = 0
    now_ms: int = 0
    duration_s: float = 0.0
    unavailable: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    channels: dict[Channel, ChannelView] = field(default_factory=dict)
    attribution: Literal["channels", "diarised", "written"] = "channels"
    advice: AlertView | None = None
    snoozed_until_ms: int | None = None
    overlap: OverlapView | None = None
    transcript: list[LineView] = field(default_factory=list)
    overlaps: list[OverlapView] = field(default_factory=list)
    silences: list[StretchView] = field(default_factory=list)
    non_talk_ms: int = 0
    hold_ms: int = 0
    turns: list[TurnView] = field(default_factory=list)
    scores: ScoresView = field(default_factory=ScoresView)
    prosody: dict[Channel, list[ProsodyView]] = field(default_factory=dict)
    pace: dict[Channel, list[PaceView]] = field(default_factory=dict)
    alerts: list[AlertView] = field(default_factory=list)
    cues: list[CueView] = field(default_factory=list)
    regions: list[RegionView] = field(default_factory=list)
    leaks: list[LeakView] = field(default_factory=list)
    suspected: list[SuspectedView] = field(default_factory=list)
    gaps: list[GapView] = field(default_factory=list)
    rejected: int = 0
    refused: dict[ev.RejectReason, int] = field(default_factory=dict)
    faults: list[FaultView] = field(default_factory=list)


def counted(alerts: Sequence[AlertView]) -> list[AlertView]:
    """The alerts that count: one that was raised on a judgement since taken back does not."""
    return [alert for alert in alerts if alert.cleared_because != Reason.REVISED]


VIEW: TypeAdapter[View] = TypeAdapter(View)


def schema() -> dict[str, Any]:
    """JSON schema of a view."""
    return VIEW.json_schema(mode="serialization")
