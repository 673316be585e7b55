"""The wallboard's socket: every live call at a glance, and one of them closely."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Literal

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk
from api.overlay import Told
from api.routes.deps import Claimer, TheDesk
from api.routes.live import state_of
from api.sockets import until_one_ends
from api.wall import PACE_S, Glance, changes

router = APIRouter()

CLOSELY_S = 0.5
"""Seconds between two states of the call that is followed closely."""


class Followed(BaseModel):
    """What the wallboard says: which call it follows closely; null for none."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["follow"]
    call_id: str | None = Field(max_length=100)


class _Choice:
    """The call that one page follows closely."""

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.made = asyncio.Event()

    def make(self, call_id: str | None) -> None:
        self.call_id = call_id
        self.made.set()


@router.websocket("/live/wall")
async def wall(socket: WebSocket, desk: TheDesk, who: Claimer) -> None:
    """What has changed among the live calls, once a second; takes ``follow``, for the view of one call."""
    await socket.accept()
    choice = _Choice()
    with suppress(WebSocketDisconnect):
        await until_one_ends(
            partial(_glances, socket, desk), partial(_closely, socket, desk, choice), partial(_listen, socket, choice)
        )
    desk.metrics.page_gone("left")


async def _glances(socket: WebSocket, desk: Desk) -> None:
    """The first message has every call, so that a page with none knows it; then only what is new is sent."""
    before: dict[str, Glance] | None = None
    while True:
        now = await desk.wall.now()
        if now != before:
            await socket.send_text(changes(before or {}, now).decode())
        before = now
        await asyncio.sleep(PACE_S)


async def _closely(socket: WebSocket, desk: Desk, choice: _Choice) -> None:
    while True:
        choice.made.clear()
        if choice.call_id is None:
            await choice.made.wait()
        elif await _follow(socket, desk, choice, choice.call_id):
            await socket.send_json({"type": "over", "call_id": choice.call_id})
            choice.call_id = None


async def _follow(socket: WebSocket, desk: Desk, choice: _Choice, call_id: str) -> bool:
    """The call's view, and its drafts, until another one is chosen; True when it was over before."""
    sent, told = "", Told()
    while not choice.made.is_set():
        live = desk.switchboard.calls.get(call_id)
        if live is None:
            return True
        text = await state_of(live, desk)
        if text != sent:
            await socket.send_text(text)
            sent = text
        for message in told.news(live, desk.hub.drafts(call_id), None):
            await socket.send_text(desk.mask.message(message).decode())
        with suppress(TimeoutError):
            await asyncio.wait_for(choice.made.wait(), CLOSELY_S)
    return False


async def _listen(socket: WebSocket, choice: _Choice) -> None:
    while True:
        text = await socket.receive_text()
        try:
            choice.make(Followed.model_validate_json(text).call_id)
        except ValidationError:
            await socket.send_json({"type": "error", "message": 'say {"type": "follow", "call_id": id or null}'})
