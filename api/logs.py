"""Logs: what happened to which call, never what was said in it.

No token, transcript text, DTMF digit or audio is ever logged. uvicorn's own access log is switched off, for it
writes query strings, and a login link has its token there; ``RequestLog`` writes paths only.
"""

import logging
import sys
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = structlog.get_logger("calmline.http")


def configure(json: bool = False, level: int = logging.INFO) -> None:
    """Log lines to stderr, for people or as JSON. For the command to call, once; give uvicorn no level under info."""
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").addFilter(told)
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.INFO))  # at DEBUG it would log frames of sockets
    last = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def told(record: logging.LogRecord) -> bool:
    """Not what uvicorn 0.54 logs as its error when a WebSocket is answered with 421, 403 or 429: it was, as it should.

    Anybody could fill the log with it.
    """
    return record.msg != "ASGI callable returned without completing handshake."


class RequestLog:
    """ASGI: one line a request, with its path but not its query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begin = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            took = round((time.perf_counter() - begin) * 1000)
            _log.info("request", method=scope["method"], path=scope["path"], status=status, ms=took)
