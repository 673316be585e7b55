"""The report after a call as one HTML file: no script, nothing loaded, light and dark, every text escaped."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from api.commands.console import moment
from api.report_text import FOOT, by_kind, facts, missing_scores, named, nothing_helped, number, refs, usual
from pipeline.moments import LEAST
from pipeline.report import Point, Practice, Report, Statement, Told

WIDE, HIGH, LEFT, TOP, MARKS = 860, 150, 34, 12, 34
"""Units of the drawing: its width, the height of the curves, room for their scale, above them, and for the marks."""
STEPS_S = (5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
MOST_STEPS = 10

_REFS = re.compile(r'<span class="refs">[^<]*</span>')
_NUMBER = re.compile(r"#(\d+)")

STYLE = """
:root { color-scheme: light dark; --ink: #1d2226; --soft: #5c666e; --rule: #dfe3e6; --page: #fff; --card: #f6f7f8;
  --anger: #b8470a; --tension: #0066a6; --good: #1a7443; --lack: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9eb; --soft: #9aa4ab; --rule: #353b40; --page: #16191b;
  --card: #1f2326; --anger: #f08b4b; --tension: #5cb3ea; --good: #5cc08a; --lack: #e0a54a; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 900px; padding: 24px 20px 40px; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere } h2 { font-size: 16px; margin: 28px 0 8px }
p { margin: 4px 0 } .soft, .refs { color: var(--soft) } .refs { font-size: 12px; white-space: nowrap }
.refs a { color: inherit }
svg { width: 100%; height: auto; margin-top: 14px; display: block } svg text { fill: var(--soft); font-size: 11px }
ol, ul { margin: 0; padding-left: 22px } li { margin: 4px 0; overflow-wrap: anywhere }
time { font-variant-numeric: tabular-nums; font-weight: 600; margin-right: 4px }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-top: 1px solid var(--rule);
  overflow-wrap: anywhere }
th { border: 0; font-weight: 400; color: var(--soft) }
td.number, th.number { text-align: right; white-space: nowrap } td.at, td.ended { white-space: nowrap }
.critical td.advice { font-weight: 600 } td.advice { min-width: 11em }
.seen, .missing, .against { font-weight: 600; margin-right: 4px } .seen { color: var(--good) }
.missing { color: var(--lack) } .against { color: var(--anger) }
dl { margin: 0; columns: 380px 2; column-gap: 28px } dl div { break-inside: avoid; padding-bottom: 8px }
dt { font-weight: 600 } dd { margin: 2px 0; overflow-wrap: anywhere; font-size: 14px }
.own { background: var(--card); border-radius: 6px; padding: 10px 14px; margin-top: 20px }
footer { margin-top: 30px; font-size: 12px; color: var(--soft) }
@media print { body { max-width: none; padding: 0 } h2 { break-after: avoid } }
"""


def html(report: Report) -> str:
    title = f"Call {escape(report.call_id)}"
    body = [f"<h1>{title}</h1>", f'<p class="soft">{escape(facts(report))}</p>', _own(report), *_timeline(report)]
    body += [*_moments(report), *_alerts(report), *_practices(report), *_measures(report)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + f"\n<footer>{escape(FOOT)}</footer>\n</body></html>\n"
    )


def linked(page: str) -> str:
    """Where the page is served beside the call's events: each number of an event opens it."""
    return _REFS.sub(lambda found: _NUMBER.sub(_link, found[0]), page)


def _link(number: re.Match[str]) -> str:
    n = int(number[1])
    return f'<a href="events?after={n - 1}&amp;limit=1" title="event {n} of the journal">#{n}</a>'


