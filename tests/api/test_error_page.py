"""Who asks with a browser and is refused reads a page: what is missing, who they are, where to go."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.config import Config
from api.error_page import sentence
from pipeline.graph import Engines
from tests.api.conftest import LocalClient
from tests.api.test_security import TOKENS

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def config(configured: Callable[..., Config]) -> Config:
    return configured(**TOKENS)


@pytest.fixture
def bob(client: TestClient) -> TestClient:
    """A browser in which an agent is logged in."""
    client.get("/login?token=bob-token", follow_redirects=False)
    return client


@pytest.mark.parametrize("path", ["/room", "/wall", "/room/any", "/calls/any/report?format=html", "/login?token=wrong"])
def test_nobody_known_is_told_how_to_log_in(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "login link" in answer.text
    assert "Nobody is logged in in this browser." in answer.text
    assert "Bearer" not in answer.text
    assert "href" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_wrong_role_is_told_whose_it_is_and_where_their_own_is(bob: TestClient) -> None:
    answer = bob.get("/wall", headers=BROWSER)
    assert answer.status_code == 403
    assert "The role agent may not do this; it is for: supervisor." in answer.text
    assert "You are logged in as agent bob." in answer.text
    assert 'href="/overlay?agent=bob"' in answer.text


@pytest.mark.parametrize("path", ["/room/nope", "/calls/nope", "/calls/nope/report?format=html"])
def test_a_call_that_is_not_there_leads_back_to_the_calls(bob: TestClient, path: str) -> None:
    answer = bob.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert "No stored call nope" in answer.text
    assert 'href="/room"' in answer.text


def test_an_address_that_is_none_leads_to_the_pages(bob: TestClient) -> None:
    answer = bob.get("/nonesuch", headers=BROWSER)
    assert (answer.status_code, "There is nothing here" in answer.text) == (404, True)


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}, {"Accept": "*/*"}])
def test_programs_get_json(bob: TestClient, headers: dict[str, str]) -> None:
    for path, status in (("/wall", 403), ("/room/nope", 404), ("/nonesuch", 404)):
        answer = bob.get(path, headers=headers)
        assert (answer.status_code, list(answer.json())) == (status, ["detail"])


def test_what_is_sent_is_answered_in_json_even_to_a_browser(bob: TestClient) -> None:
    answer = bob.post("/calls/nope/marks", json={"kind": "hold"}, headers=BROWSER)
    assert (answer.status_code, "detail" in answer.json()) == (404, True)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_defect_is_told_without_its_inside(config: Config, engines: Engines, accept: str) -> None:
    app = create_app(config, engines)

    def breaks() -> None:
        raise RuntimeError("secret inside")

    app.add_api_route("/breaks", breaks)
    with LocalClient(app, raises=False) as client:
        answer = client.get("/breaks", headers={"Accept": accept, "Authorization": "Bearer s-token"})
    assert answer.status_code == 500
    assert "secret inside" not in answer.text
    assert "in the server's log" in answer.text.replace("&#x27;", "'")


def test_nothing_in_a_page_is_taken_for_markup(bob: TestClient) -> None:
    answer = bob.get("/room/<script>alert(1)<", headers=BROWSER)
    assert answer.status_code in (400, 404)
    assert "<script>" not in answer.text


def test_details_are_sentences() -> None:
    assert sentence("no stored call x") == "No stored call x."
    assert sentence("server.host = 3 is wrong.") == "server.host = 3 is wrong."
