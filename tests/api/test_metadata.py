"""What the phone system says of a call reaches its view and the list, whichever way it came in."""

import json
from typing import Any

import pytest

from tests.api.conftest import LocalClient, Served, calling, stop
from tests.api.test_calls import analysed

ABOUT = {"agent_id": "bob", "queue": "billing", "team": "north", "direction": "inbound", "notice_given": "ivr"}
FIELDS = {"ticket": "4711", "crm.id": "a-b"}


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in (*ABOUT, "fields")}


def test_an_upload_brings_it(client: LocalClient) -> None:
    call_id = analysed(client, **ABOUT, fields=json.dumps(FIELDS))
    for path in ("", "/view"):
        assert shown(client.get(f"/calls/{call_id}{path}").json()) == ABOUT | {"fields": FIELDS}


def test_a_door_brings_it(server: Served) -> None:
    with calling(server, **ABOUT, fields=FIELDS) as socket:
        stop(socket)
    assert shown(server.http.get("/calls/c1").json()) == ABOUT | {"fields": FIELDS}


def test_nothing_need_be_said(client: LocalClient) -> None:
    call = client.get(f"/calls/{analysed(client)}").json()
    assert shown(call) == dict.fromkeys(ABOUT, "") | {"fields": {}}


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"fields": "4711"}, "fields: expected a JSON object of texts"),
        ({"fields": "{"}, "fields: expected a JSON object of texts"),
        ({"fields": '{"a":1}'}, "fields: expected a JSON object of texts"),
        ({"fields": '{"1a":"x"}'}, "fields.1a"),
        ({"fields": json.dumps({f"f{n}": "" for n in range(21)})}, "at most 20"),
        ({"fields": json.dumps({"a": "x" * 501})}, "at most 500"),
        ({"direction": "sideways"}, "direction"),
        ({"queue": "x" * 101}, "queue"),
        ({"queue": "xxx\x1b[31m"}, "queue: control characters and line breaks are not taken"),
        ({"agent_id": "bob\nadmin"}, "agent_id: control characters"),
        ({"fields": json.dumps({"ticket": "47\x0011"})}, "fields.ticket: control characters"),
    ],
)
def test_what_cannot_be_used_is_refused(client: LocalClient, about: dict[str, str], problem: str) -> None:
    answer = client.post("/calls", files={"file": b""}, data=about)
    assert answer.status_code == 400
    assert problem in answer.json()["detail"]
    assert "xxx" not in answer.json()["detail"]
