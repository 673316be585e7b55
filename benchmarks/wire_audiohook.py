"""The client's side of an AudioHook session, without a socket."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

from api.doors import mulaw
from api.doors.audiohook_messages import iso
from api.doors.signature import COMPONENTS, sign_request
from benchmarks.load import Line


@dataclass(frozen=True, slots=True)
class Keys:
    """An AudioHook integration: its API key, and its client secret in base64."""

    key: str
    secret: str


def audiohook_frames(
    client: "Client",
    line: Line,
    frame_s: float,
    pauses: Sequence[tuple[float, float]],
    discards: Sequence[tuple[float, float]],
) -> Iterator[tuple[float, str | bytes]]:
    """Audio and what lies between, and the second of the call at which each is sent."""
    gaps = sorted([(*each, True) for each in pauses] + [(*each, False) for each in discards])
    size, at, ping = round(frame_s * mulaw.RATE), 0, 1.0
    while at < len(line.pcm):
        if gaps and at >= round(gaps[0][0] * mulaw.RATE):
            _, length, paused = gaps.pop(0)
            if paused:
                yield at / mulaw.RATE, client.say("paused")
            at += round(length * mulaw.RATE)
            said = {"start": iso(client.position), "discarded": iso(length)}
            yield at / mulaw.RATE, client.say("resumed" if paused else "discarded", **said)
        stop = min(at + size, len(line.pcm), round(gaps[0][0] * mulaw.RATE) if gaps else len(line.pcm))
        both = [np.frombuffer(mulaw.encode(line.pcm[at:stop, side]), np.uint8) for side in (1, 0)]
        client.position += (stop - at) / mulaw.RATE
        at = stop
        yield at / mulaw.RATE, np.stack(both, axis=1).tobytes()
        if at / mulaw.RATE >= ping:
            ping += 5.0
            yield at / mulaw.RATE, client.say("ping", rtt="PT0.01S")


class Client:
    """The client's side of an AudioHook session: its numbers, its headers, what it was told.

    heard: every message of the server. told: it was asked to disconnect. position: seconds streamed.
    """

    def __init__(self, conversation: str, organization: str = "7f98e5f7-8776-44ca-9607-6e1622e9e522") -> None:
        self.conversation = conversation
        self.organization = organization
        self.session = str(uuid4())
        self.heard: list[dict[str, Any]] = []
        self.told = False
        self.position = 0.0
        self._said = 0

    @property
    def ids(self) -> dict[str, str]:
        return {
            "Audiohook-Organization-Id": self.organization,
            "Audiohook-Session-Id": self.session,
            "Audiohook-Correlation-Id": str(uuid4()),
        }

    def headers(self, url: str, keys: Keys, now: float, public_url: str = "") -> dict[str, str]:
        """Signed. now: seconds since 1970."""
        where = urlsplit(public_url or url)
        listed = " ".join(f'"{name}"' for name in COMPONENTS)
        nonce = base64.b64encode(uuid4().bytes).decode()
        params = f'({listed});keyid="{keys.key}";nonce="{nonce}";alg="hmac-sha256"'
        params += f";created={int(now)};expires={int(now) + 30}"
        headers = self.ids | {"X-API-KEY": keys.key}
        small = {name.lower(): value for name, value in headers.items()}
        target = where.path + (f"?{where.query}" if where.query else "")
        signature = sign_request(target, where.netloc, small, params, keys.secret)
        return headers | {"Signature-Input": f"sig1={params}", "Signature": f"sig1=:{signature}:"}

    def open(self, config: dict[str, Any] | None = None, **change: Any) -> str:
        sides = (["external", "internal"], ["external"], ["internal"])
        offers = [{"type": "audio", "format": "PCMU", "channels": each, "rate": mulaw.RATE} for each in sides]
        about = {
            "organizationId": self.organization,
            "conversationId": self.conversation,
            "participant": {"id": str(uuid4()), "ani": "+15550100", "aniName": "", "dnis": "+15550101"},
            "media": offers,
            "language": "en-US",
        }
        return self.say("open", **about | ({"customConfig": config} if config else {}) | change)

    def say(self, type: str, **parameters: Any) -> str:
        self._said += 1
        return json.dumps(
            {
                "version": "2",
                "id": self.session,
                "type": type,
                "seq": self._said,
                "serverseq": self.heard[-1]["seq"] if self.heard else 0,
                "position": iso(self.position),
                "parameters": parameters,
            }
        )

    def hear(self, text: str | bytes) -> str:
        """Its type."""
        message: dict[str, Any] = json.loads(text)
        self.heard.append(message)
        self.told = self.told or message["type"] == "disconnect"
        return str(message["type"])
