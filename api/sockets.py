"""What sockets share."""

from collections.abc import Awaitable, Callable

import anyio
from starlette.websockets import WebSocket

AGAIN = 1013
"""Close code for a page that is too slow: try again, from the last number it has."""


async def nothing(socket: WebSocket) -> None:
    """Pass over what a page says that has nothing to say, until it leaves."""
    while True:
        await socket.receive_text()


async def until_one_ends(*works: Callable[[], Awaitable[None]]) -> None:
    """Run them side by side until one is done, then stop the others. Raises what the first one raised."""
    failures: list[Exception] = []
    async with anyio.create_task_group() as group:

        async def run(work: Callable[[], Awaitable[None]]) -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - raised below, as itself and not as a group
                failures.append(error)
            group.cancel_scope.cancel()

        for work in works:
            group.start_soon(run, work)
    if failures:
        raise failures[0]
