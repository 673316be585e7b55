"""What changes over weeks: a team's sums for supervisors, an agent's own for that agent."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict

from api.policy import Role
from api.routes.deps import Seer, TheDesk
from api.routes.listing import REFUSED
from api.search import Sought
from api.trends import FEWEST, By
from pipeline.playbook import load_playbook

router = APIRouter(tags=["calls"])


class PracticeLine(BaseModel):
    """calls: with an occasion for it. seen: in how many of them it was."""

    number: int
    title: str
    calls: int
    seen: int


class Stretch(BaseModel):
    """As ``api.trends.Bucket``."""

    model_config = ConfigDict(from_attributes=True)

    begins: date
    calls: int
    hours: float
    alerts: dict[str, int]
    agent_interruptions: int
    customer_interruptions: int
    angry_calls: int
    response_ms: int | None
    helped: dict[str, int]
    practices: list[PracticeLine]
    withheld: bool


class Trends(BaseModel):
    """of: the agent, or null for a team or all. fewest: agents a stretch must have before others see its sums."""

    by: By
    of: str | None
    team: str | None
    fewest: int
    stretches: list[Stretch]


@router.get("/trends/sums", responses=REFUSED)
def trends(
    desk: TheDesk,
    who: Seer,
    by: By = "week",
    team: Annotated[str | None, Query(max_length=100)] = None,
    queue: Annotated[str | None, Query(max_length=100)] = None,
    agent_id: Annotated[str | None, Query(max_length=100, description="Oneself; nobody else's are given")] = None,
    since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> Trends:
    """Sums by day, week or month. An agent gets the own; a supervisor those of a team, never one agent's."""
    own = who.role is Role.AGENT
    if agent_id is not None and agent_id != who.only_agent:
        raise HTTPException(403, "an agent's trends are that agent's alone; ask for a team, or for everybody")
    sought = Sought(since=since, until=until, team=team, queue=queue, only_agent=who.only_agent)
    titles = {practice.number: practice.title for practice in load_playbook().practice}
    stretches = [
        Stretch.model_validate(
            {name: getattr(bucket, name) for name in Stretch.model_fields if name != "practices"}
            | {
                "practices": [
                    PracticeLine(number=number, title=titles.get(number, ""), calls=calls, seen=seen)
                    for number, (calls, seen) in sorted(bucket.practices.items())
                ]
            }
        )
        for bucket in desk.store.trends(sought, by, own=own)
    ]
    return Trends(by=by, of=who.only_agent, team=team, fewest=FEWEST, stretches=stretches)
