"""What docs/doors.md says of proxies: with its headers the server knows its public name, and that it is https."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from websockets.exceptions import InvalidStatus

from api.config import Config
from tests.api.conftest import Served
from tests.api.test_resume import begin

NAME = "calls.example.com"
FORWARDED = {"Host": NAME, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def config(configured: Callable[..., Config]) -> Config:
    return configured(hosts=(NAME,), supervisor_tokens={"mara": "key"})


def test_a_page_of_the_public_name_may_open_a_socket(serve: Serve, config: Config) -> None:
    bearer = {"Authorization": "Bearer key"}
    with serve(config=config) as server:
        with server.ws("/doors/pcm", additional_headers=FORWARDED | bearer, origin=f"https://{NAME}") as socket:
            begin(socket)
            socket.close()
        with (
            pytest.raises(InvalidStatus) as error,
            server.ws("/doors/pcm", additional_headers=FORWARDED | bearer, origin="https://evil.example"),
        ):
            pass
        assert error.value.response.status_code == 403


def test_the_login_cookie_is_for_https_alone(serve: Serve, config: Config) -> None:
    with serve(config=config) as server:
        answer = server.http.get("/login?token=key", headers=FORWARDED, follow_redirects=False)
        assert "secure" in answer.headers["set-cookie"].lower()
        assert server.http.get("/health", headers={"Host": "other.example.com"}).status_code == 421
