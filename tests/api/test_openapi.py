"""What the schema promises holds, and nothing that fits it or does not makes the server stumble."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from httpx2 import InvalidURL
from hypothesis import HealthCheck, Phase, given, settings

from api.app import create_app
from api.config import Config, Server
from pipeline.settings import Storage
from tests.api.conftest import HOME, LocalClient, upload, wav
from tests.fakes import fake_engines, silence, speech, stereo

SENT = ("method", "url", "params", "headers", "json", "data", "files", "content")
CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalClient]:
    folder = tmp_path_factory.mktemp("openapi") / "calls"
    config = Config(storage=Storage(folder=str(folder)), policy="standard", server=Server())
    with LocalClient(create_app(config, fake_engines())) as client:
        assert upload(client, wav(CALL), call_id="c1").status_code == 202
        with client.websocket_connect("/live/c1") as socket:
            while socket.receive_json()["event"]["type"] != "call_ended":
                pass
        yield client


def test_every_route_is_described(client: LocalClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/calls",
        "/calls/{call_id}",
        "/calls/{call_id}/view",
        "/calls/{call_id}/events",
        "/calls/{call_id}/audio",
        "/calls/{call_id}/marks",
        "/calls/{call_id}/claim",
        "/calls/{call_id}/snooze",
        "/calls/{call_id}/swap",
        "/calls/{call_id}/export",
        "/calls/{call_id}/report",
        "/calls/{call_id}/peaks",
        "/calls/{call_id}/notes",
        "/calls/{call_id}/notes/{line}",
        "/filters",
        "/export",
        "/labels/export",
        "/searches",
        "/searches/{name}",
        "/trends/sums",
        "/calls/{call_id}/alerts/{alert}/ack",
        "/calls/{call_id}/alerts/{alert}/dismiss",
        "/health",
        "/me",
        "/metrics",
    }


def test_what_cannot_be_used_is_400_everywhere(client: LocalClient) -> None:
    schema = client.get("/openapi.json").json()
    answers = [set(each["responses"]) for path in schema["paths"].values() for each in path.values()]
    assert not any("422" in each for each in answers)
    assert sum("400" in each for each in answers) >= len(answers) - 3
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_answers_are_as_described(client: LocalClient) -> None:
    import jsonschema

    schema: dict[str, Any] = client.get("/openapi.json").json()
    for path in ("/calls", "/calls/{call_id}", "/calls/{call_id}/view", "/calls/{call_id}/events", "/health"):
        content = schema["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        answer = client.get(path.format(call_id="c1"))
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), {**content, "components": schema["components"]})


def test_nothing_makes_it_stumble(client: LocalClient) -> None:
    described = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(described)
    seen: list[tuple[str, int]] = []

    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=8,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy())
        def stays_up(case: Any) -> None:
            sent = case.as_transport_kwargs(base_url=HOME)
            if isinstance(sent.get("data"), bytes | str):
                sent["content"] = sent.pop("data")
            try:
                answer = client.request(**{key: sent[key] for key in SENT if sent.get(key) is not None})
            except (InvalidURL, UnicodeError, TypeError):  # what no client can send
                return
            seen.append((case.operation.path, answer.status_code))
            assert answer.status_code < 500

        stays_up()
    assert {path for path, _ in seen} == set(schema.raw_schema["paths"])
