"""A call's view as text: a summary, its alerts, and the transcript with the alerts in place."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from api.commands.console import Row, moment, one_line, out, show
from api.mask import Mask
from pipeline import events as ev
from pipeline.channel import Channel
from pipeline.explain import reasons
from pipeline.session import Entry
from pipeline.timebase import ms
from pipeline.view import AlertView, ScoreView, View, counted

MENDS = "analyze with the other --agent-channel, or calmline swap where the call is stored"
STYLES = {"note": "cyan", "coach": "yellow", "critical": "bold red"}
"""By severity."""


def report(view: View, title: str, mask: Mask) -> None:
    """Everything, for a call that is over."""
    view = mask.view(view)
    summary(view, title)
    alerts(view)
    transcript(view)


def summary(view: View, title: str) -> None:
    facts = (title, moment(view.now_ms), f"policy {view.policy}", _state(view))
    out.print(Text(" · ".join(facts), style="bold"), soft_wrap=not out.is_terminal)
    out.print(_parties(view))
    out.print(Text(_counts(view)), soft_wrap=not out.is_terminal)
    for line in _peaks(view):
        out.print(Text(line), soft_wrap=not out.is_terminal)
    for measure, reason in sorted(view.unavailable.items()):
        out.print(Text(f"no {measure.replace('_', ' ')}: {reason}", style="dim"))
    for line in _oddities(view):
        out.print(Text(line, style="yellow"), soft_wrap=not out.is_terminal)
    for fault in view.faults:
        out.print(Text(f"fault at {moment(fault.ms)} in {fault.part}: {one_line(fault.message)}", style="red"))


def alerts(view: View) -> None:
    out.print()
    if not view.alerts:
        out.print(Text("no alerts", style="dim"))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("raised", no_wrap=True)
    table.add_column("cleared", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("advice")
    table.add_column("reason", ratio=1)
    for alert in view.alerts:
        table.add_row(
            moment(alert.raised_ms),
            "-" if alert.cleared_ms is None else moment(alert.cleared_ms),
            Text(alert.severity, style=STYLES[alert.severity]),
            Text(alert.advice),
            Text(alert.reason),
        )
    out.print(table)


def transcript(view: View) -> None:
    """What was said, and between the lines what the agent was told."""
    out.print()
    if not view.transcript:
        reason = view.unavailable.get("words")
        out.print(Text(f"no words: {reason}" if reason else "no words were heard", style="dim"))
    lines = [Row(line.begin_ms, line.channel, line.text) for line in view.transcript]
    show(sorted([*lines, *_marks(view.alerts)], key=lambda row: row.ms))


def as_it_comes(entry: Entry) -> Row | None:
    """One event of a call in progress, if a person wants to read it."""
    match entry.item:
        case ev.Words() as words:
            return Row(ms(words.span.start), words.channel, words.text, "dim")
        case ev.Alert() as alert if alert.state == "raised":
            return raised(ms(alert.at), alert.severity, alert.advice, alert.reason)
        case ev.Alert() as alert if alert.state == "cleared":
            return cleared(ms(alert.at), alert.severity, alert.advice, alert.reason)
        case ev.Alert() as alert:
            return Row(ms(alert.at), alert.state, f"{alert.severity}: {alert.advice}", "dim")
        case ev.Suspected() as suspected:
            return Row(ms(suspected.at), "? swapped", suspected.because, "yellow")
        case ev.Leak() as leak:
            return Row(ms(leak.at), "echo", f"on the {leak.channel}'s channel: {leak.state}", "dim")
        case ev.Region() as region if region.open:
            where = f" ({region.channel})" if region.channel is not None else ""
            return Row(ms(region.at), "region", _region(region.kind) + where, "dim")
        case ev.Rejected() as refused if refused.reason == "unsupported_language":
            return Row(ms(refused.span.start), refused.channel, "(another language: no text)", "dim")
        case ev.Fault() as fault:
            return Row(ms(fault.at), "✗ fault", f"{fault.part}: {one_line(fault.message)}", "red")
        case ev.Gap() as gap:
            return Row(ms(gap.at), "gap", f"{gap.span.seconds:.1f} s of the {gap.channel} never came", "dim")
    return None


def raised(at: int, severity: str, advice: str, reason: str) -> Row:
    return Row(at, "▲ raised", f"{severity}: {advice} ({reason})", STYLES[severity])


def cleared(at: int, severity: str, advice: str, reason: str) -> Row:
    return Row(at, "▽ cleared", f"{severity}: {advice} ({reason})", "green")


def _marks(items: list[AlertView]) -> Iterator[Row]:
    for item in items:
        yield raised(item.raised_ms, item.severity, item.advice, item.reason)
        if item.cleared_ms is not None:
            yield cleared(item.cleared_ms, item.severity, item.advice, item.cleared_because or "")


def _parties(view: View) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for channel in view.channels:
        table.add_column(str(channel), justify="right")
    parties = list(view.channels.values())
    if view.attribution == "written":
        lines = [line.channel for line in view.transcript]
        table.add_row("lines", *(str(lines.count(channel)) for channel in view.channels))
        table.add_row("words", *(str(party.words) for party in parties))
        return table
    table.add_row("talk time", *(moment(party.talk_ms) for party in parties))
    table.add_row("talk share", *(_percent(party.talk_share) for party in parties))
    table.add_row("words per minute", *(_number(party.wpm, "{:.0f}") for party in parties))
    table.add_row("turns", *(str(party.turns) for party in parties))
    table.add_row("longest turn", *(moment(party.monologue_ms) for party in parties))
    if len(parties) > 1:
        unmeasured = "talk_over" in view.unavailable
        table.add_row("response time", *(_seconds(party.response_ms) for party in parties))
        table.add_row("interruptions made", *("-" if unmeasured else str(each.interruptions) for each in parties))
        table.add_row("peak anger", *(_peak(view, channel, Channel.CUSTOMER) for channel in view.channels))
        table.add_row("peak tension", *(_peak(view, channel, Channel.AGENT) for channel in view.channels))
    return table


def _peak(view: View, channel: Channel, owner: Channel) -> str:
    curve: list[ScoreView] = view.scores.anger if owner is Channel.CUSTOMER else view.scores.tension
    return _number(max((point.value for point in curve), default=None), "{:.2f}") if channel is owner else ""


def _peaks(view: View) -> Iterator[str]:
    """Why each score was highest where it was."""
    for kind, curve in (("anger", view.scores.anger), ("tension", view.scores.tension)):
        peak = max(curve, key=lambda point: point.value, default=None)
        if peak is not None and (why := reasons(peak.parts, peak.measures)):
            yield f"most {kind} at {moment(peak.ms)}: {'; '.join(why)}"


def _counts(view: View) -> str:
    alerts = counted(view.alerts)
    cleared_count = sum(alert.cleared_ms is not None for alert in alerts)
    told = f"{_many(len(alerts), 'alert')} raised, {cleared_count} cleared"
    if view.attribution == "written":
        return told
    counts = [
        "overlaps -" if "talk_over" in view.unavailable else _many(len(view.overlaps), "overlap"),
        f"{_many(len(view.silences), 'silence')} over 3 s",
        f"non-talk time {moment(view.non_talk_ms)}",
        told,
    ]
    if view.hold_ms:
        counts.append(f"{moment(view.hold_ms)} on hold")
    misheard = view.rejected - view.refused.get("unsupported_language", 0)
    if misheard:
        counts.append(f"{_many(misheard, 'utterance')} not understood")
    if view.gaps:
        counts.append(_many(len(view.gaps), "gap"))
    return " · ".join(counts)


def _oddities(view: View) -> Iterator[str]:
    """What was on the line besides two people talking, and what is probably wrong with the call."""
    for channel, party in view.channels.items():
        if party.foreign:
            yield f"another language was heard ({channel}): no text of {_many(party.foreign, 'utterance')}"
    for suspected in view.suspected:
        yield f"agent and customer may be swapped ({suspected.because}); {MENDS}"
    for leak in view.leaks:
        yield (
            f"echo of the other party on the {leak.channel}'s channel, {leak.delay_ms} ms late, {leak.gain_db:.0f} dB: "
            f"{leak.state}"
        )
    lasted: dict[str, int] = {}
    for region in view.regions:
        where = "" if region.channel is None else f" ({region.channel})"
        what = _region(region.kind) + where
        lasted[what] = lasted.get(what, 0) + region.end_ms - region.begin_ms
    if lasted:
        yield "on the line: " + ", ".join(f"{what} {moment(total)}" for what, total in lasted.items())


def _region(kind: ev.RegionKind) -> str:
    return "server busy, voice not measured" if kind == "busy" else kind.replace("_", " ")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _state(view: View) -> str:
    return view.ended_because or "ended" if view.state == "ended" else "not finished"


def _percent(share: float | None) -> str:
    return _number(share and share * 100, "{:.0f} %")


def _seconds(value: int | None) -> str:
    return _number(value and value / 1000, "{:.1f} s")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
