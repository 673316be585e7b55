"""docs/asyncapi.yaml is what the doors say, its references lead somewhere, and docs/pcm_client.py is a client of it."""

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import soundfile
import yaml

from api.config import Config
from tests.api.conftest import START, Served, said, say, stop
from tests.api.test_pcm import CALL, Serve
from tests.api.test_resume import Configured, gaps

DOCS = Path(__file__).parents[2] / "docs"
PAGE = yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_what_the_code_says() -> None:
    kept = (DOCS / "asyncapi.yaml").read_text(encoding="utf-8")
    assert script("make_asyncapi").page() == kept, "run: uv run python docs/make_asyncapi.py"


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            yield from _references(value)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)


def test_every_reference_leads_somewhere() -> None:
    found = set(_references(PAGE))
    assert len(found) > 20
    for reference in found:
        part = PAGE
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_every_door_is_in_it() -> None:
    assert PAGE["asyncapi"] == "3.0.0"
    assert {each["address"] for each in PAGE["channels"].values()} == {
        f"/doors/{name}" for name in ("pcm", "chat", "twilio", "audiohook")
    }


def payload(name: str) -> Any:
    """Beside the components that it refers to."""
    return PAGE["components"]["messages"][name]["payload"] | {"components": PAGE["components"]}


def test_what_the_door_says_is_as_described(server: Served) -> None:
    with server.ws("/doors/pcm") as socket:
        jsonschema.validate(START, payload("pcm_start"))
        say(socket, **START)
        started = said(socket)
        jsonschema.validate(started, payload("pcm_started"))
        resume = {"type": "resume", "call_id": started["call_id"], "token": started["token"]}
        jsonschema.validate(resume, payload("pcm_resume"))
        with server.ws("/doors/pcm") as again:
            say(again, **resume)
            jsonschema.validate(said(again), payload("pcm_resumed"))
            jsonschema.validate(json.loads(socket.recv(timeout=30)), payload("pcm_error"))
            jsonschema.validate(stop(again), payload("pcm_ended"))


@pytest.mark.parametrize("wrong", [{"rate": 1}, {"format": "mp3"}, {"channels": []}, {"colour": "red"}])
def test_what_the_door_refuses_is_not_as_described(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(START | wrong, payload("pcm_start"))


# the client


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "call.wav"
    soundfile.write(file, CALL, 16_000)
    return file


def test_the_client_plays_a_call(serve: Serve, configured: Configured, recording: Path) -> None:
    config: Config = configured(door_tokens={"switch": "key"}, supervisor_tokens={"mara": "other"})
    with serve(config=config) as server:
        url = f"ws://127.0.0.1:{server.port}/doors/pcm"
        command = [sys.executable, str(DOCS / "pcm_client.py"), url, str(recording), "key"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "'duration_s': 2.0" in done.stdout


@pytest.mark.parametrize("token", [[], ["wrong"]])
def test_the_client_says_that_it_is_not_believed(
    serve: Serve, configured: Configured, recording: Path, token: list[str]
) -> None:
    config: Config = configured(door_tokens={"switch": "key"}, supervisor_tokens={"mara": "other"})
    with serve(config=config) as server:
        done = played(f"ws://127.0.0.1:{server.port}/doors/pcm", str(recording), *token)
    assert done.returncode == 1
    assert "HTTP 403; is the token one of server.door_tokens?" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_client_says_how_it_is_called_and_what_it_cannot_read() -> None:
    assert "python pcm_client.py ws://" in played().stderr
    done = played("ws://127.0.0.1:9/doors/pcm", "nowhere.wav")
    assert done.returncode == 1
    assert "nowhere.wav" in done.stderr
    assert "Traceback" not in done.stderr


def played(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOCS / "pcm_client.py"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_the_client_goes_on_when_the_connection_breaks(server: Served, recording: Path) -> None:
    """The server breaks every connection once, halfway; nothing is missing."""
    client = script("pcm_client")

    async def call() -> dict[str, Any]:
        playing = asyncio.create_task(client.play(f"ws://127.0.0.1:{server.port}/doors/pcm", str(recording)))
        while not (live := list(server.desk.switchboard.calls.values())) or live[0]._fed < 8_000:
            await asyncio.sleep(0)
        contact = server.desk.contacts._open[live[0].call_id]
        loop = live[0]._loop
        asyncio.run_coroutine_threadsafe(contact.visit.socket.close(1011), loop).result(10)
        return dict(await playing)

    ended = asyncio.run(call())
    assert ended["duration_s"] == 2.0
    assert gaps(server, ended["call_id"]) == []
