"""What people say to alerts."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.routes.calls import CONFLICT, PROBLEMS, Accepted
from api.routes.deps import Answerer, Folder, TheDesk

router = APIRouter(tags=["alerts"], prefix="/calls/{call_id}")

Number = Annotated[int, Path(ge=1, le=2**53, description="Number of the event that raised it")]


@router.post("/alerts/{alert}/ack", status_code=202, responses={**PROBLEMS, **CONFLICT})
async def acknowledge(alert: Number, desk: TheDesk, folder: Folder, who: Answerer) -> Accepted:
    """Seen: the advice is taken off the screen. 409 once the call has ended."""
    await desk.answer(folder, alert, "acknowledge", who)
    return Accepted(call_id=folder.path.name)


@router.post("/alerts/{alert}/dismiss", status_code=202, responses={**PROBLEMS, **CONFLICT})
async def dismiss(alert: Number, desk: TheDesk, folder: Folder, who: Answerer) -> Accepted:
    """Wrong: the advice is taken off the screen; after the call it becomes a note."""
    await desk.answer(folder, alert, "dismiss", who)
    return Accepted(call_id=folder.path.name)


@router.post("/snooze", status_code=202, responses={**PROBLEMS, **CONFLICT})
async def snooze(desk: TheDesk, folder: Folder, who: Answerer) -> Accepted:
    """No advice for ``alerts.snooze_s``, critical advice excepted. Said again, it counts from now.

    409 when the call is not live.
    """
    desk.hush(folder.path.name, "snooze", who)
    return Accepted(call_id=folder.path.name)


@router.delete("/snooze", status_code=202, responses={**PROBLEMS, **CONFLICT})
async def wake(desk: TheDesk, folder: Folder, who: Answerer) -> Accepted:
    """Advice is given again. 409 when the call is not live."""
    desk.hush(folder.path.name, "wake", who)
    return Accepted(call_id=folder.path.name)
