"""Webhooks by a fake clock: nothing lost, nothing overtaken, nobody held up, nothing unbounded."""

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api.outgoing.endpoint import Answer, Endpoint, check
from api.outgoing.signature import new_secret
from pipeline.errors import BadInput
from tests.api.outgoing.post import SECRET, FakeClock, Rig, news, rig, settings

pytestmark = pytest.mark.anyio


def numbers(receiver_ids: list[str]) -> list[int]:
    return [int(name.split("/")[1]) for name in receiver_ids]


def order_of_first(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


async def test_a_receiver_that_fails_for_two_minutes_gets_every_event_in_order_per_call(tmp_path: Path) -> None:
    clock = FakeClock()
    back = clock.time + 120.0
    outage = [503, 500, httpx.ConnectError("refused"), 404, 429]

    def answer(request: httpx.Request) -> Any:
        return outage[len(request.headers["webhook-id"]) % 5] if clock.time < back else 204

    async with rig(tmp_path, answer, clock) as at:
        for second in range(150):  # five calls go on telling, during the outage and after it
            for call in ("a", "bb", "ccc", "dddd", "eeeee"):
                at.webhooks.send(news(call, second))
            await at.run(until=clock.time + 1.0)
            clock.time += 1.0
        await at.run()
        taken = [request.headers["webhook-id"] for when, request in at.receiver.got if when >= back]
        for call in ("a", "bb", "ccc", "dddd", "eeeee"):
            assert numbers([name for name in taken if name.startswith(f"{call}/")]) == list(range(150))
        assert len(taken) == 750, "nothing twice"
        assert (at.kept, at.webhooks.waiting, at.dead) == (0, 0, [])
        assert at.fates.count("delivered") == 750


async def test_after_the_outage_the_first_event_comes_within_the_longest_wait(tmp_path: Path) -> None:
    clock = FakeClock()
    back = clock.time + 120.0
    async with rig(tmp_path, lambda _: 204 if clock.time >= back else 503, clock, longest_wait_s=60.0) as at:
        at.webhooks.send(news("a", 1))
        await at.run()
        waits = [
            later - earlier for (earlier, _), (later, _) in zip(at.receiver.got, at.receiver.got[1:], strict=False)
        ]
        assert waits == [0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 45.0, 45.0][: len(waits)], (
            "doubled, and less a quarter by chance"
        )
        assert back <= at.receiver.got[-1][0] <= back + 60.0


async def test_one_call_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    clock = FakeClock()
    async with rig(tmp_path, lambda r: 500 if r.headers["webhook-id"].startswith("bad/") else 204, clock) as at:
        for n in range(20):
            at.webhooks.send(news("bad", n))
            at.webhooks.send(news(f"good{n}", n))
        await at.idle()
        assert len([name for name in at.receiver.ids() if name.startswith("good")]) == 20
        assert set(at.receiver.ids("bad")) == {"bad/0"}, "the later ones wait behind the first"
        assert clock.time == 1_000_000.0, "and no time has passed"


@tried(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answers=st.lists(st.sampled_from([204, 200, 500, 503, 401, 302, "reset"]), max_size=60),
    calls=st.lists(st.integers(0, 3), min_size=1, max_size=30),
)
def test_whatever_the_receiver_does_each_call_stays_in_order(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Any], calls: list[int]
) -> None:
    left = iter(answers)

    def answer(_: httpx.Request) -> Any:
        found = next(left, 204)
        return httpx.ReadError("reset") if found == "reset" else found

    async def play() -> None:
        async with rig(tmp_path_factory.mktemp("post"), answer) as at:
            for n, call in enumerate(calls):
                at.webhooks.send(news(f"c{call}", n))
            await at.run()
            for call in set(calls):
                sent = numbers(order_of_first(at.receiver.ids(f"c{call}")))
                assert sent == [n for n, other in enumerate(calls) if other == call]
                assert numbers(at.receiver.ids(f"c{call}")) == sorted(numbers(at.receiver.ids(f"c{call}")))
            assert at.fates.count("delivered") == len(calls)
            assert at.kept == 0

    asyncio.run(play())


async def test_what_a_killed_server_left_is_sent_first_at_the_next_start(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda _: 503) as at:
        for n in range(12):
            at.webhooks.send(news("a", n))
        await at.idle()
        assert at.kept == 12
    async with rig(tmp_path) as at:
        at.webhooks.send(news("a", 12))
        await at.run()
        assert numbers(at.receiver.ids("a")) == list(range(13))
        assert at.kept == 0


async def test_a_file_that_is_damaged_is_put_aside(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda _: 503) as at:
        at.webhooks.send(news("a", 1))
        at.webhooks.send(news("a", 2))
        await at.idle()
    first = min((tmp_path / ".webhooks" / "waiting").glob("*.json"))
    first.write_text('{"id":"a/1"')
    async with rig(tmp_path) as at:
        await at.run()
        assert at.receiver.ids() == ["a/2"]
    assert first.with_suffix(".damaged").exists()


