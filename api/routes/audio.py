"""The stored audio, in ranges, also of a call in progress."""

from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from api.routes.calls import PROBLEMS
from api.routes.deps import Folder, TheDesk
from pipeline.errors import NotFound

router = APIRouter(tags=["calls"])

FLAC = "audio/flac"
_CHUNK = 64 * 1024


@router.head("/calls/{call_id}/audio", include_in_schema=False)
@router.get(
    "/calls/{call_id}/audio",
    response_class=Response,
    responses={
        **PROBLEMS,
        200: {"content": {FLAC: {}}},
        206: {"content": {FLAC: {}}},
        416: {"description": "No such range"},
    },
)
def audio(request: Request, desk: TheDesk, folder: Folder) -> Response:
    """FLAC, one channel a party. Of a call in progress: what is there."""
    path = folder.audio
    if not path.exists():
        raise NotFound(f"call {folder.path.name} has no stored audio: its policy keeps none")
    if folder.path.name in desk.in_progress and "range" not in request.headers:
        return _so_far(path, request.method)
    return FileResponse(path, media_type=FLAC)


def _so_far(path: Path, method: str) -> Response:
    """The file as long as it is now: it grows while it is sent, and the promised length must hold."""
    size = path.stat().st_size
    headers = {"content-length": str(size), "accept-ranges": "bytes"}
    if method == "HEAD":
        return Response(media_type=FLAC, headers=headers)
    return StreamingResponse(_bytes(path, size), media_type=FLAC, headers=headers)


def _bytes(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk
