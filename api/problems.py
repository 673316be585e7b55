"""What was wrong with a message, in one line that can be sent back."""

from pydantic import ValidationError

LONGEST = 120
"""Characters of a field's name: one that is not known has the sender's name."""


def first_problem(error: ValidationError) -> str:
    """The first problem, without what was sent: that may be private."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = " ".join(".".join(str(part) for part in first["loc"]).split())[:LONGEST]
    what = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
