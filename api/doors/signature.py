"""Signatures of phone systems, checked without a clock of their own.

Twilio signs the public address with HMAC-SHA1. AudioHook signs parts of the request, after draft 11 of HTTP message
signatures, with HMAC-SHA256 and a nonce. Both compare in constant time, and say why only to the log.
"""

import base64
import binascii
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from pydantic import SecretStr

COMPONENTS = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)
"""What must be signed, each once, in any order."""

OLDEST_S = 10
"""Seconds since a signature was made, at most."""
AHEAD_S = 5
"""Seconds that the other clock may be ahead of ours."""
SHORTEST_NONCE = 22
"""Characters: 128 bits in base64."""
NONCES = 100_000
"""Nonces remembered: 15 s of 6,000 calls a second."""

STRANGERS = 100
"""Connections that are not believed and wait to be told so; further ones are closed at once."""

_INPUT = re.compile(
    r'sig1=(?P<params>\((?P<list>"[^"()]+"(?: "[^"()]+")*)\)(?P<rest>(?:;[a-z]+=(?:"[^"\\;]*"|\d{1,12}))*))'
)
_PARAM = re.compile(r';([a-z]+)=(?:"([^"\\;]*)"|(\d{1,12}))')
_SIGNATURE = re.compile(r"sig1=:([A-Za-z0-9+/=]+):")


class Unauthorized(Exception):
    """The text is for the log alone."""


def sign_address(url: str, token: str) -> str:
    """What Twilio puts into X-Twilio-Signature."""
    return base64.b64encode(hmac.digest(token.encode(), url.encode(), "sha1")).decode()


def check_address(given: str, url: str, tokens: Iterable[SecretStr]) -> None:
    """Raises Unauthorized."""
    if not given:
        raise Unauthorized("no X-Twilio-Signature came; a proxy must hand it on")
    right = False
    for token in tokens:
        right |= hmac.compare_digest(given.encode(), sign_address(url, token.get_secret_value()).encode())
    if not right:
        raise Unauthorized("X-Twilio-Signature fits none of doors.twilio.auth_tokens with doors.twilio.public_url")


class Nonces:
    """Nonces of good signatures, for as long as these can be sent again. Full, it takes none: nothing is forgotten."""

    def __init__(self, most: int = NONCES) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def take(self, nonce: str, now: float) -> None:
        """now: seconds. Raises Unauthorized for one that was taken."""
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
        if nonce in self._until:
            raise Unauthorized("the nonce was used before")
        if len(self._until) >= self._most:
            raise Unauthorized("too many connections at once to remember their nonces")
        self._until[nonce] = now + OLDEST_S + AHEAD_S


def base(target: str, authority: str, headers: Mapping[str, str], params: str) -> str:
    """What is signed. params: of the signature, with the list of components as in its header."""
    parts = {"@request-target": target, "@authority": authority}
    listed = re.findall(r'"([^"]+)"', params.partition(")")[0])
    lines = [f'"{name}": {parts.get(name) or headers.get(name, "")}' for name in listed]
    return "\n".join([*lines, f'"@signature-params": {params}'])


def sign_request(target: str, authority: str, headers: Mapping[str, str], params: str, secret: str) -> str:
    """The value between the colons. headers: names in small letters. secret: base64."""
    text = base(target, authority, headers, params)
    return base64.b64encode(hmac.digest(base64.b64decode(secret), text.encode(), "sha256")).decode()


class Requests:
    """Checks AudioHook's signed requests. keys: API key to client secret in base64."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._keys = keys
        self._nonces = Nonces()
        self._strangers = 0

    @contextmanager
    def stranger(self) -> Iterator[bool]:
        """One who is not believed, while they wait to be told; False when too many do already."""
        self._strangers += 1
        try:
            yield self._strangers <= STRANGERS
        finally:
            self._strangers -= 1

    def check(self, target: str, authority: str, headers: Mapping[str, str], now: float) -> None:
        """headers: names in small letters. now: seconds since 1970. Raises Unauthorized."""
        found = _INPUT.fullmatch(headers.get("signature-input", ""))
        if found is None:
            raise Unauthorized("no Signature-Input that can be read")
        listed = re.findall(r'"([^"]+)"', found["list"])
        if sorted(listed) != sorted(COMPONENTS):
            raise Unauthorized("the signature does not cover exactly the six components")
        params = _parameters(found["rest"])
        secret = self._secret(params, headers)
        given = _SIGNATURE.fullmatch(headers.get("signature", ""))
        right = sign_request(target, authority, headers, found["params"], secret)
        if given is None or not hmac.compare_digest(given[1], right):
            raise Unauthorized("the signature does not fit: client secret, doors.audiohook.public_url or Host differ")
        _check_age(params, now)
        self._nonces.take(_nonce(params), now)

    def _secret(self, params: Mapping[str, str], headers: Mapping[str, str]) -> str:
        key = headers.get("x-api-key", "")
        if params.get("keyid") != key:
            raise Unauthorized("keyid is not the X-API-KEY")
        if params.get("alg") != "hmac-sha256":
            raise Unauthorized("the algorithm is not hmac-sha256")
        if key not in self._keys:
            raise Unauthorized("the X-API-KEY is none of doors.audiohook.keys")
        if not all(headers.get(name) for name in COMPONENTS if not name.startswith("@")):
            raise Unauthorized("a signed header is missing")
        return self._keys[key].get_secret_value()


def _parameters(text: str) -> dict[str, str]:
    """Raises Unauthorized for one that comes twice."""
    found = [(name, quoted or number) for name, quoted, number in _PARAM.findall(text)]
    if len(dict(found)) != len(found):
        raise Unauthorized("a parameter of the signature comes twice")
    return dict(found)


def _check_age(params: Mapping[str, str], now: float) -> None:
    created, expires = params.get("created", ""), params.get("expires", "")
    if not created.isdecimal() or not expires.isdecimal():
        raise Unauthorized("the signature says not when it was created and expires")
    if not -AHEAD_S <= now - int(created) <= OLDEST_S:
        raise Unauthorized(f"the signature was made {now - int(created):.0f} s ago; {OLDEST_S} s at most")
    if int(expires) < now:
        raise Unauthorized("the signature has expired")


def _nonce(params: Mapping[str, str]) -> str:
    nonce = params.get("nonce", "")
    if len(nonce) < SHORTEST_NONCE:
        raise Unauthorized("the nonce is too short")
    return nonce


def is_secret(text: str) -> bool:
    """Whether it is base64 of something."""
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
