"""Signed requests: the known answer, every rule, and whatever an attacker may change."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from api.doors.signature import (
    AHEAD_S,
    COMPONENTS,
    OLDEST_S,
    Nonces,
    Requests,
    Unauthorized,
    check_address,
    sign_address,
    sign_request,
)

KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
SECRET = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
TARGET, HOST = "/api/v1/voicebiometrics/ws", "audiohook.example.com"
CREATED = 1641013200
HEADERS = {
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": KEY,
}
LIST = "(" + " ".join(f'"{name}"' for name in COMPONENTS) + ")"
NONCE = "VGhpc0lzQVVuaXF1ZU5vbmNl"
KNOWN = "NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4="


def params(listed: str = LIST, **change: str | None) -> str:
    given = {
        "keyid": f'"{KEY}"',
        "nonce": f'"{NONCE}"',
        "alg": '"hmac-sha256"',
        "created": str(CREATED),
        "expires": "3282026430",
    } | change
    return listed + "".join(f";{name}={value}" for name, value in given.items() if value is not None)


def signed(text: str | None = None, secret: str = SECRET, **change: str) -> dict[str, str]:
    """Headers of a request that is signed as they stand."""
    headers = HEADERS | change
    text = params() if text is None else text
    signature = sign_request(TARGET, HOST, headers, text, secret)
    return headers | {"signature-input": f"sig1={text}", "signature": f"sig1=:{signature}:"}


def requests() -> Requests:
    return Requests({KEY: SecretStr(SECRET)})


def check(headers: dict[str, str], *, now: float = CREATED, target: str = TARGET, host: str = HOST) -> None:
    requests().check(target, host, headers, now)


def test_the_known_answer_of_the_public_reference() -> None:
    assert sign_request(TARGET, HOST, HEADERS, params(), SECRET) == KNOWN
    check(signed())


def test_the_components_may_be_in_another_order() -> None:
    backwards = "(" + " ".join(f'"{name}"' for name in reversed(COMPONENTS)) + ")"
    check(signed(params(backwards)))


@pytest.mark.parametrize("age", [0, OLDEST_S, -AHEAD_S])
def test_a_fresh_signature_is_good(age: float) -> None:
    check(signed(), now=CREATED + age)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "Signature-Input"),
        (HEADERS, "Signature-Input"),
        (signed(secret=base64.b64encode(b"another").decode()), "does not fit"),
        (signed(params(keyid='"another"')), "keyid"),
        (signed(**{"x-api-key": "another"}), "keyid"),
        (signed(params(keyid='"another"'), **{"x-api-key": "another"}), "none of"),
        (signed(params(alg='"hmac-sha512"')), "hmac-sha256"),
        (signed(params(alg=None)), "hmac-sha256"),
        (signed(params(nonce='"short"')), "nonce"),
        (signed(params(nonce=None)), "nonce"),
        (signed(params(nonce=f'"{"x" * 21}"')), "nonce"),
        (signed(params(created=None)), "created"),
        (signed(params(expires=None)), "expires"),
        (signed(params(expires=str(CREATED - 1))), "expired"),
        (signed(params() + ";created=1"), "twice"),
        (signed(params("()")), "Signature-Input"),
        (signed(params(LIST[:-1] + ' "host")')), "six components"),
        (signed(params(LIST[:-1] + ' "x-api-key")')), "six components"),
        *[(signed(params(re.sub(rf' ?"{re.escape(name)}"', "", LIST, count=1))), ".") for name in COMPONENTS],
        *[({name: text for name, text in signed().items() if name != gone}, ".") for gone in signed()],
        *[(signed() | {"signature": text}, "does not fit") for text in ("", "sig1=::", f"sig2=:{KNOWN}:", KNOWN)],
    ],
)
def test_what_is_wrong_is_refused(headers: dict[str, str], why: str) -> None:
    with pytest.raises(Unauthorized, match=why):
        check(headers)


@pytest.mark.parametrize("now", [CREATED + OLDEST_S + 1, CREATED - AHEAD_S - 1, CREATED + 10**9])
def test_an_old_one_or_one_from_the_future_is_refused(now: float) -> None:
    with pytest.raises(Unauthorized, match="ago"):
        check(signed(), now=now)


def test_another_path_or_host_is_refused() -> None:
    with pytest.raises(Unauthorized, match="does not fit"):
        check(signed(), target=TARGET + "?x=1")
    with pytest.raises(Unauthorized, match="does not fit"):
        check(signed(), host="elsewhere.example.com")


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_changed_after_signing_is_refused(name: str) -> None:
    headers = signed()
    with pytest.raises(Unauthorized):
        check(headers | {name: headers[name] + "0"})


@settings(deadline=None)
@given(st.sampled_from(["signature", "signature-input"]), st.data())
def test_no_other_text_passes(name: str, data: st.DataObject) -> None:
    headers = signed()
    at = data.draw(st.integers(0, len(headers[name]) - 1))
    other = data.draw(st.characters())
    changed = headers[name][:at] + other + headers[name][at + 1 :]
    if changed != headers[name]:
        with pytest.raises(Unauthorized):
            check(headers | {name: changed})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*HEADERS, "signature", "signature-input"]), st.text(max_size=300)))
def test_no_headers_make_it_stumble(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        check(headers)


def test_a_nonce_is_good_once() -> None:
    door = requests()
    door.check(TARGET, HOST, signed(), CREATED)
    for now in (CREATED, CREATED + OLDEST_S):
        with pytest.raises(Unauthorized, match="used before"):
            door.check(TARGET, HOST, signed(), now)


def test_a_nonce_of_a_bad_signature_is_not_taken() -> None:
    """Else whoever saw one could use it up for its owner."""
    door = requests()
    with pytest.raises(Unauthorized):
        door.check(TARGET, HOST, signed() | {"signature": "sig1=:AAAA:"}, CREATED)
    door.check(TARGET, HOST, signed(), CREATED)


def test_nonces_are_forgotten_when_they_are_too_old_and_never_before() -> None:
    nonces = Nonces(2)
    nonces.take("a", 0.0)
    nonces.take("b", 1.0)
    with pytest.raises(Unauthorized, match="too many"):
        nonces.take("c", 2.0)
    nonces.take("c", OLDEST_S + AHEAD_S + 0.5)
    with pytest.raises(Unauthorized, match="used before"):
        nonces.take("b", OLDEST_S + AHEAD_S + 0.5)


def test_the_known_answer_of_hmac_sha1() -> None:
    """RFC 2202, case 2."""
    answer = base64.b64decode(sign_address("what do ya want for nothing?", "Jefe")).hex()
    assert answer == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_other_address_signature_passes(text: str) -> None:
    with pytest.raises(Unauthorized):
        check_address(text, "wss://calls.example.com/doors/twilio", [SecretStr("one"), SecretStr("two")])


def test_a_handshake_without_a_signature_is_told_from_a_wrong_one() -> None:
    """Or an engineer whose proxy takes the header away hunts for a bad token."""
    with pytest.raises(Unauthorized, match="no X-Twilio-Signature came"):
        check_address("", "wss://calls.example.com/doors/twilio", [SecretStr("one")])
    with pytest.raises(Unauthorized, match="fits none"):
        check_address("AAAA", "wss://calls.example.com/doors/twilio", [SecretStr("one")])
