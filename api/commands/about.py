"""Metadata of a call from the command line."""

from collections.abc import Sequence

from pydantic import ValidationError

from api.metadata import Metadata
from api.problems import first_problem
from pipeline.errors import BadInput


def about(*, fields: Sequence[str] = (), **known: str) -> Metadata:
    """fields: NAME=TEXT each. Raises BadInput."""
    further = {}
    for each in fields:
        name, sign, text = each.partition("=")
        if not sign:
            raise BadInput(f"--field {each!r}: write it as NAME=TEXT, such as ticket=4711")
        further[name] = text
    try:
        return Metadata.model_validate(known | {"fields": further})
    except ValidationError as error:
        raise BadInput(f"--{first_problem(error).replace('_', '-', 1)}") from None
