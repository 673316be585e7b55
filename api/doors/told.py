"""The facts of a call, from what a phone system says at its start and where the settings say they stand there."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from api.doors.settings import Told
from api.metadata import Metadata

_PLAIN = ("agent_id", "queue", "team", "direction", "notice_given")


def metadata(where: Told, start: Mapping[str, Any]) -> tuple[Metadata, tuple[str, ...]]:
    """The facts, and a warning for each that cannot be used: a call is not lost for the sake of its queue's name."""
    found = {name: look_up(getattr(where, name), start) for name in _PLAIN}
    about: dict[str, Any] = {"fields": {}}
    warnings = []
    for name, text in found.items():
        if text and not _fits({name: text}):
            warnings.append(f"{name}: what the phone system said cannot be used")
        elif text:
            about[name] = text
    for name, path in where.fields.items():
        text = look_up(path, start)
        if text and not _fits({"fields": {name: text}}):
            warnings.append(f"field {name}: what the phone system said cannot be used")
        elif text:
            about["fields"][name] = text
    return Metadata.model_validate(about), tuple(warnings)


def look_up(path: str, start: Mapping[str, Any]) -> str:
    """What stands there as text, empty when nothing does. path: see ``Told``."""
    if path.startswith("="):
        return path[1:]
    place: Any = start
    for name in path.split("."):
        place = place.get(name) if isinstance(place, Mapping) else None
    return str(place) if isinstance(place, str | int | float) and not isinstance(place, bool) else ""


def _fits(about: dict[str, Any]) -> bool:
    try:
        Metadata.model_validate(about)
    except ValidationError:
        return False
    return True
