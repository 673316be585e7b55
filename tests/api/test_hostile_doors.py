"""Ten thousand mutated frames at each signed door: clean closes, no traceback, no other call disturbed."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest
import structlog
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from api.config import Config, Limits
from api.doors.audiohook_session import Opening, Session, choose
from api.doors.settings import AudioHook, Doors, Twilio
from api.doors.twilio_stream import Stream
from benchmarks.load import Line
from benchmarks.wire_audiohook import Client, audiohook_frames
from benchmarks.wire_twilio import Manner, twilio_messages
from pipeline.errors import BadInput
from pipeline.journal import read_entries
from tests.api.conftest import Served, calling, stop
from tests.fakes import silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])
LINE = Line(stereo([speech(0.3, rate=8000)], [speech(0.3, seed=1, rate=8000)]), 8000)
FRAMES = 10_000
AT_ONCE = 50
"""Mutated frames of one connection: the door hears them up to the first that cannot be used."""
CLEAN = {1000, 1008, 1009}

Frame = str | bytes


@pytest.fixture
def served(serve: Callable[..., AbstractContextManager[Served]], configured: Callable[..., Config]) -> Iterator[Served]:
    doors = Doors(twilio=Twilio(unsigned=True), audiohook=AudioHook(unsigned=True))
    with serve(configured(doors=doors, limits=Limits(calls=500, messages_per_s=100_000))) as served:
        yield served


def twilio_frames(chance: random.Random) -> list[Frame]:
    return [json.dumps(message) for _, message in twilio_messages(LINE, f"CA{chance.getrandbits(64)}", Manner())]


def hook_frames(chance: random.Random) -> list[Frame]:
    client = Client(f"conversation-{chance.getrandbits(64)}")
    opening = client.open({"agent_id": "bob"})
    gaps = [(0.1, 0.1)]
    between = [frame for _, frame in audiohook_frames(client, LINE, 0.02, gaps, [(0.24, 0.02)])]
    others = [client.say(kind, code=1, language="en") for kind in ("ping", "update", "error", "new")]
    return [opening, *between, *others, client.say("close", reason="end")]


def mutated(frame: Frame, chance: random.Random) -> Frame:
    """With something wrong: cut, doubled, other characters, another value, another type of frame."""
    if isinstance(frame, bytes):
        return chance.choice([frame[:-1], frame[:1], frame * 40, frame.hex()])
    text, at = list(frame), chance.randrange(len(frame))
    match chance.randrange(8):
        case 0:
            return frame[:at]
        case 1:
            text[at] = chance.choice('"{}[]:,0\\x\0é')
        case 2:
            text[at:at] = text[: chance.randrange(30)]
        case 3:
            return frame.encode()
        case 4:
            return frame.replace('"', chance.choice(["'", ""]), chance.randrange(1, 4))
        case 5:
            return _other_value(json.loads(frame), chance)
        case 6:
            return frame.replace("0", chance.choice(["-1", "9" * 30, "null", "1e999"]), 1)
        case _:
            chance.shuffle(text)
    return "".join(text)


def _other_value(message: dict[str, Any], chance: random.Random) -> str:
    """One value, at some depth, is another one."""
    place = message
    while isinstance(inner := place[name := chance.choice(list(place))], dict) and inner and chance.random() < 0.8:
        place = inner
    place[name] = chance.choice([None, -1, 2**70, "", "x" * 70_000, [], {}, True, "PT9999999999H", [[[]]]])
    return json.dumps(message)


BUILD = {"twilio": twilio_frames, "audiohook": hook_frames}


def attack(socket: ClientConnection, frames: list[Frame], chance: random.Random) -> None:
    """Good frames up to somewhere, mutated ones, and a goodbye if there is still anybody."""
    with suppress(ConnectionClosed):
        for frame in frames[: chance.randrange(len(frames))]:
            socket.send(frame)
        for _ in range(AT_ONCE):
            socket.send(mutated(chance.choice(frames), chance))


def events(served: Served, call_id: str) -> list[Any]:
    """Without what its start says of itself."""
    return [entry.item for entry in read_entries(served.desk.archive.folder(call_id).journal)][1:]


def quiet_call(served: Served, call_id: str, meanwhile: Callable[[], None]) -> list[Any]:
    with calling(served, call_id) as socket:
        socket.send(CALL[:16_000].tobytes())
        meanwhile()
        socket.send(CALL[16_000:].tobytes())
        assert stop(socket)["duration_s"] == 2.0
    return events(served, call_id)


@pytest.mark.parametrize("door", BUILD)
def test_mutated_frames_end_in_clean_closes_and_disturb_nobody(served: Served, door: str) -> None:
    chance, codes = random.Random(7), set()

    def storm() -> None:
        for _ in range(FRAMES // AT_ONCE):
            with suppress(ConnectionClosed), served.ws(f"/doors/{door}", open_timeout=60) as socket:
                attack(socket, BUILD[door](chance), chance)
                socket.close()
            codes.add(socket.close_code)

    alone = quiet_call(served, "alone", lambda: None)
    with structlog.testing.capture_logs() as lines:
        assert quiet_call(served, "beside", storm) == alone
    assert codes <= CLEAN
    assert not [line for line in lines if line["log_level"] in ("error", "critical")]
    assert served.http.get("/health").status_code == 200


@pytest.mark.parametrize("door", BUILD)
def test_each_of_ten_thousand_mutated_frames_is_used_or_explained(door: str) -> None:
    """Without a socket, so that every single one is heard: behind good ones, in a state of its own."""
    chance, refused = random.Random(11), 0
    frames: list[Frame] = []
    for count in range(FRAMES):
        if count % 100 == 0:
            frames = BUILD[door](chance)[:8]
        machine: Any = Stream() if door == "twilio" else Session("")
        for frame in frames[: chance.randrange(len(frames))]:
            hear(machine, frame)
        try:
            hear(machine, mutated(chance.choice(frames), chance))
        except BadInput as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - most are refused, and each must be explained
    assert refused > FRAMES // 3


def hear(machine: Any, frame: Frame) -> None:
    if isinstance(machine, Stream):
        machine.take(frame if isinstance(frame, str) else "")
    elif isinstance(frame, bytes):
        machine.audio(frame)
    else:
        happened = machine.take(frame)
        if isinstance(happened, Opening):
            machine.opened(choose(happened.open.media))
