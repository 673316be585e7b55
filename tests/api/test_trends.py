"""Trends are of a team or of oneself, never one agent's for somebody else."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from api.app import create_app
from api.config import Config
from api.rows import CueRow, PracticeRow
from api.search import Sought
from api.store import Store
from api.trends import begins
from pipeline.graph import Engines
from tests.api.conftest import LocalClient
from tests.api.test_search import add
from tests.api.test_security import TOKENS, bearer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'x.db'}")
    for number, agent in enumerate(("bob", "amy", "kim", "bob")):
        add(opened, f"w1-{number}", agent_id=agent, started="2026-03-03T10:00:00+00:00", team="north",
            agent_interruptions=number, response_ms=500 + 100 * number, peak_anger=0.2 * number,
            kinds=("interruption", "revised", "agent_tension"), duration_s=900)  # fmt: skip
    for number, agent in enumerate(("bob", "amy")):
        add(opened, f"w2-{number}", agent_id=agent, started="2026-03-10T10:00:00+00:00", team="north")
    with Session(opened._engine) as session, session.begin():
        session.add(CueRow(call_id="w1-0", channel="agent", name="empathy", count=2, helped=1))
        session.add(CueRow(call_id="w1-1", channel="agent", name="question", count=2, helped=0))
        for number in (3, 4):
            for call, seen in (("w1-0", True), ("w1-1", False)):
                session.add(PracticeRow(call_id=call, number=number, seen=seen, missing=not seen, against=False))
    yield opened
    opened.close()


def test_a_team_of_enough_people_is_told_of(store: Store) -> None:
    first, second = store.trends(Sought(team="north"), "week", own=False)
    assert (first.begins, first.calls, first.hours, first.withheld) == (date(2026, 3, 2), 4, 1.0, False)
    assert (first.agent_interruptions, first.angry_calls, first.response_ms) == (6, 2, 650)
    assert (first.alerts, first.helped) == ({"interruption": 4}, {"empathy": 1})
    assert first.practices == {4: (2, 1)}, "composure is the agent's own"
    assert (second.calls, second.withheld, second.agent_interruptions, second.response_ms) == (2, True, 0, None)


def test_oneself_is_told_everything(store: Store) -> None:
    first, second = store.trends(Sought(only_agent="bob"), "week", own=True)
    assert (first.calls, first.agent_interruptions, first.withheld) == (2, 3, False)
    assert first.practices == {3: (1, 1), 4: (1, 1)}
    assert first.alerts == {"interruption": 2, "agent_tension": 2}
    assert (second.calls, second.withheld) == (1, False)


@pytest.mark.parametrize(
    ("by", "day"), [("day", date(2026, 3, 31)), ("week", date(2026, 3, 30)), ("month", date(2026, 3, 1))]
)
def test_where_a_stretch_begins(by: str, day: date) -> None:
    assert begins("2026-03-31T23:59:59+00:00", by) == day  # type: ignore[arg-type]


def test_nobody_elses_trends_are_given(configured: Callable[..., Config], engines: Engines) -> None:
    with LocalClient(create_app(configured(**TOKENS), engines)) as client:
        refused = client.get("/trends/sums?agent_id=bob", headers=bearer("s-token"))
        assert (refused.status_code, refused.json()["detail"][:18]) == (403, "an agent's trends ")
        assert client.get("/trends/sums?agent_id=amy", headers=bearer("bob-token")).status_code == 403
        own = client.get("/trends/sums?agent_id=bob", headers=bearer("bob-token")).json()
        assert (own["of"], own["stretches"], own["fewest"]) == ("bob", [], 3)
        assert client.get("/trends/sums", headers=bearer("s-token")).json()["of"] is None
        assert client.get("/trends/sums?from=soon", headers=bearer("s-token")).status_code == 400
