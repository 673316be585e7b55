"""The receiver of webhooks: one event, one POST, and what its answer means."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx

from api.config import Webhooks
from api.outgoing.outbox import Letter
from api.outgoing.signature import headers, key_of
from pipeline.errors import BadInput

Result = Literal["delivered", "failed", "refused"]

REFUSALS = frozenset({400, 410, 413, 415, 422})
"""Answers that the same event would get again; every other failure may pass, also 401 and 404: somebody mends it."""
SMALL = 65_536
"""Bytes of an answer that are read, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """why: in a few words, when it was not delivered. wait_s: how long the receiver asks us to wait."""

    result: Result
    why: str = ""
    wait_s: float = 0.0


def check(webhooks: Webhooks) -> None:
    """Raises BadInput for an address or a secret that cannot be used."""
    try:
        url = httpx.URL(webhooks.url)
    except httpx.InvalidURL as error:
        raise BadInput(f"webhooks.url is no address: {error}") from None
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 1) < 65536:
        raise BadInput("webhooks.url must be a whole http:// or https:// address, such as https://crm.example/hooks")
    if url.userinfo or url.fragment:
        raise BadInput("webhooks.url has a password or a #fragment in it; the signature says who sends, leave it out")
    key_of(webhooks.secret.get_secret_value())


class Endpoint:
    """TLS is verified, redirects are not followed. transport: None for the network. Raises as ``check`` does."""

    def __init__(
        self,
        webhooks: Webhooks,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        check(webhooks)
        self._url = webhooks.url
        self._key = key_of(webhooks.secret.get_secret_value())
        self._timeout = webhooks.timeout_s
        self._now = now
        self._client = httpx.AsyncClient(timeout=webhooks.timeout_s, follow_redirects=False, transport=transport)

    async def post(self, letter: Letter) -> Answer:
        """One attempt, over within ``webhooks.timeout_s``."""
        body = letter.body.encode()
        signed = headers(self._key, letter.id, int(self._now()), body)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(body, {"content-type": "application/cloudevents+json; charset=utf-8"} | signed)
        except TimeoutError:
            return Answer("failed", f"no answer within {self._timeout:g} s")
        except httpx.HTTPError as error:
            return Answer("failed", " ".join(f"{type(error).__name__}: {error}".split())[:200])

    async def _post(self, body: bytes, sent: dict[str, str]) -> Answer:
        async with self._client.stream("POST", self._url, content=body, headers=sent) as response:
            length = response.headers.get("content-length", "")
            if length.isdecimal() and int(length) <= SMALL:
                await response.aread()
            return _meaning(response)

    async def close(self) -> None:
        await self._client.aclose()


def _meaning(response: httpx.Response) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer("delivered")
    if status in REFUSALS:
        return Answer("refused", f"answered {status}")
    if response.is_redirect:
        return Answer("failed", f"answered {status}: redirects are not followed, put the new address into webhooks.url")
    after = response.headers.get("retry-after", "")
    return Answer("failed", f"answered {status}", float(after) if after.isdecimal() else 0.0)
