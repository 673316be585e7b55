"""``score-turns``: a recording with known truth through the real pipeline, and how right its turn-taking was."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from api.commands import truth_file
from api.commands.console import err, note, out
from api.config import Config
from pipeline import graph
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput
from pipeline.judge import compare, figures, heard
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.session import CallInfo, Entry, Session, Step
from pipeline.settings import Settings
from pipeline.sources.recording import Recording, open_recording
from pipeline.truth import MARGIN_S, Truth

CLASSES = {  # an interruption lasts 1 s or more, or has a cut
    "interruptions": "interruptions",
    "shorter": "others of 0.5 s or more",
    "every": "all, whatever the kind",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """agent_channel: None takes what the truth file says, else left. margin_s: as in ``pipeline.truth``."""

    agent_channel: Literal["left", "right"] | None = None
    json: bool = False
    words: bool = True
    margin_s: float = MARGIN_S


def run(config: Config, audio: Path, truth: Path, wanted: Wanted) -> int:
    """0 when the recording was scored, however badly. Raises CalmlineError."""
    side = wanted.agent_channel or truth_file.agent_channel(truth) or "left"
    recording = open_recording([audio], agent_channel=side)
    if recording.channels != TWO_CHANNEL:
        raise BadInput(f"{audio}: has one channel; turn-taking is scored on two, agent and customer")
    known = truth_file.read(truth, _length(recording), wanted.margin_s)
    settings = config.settings if wanted.words else _wordless(config.settings)
    entries = _analysed(settings, config.model_cache, recording)
    for line in recording.warnings:
        note(line)
    call = heard(entries)
    result = {
        "audio": audio.name,
        "agent_channel": side,
        "words": settings.policy.words,
        "margin_s": wanted.margin_s,
        "clear": figures(compare(known, call)),
        "all": figures(compare(known, call, every=True)),
    }
    if wanted.json:
        out.file.write(json.dumps(result) + "\n")
    else:
        _told(result, known)
    return 0


def _length(recording: Recording) -> int:
    """Samples of the whole recording: read once through, because a header may promise more than there is."""
    for _ in recording.frames():
        pass
    return recording.heard


def _wordless(settings: Settings) -> Settings:
    return settings.model_copy(update={"policy": settings.policy.model_copy(update={"words": False})})


class _Kept(Call):
    """A call that keeps what it emits: a view has no events, and their times are what is scored."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.entries: list[Entry] = []

    def _take(self, step: Step) -> Step:
        self.entries += step.entries
        return super()._take(step)


def _analysed(settings: Settings, model_cache: Path, recording: Recording) -> list[Entry]:
    with err.status("loading the models…"):
        engines = graph.load(settings, model_cache)
    with ExitStack() as stack:
        ask = None
        if engines.transcriber is not None:
            pool = EnginePool(engines.transcriber, settings.words)
            stack.callback(pool.close)
            ask = partial(pool.ask, bulk=True)
        call = _Kept(graph.build(CallInfo(call_id="score", channels=recording.channels), settings, engines))
        with err.status("listening…"):
            Recorder(call, ask, settings.words.nominal_delay_s).run(recording.frames(), lambda: recording.heard)
    return call.entries


def _told(result: Mapping[str, Any], known: Truth) -> None:
    clear, every = result["clear"], result["all"]
    words = "with words" if result["words"] else "without words"
    out.print(Text(f"{result['audio']} · agent {result['agent_channel']} · {words}", style="bold"), soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("overlaps", "true", "found", "precision", "recall", "F1", "F1 of all"):
        table.add_column(column, no_wrap=True)
    for name, label in CLASSES.items():
        row = clear[name]
        counts = (str(row["hits"] + row["missed"]), str(row["hits"] + row["false"]))
        shares = (_share(row["precision"]), _share(row["recall"]), _share(row["f1"]), _share(every[name]["f1"]))
        table.add_row(label, *counts, *shares)
    out.print(table)
    for line in _lines(clear):
        out.print(Text(line), soft_wrap=True)
    doubtful = sum(not overlap.clear for overlap in known.overlaps if overlap.shown)
    if doubtful:
        why = f"within {result['margin_s']:g} s of a threshold; left out of everything but the last column"
        out.print(Text(f"doubtful  {doubtful} true overlap{'' if doubtful == 1 else 's'}, {why}"), soft_wrap=True)


def _lines(row: Mapping[str, Any]) -> list[str]:
    who, accused, latency = row["interrupter"], row["backchannels_accused"], row["latency_ms"]
    lines = [
        f"interrupter named rightly  {who['right']} of {who['of']}",
        f"backchannels called interruptions  {accused['part']} of {accused['of']}",
        f"bounds of overlaps  start {_ms(row['start_ms'])}, end {_ms(row['end_ms'])}",
        f"bounds of speech  {_ms(row['speech_bounds_ms'])}",
    ]
    for party, talk in row["talk"].items():
        share = "" if talk["error_share"] is None else f" ({talk['error_share']:+.1%})"
        lines.append(f"talk time of {party}  {talk['error_ms']:+d} ms of {talk['true_ms']} ms{share}")
    lines += [
        f"told after it was due  {cause}: median {times['p50']:.0f} ms, 95th percentile {times['p95']:.0f} ms"
        for cause, times in latency.items()
        if times["p50"] is not None
    ]
    lines += [f"{each['true']} found as {each['found']}  {each['count']}" for each in row["kinds"]]
    return lines


def _ms(errors: Mapping[str, float | None]) -> str:
    if errors["p50"] is None:
        return "none to measure"
    return f"{errors['p50']:.0f} ms off at the median, {errors['p90']:.0f} ms at the 90th percentile"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
