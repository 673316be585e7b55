"""Pages that follow a call, and the overlay that follows an agent."""

import asyncio
from contextlib import aclosing, suppress
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, WebSocket, WebSocketException
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk
from api.hub import TooSlow
from api.overlay import Told
from api.policy import Who
from api.routes.deps import Answerer, Folder, Seer, TheDesk
from api.sockets import AGAIN, nothing, until_one_ends
from pipeline.errors import CalmlineError, NotFound
from pipeline.journal import CallFolder
from pipeline.live import LiveCall

router = APIRouter()

IDLE = '{"type":"idle"}'
VIEW = '{"type":"view","view":'


class Answered(BaseModel):
    """What the overlay says: an alert was seen, or is wrong."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["ack", "dismiss"]
    alert: int = Field(ge=1)


class Hushed(BaseModel):
    """What the overlay says: no advice for a while, or again."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["snooze", "wake"]


SAID: TypeAdapter[Answered | Hushed] = TypeAdapter(Annotated[Answered | Hushed, Field(discriminator="type")])
HINT = 'say {"type": "ack" or "dismiss", "alert": number} or {"type": "snooze" or "wake"}'


@router.websocket("/live/agent/{agent_id}")
async def overlay(socket: WebSocket, agent_id: str, desk: TheDesk, who: Answerer) -> None:
    """The latest view of the agent's call, from call to call, and its drafts.

    Takes ``ack``, ``dismiss``, ``snooze`` and ``wake``.
    """
    if not who.sees(agent_id):
        raise WebSocketException(1008)
    await socket.accept()
    with suppress(WebSocketDisconnect):
        await until_one_ends(partial(_views, socket, desk, agent_id), partial(_answers, socket, desk, agent_id, who))
    desk.metrics.page_gone("left")


async def _views(socket: WebSocket, desk: Desk, agent_id: str) -> None:
    """What changed since the last message; a call's last view, in which it has ended, is never passed over."""
    sent, before, told = "", None, Told()

    def restless() -> bool:
        """A call's clock goes on while nothing happens in it: a page that hears nothing of it says so."""
        return told.behind or desk.hub.at(agent_id) is not None

    async with aclosing(desk.hub.watch(agent_id, restless)) as states:
        async for live in states:
            for shown in (before, live) if before is not live and before is not None else (live,):
                text = await state_of(shown, desk)
                if text != sent:
                    await socket.send_text(text)
                    sent = text
            before = live
            drafts = desk.hub.drafts(live.call_id) if live is not None else {}
            lost = live is not None and desk.hub.lost(live.call_id)
            for message in told.news(live, drafts, desk.load(), lost=lost):
                await socket.send_text(desk.mask.message(message).decode())


async def state_of(live: LiveCall | None, desk: Desk) -> str:
    """The message with the call's view; that there is none."""
    if live is None:
        return IDLE
    return VIEW + desk.mask.message(await asyncio.to_thread(live.snapshot)).decode() + "}"


async def _answers(socket: WebSocket, desk: Desk, agent_id: str, who: Who) -> None:
    while True:
        text = await socket.receive_text()
        try:
            await _answer(desk, agent_id, who, SAID.validate_json(text))
        except ValidationError:
            await socket.send_json({"type": "error", "message": HINT})
        except CalmlineError as error:
            await socket.send_json({"type": "error", "message": str(error)})


async def _answer(desk: Desk, agent_id: str, who: Who, said: Answered | Hushed) -> None:
    live = desk.hub.at(agent_id)
    if live is None:
        raise NotFound("no call is in progress")
    if isinstance(said, Hushed):
        desk.hush(live.call_id, said.type, who)
        return
    kind: Literal["acknowledge", "dismiss"] = "acknowledge" if said.type == "ack" else "dismiss"
    await desk.answer(desk.archive.folder(live.call_id), said.alert, kind, who)


@router.websocket("/live/{call_id}")
async def follow(
    socket: WebSocket,
    desk: TheDesk,
    who: Seer,
    folder: Folder,
    after: Annotated[int, Query(ge=0)] = 0,
    drafts: bool = False,
) -> None:
    """Every event after a number, then the live ones; closes 1000 after the last, 1013 when the page is too slow.

    drafts: words still being spoken come between them.
    """
    await socket.accept()
    reason = "left"

    async def events() -> None:
        nonlocal reason
        reason = await _events(socket, desk, folder, after, drafts=drafts)

    with suppress(WebSocketDisconnect):
        await until_one_ends(events, partial(nothing, socket))
    desk.metrics.page_gone(reason)


async def _events(socket: WebSocket, desk: Desk, folder: CallFolder, after: int, *, drafts: bool) -> str:
    """Returns why it ended."""
    try:
        async with aclosing(desk.hub.follow(folder, after, drafts=drafts)) as messages:
            async for text in messages:
                await socket.send_text(desk.mask.message(text).decode())
    except TooSlow:
        await socket.close(AGAIN, "too slow; resume with after= the last number you have")
        return "slow"
    await socket.close(1000)
    return "ended"
