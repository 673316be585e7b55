"""Health, metrics, pages."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from api.app import create_app
from api.commands.server import serving
from api.config import Config
from pipeline.graph import Engines
from pipeline.strain import LATE_S, Shed, Strain
from tests.api.conftest import LocalClient, Served, calling, said, stop, upload, wav
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])


def value(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rsplit(" ", 1)[1])


def test_health_names_what_answers(client: LocalClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["policy"], body["calls"]) == ("ready", "standard", 0)
    assert body["version"]
    assert {"fake detector", "fake pitch", "fake transcriber"} <= {engine["name"] for engine in body["engines"]}


def test_before_the_start_nothing_is_ready(config: Config, engines: Engines) -> None:
    app = create_app(config, engines)
    client = LocalClient(app)  # its lifespan never began
    assert (client.get("/health").status_code, client.get("/health").json()["status"]) == (503, "not_ready")
    assert client.get("/calls").status_code == 503
    app.state.desk.store.close()


def test_metrics_count_what_happens(serve: Callable[..., object], server: Served) -> None:
    assert value(server.http.get("/metrics").text, "calmline_calls_in_progress") == 0
    with calling(server) as socket:
        socket.send(CALL.tobytes())
        assert value(server.http.get("/metrics").text, "calmline_calls_in_progress") == 1
        assert server.http.get("/health").json()["calls"] == 1
        stop(socket)
    text = server.http.get("/metrics").text
    assert value(text, 'calmline_door_bytes_total{door="pcm"}') == CALL.nbytes
    assert value(text, "calmline_ticks_total") == -(-len(CALL) // 512)
    assert value(text, "calmline_audio_seconds_total") == pytest.approx(2.0, abs=0.05)
    assert value(text, 'calmline_events_total{type="call_started"}') == 1
    assert value(text, 'calmline_events_total{type="call_ended"}') == 1
    assert value(text, "calmline_words_latency_seconds_count") == 2
    assert value(text, "calmline_late_words_total") == 0
    assert value(text, "calmline_engine_queue") == 0
    assert value(text, "calmline_stored_bytes") > 1000
    assert "c1" not in text


def test_metrics_count_uploads_and_no_creation_times(client: LocalClient) -> None:
    assert upload(client, wav(CALL), call_id="up").status_code == 202
    with client.websocket_connect("/live/up") as socket:
        while socket.receive_json()["event"]["type"] != "call_ended":
            pass
    text = client.get("/metrics").text
    assert value(text, "calmline_ticks_total") == -(-len(CALL) // 512)
    assert value(text, "calmline_audio_seconds_total") == pytest.approx(2.0, abs=0.05)
    assert "_created" not in text


def test_no_page_loads_anything_from_elsewhere(client: LocalClient) -> None:
    assert [client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")] == [404, 404, 200]


def test_the_engine_queue_is_visible(serve: Callable[..., object], config: Config) -> None:
    gate, fake = Event(), FakeTranscriber()
    fake.gate = gate
    with serve(engines=fake_engines(fake)) as server, calling(server) as socket:  # type: ignore[attr-defined]
        socket.send(CALL.tobytes())
        assert fake.asked.wait(20)
        while value(server.http.get("/metrics").text, "calmline_engine_queue") < 1:
            pass  # the first to be heard is a draft; its final waits for it
        gate.set()
        stop(socket)


def test_metrics_of_two_apps_are_their_own(configured: Callable[..., Config], tmp_path: Path) -> None:
    first, second = (create_app(configured(), fake_engines(), store_url=f"sqlite:///{tmp_path / n}.db") for n in "ab")
    first.state.desk.metrics.received("pcm", 5)
    assert b'door="pcm"' not in second.state.desk.metrics.text()
    for app in (first, second):
        app.state.desk.store.close()


def test_pages_that_are_not_built_say_how(config: Config, engines: Engines, tmp_path: Path) -> None:
    with LocalClient(create_app(config, engines, static=tmp_path / "none")) as client:
        answer = client.get("/overlay?agent=bob")
        assert answer.status_code == 503
        assert "npm --prefix api/web run build" in answer.text
        page = client.get("/overlay?agent=bob", headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert "npm --prefix api/web run build" in page.text
        assert page.headers["content-type"].startswith("text/html")
        assert client.get("/static/x.js").status_code == 404


def test_built_pages_are_served(config: Config, engines: Engines, tmp_path: Path) -> None:
    static = tmp_path / "static"
    static.mkdir()
    (static / "overlay.html").write_text("<p>overlay")
    (static / "x.js").write_text("1")
    with LocalClient(create_app(config, engines, static=static)) as client:
        answer = client.get("/", follow_redirects=True)
        assert (answer.status_code, answer.text) == (200, "<p>overlay")
        assert client.get("/static/x.js").text == "1"
        assert client.get("/static/../../api/app.py").status_code == 404


def test_a_call_without_agent_has_an_overlay_of_nobody(server: Served) -> None:
    with calling(server) as socket, server.ws("/live/agent/bob") as page:
        socket.send(CALL.tobytes())
        stop(socket)
        assert said(page) == {"type": "idle"}


def test_what_is_loaded_is_ready_and_left_out_of_collections(config: Config, engines: Engines) -> None:
    async def started() -> int:
        async with serving(create_app(config, engines), None, config.server):
            return gc.get_freeze_count()

    gc.unfreeze()
    assert asyncio.run(started()) > 100_000
    gc.unfreeze()
    assert all("pattern" in vars(phrase) for cue in engines.playbook.cues.compiled for phrase in cue.phrases)


def test_a_lane_in_time_leaves_nothing_out(client: LocalClient) -> None:
    body, text = client.get("/health").json(), client.get("/metrics").text
    assert (body["calls_late_s"], body["left_out"]) == (0.0, "nothing")
    assert (value(text, "calmline_calls_late_seconds"), value(text, "calmline_calls_shed")) == (0.0, 0.0)
    assert value(text, "calmline_lane_turns_total") == 0


@pytest.mark.parametrize("upto", [shed for shed in Shed if shed])
def test_health_and_metrics_say_how_late_calls_are_and_what_is_left_out(client: LocalClient, upto: Shed) -> None:
    strain: Strain = client.app.state.desk.switchboard.strain  # type: ignore[attr-defined]
    turns, now = 0, 100.0
    while strain.shed < upto:
        turns, now = turns + 1, now + 0.05
        strain.feel(0.6, now)
    body, text = client.get("/health").json(), client.get("/metrics").text
    assert body["left_out"] == upto.name.lower()
    assert body["calls_late_s"] == pytest.approx(strain.late, abs=0.001)
    assert LATE_S < body["calls_late_s"] <= 0.6
    assert value(text, "calmline_calls_late_seconds") == pytest.approx(strain.late)
    assert value(text, "calmline_calls_shed") == upto
    assert value(text, "calmline_lane_turns_total") == turns
    assert value(text, "calmline_lane_waited_seconds_total") == pytest.approx(0.6 * turns)
    spent = sum(value(text, f'calmline_calls_shed_seconds_total{{up_to="{shed.name.lower()}"}}') for shed in Shed)
    assert spent == pytest.approx(0.05 * (turns - 1))
    strain.rest(now)
    body = client.get("/health").json()
    assert (body["calls_late_s"], body["left_out"]) == (0.0, "nothing")
