"""The list: every filter, words with and without a full-text index, dates, pages, and whose calls one finds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from api import search
from api.rows import AlertRow, CallRow, CueRow, transcripts
from api.search import Sought, moment
from api.store import Store
from pipeline.errors import BadInput

PLAIN: dict[str, Any] = {
    "duration_s": 60.0, "state": "ended", "policy": "standard", "source": "upload", "notice_given": "", "queue": "",
    "team": "", "direction": "", "fields": {}, "alerts": 0, "interruptions": 0, "agent_interruptions": 0,
    "customer_interruptions": 0, "overlaps": 0, "silences": 0, "longest_silence_ms": 0, "response_ms": None,
    "faults": 0, "peak_anger": None, "peak_tension": None, "reviewed": False, "comments": 0, "written": False,
    "wpm": {}, "talk_ms": {},
}  # fmt: skip


def add(
    store: Store, call_id: str, said: str = "", cues: tuple[str, ...] = (), kinds: tuple[str, ...] = (), **values: Any
) -> None:
    row = CallRow(**PLAIN | {"id": call_id, "agent_id": "bob", "started": "2026-03-02T10:00:00+00:00"} | values)
    with Session(store._engine) as session, session.begin():
        session.add(row)
        session.flush()
        session.execute(insert(transcripts).values(rowid=row.place, text=said))
        session.add_all(CueRow(call_id=call_id, channel="customer", name=name, count=1, helped=0) for name in cues)
        session.add_all(
            AlertRow(
                call_id=call_id, n=n, kind=kind, state="cleared", severity="coach", raised_ms=1, cleared_ms=2,
                advice="", reason="", counts=kind != "revised",
            )
            for n, kind in enumerate(kinds)
        )  # fmt: skip


@pytest.fixture(params=[True, False], ids=["full text", "any database"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'x.db'}", full_text=request.param)
    add(
        opened,
        "a",
        "I want a refund, my parcel was lost",
        cues=("complaint",),
        peak_anger=0.8,
        team="north",
        interruptions=3,
    )
    add(opened, "b", "Thank you, goodbye", started="2026-03-03T23:30:00+00:00", agent_id="amy", queue="billing",
        longest_silence_ms=6_500, peak_anger=0.2, kinds=("interruption",))  # fmt: skip
    add(opened, "c", "this is the third time I call", started="2026-03-05T08:00:00+00:00", reviewed=True, alerts=2,
        kinds=("revised",), direction="outbound", state="live")  # fmt: skip
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "cba"),
        ({"q": "refund"}, "a"),
        ({"q": "REFUND parcel"}, "a"),
        ({"q": "refund goodbye"}, ""),
        ({"q": '"third time"'}, "c"),
        ({"q": '"time third"'}, ""),
        ({"q": "par*"}, "a"),
        ({"q": "lost' OR 1=1 --"}, ""),
        ({"agent_id": "amy"}, "b"),
        ({"only_agent": "bob", "agent_id": "amy"}, ""),
        ({"only_agent": "bob"}, "ca"),
        ({"team": "north"}, "a"),
        ({"queue": "billing"}, "b"),
        ({"direction": "outbound"}, "c"),
        ({"state": "live"}, "c"),
        ({"min_anger": 0.5}, "a"),
        ({"min_anger": 0.0}, "ba"),
        ({"min_interruptions": 2}, "a"),
        ({"min_silence_s": 6.5}, "b"),
        ({"min_alerts": 1}, "c"),
        ({"cue": "complaint"}, "a"),
        ({"alert": "interruption"}, "b"),
        ({"alert": "revised"}, ""),
        ({"reviewed": True}, "c"),
        ({"reviewed": False}, "ba"),
        ({"since": "2026-03-03"}, "cb"),
        ({"until": "2026-03-03"}, "ba"),
        ({"until": "2026-03-03T12:00:00"}, "a"),
        ({"since": "2026-03-04T00:00:00+01:00", "until": "2026-03-04"}, "b"),
        ({"sort": "oldest"}, "abc"),
        ({"sort": "anger"}, "abc"),
        ({"sort": "silence"}, "bca"),
        ({"sort": "interruptions"}, "acb"),
    ],
)  # fmt: skip
def test_each_filter(store: Store, asked: dict[str, Any], found: str) -> None:
    rows, total = store.find(Sought(**asked), 50)
    assert "".join(row.id for row in rows) == found
    assert total == len(found)


def test_pages_neither_repeat_nor_lose(store: Store) -> None:
    for number in range(20):
        add(store, f"same-{number:02}")
    seen = [row.id for page in range(5) for row in store.find(Sought(), 5, page * 5)[0]]
    assert len(seen) == len(set(seen)) == store.find(Sought(), 1)[1] == 23


def test_excerpts_name_what_was_found(tmp_path: Path) -> None:
    with_index = Store(f"sqlite:///{tmp_path / 'x.db'}")
    add(with_index, "a", "they cancelled my order twice")
    rows, _ = with_index.find(Sought(q="cancel"), 5)
    assert with_index.excerpts("cancel", rows) == {"a": "they ⟦cancelled⟧ my order twice"}
    with_index.close()


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "", "2026-02-30", "9999-12-31T99:00"])
def test_a_date_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(BadInput, match=r"from=.* is no date; write 2026-01-31"):
        moment(text, "from")


def test_the_last_day_of_all_has_no_next() -> None:
    with pytest.raises(BadInput, match="is no date"):
        moment("9999-12-31", "to", end=True)


@pytest.mark.parametrize("q", ["*", '""', "- !", "a " * 21])
def test_words_that_are_none_are_explained(q: str) -> None:
    with pytest.raises(BadInput, match="give 1 to 20 words"):
        search.tokens(q)
