"""The AudioHook protocol without a socket: every message, every rule."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.doors import mulaw
from api.doors.audiohook_messages import LONGEST, NOBODY, Media, iso, parse
from api.doors.audiohook_session import Ending, Lost, Opening, Paused, Session, State, Troubled, choose
from api.doors.transcripts import Offsets, entity, without_tokens
from benchmarks.wire_audiohook import Client
from pipeline.errors import BadInput


def begun() -> tuple[Session, Client]:
    """A session that is open, and its client."""
    client = Client("c1")
    session = Session(client.session)
    happened = session.take(client.open())
    assert isinstance(happened, Opening)
    session.opened(choose(happened.open.media))
    answers(session, client)
    return session, client


def answers(session: Session, client: Client) -> list[dict[str, Any]]:
    """What the server says now."""
    new = [json.loads(text) for text in session.outbox]
    for text in session.outbox:
        client.hear(text)
    session.outbox.clear()
    return new


def changed(text: str, **change: Any) -> str:
    return json.dumps(json.loads(text) | change)


# the handshake


def test_open_is_answered_with_the_first_media_that_has_both_voices() -> None:
    client = Client("c1")
    session = Session(client.session)
    opening = session.take(client.open({"agent_id": "bob"}))
    assert isinstance(opening, Opening)
    assert opening.about["customConfig"] == {"agent_id": "bob"}
    assert not opening.open.probe
    session.opened(choose(opening.open.media))
    (opened,) = answers(session, client)
    assert opened == {
        "version": "2",
        "id": client.session,
        "type": "opened",
        "seq": 1,
        "clientseq": 1,
        "parameters": {
            "startPaused": False,
            "media": [{"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}],
        },
    }


def offer(*channels: str, **change: Any) -> Media:
    return Media(**{"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000} | change)


def test_offers_of_a_form_not_known_are_passed_over() -> None:
    known = {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}
    strange = [{"type": "video", "codec": "AV1"}, {**known, "rate": None}, {**known, "channels": []}, "audio", 7, None]
    happened = Session("").take(Client("c1").open(media=[*strange, known]))
    assert isinstance(happened, Opening)
    assert choose(happened.open.media) == offer("external")


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ([], None),
        ([offer("external"), offer("external", "internal")], 1),
        ([offer("internal", "external")], 0),
        ([offer("internal"), offer("external")], 0),
        ([offer("external", "internal", format="L16"), offer("internal")], 1),
        ([offer("external", rate=16000)], None),
        ([offer("external", "external")], None),
        ([offer("left", "right")], None),
        ([offer("external", type="video")], None),
    ],
)
def test_the_media_chosen(offers: list[Media], chosen: int | None) -> None:
    assert choose(offers) == (None if chosen is None else offers[chosen])


def test_a_probe_is_known_by_its_ids() -> None:
    client = Client(NOBODY)
    nobody = {"id": NOBODY, "ani": "", "aniName": "", "dnis": ""}
    opening = Session(client.session).take(client.open(participant=nobody))
    assert isinstance(opening, Opening)
    assert opening.open.probe
    half = Client(NOBODY)
    opening = Session(half.session).take(half.open())
    assert isinstance(opening, Opening)
    assert not opening.open.probe


@pytest.mark.parametrize("type", ["ping", "paused", "resumed", "discarded", "update", "new"])
def test_nothing_comes_before_open(type: str) -> None:
    client = Client("c1")
    with pytest.raises(BadInput, match="expected open"):
        Session(client.session).take(client.say(type))


def test_there_is_one_open() -> None:
    session, client = begun()
    with pytest.raises(BadInput, match="open already"):
        session.take(client.open())


@pytest.mark.parametrize("gone", ["organizationId", "conversationId"])
def test_open_must_say_whose_it_is(gone: str) -> None:
    client = Client("c1")
    said = json.loads(client.open())
    del said["parameters"][gone]
    with pytest.raises(BadInput, match=gone):
        Session(client.session).take(json.dumps(said))


# numbers


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seq": 1}, "seq: expected 2"),
        ({"seq": 3}, "seq: expected 2"),
        ({"seq": 0}, "seq"),
        ({"seq": "x"}, "seq"),
        ({"serverseq": 2}, "only 1"),
        ({"serverseq": -1}, "serverseq"),
        ({"id": "another"}, "another session"),
        ({"version": "1"}, "version"),
        ({"version": None}, "version"),
        ({"position": "12.3"}, "position"),
        ({"position": 12.3}, "position"),
        ({"position": "-PT1S"}, "position"),
        ({"position": "PT1X"}, "position"),
        ({"position": "P99999999999D"}, "position"),
        ({"position": None}, "position"),
        ({"type": None}, "type"),
        ({"parameters": []}, "parameters"),
    ],
)
def test_an_envelope_that_is_wrong_is_explained(change: dict[str, Any], why: str) -> None:
    session, client = begun()
    with pytest.raises(BadInput, match=why) as caught:
        session.take(changed(client.say("ping"), **change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "x", "[]", "null", '"ping"', "[" * 60_000, "{}"])
def test_what_is_no_message_is_explained(text: str) -> None:
    session, _ = begun()
    with pytest.raises(BadInput):
        session.take(text)


def test_a_text_has_65535_bytes_at_most() -> None:
    session, client = begun()
    ping = client.say("ping", pad="")
    session.take(changed(ping, parameters={"pad": "x" * (LONGEST - len(ping))}))
    with pytest.raises(BadInput, match="65535"):
        session.take(changed(client.say("ping"), parameters={"pad": "é" * LONGEST}))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["ping", "update", "new", "discarded", "error", "paused", "resumed"]), max_size=30))
def test_both_sides_count_by_one(types: list[str]) -> None:
    session, client = begun()
    for type in types:
        session.take(client.say(type))
        for answer in answers(session, client):
            assert answer["clientseq"] == json.loads(client.say("x"))["seq"] - 1
            client._said -= 1
    seqs = [message["seq"] for message in client.heard]
    assert seqs == list(range(1, len(seqs) + 1))


# messages


def test_a_ping_is_answered_with_its_number() -> None:
    session, client = begun()
    for rtt in ({}, {"rtt": "PT0.009407557S"}):
        session.take(client.say("ping", **rtt))
        (pong,) = answers(session, client)
        assert (pong["type"], pong["parameters"]) == ("pong", {})
        assert pong["clientseq"] == client._said


def test_update_is_answered_with_updated() -> None:
    session, client = begun()
    assert session.take(client.say("update", language="de-DE")) is None
    assert [each["type"] for each in answers(session, client)] == ["updated"]


def test_pauses_and_gaps() -> None:
    session, client = begun()
    assert session.take(client.say("discarded", start="PT0S", discarded="PT1.5S")) == Lost(1.5, resumed=False)
    assert session.take(client.say("paused")) == Paused()
    assert session.audio(bytes(20)) is None
    assert session.take(client.say("resumed", start="PT0S", discarded="PT1M3.25S")) == Lost(63.25, resumed=True)
    assert session.audio(bytes(20)) is not None
    assert session.take(client.say("resumed")) == Lost(0.0, resumed=True)
    assert answers(session, client) == []


@pytest.mark.parametrize("discarded", ["", "1", 1, "PT-1S", None, [], "P8D", "PT" + "9" * 50 + "S"])
def test_a_length_that_is_none_is_explained(discarded: Any) -> None:
    session, client = begun()
    with pytest.raises(BadInput, match="discarded"):
        session.take(client.say("discarded", start="PT0S", discarded=discarded))


def test_trouble_of_the_client_is_noted_and_it_goes_on() -> None:
    session, client = begun()
    said = client.say("error", code=429, message="too fast", retryAfter="PT5S")
    assert session.take(said) == Troubled("429")
    assert answers(session, client) == []
    assert session.state is State.OPEN


@pytest.mark.parametrize("reason", ["end", "error", "disconnect", "reconnect", "new"])
def test_close_is_answered_with_closed_and_then_nothing(reason: str) -> None:
    session, client = begun()
    assert session.take(client.say("close", reason=reason)) == Ending(reason)
    session.closed()
    (closed,) = answers(session, client)
    assert (closed["type"], closed["clientseq"]) == ("closed", 2)
    assert session.take(client.say("ping")) is None
    assert session.audio(bytes(20)) is None
    assert answers(session, client) == []


def test_after_disconnect_only_close_is_heard_whatever_its_number() -> None:
    session, client = begun()
    session.disconnect("error", "why")
    (said,) = answers(session, client)
    assert said["parameters"] == {"reason": "error", "info": "why"}
    assert session.take(client.say("ping")) is None
    assert session.audio(bytes(3)) is None
    assert answers(session, client) == []
    assert session.take(changed(client.say("close"), seq=99)) == Ending("end")


def test_reconnect_changes_nothing_until_the_client_closes() -> None:
    session, client = begun()
    session.reconnect()
    assert [each["type"] for each in answers(session, client)] == ["reconnect"]
    assert session.audio(bytes(2)) is not None


def test_types_and_fields_that_are_not_known_are_ignored() -> None:
    session, client = begun()
    assert session.take(client.say("weather", sunny=True)) is None
    assert session.take(changed(client.say("ping"), more={"a": 1})) is None
    assert [each["type"] for each in answers(session, client)] == ["pong"]


# audio


def test_bytes_go_to_the_channels_in_turn() -> None:
    session, _ = begun()
    left, right = mulaw.encode(np.array([1000, -1000], np.int16)), mulaw.encode(np.array([50, 5000], np.int16))
    heard = session.audio(bytes([left[0], right[0], left[1], right[1]]))
    assert heard is not None
    assert np.array_equal(heard[:, 0], mulaw.decode(left))
    assert np.array_equal(heard[:, 1], mulaw.decode(right))
    assert session.streamed == 2


@pytest.mark.parametrize("size", [0, 2, 320, 3200, 3202, 65536])
def test_any_even_length_will_do(size: int) -> None:
    session, _ = begun()
    heard = session.audio(bytes(size))
    assert heard is not None
    assert heard.shape == (size // 2, 2)


@pytest.mark.parametrize("size", [1, 3, 3201])
def test_an_odd_length_is_explained(size: int) -> None:
    session, _ = begun()
    with pytest.raises(BadInput, match="binary frame"):
        session.audio(bytes(size))


def test_audio_before_open() -> None:
    with pytest.raises(BadInput, match="before open"):
        Session("x").audio(b"\0\0")


@settings(deadline=None)
@given(st.binary(max_size=400).filter(lambda data: len(data) % 2 == 0), st.lists(st.integers(0, 200), max_size=5))
def test_any_chunking_gives_the_same_samples(data: bytes, cuts: list[int]) -> None:
    session, _ = begun()
    edges = sorted({0, *(min(2 * cut, len(data)) for cut in cuts), len(data)})
    parts = [session.audio(data[a:b]) for a, b in itertools.pairwise(edges)]
    heard = np.concatenate([np.zeros((0, 2), np.int16), *[part for part in parts if part is not None]])
    assert np.array_equal(heard, mulaw.decode(data).reshape(-1, 2))


# hostile


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
TYPES = ["open", "close", "ping", "paused", "resumed", "discarded", "update", "error", "new"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TYPES), st.dictionaries(st.text(), JSON, max_size=4)), max_size=6))
def test_no_parameters_make_it_stumble(messages: list[tuple[str, Any]]) -> None:
    session, client = begun()
    for type, parameters in messages:
        said = json.loads(client.say(type))
        said["parameters"] |= parameters
        try:
            session.take(json.dumps(said))
        except BadInput:
            return


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda data: data.decode("latin1")) | JSON.map(json.dumps))
def test_no_text_makes_it_stumble(text: str) -> None:
    with pytest.raises(BadInput):
        parse(text)


# durations and transcripts


@given(st.floats(0, 100_000))
def test_a_duration_survives_to_the_millisecond(seconds: float) -> None:
    said = json.loads(Client("c").say("ping")) | {"position": iso(seconds)}
    assert parse(json.dumps(said)).position.total_seconds() == pytest.approx(seconds, abs=0.00051)


@pytest.mark.parametrize(("seconds", "text"), [(0, "PT0S"), (12.3, "PT12.3S"), (60, "PT60S"), (0.0004, "PT0S")])
def test_durations_as_the_protocol_has_them(seconds: float, text: str) -> None:
    assert iso(seconds) == text


def test_a_transcript_lies_in_the_streamed_audio() -> None:
    offsets = Offsets()
    offsets.lost(16_000, 48_000)
    word = {"text": "hello", "span": {"start": 80_000, "end": 88_000}, "probability": 0.9}
    event = {"utterance": 3, "channel": "agent", "text": "hello", "words": [word], "span": word["span"]}
    found = entity(event, "c1", {"customer": 0, "agent": 1}, offsets)
    data = found["data"]
    assert found["type"] == "transcript"
    assert (data["channelId"], data["isFinal"], data["offset"], data["duration"]) == (1, True, "PT2S", "PT0.5S")
    (interpretation,) = data["alternatives"][0]["interpretations"]
    assert (interpretation["type"], interpretation["transcript"]) == ("display", "hello")
    assert interpretation["tokens"] == [
        {"type": "word", "value": "hello", "confidence": 0.9, "offset": "PT2S", "duration": "PT0.5S"}
    ]
    assert without_tokens(found)["data"]["alternatives"][0]["interpretations"][0]["tokens"] == []
    assert entity(event, "c1", {"customer": 0, "agent": 1}, offsets)["data"]["id"] == data["id"]


def test_an_event_is_not_larger_than_a_text_may_be() -> None:
    session, client = begun()
    with pytest.raises(ValueError, match="65535"):
        session.event({"x": "y" * LONGEST})
    session.event({"type": "transcript"})
    (said,) = answers(session, client)
    assert (said["seq"], said["parameters"]) == (2, {"entities": [{"type": "transcript"}]})