async def test_a_second_process_on_the_folder_sends_its_own_and_takes_nothing_over(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda _: 503) as first:
        first.webhooks.send(news("a", 1))
        await first.idle()
        async with rig(tmp_path) as second:
            second.webhooks.send(news("b", 1))
            await second.run()
            assert second.receiver.ids() == ["b/1"]
        assert first.kept == 1


async def test_after_give_up_h_an_event_is_a_dead_letter_and_the_next_is_tried(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda r: 500 if r.headers["webhook-id"] == "a/1" else 204, give_up_h=1.0) as at:
        at.webhooks.send(news("a", 1))
        at.webhooks.send(news("a", 2))
        await at.run()
        (dead,) = at.dead
        assert (dead["id"], dead["why"]) == ("a/1", "answered 500")
        assert at.receiver.ids()[-1] == "a/2"
        assert 3600 <= at.clock.time - 1_000_000 <= 3660
        assert (at.fates.count("dead"), at.kept) == (1, 0)


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
async def test_what_would_be_refused_again_is_not_tried_again(tmp_path: Path, status: int) -> None:
    async with rig(tmp_path, lambda r: status if r.headers["webhook-id"] == "a/1" else 204) as at:
        at.webhooks.send(news("a", 1))
        at.webhooks.send(news("a", 2))
        await at.run()
        assert at.receiver.ids() == ["a/1", "a/2"]
        assert [each["why"] for each in at.dead] == [f"answered {status}"]


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    moved = httpx.Response(307, headers={"location": "https://elsewhere.example/"})
    async with rig(tmp_path, lambda _: moved, give_up_h=0.0) as at:
        at.webhooks.send(news("a", 1))
        await at.run()
        assert {request.url.host for _, request in at.receiver.got} == {"crm.example"}
        assert "redirects are not followed" in at.dead[0]["why"]


async def test_the_receiver_may_ask_to_be_left_alone_for_a_while(tmp_path: Path) -> None:
    slow_down = httpx.Response(429, headers={"retry-after": "40"})
    async with rig(tmp_path, lambda _: slow_down) as at:
        at.webhooks.send(news("a", 1))
        await at.run(until=1_000_050)
        assert [when - 1_000_000 for when, _ in at.receiver.got] == [0.0, 40.0]


async def test_too_many_waiting_go_to_the_dead_letters_and_those_are_bounded(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda _: 503, waiting=5, dead_mb=0.01) as at:
        for n in range(200):
            at.webhooks.send(news("a", n))
        await at.idle()
        assert at.webhooks.waiting == at.kept == 5
        assert (tmp_path / ".webhooks" / "dead.jsonl").stat().st_size <= 10_000
        assert numbers([each["id"] for each in at.dead]) == list(range(5, 5 + len(at.dead)))
        assert at.dead[0]["why"] == "5 events waited already"
        assert at.fates.count("dead") == len(at.dead)
        assert at.fates.count("lost") == 195 - len(at.dead) > 0


async def test_what_nobody_asked_for_is_not_sent(tmp_path: Path) -> None:
    async with rig(tmp_path, types=("call.ended",)) as at:
        at.webhooks.send(news("a", 1))
        await at.run()
        assert (at.receiver.got, at.kept) == ([], 0)


async def test_a_full_disk_keeps_no_event_from_being_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(tmp_path) as at:

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(at.webhooks._outbox, "keep", refuse)
        at.webhooks.send(news("a", 1))
        await at.run()
        assert at.receiver.ids() == ["a/1"]


async def test_a_stopping_server_delivers_what_it_can_and_keeps_the_rest(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda r: 503 if r.headers["webhook-id"].startswith("bad") else 204) as at:
        at.webhooks.send(news("bad", 1))
        at.webhooks.send(news("good", 1))
        await at.idle()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("api.outgoing.webhooks.FLUSH_S", 0.0)
            await at.webhooks.stop()
        assert at.fates.count("delivered") == 1
        assert at.kept == 1


async def test_at_most_eight_requests_run_at_a_time(tmp_path: Path) -> None:
    running, most, gate = 0, 0, asyncio.Event()

    class Slow:
        async def post(self, _: object) -> Any:
            nonlocal running, most
            running, most = running + 1, max(most, running + 1)
            await gate.wait()
            running -= 1
            return Answer("delivered")

        async def close(self) -> None: ...

    async with rig(tmp_path) as at:
        at.webhooks._receiver = Slow()
        for n in range(30):
            at.webhooks.send(news(f"c{n}", 1))
        while running < 8:
            await asyncio.sleep(0)
        gate.set()
        await at.webhooks.settled()
        assert (most, at.fates.count("delivered")) == (8, 30)


# what is sent


async def one_request(at: Rig) -> httpx.Request:
    at.webhooks.send(news("a.b-1", 57))
    await at.run()
    ((_, request),) = at.receiver.got
    return request


