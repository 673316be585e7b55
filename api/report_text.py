"""The report after a call as Markdown, and the small facts of layout that Markdown and HTML share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from api.commands.console import moment, one_line
from pipeline.report import Measure, Point, Practice, Report, Statement

REFS = 4
"""Event numbers shown behind a sentence; the JSON has all."""
BARS = "▁▂▃▄▅▆▇█"
BINS = 48
"""Signs of a curve in one line of text."""
FOOT = (
    "#n is the number of an event in the call's journal; each sentence names those it rests on. "
    "The report judges one call against itself and its agent's own earlier calls, nobody against others."
)
DIGITS = {"%": 0, "words/min": 0, "times": 0, "s": 1, "0-1": 2}


def markdown(report: Report) -> str:
    parts = [*_head(report), *_curves(report), *_moments(report), *_alerts(report), *_practices(report)]
    return "\n".join([*parts, *_measures(report), *_own(report), "", f"*{FOOT}*", ""])


def facts(report: Report) -> str:
    agent = f"agent {report.agent_id}" if report.agent_id else ""
    started = report.started[:16].replace("T", " ")
    return " · ".join(each for each in (started, moment(report.duration_ms), agent, f"policy {report.policy}") if each)


def refs(evidence: Sequence[int]) -> str:
    """ "#3 #17 +5": the first few numbers, and how many more there are."""
    distinct = list(dict.fromkeys(evidence))
    more = f" +{len(distinct) - REFS}" if len(distinct) > REFS else ""
    return " ".join(f"#{n}" for n in distinct[:REFS]) + more


def number(value: float | None, measure: Measure) -> str:
    if value is None:
        return "-"
    shown = f"{value:.{DIGITS[measure.unit]}f}"
    return f"{shown} {measure.unit}" if measure.unit in ("%", "s") else shown


def named(measure: Measure) -> str:
    return f"{measure.name} ({measure.unit})" if measure.unit == "words/min" else measure.name


def usual(measure: Measure) -> str:
    return f"{number(measure.usual, measure)} ({measure.calls} calls)" if measure.usual is not None else "-"


def nothing_helped(report: Report) -> str:
    """Said where no technique was followed by a fall of anger."""
    if "anger" in report.unavailable:
        return "Not measured: it is seen by the customer's anger."
    return "Nothing that was said was followed by a clear fall of anger."


def missing_scores(report: Report) -> list[str]:
    """Why a curve, or a part of the curves, is not there, one line each."""
    curves = {"anger": report.anger, "tension": report.tension}
    lines = [f"no {name}: {report.unavailable[name]}" for name in curves if name in report.unavailable]
    busy = [f"no score for {report.busy_ms / 1000:.0f} s: not measured, the server was busy"] if report.busy_ms else []
    return lines + busy


@dataclass(frozen=True, slots=True)
class Sorted:
    """Practices by what there is to say of them."""

    told: list[Practice]
    idle: list[Practice]
    unmeasured: list[Practice]


def by_kind(practices: Iterable[Practice]) -> Sorted:
    found = Sorted([], [], [])
    for each in practices:
        place = (
            found.unmeasured
            if each.unmeasured
            else found.told
            if each.seen or each.missing or each.against
            else found.idle
        )
        place.append(each)
    return found


def _head(report: Report) -> Iterator[str]:
    yield f"# Call {_plain(report.call_id)}"
    yield ""
    yield _plain(facts(report))


def _curves(report: Report) -> Iterator[str]:
    yield ""
    for name, points in (("anger  ", report.anger), ("tension", report.tension)):
        if points:
            yield f"    {name} {_bars(points, report.duration_ms)}  highest {max(each.value for each in points):.2f}"
    for line in missing_scores(report):
        yield f"- {_plain(line)}"


def _bars(points: Sequence[Point], duration: int) -> str:
    """The highest value of each of ``BINS`` equal stretches of the call; a dot where there is none."""
    highest: dict[int, float] = {}
    for point in points:
        at = min(BINS - 1, point.ms * BINS // max(1, duration))
        highest[at] = max(highest.get(at, 0.0), point.value)
    return "".join(BARS[min(7, int(highest[at] * 8))] if at in highest else "·" for at in range(BINS))


def _moments(report: Report) -> Iterator[str]:
    yield from ("", "## Moments that mattered", "")
    for place, each in enumerate(report.moments, start=1):
        yield f"{place}. **{moment(each.ms)}** {_plain(each.text)} ({refs(each.evidence)})"
    if not report.moments:
        yield "None stood out."
    yield from ("", "## What helped", "")
    yield from _listed(report.helped, nothing_helped(report))


def _alerts(report: Report) -> Iterator[str]:
    yield from ("", "## Alerts", "")
    if not report.alerts:
        yield "No alert was raised."
        return
    yield "| at | advice | because | how it ended | events |"
    yield "|---|---|---|---|---|"
    for each in report.alerts:
        ended = f"{each.ended}, {moment(each.ended_ms)}" if each.ended_ms is not None else each.ended
        cells = (moment(each.ms), each.advice, each.reason, ended)
        yield f"| {' | '.join(_plain(cell) for cell in cells)} | {refs(each.evidence)} |"


def _practices(report: Report) -> Iterator[str]:
    kinds = by_kind(report.practices)
    yield from ("", "## Practices", "")
    for each in kinds.told:
        yield f"- **{each.number}. {_plain(each.title)}**"
        yield from (f"    - seen: {_statement(statement)}" for statement in each.seen)
        yield from (f"    - missing: {_statement(statement)}" for statement in each.missing)
        yield from (f"    - against: {_statement(statement)}" for statement in each.against)
    if kinds.idle:
        yield from ("", "No occasion: " + ", ".join(f"{each.number} {_plain(each.title)}" for each in kinds.idle) + ".")
    if kinds.unmeasured:
        why = (f"{each.number} {_plain(each.title)} ({_plain(each.unmeasured)})" for each in kinds.unmeasured)
        yield from ("", "Not measured: " + ", ".join(why) + ".")


def _measures(report: Report) -> Iterator[str]:
    yield from ("", "## Measures", "")
    yield "| | agent | customer | agent's usual | events |"
    yield "|---|---|---|---|---|"
    for each in report.measures:
        values = (number(each.agent, each), number(each.customer, each), usual(each), refs(each.evidence))
        yield f"| {named(each)} | {' | '.join(values)} |"


def _own(report: Report) -> Iterator[str]:
    if report.own:
        yield from ("", "## For you alone", "")
        yield from _listed(report.own, "")


def _listed(statements: Sequence[Statement], none: str) -> Iterator[str]:
    yield from (f"- {_statement(each)}" for each in statements)
    if not statements:
        yield none


def _statement(statement: Statement) -> str:
    where = f"**{moment(statement.ms)}** " if statement.ms is not None else ""
    return f"{where}{_plain(statement.text)} ({refs(statement.evidence)})"


def _plain(text: str) -> str:
    """One line in which nothing that somebody said is taken for Markdown or HTML."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in one_line(text))
