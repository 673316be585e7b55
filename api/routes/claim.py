"""A supervisor looks after a live call, so that two do not."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.routes.calls import CONFLICT, PROBLEMS
from api.routes.deps import Claimer, Folder, TheDesk

router = APIRouter(tags=["calls"], prefix="/calls/{call_id}/claim")


class Claim(BaseModel):
    call_id: str
    claimed_by: str


@router.post("", responses={**PROBLEMS, **CONFLICT})
async def claim(
    desk: TheDesk,
    folder: Folder,
    who: Claimer,
    force: Annotated[bool, Query(description="Take it from a supervisor who has it")] = False,
) -> Claim:
    """Look after a live call. Whoever has it already may say so again; of anybody else's 409 names who has it."""
    desk.claims.take(folder.path.name, who.name, force=force)
    return Claim(call_id=folder.path.name, claimed_by=who.name)


@router.delete("", status_code=204, responses={**PROBLEMS, **CONFLICT})
async def release(desk: TheDesk, folder: Folder, who: Claimer) -> None:
    """Let it go, for another one to take."""
    desk.claims.release(folder.path.name, who.name)
