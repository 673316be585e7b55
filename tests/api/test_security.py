"""Who may see and do what, from which page."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from api.app import create_app
from api.config import Config, Server
from api.policy import LOCAL, May, Role, Who
from api.security import COOKIE, SESSION_S, Keyring, check_exposure, check_tokens, is_loopback, local_path
from pipeline.errors import BadInput
from pipeline.graph import Engines
from tests.api.conftest import LocalClient

TOKENS = {
    "supervisor_tokens": {"sue": "s-token"},
    "agent_tokens": {"bob": "bob-token", "amy": "amy-token"},
    "door_tokens": {"pbx": "door-token"},
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def config(configured: Callable[..., Config]) -> Config:
    return configured(**TOKENS, hosts=("calm.example",))


def open_call(client: TestClient, call_id: str, agent_id: str) -> WebSocketTestSession:
    socket = client.websocket_connect("/doors/pcm", headers=bearer("door-token")).__enter__()
    socket.send_json(
        {"type": "start", "rate": 16000, "format": "s16le", "channels": ["agent", "customer"]}
        | {"call_id": call_id, "agent_id": agent_id}
    )
    assert socket.receive_json()["type"] == "started"
    return socket


def stop_call(socket: WebSocketTestSession) -> None:
    socket.send_json({"type": "stop"})
    assert socket.receive_json()["type"] == "ended"
    socket.__exit__(None, None, None)


@pytest.fixture
def stored(client: TestClient) -> Iterator[TestClient]:
    """bob-1 and amy-1 have ended."""
    for agent in ("bob", "amy"):
        stop_call(open_call(client, f"{agent}-1", agent))
    return client


# exposure and tokens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "calm.example", "192.168.1.2"])
def test_an_address_that_others_reach_needs_credentials(host: str) -> None:
    with pytest.raises(BadInput, match="supervisor_tokens") as caught:
        check_exposure(Server(host=host))
    assert "\n" not in str(caught.value)
    check_exposure(Server(host=host, supervisor_tokens={"sue": "x"}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1"])
def test_this_machine_alone_needs_none(host: str) -> None:
    assert is_loopback(host)
    check_exposure(Server(host=host))


def test_the_app_itself_refuses_to_be_exposed(configured: Callable[..., Config], engines: Engines) -> None:
    with pytest.raises(BadInput, match="other machines"):
        create_app(configured(host="0.0.0.0"), engines)


@pytest.mark.parametrize(
    "tokens",
    [
        {"supervisor_tokens": {"sue": "x"}, "agent_tokens": {"sue": "x"}},
        {"agent_tokens": {"bob": "x", "amy": "x"}},
        {"agent_tokens": {"bob": "x"}, "door_tokens": {"pbx": "x"}},
    ],
)
def test_a_token_has_one_owner(tokens: dict[str, dict[str, str]]) -> None:
    with pytest.raises(BadInput, match="same token") as caught:
        check_tokens(Server(**tokens))
    assert "'x'" not in str(caught.value)


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(BadInput, match="empty"):
        check_tokens(Server(door_tokens={"pbx": ""}))


def test_without_tokens_everybody_local_is_a_supervisor(configured: Callable[..., Config], engines: Engines) -> None:
    with LocalClient(create_app(configured(), engines)) as client:
        assert client.get("/calls").status_code == 200
        assert client.get("/metrics").status_code == 200
    assert LOCAL.role is Role.SUPERVISOR


# the policy's table


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (Who(Role.SUPERVISOR, "sue"), set(May)),
        (Who(Role.AGENT, "bob"), {May.SEE, May.ANSWER, May.BRING_OWN}),
        (Who(Role.DOOR, "pbx"), {May.BRING, May.BRING_OWN}),
    ],
)
def test_the_table(who: Who, may: set[May]) -> None:
    assert {what for what in May if who.may(what)} == may


def test_whose_calls_one_brings() -> None:
    assert Who(Role.AGENT, "bob").brings("bob")
    assert not Who(Role.AGENT, "bob").brings("amy")
    assert not Who(Role.AGENT, "bob").brings("")
    assert Who(Role.DOOR, "pbx").brings("amy")
    assert Who(Role.SUPERVISOR, "sue").brings("")


def test_whose_calls_one_sees() -> None:
    assert Who(Role.SUPERVISOR, "sue").sees("bob")
    assert Who(Role.AGENT, "bob").sees("bob")
    assert not Who(Role.AGENT, "bob").sees("amy")
    assert not Who(Role.AGENT, "bob").sees("")
    assert not Who(Role.DOOR, "bob").sees("bob")


# credentials

GUARDED = [
    ("GET", "/calls"),
    ("POST", "/calls"),
    ("GET", "/calls/bob-1"),
    ("DELETE", "/calls/bob-1"),
    ("GET", "/calls/bob-1/view"),
    ("GET", "/calls/bob-1/events"),
    ("GET", "/calls/bob-1/audio"),
    ("POST", "/calls/bob-1/marks"),
    ("POST", "/calls/bob-1/swap"),
    ("POST", "/calls/bob-1/claim"),
    ("DELETE", "/calls/bob-1/claim"),
    ("GET", "/calls/bob-1/export?format=csv"),
    ("POST", "/calls/bob-1/alerts/1/ack"),
    ("POST", "/calls/bob-1/alerts/1/dismiss"),
    ("GET", "/metrics"),
    ("GET", "/filters"),
    ("GET", "/export"),
    ("GET", "/labels/export"),
    ("GET", "/searches"),
    ("GET", "/trends/sums"),
    ("GET", "/calls/bob-1/peaks"),
    ("POST", "/calls/bob-1/notes"),
    ("DELETE", "/calls/bob-1/notes/1"),
    ("GET", "/me"),
    ("GET", "/overlay"),
    ("GET", "/"),
]
SOCKETS = ["/doors/pcm", "/doors/chat", "/live/bob-1", "/live/agent/bob"]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong"), {"Authorization": "Basic cy10b2tlbg=="}, {"Cookie": f"{COOKIE}=s-token"}]
)
def test_nobody_known_is_401(client: TestClient, method: str, path: str, headers: dict[str, str]) -> None:
    answer = client.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", SOCKETS)
def test_nobody_known_is_refused_before_the_upgrade(client: TestClient, path: str) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(path):
        pass


@pytest.mark.parametrize(("method", "path"), [case for case in GUARDED if case != ("POST", "/calls")])
def test_a_door_sees_nothing(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path, headers=bearer("door-token")).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/calls"), ("POST", "/calls/bob-1/swap"), ("DELETE", "/calls/bob-1"), ("GET", "/metrics")],
)
def test_an_agent_brings_measures_and_deletes_nothing(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path, headers=bearer("bob-token")).status_code == 403


START = {"type": "start", "rate": 16000, "format": "s16le", "channels": ["agent", "customer"]}


def test_an_agent_brings_own_calls(client: TestClient) -> None:
    with client.websocket_connect("/doors/pcm", headers=bearer("bob-token")) as socket:
        socket.send_json(START)
        call_id = socket.receive_json()["call_id"]
        assert client.get(f"/calls/{call_id}", headers=bearer("bob-token")).json()["agent_id"] == "bob"
        socket.send_json({"type": "stop"})
        assert socket.receive_json()["type"] == "ended"


@pytest.mark.parametrize(
    ("wrong", "words"), [({"agent_id": "amy"}, "own calls only"), ({"call_id": "amy-1"}, "leave call_id out")]
)
def test_an_agent_brings_no_call_of_another_and_names_none(
    stored: TestClient, wrong: dict[str, str], words: str
) -> None:
    with stored.websocket_connect("/doors/pcm", headers=bearer("bob-token")) as socket:
        socket.send_json(START | wrong)
        assert words in socket.receive_json()["message"]
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == 1008
    assert stored.get("/calls", headers=bearer("s-token")).json()["total"] == 2


@pytest.mark.parametrize(
    ("token", "path"),
    [
        ("door-token", "/live/bob-1"),
        ("door-token", "/live/agent/bob"),
        ("bob-token", "/doors/chat"),
        ("amy-token", "/live/agent/bob"),
        ("amy-token", "/live/bob-1"),
        ("s-token", "/live/none"),
    ],
)
def test_sockets_of_others_are_refused(stored: TestClient, token: str, path: str) -> None:
    with pytest.raises(WebSocketDisconnect), stored.websocket_connect(path, headers=bearer(token)):
        pass


def test_an_agent_sees_own_calls_only(stored: TestClient) -> None:
    mine = stored.get("/calls", headers=bearer("bob-token")).json()
    assert [call["id"] for call in mine["calls"]] == ["bob-1"]
    assert mine["total"] == 1
    assert stored.get("/calls?agent_id=amy", headers=bearer("bob-token")).json() == {"calls": [], "total": 0}
    assert stored.get("/calls", headers=bearer("s-token")).json()["total"] == 2
    assert stored.get("/calls/bob-1", headers=bearer("bob-token")).status_code == 200


@pytest.mark.parametrize("tail", ["", "/view", "/events", "/audio"])
def test_others_calls_look_as_if_there_were_none(stored: TestClient, tail: str) -> None:
    theirs = stored.get(f"/calls/amy-1{tail}", headers=bearer("bob-token"))
    none = stored.get(f"/calls/nil-1{tail}", headers=bearer("bob-token"))
    assert theirs.status_code == none.status_code == 404
    assert theirs.text.replace("amy", "nil") == none.text


def test_others_calls_cannot_be_answered(stored: TestClient) -> None:
    for path in ("alerts/1/ack", "alerts/1/dismiss"):
        assert stored.post(f"/calls/amy-1/{path}", headers=bearer("bob-token")).status_code == 404
    mark = stored.post("/calls/amy-1/marks", json={"kind": "hold"}, headers=bearer("bob-token"))
    assert mark.status_code == 404


def test_a_wrong_token_is_not_made_good_by_a_cookie(client: TestClient) -> None:
    client.get("/login?token=s-token", follow_redirects=False)
    assert client.get("/calls").status_code == 200
    assert client.get("/calls", headers=bearer("wrong")).status_code == 401


def test_health_is_open(client: TestClient) -> None:
    assert client.get("/health").status_code == 200


# login


def test_a_login_link_gives_a_cookie_that_is_not_the_token(client: TestClient) -> None:
    answer = client.get("/login?token=bob-token&next=/overlay?agent=bob", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/overlay?agent=bob")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "secure" not in cookie.lower()
    assert "bob-token" not in cookie
    assert len(client.cookies[COOKIE]) > 30
    with client.websocket_connect("/live/agent/bob") as socket:
        assert socket.receive_json() == {"type": "idle"}


def test_under_tls_the_cookie_is_secure(config: Config, engines: Engines) -> None:
    with LocalClient(create_app(config, engines), base_url="https://127.0.0.1") as client:
        answer = client.get("/login?token=s-token", follow_redirects=False)
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("token", ["", "wrong", "door-token", "é"])
def test_a_bad_login_link(client: TestClient, token: str) -> None:
    answer = client.get("/login", params={"token": token}, follow_redirects=False)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "evil",
        "",
        "/a\r\nX: y",
        "/\t/evil",
        "/é",
    ],
)
def test_a_login_leads_nowhere_else(client: TestClient, target: str) -> None:
    assert local_path(target) == "/"
    answer = client.get("/login", params={"token": "s-token", "next": target}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_session_ends_after_a_shift_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    keyring = Keyring(Server(supervisor_tokens={"sue": "x"}), clock=lambda: now)
    monkeypatch.setattr("api.security.SESSIONS", 2)
    first, second, third = (keyring.login(LOCAL) for _ in range(3))
    assert keyring._session(first) is None
    assert keyring._session(second) == keyring._session(third) == LOCAL
    now = SESSION_S
    assert keyring._session(second) is None


def test_a_page_learns_who_looks_at_it(client: TestClient) -> None:
    known = client.get("/me", headers=bearer("bob-token")).json()
    assert (known["role"], known["name"], known["policy"]) == ("agent", "bob", "standard")
    assert client.get("/me", headers=bearer("s-token")).json()["role"] == "supervisor"


def test_an_agents_home_is_the_own_overlay(client: TestClient) -> None:
    answer = client.get("/", headers=bearer("bob-token"), follow_redirects=False)
    assert answer.headers["location"] == "/overlay?agent=bob"
    assert client.get("/", headers=bearer("s-token"), follow_redirects=False).headers["location"] == "/overlay"


# Host and Origin


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9", "localhost:8765", "[::1]:80", "CALM.example", "calm.example:1"]
)
def test_known_hosts(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil", "", "x@127.0.0.1", "127.0.0.1:x", "[::1", "a b"])
def test_other_hosts_are_misdirected(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 421
    with pytest.raises(WebSocketDenialResponse) as refused:
        client.websocket_connect("/live/agent/bob", headers={"Host": host, **bearer("s-token")}).__enter__()
    assert refused.value.status_code == 421


FOREIGN = [
    "http://evil.example",
    "null",
    "http://127.0.0.1:81",
    "https://127.0.0.1",
    "http://127.0.0.1.evil.example",
    "x",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_foreign_pages_change_nothing(stored: TestClient, origin: str) -> None:
    headers = {"Origin": origin, **bearer("s-token")}
    assert stored.delete("/calls/bob-1", headers=headers).status_code == 403
    assert stored.post("/calls", headers=headers).status_code == 403
    assert stored.get("/calls/bob-1", headers=headers).status_code == 200
    for path in SOCKETS:
        with pytest.raises(WebSocketDenialResponse) as refused:
            stored.websocket_connect(path, headers=headers).__enter__()
        assert refused.value.status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1", "http://127.0.0.1:80", "https://calm.example", "http://calm.example:1"]
)
def test_own_pages_may(stored: TestClient, origin: str) -> None:
    headers = {"Origin": origin, **bearer("s-token")}
    with stored.websocket_connect("/live/agent/bob", headers=headers) as socket:
        assert socket.receive_json() == {"type": "idle"}
    assert stored.delete("/calls/bob-1", headers=headers).status_code == 204


def test_answers_are_hardened(client: TestClient) -> None:
    headers = client.get("/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
