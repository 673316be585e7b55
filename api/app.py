"""The app: security outside, routes inside, one desk. Nothing is created at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api import error_page
from api.calls import Desk
from api.config import Config
from api.doors import audiohook, chat, pcm, twilio
from api.doors.signature import Requests
from api.limits import BodyLimit
from api.logs import RequestLog
from api.routes import (
    alerts,
    audio,
    calls,
    claim,
    export,
    labels,
    listing,
    live,
    noting,
    pages,
    panel,
    report,
    searches,
    status,
    trends,
    wall,
)
from api.security import Gate, Keyring, check_doors, check_exposure
from pipeline.errors import CalmlineError
from pipeline.graph import Engines

STATIC = Path(__file__).parent / "static"
"""Where the build puts the pages."""

SMALL = 64 * 1024
"""Bytes that a request other than an upload may have."""

_WHERE = 120
"""Characters of a field's name in an answer: a field that is not known has the sender's name."""


PARTS = (
    calls, listing, noting, labels, searches, trends, alerts, claim, audio, export, report, panel, wall, live, pcm,
    chat, twilio, audiohook, status, pages,
)  # fmt: skip
"""What there is to ask for."""


def create_app(config: Config, engines: Engines, *, store_url: str | None = None, static: Path = STATIC) -> FastAPI:
    """The whole server. engines: loaded already. store_url: SQLAlchemy's; None for a file beside the calls.

    Raises BadInput for credentials that cannot work and for an address that others reach without any, StorageFault
    when the store cannot be used.
    """
    check_exposure(config.server)
    check_doors(config.server, config.doors)
    app = _App(title="calmline", version=status.installed(), lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.state.keyring = Keyring(config.server)
    app.state.desk = Desk(config, engines, store_url=store_url)
    app.state.doors = config.doors
    app.state.audiohook_requests = Requests(config.doors.audiohook.keys)
    app.state.static = static
    for part in PARTS:
        app.include_router(part.router)
    if static.is_dir():
        app.mount("/static", StaticFiles(directory=static), name="static")
    for kind, answer in ((CalmlineError, _explain), (RequestValidationError, _refuse), (HTTPException, _turn_away)):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, _broken)
    upload = config.server.upload_mb * 1_000_000

    def limit(scope: Scope) -> int:
        return upload if (scope["method"], scope["path"]) == ("POST", "/calls") else SMALL

    refused = partial(app.state.desk.metrics.refused, "upload_size")
    app.add_middleware(BodyLimit, limit=limit, refused=refused)
    app.add_middleware(Gate, server=config.server, addresses=config.doors.addresses)
    app.add_middleware(RequestLog)
    return app


class _App(FastAPI):
    """Describes what it answers: 400 where FastAPI itself would answer 422."""

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        return schema


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    desk: Desk = app.state.desk
    await desk.start()
    try:
        yield
    finally:
        await desk.stop()


def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, CalmlineError)
    return _say(request, error.status, str(error))


def _refuse(request: Request, error: Exception) -> Response:
    """400 and the first problem, without what was sent: that may be private."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = " ".join(".".join(str(part) for part in first["loc"]).split())[:_WHERE]
    return _say(request, 400, f"{where}: {first['msg']}")


def _turn_away(request: Request, error: Exception) -> Response:
    """What the framework and the routes refuse by a status."""
    assert isinstance(error, HTTPException)
    return _say(request, error.status_code, error.detail, dict(error.headers or {}))


def _broken(request: Request, _: Exception) -> Response:
    """A defect of ours; the server logs it."""
    return _say(request, 500, error_page.BROKEN)


def _say(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """JSON for programs, a page for people."""
    who = request.app.state.keyring.identify(request)
    method = request.scope.get("method", "")  # a WebSocket has none
    return error_page.refusal(method, request.headers, status, detail, who, headers)