def _timeline(report: Report) -> Iterator[str]:
    """Both curves over the call; under them a number for each moment and a mark for each alert."""
    curves = HIGH if report.anger or report.tension else 0
    drawing = [*_scale(curves), *_axis(report, curves)]
    for name, points in (("anger", report.anger), ("tension", report.tension)):
        if points:
            dash = "" if name == "anger" else ' stroke-dasharray="5 3"'
            line = " ".join(f"{_x(each.ms, report):.1f},{_y(each.value):.1f}" for each in points)
            drawing.append(f'<polyline points="{line}" fill="none" stroke="var(--{name})" stroke-width="2"{dash}/>')
    drawing += [*_legend(report), *_marks(report, curves)]
    box = f"0 0 {WIDE} {TOP + curves + MARKS + 20}"
    yield f'<svg viewBox="{box}" role="img" aria-label="{_described(report)}">{"".join(drawing)}</svg>'
    for line in missing_scores(report):
        yield f'<p class="soft">{escape(line)}</p>'


def _described(report: Report) -> str:
    """The curves for whoever does not see them."""
    told = []
    for name, points in (("anger", report.anger), ("tension", report.tension)):
        if points:
            peak: Point = max(points, key=lambda each: each.value)
            told.append(f"{name} highest at {moment(peak.ms)} with {peak.value:.2f}, at the end {points[-1].value:.2f}")
    return escape("; ".join(told) or "moments and alerts of the conversation")


def _x(at: int, report: Report) -> float:
    return LEFT + (WIDE - LEFT - 8) * min(1.0, at / max(1, report.duration_ms))


def _y(value: float) -> float:
    return TOP + HIGH * (1 - value)


def _scale(curves: int) -> Iterator[str]:
    if not curves:
        return
    for value in (0.0, LEAST, 1.0):
        dash = ' stroke-dasharray="2 4"' if value == LEAST else ""
        yield f'<line x1="{LEFT}" x2="{WIDE - 8}" y1="{_y(value)}" y2="{_y(value)}" stroke="var(--rule)"{dash}/>'
        yield f'<text x="{LEFT - 6}" y="{_y(value) + 4}" text-anchor="end">{value:g}</text>'


def _axis(report: Report, curves: int) -> Iterator[str]:
    step = next((each for each in STEPS_S if report.duration_ms / 1000 / each <= MOST_STEPS), STEPS_S[-1])
    for at in range(0, report.duration_ms + 1, step * 1000):
        x, y = _x(at, report), TOP + curves + MARKS
        anchor = "end" if x > WIDE - 30 else "middle"
        yield f'<text x="{x:.1f}" y="{y + 14}" text-anchor="{anchor}">{moment(at)}</text>'


def _legend(report: Report) -> Iterator[str]:
    owners = {"anger": "customer's anger", "tension": "agent's tension"}
    present = [name for name, points in (("anger", report.anger), ("tension", report.tension)) if points]
    for place, name in enumerate(present):
        dash = "" if name == "anger" else ' stroke-dasharray="5 3"'
        x, y = LEFT + 12 + place * 150, TOP + 12
        yield f'<line x1="{x}" x2="{x + 22}" y1="{y - 4}" y2="{y - 4}" stroke="var(--{name})" stroke-width="2"{dash}/>'
        yield f'<text x="{x + 28}" y="{y}">{owners[name]}</text>'
    if present and (report.alerts or report.moments):
        x = LEFT + 12 + len(present) * 150
        yield f'<text x="{x}" y="{TOP + 12}">▲ alert, ● moment</text>'


def _marks(report: Report, curves: int) -> Iterator[str]:
    y = TOP + curves
    for alert in report.alerts:
        x = _x(alert.ms, report)
        yield (
            f'<path d="M{x - 4:.1f} {y + 11} l4 -7 l4 7 z" fill="var(--soft)">'
            f"<title>{moment(alert.ms)} {escape(alert.advice)}</title></path>"
        )
    last, row = -99.0, 0
    for place, each in enumerate(report.moments, start=1):
        x = _x(each.ms, report)
        row, last = (1 - row if x - last < 18 else 0), x
        middle = x + (9 if row else 0)
        if curves:
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{y + 14}" stroke="var(--soft)" stroke-width="0.7"/>'
        yield f'<circle cx="{middle:.1f}" cy="{y + 22}" r="8" fill="var(--ink)"/>'
        style = "fill:var(--page);font-weight:600"
        yield f'<text x="{middle:.1f}" y="{y + 26}" text-anchor="middle" style="{style}">{place}</text>'


