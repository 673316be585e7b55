"""The shape of the report after a call. ``pipeline.review`` makes it from a stored call; pages and files show it.

A page's worth: what happened to anger and tension, what was advised, what helped, what is worth listening to again.
Every sentence is a ``Statement`` that names the events it rests on. All times are milliseconds since the start.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from pipeline.events import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """evidence: numbers of events, never none; of what did not happen, the end of the call. ms: where to listen."""

    text: str
    evidence: tuple[int, ...]
    ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One of the three moments that mattered. kind: which rule found it (``pipeline.moments``)."""

    kind: Literal["worst", "friction", "better"]
    ms: int
    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """n: number of the Score. value: 0-1."""

    n: int
    ms: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One alert. n: the event that raised it. ended: how, in words. evidence: n, and what the alert rested on."""

    n: int
    ms: int
    ended_ms: int | None
    severity: Severity
    advice: str
    reason: str
    practice: int
    ended: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """One practice of the playbook in this call. unmeasured: why nothing is said of it, else empty.

    missing: an occasion without it. against: what went against it. None of the three, and measured: no occasion.
    """

    number: int
    title: str
    seen: tuple[Statement, ...] = ()
    missing: tuple[Statement, ...] = ()
    against: tuple[Statement, ...] = ()
    unmeasured: str = ""


Unit = Literal["%", "s", "words/min", "times", "0-1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """agent, customer: None where it is not theirs or not known. usual: median of the agent's own earlier calls, None
    where there are too few of them. calls: how many it rests on.
    """

    name: str
    unit: Unit
    agent: float | None
    customer: float | None = None
    usual: float | None = None
    calls: int = 0
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """anger, tension: curves, each at most 300 points; empty where not available (``unavailable`` says why).

    busy_ms: how long a busy server left the voice, and with it the scores, out.
    practices: all of the playbook, in its order. own: the agent's load over the shift; empty for everybody else.
    """

    call_id: str
    agent_id: str
    started: str
    duration_ms: int
    policy: str
    source: str
    written: bool
    unavailable: dict[str, str]
    anger: tuple[Point, ...]
    tension: tuple[Point, ...]
    moments: tuple[Moment, ...]
    alerts: tuple[Told, ...]
    helped: tuple[Statement, ...]
    practices: tuple[Practice, ...]
    measures: tuple[Measure, ...]
    own: tuple[Statement, ...] = ()
    busy_ms: int = 0


REPORT: TypeAdapter[Report] = TypeAdapter(Report)
