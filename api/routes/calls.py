"""Calls, stored and in progress: bring in, list, read, mark, delete."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from api.calls import Desk, new_id
from api.doors.upload import AgentChannel, receive
from api.hub import stored
from api.metadata import given
from api.routes.deps import Answerer, Bringer, CallId, Deleter, Folder, Mender, TheDesk
from api.rows import AlertRow, CallRow, NoteRow, State
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.events import Direction, Event
from pipeline.inputs import Mark, MarkKind
from pipeline.view import View

router = APIRouter(tags=["calls"])

EVENTS = 5000
"""Events on a page at most."""

JSON = "application/json"


class Problem(BaseModel):
    """detail: one line, what was wrong and what to do."""

    detail: str


PROBLEMS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 401, 403, 404, 503)}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem}}


class Accepted(BaseModel):
    call_id: str


class Summary(BaseModel):
    """One line of the list, as ``api.rows.CallRow``. wpm, talk_ms: by channel. peak_anger, peak_tension: 0-1.

    claimed_by: the supervisor who looks after a live call, else null.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    agent_id: str
    started: str
    duration_s: float
    state: State
    policy: str
    source: str
    notice_given: str
    queue: str
    team: str
    direction: Direction
    fields: dict[str, str]
    alerts: int
    interruptions: int
    agent_interruptions: int
    customer_interruptions: int
    overlaps: int
    silences: int
    longest_silence_ms: int
    response_ms: int | None
    faults: int
    peak_anger: float | None
    peak_tension: float | None
    reviewed: bool
    comments: int
    written: bool
    wpm: dict[Channel, float | None]
    talk_ms: dict[Channel, int]
    claimed_by: str | None = None


