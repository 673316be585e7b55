"""``analyze``: recordings and chats to reports, each file one call. Bad ones are reported, the others still done."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Literal

from api.commands.bar import Bar
from api.commands.console import err, note, out, trouble
from api.commands.context import load_engines, new_id, say_policy
from api.commands.report import report
from api.config import Config
from api.mask import Mask
from api.metadata import Metadata
from models.diarise import Diariser, SenkoDiariser
from models.errors import ModelError
from pipeline import graph
from pipeline.archive import Archive
from pipeline.call import Call
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.errors import BadInput, CalmlineError, EngineFault
from pipeline.graph import Engines
from pipeline.inputs import Frame
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.roles import propose
from pipeline.session import CallInfo
from pipeline.settings import Settings
from pipeline.sources.chat import Written, is_chat, open_chat
from pipeline.sources.diarised import Likeness, ToldApart, tell_apart
from pipeline.sources.recording import Recording, open_recording
from pipeline.timebase import TICK
from pipeline.view import VIEW, View

LANES = 2
"""Recordings stepped at once: while one waits for its last words, the other gives the recogniser something to hear.
More would share the same core, for Python steps one at a time."""

TWICE = "both channels hold the same sound, so nobody has a channel; try --tell-apart"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says about every file. call_id: empty for a new one each.

    tell_apart: the voices of what has one channel. agent_voice: 1 or 2, who of them is the agent; None: not certain.
    """

    pair: bool = False
    agent_channel: Literal["left", "right"] = "left"
    json: bool = False
    store: bool = True
    call_id: str = ""
    about: Metadata = field(default_factory=Metadata)
    tell_apart: bool = False
    agent_voice: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One call to be. title: the names of its files. one_channel: its parties have no channel each.

    started: when it was spoken, ISO 8601; empty for now.
    """

    title: str
    info: CallInfo
    recording: Recording | ToldApart | Written
    samples: int
    one_channel: bool
    started: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """Loaded once for all files.

    pool: None when words are not wanted. archive: None when nothing is kept. diariser: None when no voices are told
    apart.
    """

    settings: Settings
    engines: Engines
    pool: EnginePool | None
    archive: Archive | None
    mask: Mask
    diariser: Diariser | None = None


def run(config: Config, files: Sequence[Path], wanted: Wanted) -> int:
    """The worst exit code of all files. Raises CalmlineError for what concerns them all."""
    if wanted.agent_voice is not None and not wanted.tell_apart:
        raise BadInput("--agent-voice says who of the voices told apart is the agent; add --tell-apart")
    groups = _grouped(files, wanted)
    archive = Archive(config.calls_folder, config.settings.storage.max_gb) if wanted.store else None
    code, jobs = 0, []
    for group in groups:
        try:
            jobs.append(examined(group, wanted, archive))
        except CalmlineError as error:
            code = max(code, said(error))
    if not jobs:
        return code
    say_policy(config)
    with ExitStack() as stack:
        bench = open_bench(config, archive, stack)
        if wanted.tell_apart and any(job.one_channel for job in jobs):
            bench = replace(bench, diariser=open_diariser())
        code = max(code, _all(jobs, bench, wanted))
    if archive is not None:
        listed(config, archive, [job.info.call_id for job in jobs if archive.exists(job.info.call_id)])
    return code


def _grouped(files: Sequence[Path], wanted: Wanted) -> list[list[Path]]:
    groups = [list(files)] if wanted.pair else [[file] for file in files]
    if wanted.pair and len(files) != 2:
        raise BadInput(f"--pair takes two mono files of one call, the agent's first; got {len(files)}")
    if wanted.call_id and len(groups) > 1:
        raise BadInput("--call-id names one call; analyze its file alone")
    return groups


def examined(group: list[Path], wanted: Wanted, archive: Archive | None) -> Job:
    """Read once through, so that a bad file leaves nothing behind. Raises BadInput, or Conflict for a taken id."""
    call_id = wanted.call_id or new_id("file")
    if archive is not None and archive.exists(call_id):
        raise BadInput(f"call {call_id} is stored already; use another --call-id, or calmline delete {call_id}")
    title = " + ".join(path.name for path in group)
    info = wanted.about.call(call_id, TWO_CHANNEL, source=title)
    if len(group) == 1 and is_chat(group[0]):
        chat = open_chat(group[0])
        return Job(title, replace(info, attribution="written"), chat, chat.heard, one_channel=False)
    return _listened_to(group, wanted, info)


def _listened_to(group: list[Path], wanted: Wanted, info: CallInfo) -> Job:
    recording = open_recording(group, agent_channel=wanted.agent_channel)
    samples, likeness = 0, Likeness()
    for item in recording.frames():
        if isinstance(item, Frame):
            samples += TICK
            likeness.add(item.pcm)
    if likeness.same and not wanted.tell_apart:
        recording.warnings.append(f"{group[0]}: {TWICE}")
    for line in recording.warnings:
        note(line)
    info = replace(info, channels=recording.channels, warnings=tuple(recording.warnings))
    return Job(info.source, info, recording, samples, recording.channels == MONO or likeness.same)


def open_bench(config: Config, archive: Archive | None, stack: ExitStack) -> Bench:
    engines = load_engines(config)
    pool = EnginePool(engines.transcriber, config.settings.words) if engines.transcriber is not None else None
    if pool is not None:
        stack.callback(pool.close)
    return Bench(config.settings, engines, pool, archive, Mask(on=config.server.mask_profanity))


def open_diariser() -> Diariser:
    try:
        with err.status("loading the voice models…"):
            return SenkoDiariser()
    except ModelError as error:
        raise EngineFault(str(error)) from error


def _all(jobs: Sequence[Job], bench: Bench, wanted: Wanted) -> int:
    """LANES at a time, told in the order in which they were given. The worst exit code."""
    code, stop = 0, Event()
    with Bar(len(jobs), sum(job.samples for job in jobs)) as bar, ThreadPoolExecutor(LANES, "lane") as lanes:
        views = [lanes.submit(one, job, Lane(bench, bar, stop), wanted.agent_voice) for job in jobs]
        try:
            for job, view in zip(jobs, views, strict=True):
                wait([view])
                with bar.aside():
                    code = max(code, _told(job, view, bench, wanted))
        except BaseException:
            stop.set()
            lanes.shutdown(wait=False, cancel_futures=True)
            raise
    return code


@dataclass(frozen=True, slots=True)
class Lane:
    """What one file at work needs. stop: set once nobody waits for it any more."""

    bench: Bench
    bar: Bar
    stop: Event


def one(job: Job, lane: Lane, agent_voice: int | None) -> View:
    bench = lane.bench
    if bench.diariser is not None and job.one_channel:
        with lane.bar.line(f"telling the voices of {job.title} apart…"):
            job = _told_apart(job, bench.diariser, agent_voice)
        if agent_voice is None and bench.pool is not None:
            job = _with_roles(job, lane)
    return _analysed(job, lane)


def _told_apart(job: Job, diariser: Diariser, agent_voice: int | None) -> Job:
    """The same call with a channel for each voice. Raises BadInput, EngineFault."""
    assert isinstance(job.recording, Recording)
    told = tell_apart(job.recording, diariser, agent_voice)
    info = replace(
        job.info,
        channels=told.channels,
        attribution=told.attribution,
        unavailable=told.unavailable,
        warnings=told.warnings,
    )
    return replace(job, info=info, recording=told)


def _with_roles(job: Job, lane: Lane) -> Job:
    """Listen once, keeping nothing, to hear from the words which voice is the agent's."""
    told = job.recording
    assert isinstance(told, ToldApart)
    probe = replace(job, title=f"{job.title}: who is who")
    view = _analysed(probe, replace(lane, bench=replace(lane.bench, archive=None)), counts=False)
    agent, confidence = propose((line.channel, line.text) for line in view.transcript)
    first = agent is Channel.AGENT
    said = f"by the words the agent is the voice that speaks {'first' if first else 'second'}"
    proposal = f"{said} (confidence {confidence:.2f}); --agent-voice says it for certain"
    info = replace(job.info, warnings=(*job.info.warnings, proposal))
    return replace(job, info=info, recording=told if first else told.exchanged())