def _moments(report: Report) -> Iterator[str]:
    yield "<h2>Moments that mattered</h2>"
    items = [f"<li>{_time(each.ms)}{escape(each.text)} {_refs(each.evidence)}</li>" for each in report.moments]
    yield f"<ol>{''.join(items)}</ol>" if items else '<p class="soft">None stood out.</p>'
    yield "<h2>What helped</h2>"
    yield _list(report.helped) or f'<p class="soft">{escape(nothing_helped(report))}</p>'


def _alerts(report: Report) -> Iterator[str]:
    yield "<h2>Alerts</h2>"
    if not report.alerts:
        yield '<p class="soft">No alert was raised.</p>'
        return
    rows = "".join(_alert(each) for each in report.alerts)
    head = "<tr><th>at</th><th>advice</th><th>because</th><th>how it ended</th></tr>"
    yield f"<table>{head}{rows}</table>"


def _alert(alert: Told) -> str:
    until = f", {moment(alert.ended_ms)}" if alert.ended_ms is not None else ""
    return (
        f'<tr class="{alert.severity}"><td class="at">{_time(alert.ms)}</td>'
        f'<td class="advice">{escape(alert.advice)}</td>'
        f"<td>{escape(alert.reason)} {_refs(alert.evidence)}</td>"
        f'<td class="ended">{escape(alert.ended)}{until}</td></tr>'
    )


def _practices(report: Report) -> Iterator[str]:
    kinds = by_kind(report.practices)
    yield "<h2>Practices</h2>"
    if kinds.told:
        yield f"<dl>{''.join(_practice(each) for each in kinds.told)}</dl>"
    if kinds.idle:
        yield f'<p class="soft">No occasion: {escape(", ".join(_named(kinds.idle)))}.</p>'
    if kinds.unmeasured:
        why = (f"{each.number} {each.title} ({each.unmeasured})" for each in kinds.unmeasured)
        yield f'<p class="soft">Not measured: {escape(", ".join(why))}.</p>'


def _named(practices: Iterable[Practice]) -> Iterator[str]:
    return (f"{each.number} {each.title}" for each in practices)


def _practice(practice: Practice) -> str:
    sides = (("seen", "✓", practice.seen), ("missing", "○", practice.missing), ("against", "✗", practice.against))
    lines = (
        f'<dd><span class="{kind}">{sign} {kind}</span>{_statement(each)}</dd>'
        for kind, sign, statements in sides
        for each in statements
    )
    return f"<div><dt>{practice.number}. {escape(practice.title)}</dt>{''.join(lines)}</div>"


def _measures(report: Report) -> Iterator[str]:
    yield "<h2>Measures</h2>"
    rows = []
    for each in report.measures:
        values = (number(each.agent, each), number(each.customer, each), usual(each))
        cells = "".join(f'<td class="number">{value}</td>' for value in values)
        rows.append(f"<tr><td>{escape(named(each))}</td>{cells}<td>{_refs(each.evidence)}</td></tr>")
    head = "".join(f'<th class="number">{name}</th>' for name in ("agent", "customer", "agent's usual"))
    yield f"<table><tr><th></th>{head}<th></th></tr>{''.join(rows)}</table>"


def _own(report: Report) -> str:
    return f'<div class="own"><strong>For you alone</strong>{_list(report.own)}</div>' if report.own else ""


def _list(statements: Sequence[Statement]) -> str:
    return f"<ul>{''.join(f'<li>{_statement(each)}</li>' for each in statements)}</ul>" if statements else ""


def _statement(statement: Statement) -> str:
    where = _time(statement.ms) if statement.ms is not None else ""
    return f"{where}{escape(statement.text)} {_refs(statement.evidence)}"


def _time(at: int) -> str:
    return f"<time>{moment(at)}</time>"


def _refs(evidence: Sequence[int]) -> str:
    return f'<span class="refs">{refs(evidence)}</span>'