class AlertLine(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    n: int
    kind: str
    state: str
    severity: str
    raised_ms: int
    cleared_ms: int | None
    advice: str
    reason: str


class NoteLine(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    line: int
    type: str
    about: int | None
    label: str
    text: str
    at_ms: int | None
    channel: Channel | None
    begin_ms: int | None
    end_ms: int | None
    by: str
    time: str


class Detail(Summary):
    """progress: 0-1 of a recording being analysed or a call being swapped, else null.

    raised, notes: filled once the call has ended.
    """

    progress: float | None
    raised: list[AlertLine]
    notes: list[NoteLine]


class Numbered(BaseModel):
    """n: journal line. at: start of the tick that emitted it, in samples (16 kHz)."""

    n: int
    at: int
    event: Annotated[Event, Field(discriminator="type")]


class Events(BaseModel):
    """next: ``after`` of the next page, null when this was the last one for now."""

    events: list[Numbered]
    next: int | None


class Marked(BaseModel):
    """What happens at the phone."""

    model_config = ConfigDict(extra="forbid")

    kind: MarkKind
    channel: Channel | None = None
    note: str = Field(default="", max_length=500)


@router.post(
    "/calls", status_code=202, responses={**PROBLEMS, **CONFLICT, 413: {"model": Problem}, 507: {"model": Problem}}
)
async def bring(
    desk: TheDesk,
    who: Bringer,
    file: list[UploadFile],
    call_id: Annotated[str, Form(max_length=100)] = "",
    agent_id: Annotated[str, Form(max_length=100)] = "",
    agent_channel: Annotated[AgentChannel, Form()] = "left",
    notice_given: Annotated[str, Form(max_length=500)] = "",
    queue: Annotated[str, Form(max_length=100)] = "",
    team: Annotated[str, Form(max_length=100)] = "",
    direction: Annotated[Direction, Form()] = "",
    fields: Annotated[str, Form(max_length=20_000, description="Further fields: a JSON object of texts")] = "",
) -> Response:
    """Upload a recording: one stereo or mono file, or two mono files of one call (the agent's first).

    It is analysed in the background; ``GET /calls/{call_id}`` shows the progress.
    """
    if len(file) > 2:
        raise BadInput(f"expected one file, or two mono files of one call, got {len(file)}")
    about = given(
        agent_id=agent_id, notice_given=notice_given, queue=queue, team=team, direction=direction, fields=fields
    )
    files = [(each.filename or "recording", each.file) for each in file]
    call_id = call_id or new_id()
    if desk.archive.exists(call_id):
        return _taken(call_id)
    received = await run_in_threadpool(receive, files, agent_channel)
    info = about.call(call_id, received.recording.channels, source="upload", warnings=received.warnings)
    await desk.analyse(info, received)
    return JSONResponse({"call_id": call_id}, 202, {"Location": f"/calls/{call_id}"})


def _taken(call_id: str) -> Response:
    detail = f"call {call_id} is stored already; use another call_id or delete it"
    return JSONResponse({"detail": detail}, 409)


@router.get("/calls/{call_id}", responses=PROBLEMS)
def call(desk: TheDesk, folder: Folder) -> Detail:
    """One call, and how far its analysis is."""
    call_id = folder.path.name
    return _detail(desk, desk.current(desk.store.get(call_id)), desk.store.alerts(call_id), desk.store.notes(call_id))


def summary(desk: Desk, row: CallRow) -> Summary:
    summary = Summary.model_validate(row)
    return summary.model_copy(update={"claimed_by": desk.claims.by(row.id)})


def _detail(desk: Desk, row: CallRow, alerts: Sequence[AlertRow], notes: Sequence[NoteRow]) -> Detail:
    detail = Detail(
        **summary(desk, row).model_dump(),
        progress=desk.progress(row.id),
        raised=[AlertLine.model_validate(alert) for alert in alerts],
        notes=[NoteLine.model_validate(note) for note in notes],
    )
    heard = desk.duration_s(row.id)
    return detail if heard is None else detail.model_copy(update={"duration_s": heard})


@router.get("/calls/{call_id}/view", responses={**PROBLEMS, 200: {"model": View}})
def view(desk: TheDesk, folder: Folder) -> Response:
    """What a person sees of the call: bounded while it is live, everything once it has ended."""
    return Response(desk.mask.message(desk.view(folder)), media_type=JSON)


@router.get("/calls/{call_id}/events", responses={**PROBLEMS, 200: {"model": Events}})
def events(
    folder: Folder,
    after: Annotated[int, Query(ge=0, description="Number of the last event known")] = 0,
    limit: Annotated[int, Query(ge=1, le=EVENTS)] = 500,
) -> Response:
    """Events in order of their numbers."""
    found = stored(folder.journal, after, limit=limit)
    more = found.events[-1][0] if found.offset is not None else None
    body = b",".join(text for _, text in found.events)
    following = b"null" if more is None else b"%d" % more
    return Response(b'{"events":[%b],"next":%b}' % (body, following), media_type=JSON)


@router.post("/calls/{call_id}/marks", status_code=202, responses={**PROBLEMS, **CONFLICT, 202: {"model": Accepted}})
async def mark(desk: TheDesk, folder: Folder, who: Answerer, marked: Marked) -> Accepted:
    """Say what happens at the phone: hold, pause for card data, transfer, notice given and so on."""
    call_id = folder.path.name
    await desk.mark(call_id, Mark(kind=marked.kind, channel=marked.channel, by=who.name, note=marked.note))
    return Accepted(call_id=call_id)


@router.post("/calls/{call_id}/swap", status_code=202, responses={**PROBLEMS, **CONFLICT, 202: {"model": Accepted}})
async def swap(call_id: CallId, desk: TheDesk, who: Mender) -> Accepted:
    """Agent and customer were named the wrong way round: derive the call afresh, from its audio, in the background.

    ``GET /calls/{call_id}`` shows the progress, and in its notes how it ended; until then everything is as it was.
    """
    await desk.swap(call_id, who)
    return Accepted(call_id=call_id)


@router.delete("/calls/{call_id}", status_code=204, responses={**PROBLEMS, **CONFLICT})
async def delete(call_id: CallId, desk: TheDesk, who: Deleter) -> None:
    """Remove a call: journal, audio, notes and its place in the list."""
    await desk.delete(call_id)
