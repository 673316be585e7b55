"""Every live call at a glance: what a supervisor's wallboard shows, and which call needs somebody most.

A page gets what has changed since it was last told, once a second: a slow page misses states in between, never the
last one. However many pages there are, the calls are looked at once a second.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from pipeline.alerts import Reason
from pipeline.live import LiveCall
from pipeline.view import AlertView, ScoreView, View

PACE_S = 1.0
"""Seconds between two looks at the calls."""

ANGRY = 0.4
"""Anger at which a customer is angry now: where the playbook begins to advise."""
RISE = 0.15
"""Anger gained within RISE_MS from which it is rising: about a third of the way to ANGRY."""
RISE_MS = 30_000

POINTS = 40
SLOT_MS = 5_000
"""The sparkline: anger every five seconds, for the last three minutes and twenty seconds."""

Need = Literal["waiting", "anger", "rising", "calm"]
"""Why somebody should look, gravest first. waiting: the call asked for a supervisor and nobody has claimed it."""
Notice = Literal["given", "missing", "none"]
"""Whether the customer was told. missing: the policy needs it; none: it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One live call. now_ms: audio heard. anger: 0-1, None without a score. curve: anger in percent every SLOT_MS up to
    now, None before the first score. advice, severity: what the agent reads now. critical: number of the latest alert
    that is critical and stands.
    """

    call_id: str
    agent_id: str
    team: str
    queue: str
    direction: str
    now_ms: int
    need: Need
    anger: float | None
    curve: tuple[int | None, ...]
    notice: Notice
    claimed_by: str | None
    advice: str | None
    severity: str | None
    critical: int | None


GLANCES: TypeAdapter[list[Glance]] = TypeAdapter(list[Glance])


class Wall:
    """calls: those in progress, by id. needs_notice: whether the policy does. clock: seconds."""

    def __init__(
        self,
        calls: Callable[[], Mapping[str, LiveCall]],
        *,
        needs_notice: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._needs_notice = needs_notice
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looked = float("-inf")
        self._glances: dict[str, Glance] = {}

    async def now(self) -> dict[str, Glance]:
        """Every live call that has begun, at most PACE_S old."""
        async with self._lock:
            if self._clock() - self._looked >= PACE_S:
                self._glances = await asyncio.to_thread(self._look, list(self._calls().values()))
                self._looked = self._clock()
        return self._glances

    def _look(self, calls: list[LiveCall]) -> dict[str, Glance]:
        found = [live.look(self._glance) for live in calls]
        return {glance.call_id: glance for glance in found if glance is not None}

    def _glance(self, view: View) -> Glance | None:
        if view.state != "live":
            return None
        anger = _anger(view)
        return Glance(
            call_id=view.call_id,
            agent_id=view.agent_id,
            team=view.team,
            queue=view.queue,
            direction=view.direction,
            now_ms=view.now_ms,
            need=need(view),
            anger=round(anger[-1].value, 2) if anger else None,
            curve=curve(anger, view.now_ms),
            notice="given" if view.notice_given else "missing" if self._needs_notice else "none",
            claimed_by=view.claimed_by,
            advice=view.advice.advice if view.advice else None,
            severity=view.advice.severity if view.advice else None,
            critical=max((alert.n for alert in view.alerts if _critical(alert)), default=None),
        )


def changes(before: Mapping[str, Glance], now: Mapping[str, Glance]) -> bytes:
    """The message that makes of one state the other."""
    changed = [glance for call_id, glance in now.items() if before.get(call_id) != glance]
    gone = [call_id for call_id in before if call_id not in now]
    return b'{"type":"wall","calls":%b,"gone":%b}' % (GLANCES.dump_json(changed), _IDS.dump_json(gone))


_IDS: TypeAdapter[list[str]] = TypeAdapter(list[str])


def need(view: View) -> Need:
    """The gravest reason for which somebody should look at a call."""
    anger = _anger(view)
    if view.claimed_by is None and any(_asks_for_supervisor(alert) for alert in view.alerts):
        return "waiting"
    if anger and anger[-1].value >= ANGRY:
        return "anger"
    before = _at(anger, view.now_ms - RISE_MS)
    if before is not None and anger[-1].value - before >= RISE:
        return "rising"
    return "calm"


def _anger(view: View) -> list[ScoreView]:
    """None while it is not measured: what was last known says nothing of now."""
    return [] if "anger" in view.unavailable else view.scores.anger


def curve(anger: list[ScoreView], now_ms: int) -> tuple[int | None, ...]:
    """POINTS values in percent, the last one at the slot of now: a score holds until the next one."""
    last = now_ms // SLOT_MS * SLOT_MS
    values = [_at(anger, last - back * SLOT_MS) for back in range(POINTS - 1, -1, -1)]
    return tuple(None if value is None else round(100 * value) for value in values)


def _at(anger: list[ScoreView], when_ms: int) -> float | None:
    """The score that held then; None before the first."""
    place = bisect_right(anger, when_ms, key=lambda score: score.ms)
    return anger[place - 1].value if place else None


def _critical(alert: AlertView) -> bool:
    return alert.severity == "critical" and alert.state == "raised"


def _asks_for_supervisor(alert: AlertView) -> bool:
    """It stands, or has faded from the agent's screen with nobody having come."""
    return "supervisor" in alert.to and alert.cleared_because in (None, Reason.FADED)
