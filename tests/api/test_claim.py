"""Supervisors claim a live call so that two do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from pipeline.journal import is_event, read_entries
from tests.api.conftest import START, Served, rest, said, say
from tests.fakes import speech, stereo

TOKENS = {
    "supervisor_tokens": {"mara": "m-token", "sue": "s-token"},
    "agent_tokens": {"7": "a-token"},
    "door_tokens": {"pbx": "d-token"},
}
SECOND = stereo([speech(1.0)], [speech(1.0, seed=1)]).tobytes()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def server(serve: Callable[..., AbstractContextManager[Served]], configured: Callable[..., Any]) -> Iterator[Served]:
    with serve(configured(**TOKENS)) as served:
        yield served


@pytest.fixture
def call(server: Served) -> Iterator[Any]:
    """A call of agent 7, live."""
    with server.ws("/doors/pcm", additional_headers=bearer("d-token")) as socket:
        say(socket, **START, call_id="c1", agent_id="7")
        assert said(socket)["type"] == "started"
        yield socket


def claim(server: Served, token: str, method: str = "POST", query: str = "", call_id: str = "c1") -> Any:
    return server.http.request(method, f"/calls/{call_id}/claim{query}", headers=bearer(token))


def listed(server: Served) -> str | None:
    rows = server.http.get("/calls", headers=bearer("m-token")).json()["calls"]
    by: str | None = rows[0]["claimed_by"]
    return by


def hang_up(server: Served, call: Any) -> list[dict[str, Any]]:
    """The events of the call that are about claims."""
    call.send(SECOND)
    say(call, type="stop")
    rest(call)
    return [json.loads(line)["ev"] for line in journal(server) if '"type":"claimed"' in line or '"released"' in line]


def journal(server: Served) -> list[str]:
    return server.desk.archive.folder("c1").journal.read_text().splitlines()[1:]


def test_the_first_has_it_and_the_second_is_told_who(server: Served, call: Any) -> None:
    assert listed(server) is None
    assert claim(server, "m-token").json() == {"call_id": "c1", "claimed_by": "mara"}
    second = claim(server, "s-token")
    assert second.status_code == 409
    assert "claimed by mara" in second.json()["detail"]
    assert claim(server, "m-token").status_code == 200
    assert listed(server) == "mara"
    assert server.http.get("/calls/c1", headers=bearer("a-token")).json()["claimed_by"] == "mara"
    assert [(event["type"], event["by"]) for event in hang_up(server, call)] == [("claimed", "mara")]
    view = server.http.get("/calls/c1/view", headers=bearer("m-token")).json()
    assert view["claimed_by"] == "mara"
    assert listed(server) is None


def test_it_can_be_let_go_and_taken_by_another(server: Served, call: Any) -> None:
    assert claim(server, "m-token", "DELETE").status_code == 204
    claim(server, "m-token")
    refused = claim(server, "s-token", "DELETE")
    assert refused.status_code == 409
    assert "mara" in refused.json()["detail"]
    assert claim(server, "m-token", "DELETE").status_code == 204
    assert listed(server) is None
    assert claim(server, "s-token").status_code == 200
    assert [(event["type"], event["by"]) for event in hang_up(server, call)] == [
        ("claimed", "mara"), ("released", "mara"), ("claimed", "sue"),
    ]  # fmt: skip


def test_what_was_taken_from_another_is_recorded(server: Served, call: Any) -> None:
    claim(server, "m-token")
    assert claim(server, "s-token", query="?force=true").json()["claimed_by"] == "sue"
    assert listed(server) == "sue"
    assert hang_up(server, call)[-1]["taken_from"] == "mara"
    commands = [entry.item for entry in read_entries(server.desk.archive.folder("c1").journal) if not is_event(entry)]
    assert [(each.kind, each.by) for each in commands if each.type == "command"] == [
        ("claim", "mara"),
        ("claim", "sue"),
    ]


def test_only_supervisors_and_only_of_live_calls(server: Served, call: Any) -> None:
    assert claim(server, "a-token").status_code == 403
    assert claim(server, "d-token").status_code == 403
    assert claim(server, "m-token", call_id="none").status_code == 404
    hang_up(server, call)
    for method in ("POST", "DELETE"):
        over = claim(server, "m-token", method)
        assert over.status_code == 409
        assert "not live" in over.json()["detail"]


def test_a_claim_does_not_outlive_its_call(server: Served, call: Any) -> None:
    claim(server, "m-token")
    hang_up(server, call)
    assert server.desk.claims.by("c1") is None
