"""Panels of other programs: alerts, starts and ends of an agent's calls, or a queue's, as small messages."""

from contextlib import aclosing, suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketException
from starlette.websockets import WebSocketDisconnect

from api.calls import Desk
from api.hub import TooSlow
from api.outgoing.panels import Wish
from api.policy import Who
from api.routes.deps import Seer, TheDesk
from api.sockets import AGAIN, nothing, until_one_ends

router = APIRouter()

PROTOCOL = "cloudevents.json"
"""The subprotocol of CloudEvents over WebSocket; chosen where a panel offers it."""


@router.websocket("/live/panel")
async def panel(
    socket: WebSocket,
    desk: TheDesk,
    who: Seer,
    agent: Annotated[str | None, Query(max_length=100)] = None,
    queue: Annotated[str | None, Query(max_length=100)] = None,
) -> None:
    """CloudEvents of an agent's calls, a queue's, or all that this one may see; first those of calls in progress."""
    wish = _wish(who, agent, queue)
    await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
    reason = "left"

    async def events() -> None:
        nonlocal reason
        reason = await _events(socket, desk, wish)

    with suppress(WebSocketDisconnect):
        await until_one_ends(events, partial(nothing, socket))
    desk.metrics.page_gone(reason)


def _wish(who: Who, agent: str | None, queue: str | None) -> Wish:
    """An agent may ask for that agent's own calls only."""
    if who.only_agent is not None and agent not in (None, who.only_agent):
        raise WebSocketException(1008)
    return Wish(who.only_agent or agent, queue)


async def _events(socket: WebSocket, desk: Desk, wish: Wish) -> str:
    """Returns why it ended."""
    try:
        async with aclosing(desk.outlets.panels.follow(wish)) as messages:
            async for text in messages:
                await socket.send_text(text.decode())
    except TooSlow:
        await socket.close(AGAIN, "too slow; open it again")
        return "slow"
    return "ended"
