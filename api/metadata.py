"""What the phone system says of a call, however it comes in: whose it is, which queue, which way, and what else."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, ValidationError

from api.problems import first_problem
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.events import Direction
from pipeline.session import CallInfo

FIELDS = 20
"""Further fields of a call at most: a few keys into other systems, not a second database."""

_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters and the ends of lines: shown in a terminal or written to a log they would steer it."""


def _on_one_line(text: str) -> str:
    if _UNPRINTED.search(text):
        raise ValueError("control characters and line breaks are not taken")
    return text


Text = Annotated[str, AfterValidator(_on_one_line)]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")]
FieldText = Annotated[Text, Field(max_length=500)]


class Metadata(BaseModel):
    """fields: further ones by name. Names begin with a letter and have letters, digits, ``_``, ``.`` and ``-``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent_id: Text = Field(default="", max_length=100)
    notice_given: Text = Field(default="", max_length=500)
    queue: Text = Field(default="", max_length=100)
    team: Text = Field(default="", max_length=100)
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
