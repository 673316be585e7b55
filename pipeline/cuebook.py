"""The cues as they are written down: one TOML file a language, and what a deployment adds in files of its own.

    [lists]                       words that phrases name as <day>
    [[cue]]                       name, role, phrases, and what takes them away; see ``CueRule``

A later file adds to a cue of the same name, or brings a new one. Every mistake is told with file, line and cue.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pipeline import learnt
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.phrases import Phrase, compiled
from pipeline.settings import Cues, Section

SHIPPED = "cues/en.toml"
SHIPPED_NAME = f"pipeline/{SHIPPED}"
_HEADER = re.compile(r"^[ \t]*\[\[\s*cue\s*\]\]", re.MULTILINE)


class CueRule(Section):
    """One cue. role: who must say it. about: one line for people."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    role: Channel
    about: str = ""
    phrases: tuple[str, ...] = ()
    """What shows it, in the language of ``pipeline.phrases``."""
    unless: tuple[str, ...] = ()
    """What takes it away when it is found in the same sentence."""
    yields: tuple[str, ...] = ()
    """Cues that take it away when one of them is found in the same sentence."""
    negatable: bool = False
    """Whether "not", "never" or "without" shortly before the phrase takes it away."""
    like: tuple[str, ...] = ()
    """Sentences whose neighbours in meaning show it too, where they are as near as ``close``."""
    close: float | None = Field(default=None, gt=0.0, le=1.0)
    """Cosine from which a sentence is as near as that to one of ``like``; none: words alone decide."""
    examples: tuple[str, ...] = ()
    """Utterances that must show it: its test."""
    counter_examples: tuple[str, ...] = ()
    """Utterances that must not, however near; the nearest of ``like`` must be nearer than any of these."""

    def joined(self, more: "CueRule") -> "CueRule":
        """With what a later file adds; what that file says once holds."""
        added: dict[str, Any] = {key: getattr(self, key) + getattr(more, key) for key in _MANY}
        said = {key: getattr(more, key) for key in more.model_fields_set - set(_MANY)}
        return self.model_copy(update=added | said)


_MANY = ("phrases", "unless", "yields", "like", "examples", "counter_examples")


@dataclass(frozen=True)
class Compiled:
    """A rule's phrases, ready to be looked for."""

    rule: CueRule
    phrases: tuple[Phrase, ...]
    unless: tuple[Phrase, ...]


