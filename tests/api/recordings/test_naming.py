"""What a recording's name says."""

import os
import time
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from api.metadata import Metadata
from api.recordings.naming import Naming
from pipeline.channel import Channel
from pipeline.errors import BadInput


@pytest.fixture(autouse=True)
def in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def read(pattern: str, path: str, **options):  # type: ignore[no-untyped-def]
    return Naming(pattern, **options).read(PurePosixPath(path))


def test_a_template_names_its_parts() -> None:
    named = read("{date}_{time}_{agent_id}_{queue}_{ticket}", "2026/20260105_142530_7_billing_4711.wav")
    assert named.started == "2026-01-05T13:25:30+00:00", "local time, told in UTC"
    about = named.about
    assert (about.agent_id, about.queue, about.fields, named.side) == ("7", "billing", {"ticket": "4711"}, None)


def test_a_regular_expression_does_so_too() -> None:
    named = read(r"call-(?P<call_id>\d+)(-(?P<direction>inbound|outbound))?", "call-17-outbound.flac")
    assert (named.call_id, named.about.direction) == ("17", "outbound")
    assert read(r"call-(?P<call_id>\d+)(-(?P<direction>inbound|outbound))?", "call-17.flac").about.direction == ""


def test_a_pattern_with_a_slash_is_for_the_whole_path() -> None:
    named = read("{team}/{queue}/{agent_id}-{call_id}", "north/billing/7-a1.mp3")
    assert (named.about.team, named.about.queue, named.about.agent_id, named.call_id) == ("north", "billing", "7", "a1")


@pytest.mark.parametrize(("date", "hour"), [("2026-07-01", "14-25"), ("20260701", "1425"), ("2026.07.01", "14:25:00")])
def test_dates_and_times_as_people_write_them(date: str, hour: str) -> None:
    assert read("{date} {time}", f"{date} {hour}.wav").started == "2026-07-01T12:25:00+00:00"


def test_both_sides_of_a_call_share_it() -> None:
    sides = [read("{call_id}_{side}", f"x/a1_{side}.wav", sides=("tx", "rx")) for side in ("tx", "RX")]
    assert [each.side for each in sides] == [Channel.AGENT, Channel.CUSTOMER]
    assert len({each.call for each in sides}) == 1
    assert read("{call_id}_{side}", "y/a1_tx.wav", sides=("tx", "rx")).call != sides[0].call, "another folder's is not"


@pytest.mark.parametrize("name", ["a1-agent.wav", "a1_Agent.wav", "a1.agent.wav", "a1 agent.wav"])
def test_without_a_pattern_the_end_of_the_name_may_say_the_side(name: str) -> None:
    assert Naming().read(PurePosixPath(name)).side is Channel.AGENT
    assert Naming().read(PurePosixPath("agent.wav")).side is None
    assert Naming().read(PurePosixPath("reagent.wav")).side is None


def test_the_command_line_speaks_where_the_name_does_not() -> None:
    about = Metadata(agent_id="9", queue="sales", fields={"site": "a", "ticket": "0"})
    named = Naming("{agent_id}_{ticket}", about=about).read(PurePosixPath("7_4711.wav"))
    assert (named.about.agent_id, named.about.queue) == ("7", "sales")
    assert named.about.fields == {"site": "a", "ticket": "4711"}
    assert Naming(about=about).read(PurePosixPath("x.wav")).about == about


@pytest.mark.parametrize(
    ("pattern", "path", "problem"),
    [
        ("{date}_{agent_id}", "hello.wav", r"its name does not fit '\{date\}_\{agent_id\}'"),
        ("{date}", "20261399.wav", "its name says date '20261399'"),
        ("{date}", "yesterday.wav", "its name says date 'yesterday'"),
        ("{call_id}_{side}", "a1_left.wav", "its name says side 'left', expected agent or customer"),
        ("{direction}", "sideways.wav", "its name says direction: "),
        ("{agent_id}", "7" * 101 + ".wav", "its name says agent_id: "),
    ],
)
def test_a_name_that_says_something_else_is_told(pattern: str, path: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        read(pattern, path)


@pytest.mark.parametrize("pattern", ["(?P<a>", "(?P<1>x)", "{a}{a}"])
def test_a_pattern_that_is_none_is_told(pattern: str) -> None:
    with pytest.raises(BadInput, match="is no pattern"):
        Naming(pattern)
