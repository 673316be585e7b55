"""Searches that people keep."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.routes.calls import CONFLICT, PROBLEMS
from api.routes.deps import Seer, TheDesk

router = APIRouter(tags=["searches"], prefix="/searches")

Name = Annotated[str, Path(min_length=1, max_length=60)]
Key = Annotated[str, StringConstraints(max_length=40)]
Value = Annotated[str, StringConstraints(max_length=400)]


class Filters(BaseModel):
    """As the address of ``GET /calls`` has them."""

    model_config = ConfigDict(extra="forbid")

    filters: dict[Key, Value] = Field(max_length=30)


class Search(Filters):
    name: str


class Found(BaseModel):
    searches: list[Search]


@router.get("", responses=PROBLEMS)
def searches(desk: TheDesk, who: Seer) -> Found:
    """One's own."""
    kept = desk.searches.of(who)
    return Found(searches=[Search(name=name, filters=filters) for name, filters in kept.items()])


@router.put("/{name}", status_code=204, responses={**PROBLEMS, **CONFLICT})
def keep(name: Name, desk: TheDesk, who: Seer, wanted: Filters) -> None:
    """Keep a search; an older one of that name goes."""
    desk.searches.keep(who, name, wanted.filters)


@router.delete("/{name}", status_code=204, responses=PROBLEMS)
def forget(name: Name, desk: TheDesk, who: Seer) -> None:
    desk.searches.forget(who, name)
