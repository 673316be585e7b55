"""Whether the server is well, and what it does."""

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.calls import Desk
from api.policy import Role
from api.routes.calls import PROBLEMS
from api.routes.deps import Measurer, Seer, TheDesk
from models.protocols import Identity
from pipeline.strain import Shed

router = APIRouter(tags=["status"])


LeftOut = Literal["nothing", "running", "drafts", "voice", "workers"]
LEFT_OUT: dict[Shed, LeftOut] = {
    Shed.NOTHING: "nothing",
    Shed.RUNNING: "running",
    Shed.DRAFTS: "drafts",
    Shed.VOICE: "voice",
    Shed.WORKERS: "workers",
}


class Health(BaseModel):
    """status: ``ready`` only once models are loaded and until the server goes down. policy: its name.

    words_behind_s: seconds that the oldest words of a live call have waited for their turn. drafts_off: words are not
    shown while they are spoken, so that finals catch up. calls_late_s: seconds that audio of live calls waits to be
    stepped. left_out: what is not done meanwhile, each with all before it (``pipeline.strain``).
    """

    status: Literal["ready", "not_ready"]
    version: str
    policy: str
    calls: int
    engines: list[Identity]
    words_behind_s: float
    drafts_off: bool
    calls_late_s: float
    left_out: LeftOut


class Me(BaseModel):
    """Who asks. name: the agent's id, or what the settings call the supervisor. policy: of this server."""

    role: Role
    name: str
    policy: str


@router.get("/health", responses={503: {"model": Health}})
def health(request: Request) -> Response:
    """200 when calls can be taken, else 503. Open to all: it names no call and nobody."""
    desk: Desk = request.app.state.desk
    load, strain = desk.load(), desk.switchboard.strain
    state = Health(
        status="ready" if desk.ready else "not_ready",
        version=installed(),
        policy=desk.settings.policy.name,
        calls=len(desk.in_progress),
        engines=list(desk.engines.identities),
        words_behind_s=round(load.behind_s, 3) if load is not None else 0.0,
        drafts_off=load is not None and not load.drafts,
        calls_late_s=round(strain.late, 3),
        left_out=LEFT_OUT[strain.shed],
    )
    return JSONResponse(state.model_dump(mode="json"), 200 if desk.ready else 503)


@router.get("/me", responses={status: PROBLEMS[status] for status in (401, 403, 503)})
def me(desk: TheDesk, who: Seer) -> Me:
    """Whose login this is: what a page needs to know before it shows anything."""
    return Me(role=who.role, name=who.name, policy=desk.settings.policy.name)


@router.get("/metrics", responses={401: PROBLEMS[401], 403: PROBLEMS[403], 503: PROBLEMS[503]}, response_class=Response)
def metrics(desk: TheDesk, who: Measurer) -> Response:
    """Prometheus text."""
    return Response(desk.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def installed() -> str:
    """calmline's version."""
    try:
        return version("calmline")
    except PackageNotFoundError:
        return "0+unknown"
