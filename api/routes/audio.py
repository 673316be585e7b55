"""The stored audio, in ranges, also of a call in progress."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import FileResponse, Response, StreamingResponse

from api.routes.calls import CONFLICT, PROBLEMS
from api.routes.deps import Folder, TheDesk
from pipeline.channel import Channel
from pipeline.errors import Conflict, NotFound
from pipeline.journal import read_header
from pipeline.peaks import peaks
from pipeline.timebase import RATE

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


class Peaks(BaseModel):
    """An outline of the audio. moment_ms: how long each of its moments lasts.

    channels: of each party in turn, its greatest magnitude in each moment, 0-255 of full scale.
    """

    moment_ms: float
    order: list[Channel]
    channels: list[list[int]]


@router.get("/calls/{call_id}/peaks", responses={**PROBLEMS, **CONFLICT})
def outline(desk: TheDesk, folder: Folder) -> Peaks:
    """What a page draws of the audio, at most 4000 moments a party. 409 while the call is in progress."""
    if folder.path.name in desk.in_progress:
        raise Conflict(f"call {folder.path.name} is in progress; its outline comes once that is over")
    if not folder.audio.exists():
        raise NotFound(f"call {folder.path.name} has no stored audio")
    step, channels = _peaks(folder.audio, folder.audio.stat().st_mtime_ns)
    return Peaks(moment_ms=step * 1000 / RATE, order=list(read_header(folder.journal).call.channels), channels=channels)


@lru_cache(maxsize=64)
def _peaks(path: Path, _: int) -> tuple[int, list[list[int]]]:
    """Of the file as it was written then: an hour takes a second to look through."""
    return peaks(path)


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