@dataclass(frozen=True)
class CueBook:
    """All cues. sha256: of every file they came from.

    weighed: whether the shipped cues are among them, for which labelled lines speak too. own: what was added to those,
    a rule each with the deployment's phrases alone.
    """

    rules: tuple[CueRule, ...]
    lists: dict[str, tuple[str, ...]]
    sha256: str
    weighed: bool = False
    own: tuple[CueRule, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(rule.name for rule in self.rules)

    @cached_property
    def compiled(self) -> tuple[Compiled, ...]:
        """Raises BadInput, naming the cue, for a phrase that cannot be read."""
        return tuple(_compiled(rule, self.lists) for rule in self.rules)

    @cached_property
    def compiled_own(self) -> tuple[Compiled, ...]:
        return tuple(_compiled(rule, self.lists) for rule in self.own)


def _compiled(rule: CueRule, lists: dict[str, tuple[str, ...]]) -> Compiled:
    return Compiled(
        rule,
        tuple(compiled(phrase, lists) for phrase in rule.phrases),
        tuple(compiled(phrase, lists) for phrase in rule.unless),
    )


@dataclass(frozen=True)
class Source:
    """A file of cues. name: as errors call it."""

    name: str
    text: str


def load_cues(settings: Cues = Cues()) -> CueBook:  # noqa: B008 (frozen)
    """The shipped cues and the deployment's. Raises BadInput, naming file, line and cue.

    Their hash stands for the weights of labelled lines too, where these are used.
    """
    found = book([shipped(), *(_source(Path(file).expanduser()) for file in settings.files)])
    weights = learnt.content(settings) if settings.meaning else b""
    return replace(found, sha256=hashlib.sha256(found.sha256.encode() + weights).hexdigest())


def shipped() -> Source:
    return Source(SHIPPED_NAME, files("pipeline").joinpath(SHIPPED).read_text(encoding="utf-8"))


def _source(path: Path) -> Source:
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as cues: {getattr(error, 'strerror', None) or error}") from None


def book(sources: Sequence[Source]) -> CueBook:
    """Raises BadInput."""
    lists: dict[str, tuple[str, ...]] = {}
    rules: dict[str, CueRule] = {}
    for source in sources:
        table = _table(source)
        lists |= _lists(source, table.get("lists", {}))
        for number, entry in enumerate(table.get("cue", [])):
            _add(rules, lists, entry, _Place(source, number, entry))
    _known(rules)
    digest = hashlib.sha256("\0".join(source.text for source in sources).encode()).hexdigest()
    weighed = any(source.name == SHIPPED_NAME for source in sources)
    return CueBook(tuple(rules.values()), lists, digest, weighed, tuple(_own(rules, sources)))


def _own(rules: dict[str, CueRule], sources: Sequence[Source]) -> Iterator[CueRule]:
    """Of each cue that is written in a file of the deployment: the rule with the phrases of such files alone."""
    phrases: dict[str, tuple[str, ...]] = {}
    for source in sources:
        for entry in _table(source).get("cue", []) if source.name != SHIPPED_NAME else ():
            phrases[entry["name"]] = (*phrases.get(entry["name"], ()), *entry.get("phrases", ()))
    return (rules[name].model_copy(update={"phrases": found}) for name, found in phrases.items())


def _known(rules: dict[str, CueRule]) -> None:
    """Raises BadInput for a cue that yields to one that there is not."""
    for rule in rules.values():
        for name in rule.yields:
            if name not in rules:
                raise BadInput(f"cue {rule.name}: yields: there is no cue {name!r}")


@dataclass(frozen=True)
class _Place:
    """Where a cue is written: what an error begins with."""

    source: Source
    number: int
    entry: Any

    def __str__(self) -> str:
        starts = [match.start() for match in _HEADER.finditer(self.source.text)]
        line = (
            f"line {self.source.text.count(chr(10), 0, starts[self.number]) + 1}, " if self.number < len(starts) else ""
        )
        name = self.entry.get("name", "without a name") if isinstance(self.entry, dict) else "that is no table"
        return f"{self.source.name}: {line}cue {name}"


def _table(source: Source) -> dict[str, Any]:
    try:
        table = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{source.name}: no TOML: {error}") from None
    unknown = sorted(table.keys() - {"cue", "lists"})
    if unknown:
        raise BadInput(f"{source.name}: unknown table [{unknown[0]}]: a file of cues has [lists] and [[cue]]")
    if not isinstance(table.get("cue", []), list):
        raise BadInput(f"{source.name}: [cue] must be written [[cue]], one for each cue")
    return table


def _lists(source: Source, given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        raise BadInput(f"{source.name}: [lists] must be a table of lists of words")
    for name, entries in given.items():
        if not (isinstance(entries, list) and entries and all(isinstance(entry, str) and entry for entry in entries)):
            raise BadInput(f"{source.name}: [lists] {name} must be a list of words with one entry or more")
    return {name: tuple(entries) for name, entries in given.items()}


def _add(rules: dict[str, CueRule], lists: dict[str, tuple[str, ...]], entry: Any, place: _Place) -> None:
    known = rules.get(str(entry.get("name"))) if isinstance(entry, dict) else None
    try:
        rule = CueRule.model_validate({"role": known.role} | entry if known else entry)
        if known and rule.role is not known.role:
            raise BadInput(f"role: it is a cue of the {known.role}; give yours another name")
        rule = known.joined(rule) if known else rule
        if not rule.phrases and (rule.close is None or not rule.like):
            raise BadInput("phrases: there are none, and no sentences it is like with a bound; nothing would show it")
        _compiled(rule, lists)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{place}: {'.'.join(map(str, first['loc'])) or 'table'}: {first['msg']}") from None
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from None
    rules[rule.name] = rule
