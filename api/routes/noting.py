"""What people add to a call: comments, labels of alerts and of stretches, reviewed or not; and take back again."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api import notes
from api.notes import Note
from api.policy import May, Who
from api.routes.calls import CONFLICT, PROBLEMS
from api.routes.deps import Answerer, Folder, TheDesk
from api.security import not_allowed
from pipeline.channel import Channel

router = APIRouter(tags=["notes"], prefix="/calls/{call_id}/notes")

Line = Annotated[int, Path(ge=1, le=2**53, description="Its line, as in the notes of GET /calls/{id}")]
Moment = Annotated[int, Field(ge=0, le=7 * 24 * 3_600_000)]
"""Milliseconds since the start of the call."""


class _Said(BaseModel):
    """replaces: line of the note whose place it takes, so that it is an edit."""

    model_config = ConfigDict(extra="forbid")

    replaces: int | None = Field(default=None, ge=1, le=2**53)


class Comment(_Said):
    """at_ms: what it is about; null for the whole call."""

    type: Literal["comment"]
    text: str = Field(min_length=1, max_length=2000)
    at_ms: Moment | None = None


class AlertLabel(_Said):
    """about: number of the event that raised the alert."""

    type: Literal["label"]
    about: int = Field(ge=1, le=2**53)
    label: Literal["right", "wrong"]


class Stretch(_Said):
    """What is heard in a piece of one voice; ``GET /labels/export`` makes training data of it."""

    type: Literal["stretch"]
    channel: Channel
    begin_ms: Moment
    end_ms: Moment
    label: Literal["calm", "tense", "angry"]

    @model_validator(mode="after")
    def _forward(self) -> "Stretch":
        if self.end_ms - self.begin_ms < 100:
            raise ValueError("a stretch ends at least 100 ms after it begins")
        return self


class Reviewed(_Said):
    type: Literal["reviewed"]
    label: Literal["yes", "no"] = "yes"


Said = Annotated[Comment | AlertLabel | Stretch | Reviewed, Field(discriminator="type")]


class Noted(BaseModel):
    """line: where it stands."""

    call_id: str
    line: int


@router.post("", status_code=201, responses={**PROBLEMS, **CONFLICT})
async def note(desk: TheDesk, folder: Folder, who: Answerer, said: Said) -> Noted:
    """Add a note, or put it in the place of another. Agents comment on their own calls and answer their alerts."""
    _check(who, said)
    line = await desk.note(folder, Note(**said.model_dump(), by=who.name, time=notes.now()), who)
    return Noted(call_id=folder.path.name, line=line)


@router.delete("/{line}", status_code=204, responses={**PROBLEMS, **CONFLICT})
async def take_back(line: Line, desk: TheDesk, folder: Folder, who: Answerer) -> None:
    """Take a note back. It stays in the file, and a line below says that it no longer holds."""
    await desk.take_back(folder, line, who)


def _check(who: Who, said: Comment | AlertLabel | Stretch | Reviewed) -> None:
    if isinstance(said, Stretch | Reviewed) and not who.may(May.JUDGE):
        raise not_allowed(who, May.JUDGE)
