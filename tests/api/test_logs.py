"""What reaches the logs, and what never does."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import structlog
from websockets.exceptions import InvalidStatus

from api import logs
from api.config import Config
from pipeline.settings import Words
from tests.api.conftest import Served, calling, closed, said, say, stop, upload, wav
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

CALL = stereo([speech(1.0), silence(1.0)], [silence(1.2), speech(0.8, seed=1)])
SECRETS = ["zebra", "quagga", "4111", "s-token-xyz", "bob-token-xyz", "okapi", "wildebeest", "gnu-"]


@pytest.fixture
def configured_logs() -> Iterator[None]:
    before = structlog.get_config()
    access = logging.getLogger("uvicorn.access")
    yield
    structlog.configure(**before)
    access.disabled = False


def everything_private(serve: Callable[..., AbstractContextManager[Served]], config: Config) -> None:
    """A call with private words, notes, digits and names, and everything that can go wrong with it."""
    fake = FakeTranscriber(["my card is zebra 4111 1111", ValueError("quagga")])
    with serve(config=config, engines=fake_engines(fake), log_config=None, log_level="info") as server:
        headers = {"Authorization": "Bearer s-token-xyz"}
        server.http.get("/login?token=bob-token-xyz&next=/overlay")
        server.http.get("/calls", headers={"Authorization": "Bearer gnu-nobody"})
        with calling(server, "c1", notice_given="okapi", agent_id="bob") as socket:
            socket.send(CALL.tobytes())
            say(socket, type="mark", kind="hold", note="wildebeest")
            server.http.post("/calls/c1/marks", json={"kind": "hold", "note": "wildebeest"}, headers=headers)
            stop(socket)
        with server.ws("/doors/pcm", additional_headers=headers) as bad:
            bad.send('{"type":"start","zebra":"quagga"}')
            said(bad)
            closed(bad)
        assert "zebra" in server.http.get("/calls/c1/view", headers=headers).text
        server.http.headers.update(headers)
        upload(server.http, b"zebra" * 100)
        upload(server.http, wav(CALL), call_id="u1", notice_given="okapi")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.usefixtures("configured_logs")
def test_private_fields_never_reach_the_logs(
    serve: Callable[..., AbstractContextManager[Served]],
    configured: Callable[..., Config],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    as_json: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx")  # this test's own client
    logs.configure(json=as_json, level=logging.DEBUG)
    config = configured(
        supervisor_tokens={"sue": "s-token-xyz"}, agent_tokens={"bob": "bob-token-xyz"}, words=Words(draft_s=0.0)
    )
    monkeypatch.setattr("tests.api.conftest.Served.ws", _with_token(Served.ws))
    everything_private(serve, config)
    captured = capsys.readouterr()
    logged = captured.out + captured.err + caplog.text
    assert "c1" in logged
    assert "fault" in logged
    assert "/login" in logged
    assert [secret for secret in SECRETS if secret in logged] == []
    if as_json:
        lines = [json.loads(line) for line in captured.err.splitlines() if line.startswith("{")]
        assert {"event", "level", "timestamp"} <= set(lines[0])


def _with_token(ws: Callable[..., object]) -> Callable[..., object]:
    def connected(self: Served, path: str, **options: object) -> object:
        return ws(self, path, **{"additional_headers": {"Authorization": "Bearer s-token-xyz"}} | options)

    return connected


def test_a_refused_socket_is_no_error_of_ours(serve: Callable[..., AbstractContextManager[Served]]) -> None:
    """uvicorn logs each as an error, so that anybody could fill the log."""
    log, seen = logging.getLogger("uvicorn.error"), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    log.addFilter(logs.told)
    log.addHandler(handler)
    try:
        with serve() as server:
            for _ in range(2):
                with pytest.raises(InvalidStatus), server.ws("/doors/pcm", origin="https://evil.example"):
                    pass
    finally:
        log.removeHandler(handler)
        log.removeFilter(logs.told)
    assert not [line for line in seen if "handshake" in line]
