"""What a recording's name says of its call.

    Naming("{date}_{agent_id}_{queue}_{side}")       each {name} is text without a slash
    Naming(r"(?P<date>\\d{8})-(?P<agent_id>\\d+)")     or a regular expression with named groups

A pattern without a slash is for the file's name, one with slashes for its path in the folder; the ending (.wav) is
left out. ``call_id``, ``side`` (agent or customer: two files are one call), ``date``, ``time`` and the metadata have
their meaning; every other name becomes a further field.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

from pydantic import ValidationError

from api.metadata import Metadata
from api.problems import first_problem
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput

SIDES = ("agent", "customer")
_ABOUT = ("agent_id", "queue", "team", "direction", "notice_given")
_OWN = ("call_id", "side", "date", "time")
_PLACE = re.compile(r"\\\{(\w+)\\\}")
_UNSAID = re.compile(r"(?P<rest>.+[-_. ])(?P<side>agent|customer)", re.IGNORECASE)
"""Without a pattern only the end of a name says something: x-agent.wav and x-customer.wav are one call."""


@dataclass(frozen=True, slots=True)
class Named:
    """call: what the two files of one call share. side: whose voice alone it holds; None for a whole call.

    started: ISO 8601, UTC; empty where the name does not say.
    """

    call: str
    side: Channel | None = None
    call_id: str = ""
    started: str = ""
    about: Metadata = field(default_factory=Metadata)


class Naming:
    """pattern: empty for none. sides: what stands in ``side`` for agent and customer. about: of every call, where its
    name does not say otherwise. Raises BadInput for a pattern that cannot be one.
    """

    def __init__(self, pattern: str = "", sides: tuple[str, str] = SIDES, about: Metadata | None = None) -> None:
        self._about = about or Metadata()
        self._whole = "/" in pattern
        self._sides = {name.casefold(): channel for name, channel in zip(sides, TWO_CHANNEL, strict=True)}
        self._expected = pattern
        try:
            self._pattern = re.compile(_expression(pattern)) if pattern else None
        except re.error as error:
            raise BadInput(f"--name {pattern!r} is no pattern: {error}; write it like {{date}}_{{agent_id}}") from None

    def read(self, path: PurePosixPath) -> Named:
        """path: in the folder. Raises BadInput when the name does not fit, or says what cannot be."""
        bare = path.with_suffix("")
        if self._pattern is None:
            found = _UNSAID.fullmatch(bare.name)
            if found is None:
                return Named(str(path), about=self._about)
            return Named(str(bare.with_name(found["rest"])), Channel(found["side"].lower()), about=self._about)
        text = str(bare) if self._whole else bare.name
        found = self._pattern.fullmatch(text)
        if found is None:
            raise BadInput(f"its name does not fit {self._expected!r}")
        said = {name: value for name, value in found.groupdict().items() if value is not None}
        call = str(path)
        if "side" in said:
            begin, end = found.span("side")
            call = text[:begin] + "*" + text[end:] if self._whole else f"{path.parent}/{text[:begin]}*{text[end:]}"
        return Named(call, self._side(said), said.get("call_id", ""), _started(said), self._metadata(said))

    def overlooks_side(self, path: PurePosixPath) -> bool:
        """Whether a name ends as that of one party's file, and the pattern does not ask whose it is."""
        asked = self._pattern is None or "side" in self._pattern.groupindex
        return not asked and _UNSAID.fullmatch(path.with_suffix("").name) is not None

    def _side(self, said: dict[str, str]) -> Channel | None:
        if "side" not in said:
            return None
        try:
            return self._sides[said["side"].casefold()]
        except KeyError:
            names = " or ".join(self._sides)
            raise BadInput(f"its name says side {said['side']!r}, expected {names} (--sides)") from None

    def _metadata(self, said: dict[str, str]) -> Metadata:
        known = {name: said[name] for name in _ABOUT if name in said}
        further = {name: value for name, value in said.items() if name not in (*_ABOUT, *_OWN)}
        about = self._about.model_dump()
        try:
            return Metadata.model_validate({**about, **known, "fields": {**about["fields"], **further}})
        except ValidationError as error:
            raise BadInput(f"its name says {first_problem(error)}") from None


def _expression(pattern: str) -> str:
    """A template as a regular expression; one that is such already stays as it is."""
    if "(?P<" in pattern:
        return pattern
    return _PLACE.sub(r"(?P<\1>[^/]+?)", re.escape(pattern))


def _started(said: dict[str, str]) -> str:
    """The moment that date and time name on this machine's clock; empty without a date."""
    if "date" not in said:
        return ""
    digits = re.sub(r"\D", "", said["date"]), re.sub(r"\D", "", said.get("time", "")).ljust(6, "0")
    try:
        moment = datetime.strptime("".join(digits), "%Y%m%d%H%M%S")
    except ValueError:
        raise BadInput(
            f"its name says date {said['date']!r} and time {said.get('time', '')!r}; expected 20260105 or 2026-01-05, "
            "and 142530 or 14-25-30"
        ) from None
    return moment.astimezone(UTC).isoformat(timespec="seconds")
