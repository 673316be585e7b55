"""Which supervisor looks after a call, as its events and its view tell it."""

from __future__ import annotations

import pytest

from pipeline.channel import TWO_CHANNEL
from pipeline.events import Claimed, Released
from pipeline.graph import build
from pipeline.inputs import Command
from pipeline.nodes.claims import ClaimsNode
from pipeline.reducer import Reducer
from pipeline.session import CallInfo, Session
from pipeline.settings import Settings
from tests.fakes import fake_engines


def told(*commands: tuple[str, str]) -> tuple[list[tuple[str, str, str]], str | None]:
    """What the session says of (kind, by), one a tick, and who looks after the call in the end."""
    session, reducer = Session(CallInfo(call_id="c", channels=TWO_CHANNEL), [ClaimsNode()]), Reducer()
    found = []
    for kind, by in commands:
        session.admit(Command(kind=kind, by=by))  # type: ignore[arg-type]
        for entry in session.step(session.silence()).entries:
            reducer.apply(entry)
            if isinstance(entry.item, Claimed | Released):
                found.append((entry.item.type, entry.item.by, getattr(entry.item, "taken_from", "")))
    return found, reducer.view.claimed_by


def test_a_claim_is_told_once_and_may_be_let_go() -> None:
    events, by = told(("claim", "mara"), ("claim", "mara"), ("release", "mara"), ("release", "mara"))
    assert events == [("claimed", "mara", ""), ("released", "mara", "")]
    assert by is None


def test_taking_over_says_from_whom() -> None:
    events, by = told(("claim", "mara"), ("claim", "sue"), ("release", "mara"))
    assert events == [("claimed", "mara", ""), ("claimed", "sue", "mara")]
    assert by == "sue"


@pytest.mark.parametrize("kind", ["acknowledge", "dismiss", "snooze"])
def test_other_commands_claim_nothing(kind: str) -> None:
    assert told((kind, "mara")) == ([], None)


@pytest.mark.parametrize("attribution", ["channels", "written"])
def test_every_call_has_the_node(attribution: str) -> None:
    info = CallInfo(call_id="c", channels=TWO_CHANNEL, attribution=attribution)  # type: ignore[arg-type]
    session = build(info, Settings(), fake_engines())
    session.admit(Command(kind="claim", by="mara"))
    assert [entry.item.by for entry in session.step(session.silence()).entries if isinstance(entry.item, Claimed)] == [
        "mara"
    ]
