"""One call's folder as rows of the list."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from api import notes
from api.rows import AlertRow, Base, CallRow, CueRow, NoteRow, PracticeRow
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.journal import CallFolder, Header, read_entries, read_header
from pipeline.moments import helped
from pipeline.past import Past
from pipeline.playbook import load_playbook
from pipeline.practised import practices
from pipeline.reducer import Reducer
from pipeline.session import Entry
from pipeline.view import ScoreView, View, counted


@dataclass(frozen=True, slots=True)
class Projected:
    """call: its row. beside: what belongs to it. text: what was said, for the search."""

    call: CallRow
    beside: list[Base]
    text: str


def projected(folder: CallFolder, in_progress: Literal["live", "analysing"] | None = None) -> Projected:
    """in_progress: somebody is writing it now. Raises BadInput when the journal has no header."""
    header, view, entries = _read(folder)
    call_id, said = folder.path.name, notes.standing(notes.lines(folder))
    beside: list[Base] = [*_alerts(call_id, view), *_notes(call_id, said)]
    if view.state == "ended":
        past = Past(header, view, entries)
        beside += [*_cues(call_id, past), *_practices(call_id, past)]
    row = _call(call_id, header, view, said)
    row.state = "ended" if view.state == "ended" else in_progress or "interrupted"
    return Projected(row, beside, "\n".join(line.text for line in view.transcript))


def _read(folder: CallFolder) -> tuple[Header, View, list[Entry]]:
    """The header, and what follows as far as the journal can be read."""
    header, reducer, entries = read_header(folder.journal), Reducer(), list[Entry]()
    try:
        for entry in read_entries(folder.journal):
            reducer.apply(entry)
            entries.append(entry)
    except (BadInput, KeyError):  # a damaged line, or one that speaks of a lost one
        pass  # what stands before the damage counts; ``calmline replay --verify`` says where it is
    return header, reducer.view, entries


def _call(call_id: str, header: Header, view: View, said: Iterable[notes.Numbered]) -> CallRow:
    info, channels = header.call, view.channels
    made = {name: party.interruptions for name, party in channels.items()}
    agent = channels.get(Channel.AGENT)
    return CallRow(
        id=call_id,
        agent_id=info.agent_id,
        started=header.started or datetime.fromtimestamp(0, UTC).isoformat(timespec="seconds"),
        duration_s=view.duration_s,
        policy=header.settings.policy.name,
        source=info.source,
        notice_given=info.notice_given,
        queue=info.queue,
        team=info.team,
        direction=info.direction,
        fields=dict(info.fields),
        alerts=len(counted(view.alerts)),
        interruptions=sum(made.values()),
        agent_interruptions=made.get(Channel.AGENT, 0),
        customer_interruptions=made.get(Channel.CUSTOMER, 0),
        overlaps=len(view.overlaps),
        silences=len(view.silences),
        longest_silence_ms=max((each.end_ms - each.begin_ms for each in view.silences), default=0),
        response_ms=None if agent is None else agent.response_ms,
        faults=len(view.faults),
        peak_anger=_peak(view.scores.anger),
        peak_tension=_peak(view.scores.tension),
        reviewed=notes.reviewed(said),
        comments=sum(each.note.type == "comment" for each in said),
        written=view.attribution == "written",
        wpm={name.value: party.wpm for name, party in channels.items()},
        talk_ms={name.value: party.talk_ms for name, party in channels.items()},
    )


def _peak(curve: list[ScoreView]) -> float | None:
    return max((point.value for point in curve), default=None)


def _alerts(call_id: str, view: View) -> list[AlertRow]:
    standing = {alert.n for alert in counted(view.alerts)}
    return [
        AlertRow(
            call_id=call_id,
            n=alert.n,
            kind=alert.kind,
            state=alert.state,
            severity=alert.severity,
            raised_ms=alert.raised_ms,
            cleared_ms=alert.cleared_ms,
            advice=alert.advice,
            reason=alert.reason,
            counts=alert.n in standing,
        )
        for alert in view.alerts
    ]


def _notes(call_id: str, said: Iterable[notes.Numbered]) -> list[NoteRow]:
    return [
        NoteRow(call_id=call_id, line=each.line, **each.note.model_dump(mode="json", exclude={"replaces"}))
        for each in said
    ]


def _cues(call_id: str, past: Past) -> list[CueRow]:
    told = Counter((cue.channel.value, cue.name) for cue in past.view.cues)
    names = {cue.n: cue.name for cue in past.view.cues}
    fell = Counter(names[statement.evidence[0]] for statement in helped(past))
    return [
        CueRow(call_id=call_id, channel=channel, name=name, count=count, helped=fell[name] if channel == "agent" else 0)
        for (channel, name), count in told.items()
    ]


def _practices(call_id: str, past: Past) -> list[PracticeRow]:
    found = practices(past, {each.number: each.title for each in load_playbook().practice})
    return [
        PracticeRow(
            call_id=call_id,
            number=each.number,
            seen=bool(each.seen),
            missing=bool(each.missing),
            against=bool(each.against),
        )
        for each in found
        if each.seen or each.missing or each.against
    ]
