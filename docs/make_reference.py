"""Writes docs/reference.md from the code: settings, scores, advice, events. A test holds the page against it.

uv run python docs/make_reference.py
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from api.config import Limits, Server, Webhooks
from api.doors.settings import AudioHook, Twilio
from pipeline import events, hints, inputs
from pipeline.nodes.scores import COVERAGE
from pipeline.playbook import Advice, Wording, load_playbook
from pipeline.settings import POLICIES, Section, Settings

PAGE = Path(__file__).with_name("reference.md")


def page() -> str:
    """The whole page."""
    parts = [
        settings(),
        policies(),
        scores(),
        advice(),
        cues(),
        union("Events", events.Event, "What comes out of a call."),
    ]
    parts.append(
        union("Inputs", inputs.Input, "What enters a call beside its audio; journaled, so that it can be replayed.")
    )
    return "# Reference\n\nMade by `docs/make_reference.py` from the code; do not edit.\n\n" + "\n".join(parts)


def settings() -> str:
    lines = [
        "## Settings",
        "",
        "In `calmline.toml` as `[section]` and `key = value`, or as `CALMLINE_SECTION__KEY`. Unknown keys are refused.",
    ]
    sections: dict[str, type[Section]] = {name: type(value) for name, value in Settings()}
    further = {"server": Server, "limits": Limits, "webhooks": Webhooks}
    doors = {"doors.twilio": Twilio, "doors.audiohook": AudioHook}
    for name, section in {**sections, **further, **doors}.items():
        lines += [
            "",
            f"### [{name}]",
            "",
            section.__doc__ or "",
            "",
            "| key | default | range | what |",
            "|---|---|---|---|",
        ]
        lines += [_setting(key, field) for key, field in section.model_fields.items()]
    return "\n".join(lines) + "\n"


def _setting(key: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    shown = "empty" if default in ("", {}, ()) else f"`{list(default) if isinstance(default, tuple) else default}`"
    bounds = [
        f"{sign} {getattr(each, name):g}" for each in field.metadata for name, sign in _BOUNDS if hasattr(each, name)
    ]
    what = " ".join((field.description or "").split())
    return f"| `{key}` | {shown} | {', '.join(bounds)} | {what} |"


_BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


def policies() -> str:
    """The presets that `policy = "name"` knows."""
    keys = [key for key in next(iter(POLICIES.values())).model_dump() if key != "name"]
    lines = ["## Policies", "", "| `policy =` | " + " | ".join(keys) + " |", "|---" * (len(keys) + 1) + "|"]
    for name, policy in POLICIES.items():
        cells = ["yes" if getattr(policy, key) else "no" for key in keys]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def scores() -> str:
    lines = [
        "## Scores",
        "",
        "`value = sigmoid(bias + sum of evidence)`, in nats; the parts sum to the value. What a voice says comes from",
        "the set of weights that `scores.model` names, against what is usual for the speaker; what words and",
        "turn-taking say was set by hand and proves nothing about real anger. It fades by e in `scores.fade_s`.",
        "",
        "| of | anger, nats | tension, nats |",
        "|---|---|---|",
        f"| an interruption made | {hints.INTERRUPTION['anger']:+g} | {hints.INTERRUPTION['tension']:+g} |",
        f"| being cut off | {hints.CUT_OFF['anger']:+g} | {hints.CUT_OFF['tension']:+g} |",
        f"| talk speed of {hints.PACE_TO:g} times the usual | {hints.PACE:+g} | {hints.PACE:+g} |",
        "",
    ]
    for kind, weights in hints.CUES.items():
        lines.append(f"Cues of {kind}: " + ", ".join(f"{name} {weight:+g}" for name, weight in weights.items()) + ".")
    shares = ", ".join(f"{part} {share:g}" for part, share in COVERAGE.items())
    lines += ["", f"`coverage` is the share of the evidence that there is: {shares}."]
    return "\n".join(lines) + "\n"


def advice() -> str:
    lines = [
        "## Advice",
        "",
        "From `pipeline/playbook.toml`. A row is given when its moment comes, one of *given* holds and none of",
        "*unless*: the agent does it already, or has just done it. The words take turns within a call. Critical ones",
        "also call a supervisor.",
        "",
        "| alert | severity | technique | when | given | unless | words |",
        "|---|---|---|---|---|---|---|",
    ]
    book = load_playbook()
    titles = {practice.number: practice.title for practice in book.practice}
    lines += [_advice(each, titles) for each in book.advice]
    lines += ["", "In a written conversation, where the words differ:", "", "| alert | words |", "|---|---|"]
    lines += [f"| `{each.kind}` | {_words(each.write)} |" for each in book.advice if each.write]
    lines += ["", "### Practices", "", "| # | practice | seen by | reported as |", "|---|---|---|---|"]
    lines += [f"| {each.number} | {each.title} | {each.sees} | {each.report} |" for each in book.practice]
    return "\n".join(lines) + "\n"


def _advice(each: Advice, titles: dict[int, str]) -> str:
    when = _named(each.when) + (f"; after {each.patience_s:g} s" if each.patience_s else "")
    given, unless = ("; ".join(_named(part) for part in parts) for parts in (each.given, each.unless))
    technique = f"{each.technique} ({each.practice}. {titles[each.practice]})"
    return f"| `{each.kind}` | {each.severity} | {technique} | {when} | {given} | {unless} | {_words(each.say)} |"


def _named(part: Section) -> str:
    """A moment or a condition as its keys say it, defaults left out."""
    told = part.model_dump(exclude_defaults=True, exclude={"on", "did"})
    values = (", ".join(each) if isinstance(each, tuple) else f"{each}" for each in told.values())
    name = getattr(part, "on", getattr(part, "did", ""))
    return f"{name}: " + ", ".join(f"{key} {value}" for key, value in zip(told, values, strict=True))


def _words(wordings: tuple[Wording, ...]) -> str:
    return "<br>".join(f"**{each.text}** {each.why}" for each in wordings)


def cues() -> str:
    lines = ["## Cues", "", "| cue | said by | what it is |", "|---|---|---|"]
    for cue in load_playbook().cues.rules:
        lines.append(f"| `{cue.name}` | {cue.role or 'either'} | {cue.about} |")
    return "\n".join(lines) + "\n"


def union(title: str, of: object, what: str) -> str:
    lines = [f"## {title}", "", what]
    for kind in typing.get_args(of):
        lines += ["", f"### {kind.__name__}", "", *_doc(kind), "", "| field | type |", "|---|---|"]
        lines += [f"| `{field.name}` | {_type(field.type)} |" for field in dataclasses.fields(kind)]
    return "\n".join(lines) + "\n"


def _doc(kind: type) -> Iterator[str]:
    text = inspect.getdoc(kind) or ""
    yield text if not text.startswith(f"{kind.__name__}(") else ""


def _type(hint: object) -> str:
    text = str(hint) if not isinstance(hint, type) else hint.__name__
    for noise in ("typing.", "pipeline.timebase.", "pipeline.channel.", "pipeline.events.", "pipeline.inputs."):
        text = text.replace(noise, "")
    return text.replace("|", "or")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