async def test_the_signature_is_what_an_independent_library_verifies(tmp_path: Path) -> None:
    async with rig(tmp_path) as at:
        at.clock.time = time.time()  # the library looks at the clock
        request = await one_request(at)
    body, headers = request.content, dict(request.headers)
    verified = Webhook(SECRET).verify(body, headers)
    assert verified["specversion"] == "1.0"
    for changed in ({"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, {"webhook-id": "a/58"}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


async def test_the_snippet_in_the_docs_verifies(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
    code = page.split("```python\n", 1)[1].split("```", 1)[0]
    space: dict[str, Any] = {}
    exec(code, space)
    async with rig(tmp_path) as at:
        request = await one_request(at)
    now = at.clock.time
    genuine = space["genuine"]
    assert genuine(SECRET, request.headers, request.content, now=now)
    assert not genuine(SECRET, request.headers, request.content + b" ", now=now)
    assert not genuine(SECRET, request.headers, request.content, now=now + 301)
    assert not genuine(new_secret(), request.headers, request.content, now=now)


async def test_an_event_is_sent_as_structured_cloudevents_json(tmp_path: Path) -> None:
    async with rig(tmp_path) as at:
        request = await one_request(at)
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["webhook-id"] == "a.b-1/57"
    assert {"specversion", "id", "source", "type", "time"} <= json.loads(request.content).keys()


async def test_each_attempt_is_signed_anew(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda _: 503) as at:
        at.webhooks.send(news("a", 1))
        await at.run(until=1_000_020)
    stamps = [request.headers["webhook-timestamp"] for _, request in at.receiver.got]
    assert stamps == ["1000000", "1000000", "1000002", "1000005", "1000011"]
    assert len({request.headers["webhook-signature"] for _, request in at.receiver.got}) == 4
    assert len({request.headers["webhook-id"] for _, request in at.receiver.got}) == 1


async def test_an_answer_that_takes_too_long_or_never_ends_is_a_failure(tmp_path: Path) -> None:
    class Forever(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                yield b"x"
                await asyncio.sleep(0)

    async with rig(tmp_path, lambda _: httpx.Response(200, stream=Forever())) as at:
        await one_request(at)
        assert at.fates == ["delivered"], "the status was enough, the endless body was not read"
    async with rig(
        tmp_path,
        lambda _: httpx.Response(200, headers={"content-length": "5000"}, stream=Forever()),
        timeout_s=0.5,
        give_up_h=0,
    ) as at:
        await one_request(at)
        assert at.dead[0]["why"] == "no answer within 0.5 s"


# what can be configured


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://crm.example/", "must be a whole http:// or https://"),
        ("crm.example/hooks", "must be a whole http:// or https://"),
        ("https:///hooks", "must be a whole http:// or https://"),
        ("file:///etc/passwd", "must be a whole http:// or https://"),
        ("https://anna:pw@crm.example/", "has a password"),
        ("https://crm.example/#x", "has a password or a #fragment"),
        ("https://crm.example:99999/", "must be a whole"),
        ("https://crm\x00.example/", "is no address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        check(settings(url=url))


@pytest.mark.parametrize(
    "secret", ["", "hunter2", "whsec_", "whsec_###", "whsec_" + base64.b64encode(b"short").decode(), SECRET[6:]]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(BadInput, match="calmline webhooks secret makes one") as caught:
        check(settings(secret=secret))
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


def test_a_new_secret_is_one() -> None:
    assert new_secret() != new_secret()
    check(settings(secret=new_secret()))


async def test_tls_is_verified() -> None:
    endpoint = Endpoint(settings())
    context = endpoint._client._transport._pool._ssl_context  # type: ignore[attr-defined]
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    await endpoint.close()


async def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over(tmp_path: Path) -> None:
    clock = FakeClock()
    back = clock.time + 120.0
    async with rig(tmp_path, lambda _: 204 if clock.time >= back else 503, clock) as at:
        with structlog.testing.capture_logs() as lines:
            for call in ("a", "b", "c"):
                at.webhooks.send(news(call, 0))
            await at.run(until=back - 1.0)
            assert [(line["event"], line["log_level"]) for line in lines] == [
                ("webhooks fail; they are sent again and again", "warning")
            ]
            assert at.fates.count("retried") > 3
            assert at.webhooks.failing == 3
            await at.run()
            at.webhooks.send(news("a", 1))
            await at.run()
        assert [line["event"] for line in lines[1:]] == ["webhooks are taken again"]
        assert lines[1]["after_s"] >= 120
        assert at.webhooks.failing == 0


async def test_one_call_that_goes_on_failing_beside_others_is_one_line(tmp_path: Path) -> None:
    clock = FakeClock()
    async with rig(tmp_path, lambda r: 500 if r.headers["webhook-id"].startswith("bad/") else 204, clock) as at:
        with structlog.testing.capture_logs() as lines:
            at.webhooks.send(news("bad", 0))
            for n in range(20):
                at.webhooks.send(news(f"good{n}", n))
                await at.run(until=clock.time + 10.0)
        assert [line["event"] for line in lines] == ["webhooks fail; they are sent again and again"]
        assert at.webhooks.failing == 1
