"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, HTTPException, Path, WebSocketException
from starlette.requests import HTTPConnection

from api.calls import Desk
from api.policy import May, Who
from api.security import require
from pipeline.errors import CalmlineError
from pipeline.journal import CallFolder


def desk(connection: HTTPConnection) -> Desk:
    """The desk of this app; 503 while it is not open."""
    found: Desk = connection.app.state.desk
    if not found.ready or found.leaving.begun.is_set():
        if connection.scope["type"] == "websocket":
            raise WebSocketException(1013)
        raise HTTPException(503, "the server is starting or going down")
    return found


TheDesk = Annotated[Desk, Depends(desk)]
Seer = Annotated[Who, Depends(require(May.SEE))]
Answerer = Annotated[Who, Depends(require(May.ANSWER))]
Claimer = Annotated[Who, Depends(require(May.CLAIM))]
Deleter = Annotated[Who, Depends(require(May.DELETE))]
Mender = Annotated[Who, Depends(require(May.MEND))]
Bringer = Annotated[Who, Depends(require(May.BRING))]
OwnBringer = Annotated[Who, Depends(require(May.BRING_OWN))]
Judge = Annotated[Who, Depends(require(May.JUDGE))]
Measurer = Annotated[Who, Depends(require(May.MEASURE))]

CallId = Annotated[str, Path(description="Up to 100 letters, digits, '.', '_' or '-'")]


def folder(call_id: CallId, who: Seer, at: TheDesk, connection: HTTPConnection) -> CallFolder:
    """A call that the asking one may see; 404 otherwise (a WebSocket: 403)."""
    try:
        return at.visible(call_id, who)
    except CalmlineError:
        if connection.scope["type"] == "websocket":
            raise WebSocketException(1008) from None
        raise


Folder = Annotated[CallFolder, Depends(folder)]
