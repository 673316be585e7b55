"""A stored call for other programs."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.export import MEDIA, SUFFIX, Format, Wanted, export
from api.reading import read
from api.routes.calls import CONFLICT, PROBLEMS
from api.routes.deps import Folder, TheDesk
from pipeline.errors import Conflict

router = APIRouter(tags=["calls"])


@router.get(
    "/calls/{call_id}/export",
    response_class=Response,
    responses={**PROBLEMS, **CONFLICT, 200: {"content": {media: {} for media in MEDIA.values()}}},
)
def exported(
    desk: TheDesk,
    folder: Folder,
    format: Annotated[Format, Query(description="What to make of it")] = "contact-lens",
    table: Annotated[str | None, Query(max_length=50, description="Of a csv: one table, or all")] = None,
) -> Response:
    """The call as a file. A call in progress has none yet: half a call looks like a whole one."""
    call_id, wanted = folder.path.name, Wanted(format, table)
    wanted.check()
    if call_id in desk.in_progress:
        raise Conflict(f"call {call_id} is in progress or being derived again; it can be exported once that is over")
    name = f"{call_id}{SUFFIX[format]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(export(read(folder), wanted), media_type=MEDIA[format], headers=headers)
