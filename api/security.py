"""Who is calling, and from which page: credentials, sessions, Host and Origin.

Tools send ``Authorization: Bearer``. Pages hold a cookie from a login link; it is a random value that means something
to this process only, never the token. Host and Origin are checked even on 127.0.0.1, for every web page that somebody
on this machine opens can reach that address.
"""

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from fastapi import HTTPException, WebSocketException
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import Server
from api.doors.settings import Doors
from api.doors.signature import is_secret
from api.error_page import refusal
from api.policy import LOCAL, May, Role, Who, allowed
from pipeline.errors import BadInput

COOKIE = "calmline"
BEARER = "calmline.bearer."
"""A subprotocol that begins so has a token behind it, in base64url."""
SESSION_S = 12 * 3600
"""Seconds a login holds: one shift."""
SESSIONS = 10_000
"""Logins held at once; the oldest is forgotten first."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::\d{1,5})?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(server: Server) -> None:
    """Raises BadInput when others could reach a server that knows no credentials."""
    if not is_loopback(server.host) and not _tokens(server):
        raise BadInput(
            f"server.host = {server.host!r} can be reached from other machines and no credentials are set: every call "
            "would be open to all; set server.supervisor_tokens (and agent_tokens, door_tokens) or use 127.0.0.1"
        )


def check_doors(server: Server, doors: Doors) -> None:
    """Raises BadInput for a door that others reach and that believes anybody, and for secrets that cannot be used."""
    for name in doors.unsigned:
        if not is_loopback(server.host):
            raise BadInput(
                f"doors.{name}.unsigned believes every sender, and server.host = {server.host!r} can be reached from "
                "other machines; configure its signature, or use 127.0.0.1"
            )
    if doors.twilio.auth_tokens and not doors.twilio.public_url:
        raise BadInput("doors.twilio.public_url is empty, and Twilio signs it; set it to the very address in <Stream>")
    if not all(token.get_secret_value() for token in doors.twilio.auth_tokens):
        raise BadInput("doors.twilio.auth_tokens has an empty one: everybody could sign with it")
    for key, secret in doors.audiohook.keys.items():
        if not key or not is_secret(secret.get_secret_value()):
            raise BadInput("doors.audiohook.keys cannot be used; expected API key = client secret in base64")


def check_tokens(server: Server) -> None:
    """Raises BadInput when a token is empty, or is two people's."""
    owners: dict[str, Who] = {}
    for who, token in _tokens(server):
        if not token:
            raise BadInput(f"the token of {who.role} {who.name!r} is empty; give it a long random one")
        if token in owners:
            other = owners[token]
            raise BadInput(
                f"{other.role} {other.name!r} and {who.role} {who.name!r} have the same token; "
                "give each a token of their own"
            )
        owners[token] = who


def _tokens(server: Server) -> list[tuple[Who, str]]:
    groups: list[tuple[Role, dict[str, SecretStr]]] = [
        (Role.SUPERVISOR, server.supervisor_tokens),
        (Role.AGENT, server.agent_tokens),
        (Role.DOOR, server.door_tokens),
    ]
    return [(Who(role, name), token.get_secret_value()) for role, group in groups for name, token in group.items()]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Keyring:
    """The configured tokens and the logins made with them."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        check_tokens(server)
        self._tokens = [(who, _digest(token)) for who, token in _tokens(server)]
        self._sessions: dict[str, tuple[Who, float]] = {}
        self._clock = clock

    def holder(self, token: str) -> Who | None:
        """Whose token it is. Takes the same time whatever is right about it."""
        given, found = _digest(token), None
        for who, digest in self._tokens:
            if hmac.compare_digest(given, digest):
                found = who
        return found

    def login(self, who: Who) -> str:
        """A new session's value."""
        while len(self._sessions) >= SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = secrets.token_urlsafe(32)
        self._sessions[session] = (who, self._clock() + SESSION_S)
        return session

    def identify(self, connection: HTTPConnection) -> Who | None:
        """Who it is; None for nobody we know. A wrong token is not made good by a cookie."""
        if not self._tokens:
            return LOCAL
        authorization = connection.headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            return self.holder(token.strip()) if scheme.lower() == "bearer" else None
        offered = _offered(connection)
        if offered is not None:
            return self.holder(offered)
        return self._session(connection.cookies.get(COOKIE, ""))

    def _session(self, session: str) -> Who | None:
        who, until = self._sessions.get(session, (None, 0.0))
        if who is not None and self._clock() >= until:
            del self._sessions[session]
            return None
        return who


def _offered(connection: HTTPConnection) -> str | None:
    """The token that a WebSocket brings as a subprotocol: a browser cannot give it any other header."""
    for name in connection.headers.get("sec-websocket-protocol", "").split(","):
        if (name := name.strip()).startswith(BEARER):
            coded = name.removeprefix(BEARER)
            with suppress(ValueError):
                return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
            return ""
    return None


def require(what: May) -> Callable[[HTTPConnection], Who]:
    """A dependency: who is asking, once they may do this. 401 for nobody we know, 403 for the wrong role.

    A WebSocket is refused with 403 before the upgrade.
    """

    def check(connection: HTTPConnection) -> Who:
        who: Who | None = connection.app.state.keyring.identify(connection)
        if who is not None and who.may(what):
            return who
        if connection.scope["type"] == "websocket":
            raise WebSocketException(1008)
        if who is None:
            detail = "no valid credentials: send Authorization: Bearer TOKEN, or open your login link"
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
        raise not_allowed(who, what)

    return check


def not_allowed(who: Who, what: May) -> HTTPException:
    """403, with the roles that may."""
    return HTTPException(403, f"the role {who.role} may not do this; it is for: {', '.join(allowed(what))}")


def local_path(target: str) -> str:
    """The target when it is a path on this server, else ``/``: a login link must not lead elsewhere."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"


class Gate:
    """ASGI: refuses foreign Hosts (421) and Origins (403) before anything else looks at the request.

    addresses: public ones of doors; the server is reached by their names too.
    """

    def __init__(self, app: ASGIApp, server: Server, addresses: Sequence[str] = ()) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in server.hosts)
        public = {urlsplit(address).hostname or "" for address in addresses}
        self._names = _LOOPBACK | self._allowed | {server.host.lower()} | public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, _hardened(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(host) not in self._names:
            detail = "this server has another name; add it to server.hosts"
            return refusal(scope.get("method", ""), headers, 421, detail, None)
        asks_only = scope["type"] == "http" and scope["method"] in _SAFE
        if origin is not None and not asks_only and not self._ours(origin, f"{scope['scheme']}://{host}"):
            return JSONResponse({"detail": "a page of another site may not do this"}, 403)
        return None

    def _ours(self, origin: str, address: str) -> bool:
        """Whether a page of this origin may talk to the address it asked for."""
        try:
            there, here = urlsplit(origin), urlsplit(address)
            same = (there.hostname, _port(there)) == (here.hostname, _port(here))
        except (KeyError, ValueError):  # "null", or no origin at all
            return False
        return same or there.hostname in self._allowed


def _port(address: SplitResult) -> int:
    return address.port or _PORTS[address.scheme]


def _name(host: str) -> str | None:
    """The name in a Host header, without port and brackets; None when it is malformed."""
    found = _HOST.fullmatch(host.lower())
    return (found["v6"] or found["name"]) if found else None


def _hardened(send: Send) -> Send:
    extra = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"content-security-policy", b"frame-ancestors 'self'"),
    ]

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return hardened