def _analysed(job: Job, lane: Lane, *, counts: bool = True) -> View:
    bench, call_id = lane.bench, job.info.call_id
    session = graph.build(job.info, bench.settings, bench.engines)
    if bench.archive is None:
        call = Call(session)
    else:
        started = job.started or datetime.now(UTC).isoformat(timespec="seconds")
        call = bench.archive.record(session, bench.settings, bench.engines.identities, started=started)
    ask = partial(bench.pool.ask, call=call_id, bulk=True) if bench.pool is not None else None
    try:
        with lane.bar.line(job.title, job.samples, counts=counts) as shown:

            def stepped(at: int) -> None:
                if lane.stop.is_set():
                    raise KeyboardInterrupt("stopped before all of it was analysed")
                shown(at)

            recorder = Recorder(call, ask, bench.settings.words.nominal_delay_s, stepped=stepped)
            reason = f"end of {'chat' if isinstance(job.recording, Written) else 'recording'}"
            return recorder.run(job.recording.frames(), lambda: job.recording.heard, reason)
    except BaseException as error:
        call.fail("analyze", error)  # a call that is kept has an end, also after Ctrl-C
        raise


def _told(job: Job, done: "Future[View]", bench: Bench, wanted: Wanted) -> int:
    try:
        view = done.result()
    except BadInput as error:  # of the recording, which names its file itself
        return said(error)
    except CalmlineError as error:
        return said(error, job.title)
    if wanted.json:
        out.file.write(VIEW.dump_json(view).decode() + "\n")
    else:
        report(view, f"{job.title} · {view.call_id}" if bench.archive else job.title, bench.mask)
        out.print()
    return judged(view, job.title)


def judged(view: View, title: str) -> int:
    """0, or an engine fault's exit code."""
    if view.attribution != "written" and not any(party.talk_ms for party in view.channels.values()):
        note(f"{title}: no speech was found; check that the file holds a call")
    if not view.faults:
        return 0
    first = view.faults[0]
    return said(EngineFault(f"{len(view.faults)} engine faults, the first in {first.part}: {first.message}"), title)


def said(error: CalmlineError, title: str = "") -> int:
    trouble(f"{title}: {error}" if title else str(error))
    return error.exit_code


def listed(config: Config, archive: Archive, call_ids: list[str]) -> None:
    """List the new calls; the list can be rebuilt at any time, so trouble with it is no failure."""
    from api.commands.listing import listing  # SQLAlchemy takes its time

    if not call_ids:
        return
    try:
        with listing(config) as store:
            for call_id in call_ids:
                store.project(archive.folder(call_id))
    except CalmlineError as error:
        note(f"stored, but not in the list of calls: {error}")
