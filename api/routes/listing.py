"""Calls found by what they were: the list with its filters, and what can be filtered by."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.routes.calls import Problem, Summary, summary
from api.routes.deps import Seer, TheDesk
from api.rows import State
from api.search import Sort, Sought

router = APIRouter(tags=["calls"])

PAGE = 200
"""Calls on a page at most."""

REFUSED: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 401, 403, 503)}


class Listed(Summary):
    """excerpt: words around what was searched for, that itself between ⟦ and ⟧; null without a search."""

    excerpt: str | None = None


class Calls(BaseModel):
    """total: of all pages."""

    calls: list[Listed]
    total: int


class Filters(BaseModel):
    """What occurs in the calls that one may see."""

    agents: list[str]
    teams: list[str]
    queues: list[str]
    cues: list[str]
    alerts: list[str]


Text = Annotated[str | None, Query(max_length=100)]


def sought(
    who: Seer,
    q: Annotated[str | None, Query(max_length=400, description='Words all said, "phrases", beginnings*')] = None,
    since: Annotated[str | None, Query(alias="from", max_length=40, description="Started at or after")] = None,
    until: Annotated[
        str | None, Query(alias="to", max_length=40, description="Started before; a day: until its end")
    ] = None,
    agent_id: Annotated[str | None, Query(max_length=100, description="Only this agent's")] = None,
    team: Text = None,
    queue: Text = None,
    direction: Text = None,
    state: State | None = None,
    min_anger: Annotated[float | None, Query(ge=0, le=1, description="Peak of the customer's anger")] = None,
    min_interruptions: Annotated[int | None, Query(ge=0, le=10**6)] = None,
    min_silence_s: Annotated[float | None, Query(ge=0, le=10**6, description="The longest silence")] = None,
    min_alerts: Annotated[int | None, Query(ge=0, le=10**6)] = None,
    cue: Annotated[str | None, Query(max_length=60, description="A cue that was heard")] = None,
    alert: Annotated[str | None, Query(max_length=60, description="A kind of alert that was raised")] = None,
    reviewed: bool | None = None,
    sort: Sort = "newest",
) -> Sought:
    """What is asked for, of the calls that the asking one may see."""
    return Sought(
        q=q, since=since, until=until, agent_id=agent_id, team=team, queue=queue, direction=direction, state=state,
        min_anger=min_anger, min_interruptions=min_interruptions, min_silence_s=min_silence_s, min_alerts=min_alerts,
        cue=cue, alert=alert, reviewed=reviewed, sort=sort, only_agent=who.only_agent,
    )  # fmt: skip


Wanted = Annotated[Sought, Depends(sought)]


@router.get("/calls", responses=REFUSED)
def calls(
    desk: TheDesk,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Calls:
    """Calls, newest first unless sorted otherwise. Agents see their own."""
    rows, total = desk.store.find(wanted, limit, offset)
    said = desk.store.excerpts(wanted.q, rows) if wanted.q else {}
    listed = [
        Listed(**summary(desk, desk.current(row)).model_dump(), excerpt=_masked(desk.mask.text, said.get(row.id)))
        for row in rows
    ]
    return Calls(calls=listed, total=total)


@router.get("/filters", responses=REFUSED)
def filters(desk: TheDesk, who: Seer) -> Filters:
    """What the list can be filtered by."""
    return Filters(**desk.store.choices(who.only_agent))


def _masked(mask: Callable[[str], str], text: str | None) -> str | None:
    return None if text is None else mask(text)
