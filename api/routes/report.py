"""The report after a call."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.policy import Role
from api.reporting import MEDIA, Format, dump, review
from api.routes.calls import CONFLICT, PROBLEMS
from api.routes.deps import Folder, Seer, TheDesk
from pipeline.errors import Conflict
from pipeline.report import Report

router = APIRouter(tags=["calls"])

_HTML = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""The page loads nothing and runs nothing, whatever was said in the call."""


@router.get(
    "/calls/{call_id}/report",
    response_class=Response,
    responses={**PROBLEMS, **CONFLICT, 200: {"model": Report, "content": {media: {} for media in MEDIA.values()}}},
)
def reported(
    desk: TheDesk,
    folder: Folder,
    who: Seer,
    format: Annotated[Format, Query(description="For programs, or a page for people")] = "json",
) -> Response:
    """A page's worth about a call that is over; an agent also reads there what is for them alone."""
    call_id = folder.path.name
    if call_id in desk.in_progress:
        raise Conflict(f"call {call_id} is in progress or being derived again; its report comes once that is over")
    made = review(folder, desk.store, desk.archive, own=who.role is Role.AGENT)
    body = dump(made, format, desk.mask, served=True)
    return Response(body, media_type=MEDIA[format], headers=_HTML if format == "html" else None)
