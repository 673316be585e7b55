"""A stored call read whole, made into its report: the one place that puts the parts of ``pipeline.report`` together."""

from collections.abc import Mapping, Sequence

from pipeline.alerts import Reason
from pipeline.errors import Conflict
from pipeline.figures import Earlier, against_own, figures, load
from pipeline.moments import helped, moments
from pipeline.past import Past
from pipeline.practised import practices
from pipeline.report import Point, Report, Told
from pipeline.view import AlertView, ScoreView, counted

POINTS = 300
"""Points of a curve at most: more than a page has room for."""

ENDED = {
    Reason.OVER: "it was over",
    Reason.FADED: "faded by itself",
    Reason.DISMISSED: "dismissed by the agent as wrong",
    Reason.DONE: "the agent did it",
    Reason.SNOOZED: "the agent asked for quiet",
    Reason.ENDED: "the call ended",
}


def report(past: Past, titles: Mapping[int, str], before: Sequence[Earlier] = (), *, own: bool = False) -> Report:
    """titles: of the practices, by number. before: the same agent's earlier calls, latest first.

    own: the agent is who asks. Raises Conflict for a call without an end: half a call looks like a whole one.
    """
    view, header = past.view, past.header
    if view.state != "ended":
        raise Conflict(
            f"call {header.call.call_id} has no end yet: it is in progress, or its writer was killed; "
            "calmline replay shows it as far as it goes"
        )
    return Report(
        call_id=header.call.call_id,
        agent_id=header.call.agent_id,
        started=header.started,
        duration_ms=view.now_ms,
        policy=view.policy,
        source=view.source,
        written=past.written,
        unavailable=dict(view.unavailable),
        anger=curve(view.scores.anger),
        tension=curve(view.scores.tension),
        moments=moments(past),
        alerts=tuple(_told(alert) for alert in counted(view.alerts)),
        helped=helped(past),
        practices=practices(past, titles),
        measures=against_own(figures(past), before),
        own=load(past, before) if own else (),
        busy_ms=sum(region.end_ms - region.begin_ms for region in view.regions if region.kind == "busy"),
    )


def curve(points: Sequence[ScoreView]) -> tuple[Point, ...]:
    """The highest point of each of ``POINTS`` equal groups, so that no peak is lost."""
    size = -(-len(points) // POINTS) or 1
    groups = (points[at : at + size] for at in range(0, len(points), size))
    highest = (max(group, key=lambda point: point.value) for group in groups)
    return tuple(Point(n=point.n, ms=point.ms, value=point.value) for point in highest)


def _told(alert: AlertView) -> Told:
    return Told(
        n=alert.n,
        ms=alert.raised_ms,
        ended_ms=alert.cleared_ms,
        severity=alert.severity,
        advice=alert.advice,
        reason=alert.reason,
        practice=alert.practice,
        ended=ENDED.get(Reason(alert.cleared_because), alert.cleared_because)
        if alert.cleared_because
        else "still open",
        evidence=(alert.n, *alert.evidence),
    )
