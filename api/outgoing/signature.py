"""How a receiver knows that an event is ours and of now: the scheme of Standard Webhooks 1.0 (standardwebhooks.com).

    webhook-id: a1/57
    webhook-timestamp: 1767607200
    webhook-signature: v1,BASE64(HMAC-SHA256(key, "ID.TIMESTAMP.BODY"))

Receivers have libraries for it in most languages. The secret is ``whsec_`` and the key in base64.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from pipeline.errors import BadInput

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a key, as the scheme asks."""


def new_secret() -> str:
    """A new random one, of 32 bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The key in a secret. Raises BadInput, without the secret in it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise BadInput(
            f"webhooks.secret must be {PREFIX} and {SHORTEST} to {LONGEST} bytes in base64; calmline webhooks secret "
            "makes one, and CALMLINE_WEBHOOKS__SECRET keeps it out of files"
        )
    return key


def headers(key: bytes, name: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers. timestamp: seconds since 1970 at which this attempt is made."""
    signed = b"%b.%d.%b" % (name.encode(), timestamp, body)
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
