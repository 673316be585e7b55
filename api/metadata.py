"""What the phone system says of a call, however it comes in: whose it is, which queue, which way, and what else."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from api.problems import first_problem
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.events import Direction
from pipeline.session import CallInfo

FIELDS = 20
"""Further fields of a call at most: a few keys into other systems, not a second database."""

FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")]
FieldText = Annotated[str, Field(max_length=500)]


class Metadata(BaseModel):
    """fields: further ones by name. Names begin with a letter and have letters, digits, ``_``, ``.`` and ``-``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent_id: str = Field(default="", max_length=100)
    notice_given: str = Field(default="", max_length=500)
    queue: str = Field(default="", max_length=100)
    team: str = Field(default="", max_length=100)
    direction: Direction = ""
    fields: dict[FieldName, FieldText] = Field(default_factory=dict, max_length=FIELDS)

    def call(
        self, call_id: str, channels: tuple[Channel, ...], *, source: str, warnings: tuple[str, ...] = ()
    ) -> CallInfo:
        about = {name: getattr(self, name) for name in Metadata.model_fields}
        return CallInfo(call_id=call_id, channels=channels, source=source, warnings=warnings, **about)


_Further = RootModel[dict[str, str]]


def given(*, fields: str = "", **about: str) -> Metadata:
    """From a form. fields: a JSON object of texts, empty for none.

    Raises BadInput that names the field, without what it held: that may be private.
    """
    try:
        further = _Further.model_validate_json(fields or "{}").root
    except ValidationError:
        raise BadInput('fields: expected a JSON object of texts, like {"ticket":"4711"}') from None
    try:
        return Metadata.model_validate(about | {"fields": further})
    except ValidationError as error:
        raise BadInput(first_problem(error)) from None
