"""What other programs are told: that a call began, each step of its alerts, that it is over. CloudEvents 1.0 as JSON.

    {"specversion":"1.0","id":"a1/57","source":"/calmline","type":"calmline.alert.raised","subject":"a1",
     "time":"2026-01-05T10:00:00.000Z","datacontenttype":"application/json",
     "data":{"call":{"id":"a1","agent_id":"7",...},"n":57,"at_s":41.2,"alert":{...}}}

Webhooks and panels say the same in the same words, so that whoever hears both knows one event by its ``id``.
What the policy does not let be computed has no key.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from api.config import EventKind
from pipeline.events import Alert, AlertState, CallStarted
from pipeline.session import CallInfo, Entry
from pipeline.timebase import seconds

Kind = EventKind | Literal["test"]
PREFIX = "calmline."
ENDED = "ended"
"""In place of an event's number in the id of a call's end, which is told once the call is in the list."""
_STEPS: dict[AlertState, Kind] = {
    "raised": "alert.raised",
    "acknowledged": "alert.acknowledged",
    "cleared": "alert.cleared",
}
_ABOUT = ("agent_id", "queue", "team", "direction", "notice_given", "fields", "source")
"""What is told of a call beside its id."""


@dataclass(frozen=True, slots=True)
class Message:
    """id: the event's, the same wherever and however often it is told. body: the CloudEvent, in UTF-8."""

    id: str
    kind: Kind
    call_id: str
    body: bytes


def of_events(call: CallInfo, entries: Sequence[Entry], source: str) -> Iterator[Message]:
    """What these entries have to tell. source: URI reference of this server."""
    for entry in entries:
        match entry.item:
            case CallStarted():
                yield _message("call.started", call.call_id, entry.n, source, {"call": about(call), "n": entry.n})
            case Alert() as alert:
                yield _of_alert(call, entry.n, alert, source)
            case _:
                pass


def of_end(call: CallInfo, figures: Mapping[str, Any], source: str) -> Message:
    """A call's end. figures: what the list of calls has of it; None is left out, for it was not measured."""
    told = {key: value for key, value in figures.items() if value is not None}
    return _message("call.ended", call.call_id, ENDED, source, {"call": about(call), **told})


def of_test(name: str, source: str) -> Message:
    """Nothing happened: somebody tries whether it arrives. name: makes it one of its kind."""
    return _message("test", "none", name, source, {"text": "sent by calmline webhooks test"})


def about(call: CallInfo) -> dict[str, Any]:
    """What every message says of its call."""
    return {"id": call.call_id} | {name: getattr(call, name) for name in _ABOUT}


def _of_alert(call: CallInfo, n: int, alert: Alert, source: str) -> Message:
    told = {
        "n": n if alert.of is None else alert.of,
        "kind": alert.kind,
        "state": alert.state,
        "severity": alert.severity,
        "advice": alert.advice,
        "detail": alert.detail,
        "practice": alert.practice,
        "reason": alert.reason,
    }
    data = {"call": about(call), "n": n, "at_s": round(seconds(alert.at), 3), "alert": told}
    return _message(_STEPS[alert.state], call.call_id, n, source, data)


def _message(kind: Kind, call_id: str, n: int | str, source: str, data: Mapping[str, Any]) -> Message:
    name = f"{call_id}/{n}"
    event = {
        "specversion": "1.0",
        "id": name,
        "source": source,
        "type": PREFIX + kind,
        "subject": call_id,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(name, kind, call_id, json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())
