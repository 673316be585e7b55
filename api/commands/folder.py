"""A folder of recordings: what ``analyze DIR`` and ``watch DIR`` share, and the first of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Self

from api.commands import analyze
from api.commands.bar import Bar
from api.commands.console import moment, note, one_line, out, trouble
from api.commands.context import say_policy
from api.commands.works import Done, Work
from api.config import Config
from api.metadata import Metadata
from api.recordings.arrivals import STALLED_S, STILL_S, Arrivals
from api.recordings.folder import Found, Problem, grouped, is_recording, length, recordings
from api.recordings.ledger import Ledger
from api.recordings.naming import Naming
from pipeline.archive import Archive
from pipeline.errors import BadInput
from pipeline.timebase import samples
from pipeline.view import VIEW, View, counted

LOOK_S = 0.5
"""Seconds between two looks at files that are not whole yet, and at what is done."""
TOLD = 1000
"""Failures that are told again at the end: the last ones."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """each: what the command line says about every recording. poll: look at the folder again and again."""

    each: analyze.Wanted
    naming: Naming
    poll: bool = False


@dataclass(slots=True)
class Tally:
    """What became of all of them. code: the worst exit code."""

    analysed: int = 0
    known: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    code: int = 0

    def fail(self, title: str, why: str, code: int = BadInput.exit_code) -> None:
        trouble(f"{title}: {why}")
        self.failed += 1
        self.failures.append(f"{title}: {why}")
        del self.failures[:-TOLD]
        self.code = max(self.code, code)

    def tell(self) -> None:
        """Where there was more than one, what failed is told once more: it may lie far above."""
        note(f"{self.analysed} analysed, {self.known} done already, {self.failed} failed")
        if self.analysed + self.known + self.failed > 1:
            for line in self.failures:
                trouble(line)


class Folder:
    """One run over one folder; a context. Raises BadInput when it is none, Conflict when another run is on."""

    def __init__(self, config: Config, root: Path, wanted: Wanted, tally: Tally) -> None:
        if not root.is_dir():
            raise BadInput(f"{root} is no folder; give the folder that the recordings are in")
        self.root = root.resolve()
        self.tally = tally
        self._config = config
        self._wanted = wanted
        self._archive = Archive(config.calls_folder, config.settings.storage.max_gb) if wanted.each.store else None
        self._stored = config.calls_folder.resolve()
        self._stack = ExitStack()
        self._bar = Bar(0, 0)

    def __enter__(self) -> Self:
        ledger = self._stack.enter_context(Ledger(self._archive)) if self._archive is not None else None
        self.work = self._stack.enter_context(Work(self._wanted.each, ledger, self._archive, self._lane))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def show(self, calls: Sequence[Found]) -> None:
        """A bar of how far all of these are."""
        self._bar = self._stack.enter_context(Bar(len(calls), sum(map(_samples, calls))))

    def files(self) -> Iterator[Path]:
        """Every recording that is there now; stored calls are none."""
        return recordings(self.root, self._stored)

    def has(self, path: Path) -> bool:
        """Whether ``files`` would give it."""
        hidden = any(part.startswith(".") for part in path.relative_to(self.root).parts)
        return is_recording(path) and not hidden and self._stored not in path.parents

    def grouped(self, files: Sequence[Path]) -> tuple[list[Found], list[Problem]]:
        return grouped(self.root, files, self._wanted.naming)

    def take(self, found: Found) -> None:
        """Analyse it, unless that is done."""
        if not self.work.take(found):
            self.tally.known += 1
            self._bar.passed(_samples(found))

    def tell(self, timeout: float | None = None) -> None:
        """Print what is done by now; waits for one."""
        for done in self.work.done(timeout):
            with self._bar.aside():
                self._tell(done)
            if done.state != "analysed":
                self._bar.passed(_samples(done.found))

    def _lane(self) -> analyze.Lane:
        say_policy(self._config)
        bench = analyze.open_bench(self._config, self._archive, self._stack)
        if self._wanted.each.tell_apart:
            bench = replace(bench, diariser=analyze.open_diariser())
        return analyze.Lane(bench, self._bar, Event())

    def _tell(self, done: Done) -> None:
        if done.view is not None:
            self.tally.analysed += 1
            self._show(done.found.title, done.call_id, done.view)
        elif done.state == "known":
            self.tally.known += 1
        else:
            self.tally.fail(done.found.title, done.why, done.code)

    def _show(self, title: str, call_id: str, view: View) -> None:
        if self._archive is not None:
            analyze.listed(self._config, self._archive, [call_id])
        if self._wanted.each.json:
            out.file.write(VIEW.dump_json(view).decode() + "\n")
            out.file.flush()
        else:
            out.print(
                " · ".join([one_line(title), *_facts(view), *([call_id] if self._archive else [])]), soft_wrap=True
            )


def run(config: Config, roots: Sequence[Path], wanted: Wanted, arrivals: Arrivals | None = None) -> int:
    """Every recording in these folders that is not done. The worst exit code; what failed is told again at the end.

    arrivals: of a test.
    """
    tally = Tally()
    try:
        for root in roots:
            with Folder(config, root, wanted, tally) as folder:
                _all(folder, arrivals or Arrivals(stalled_s=STILL_S))
    except KeyboardInterrupt:
        note("stopped; the same command goes on where this one was")
        tally.tell()
        raise
    tally.tell()
    return tally.code


def naming(pattern: str, sides: str, about: Metadata) -> Naming:
    """From the command line. sides: agent's and customer's word. Raises BadInput."""
    agent, comma, customer = (part.strip() for part in sides.partition(","))
    if not (agent and comma and customer) or agent.casefold() == customer.casefold():
        raise BadInput(f"--sides {sides!r}: give two words, the agent's first, such as tx,rx")
    return Naming(pattern, (agent, customer), about)


def _all(folder: Folder, arrivals: Arrivals) -> None:
    calls, problems = folder.grouped(list(folder.files()))
    if not calls and not problems:
        note(f"{folder.root} holds no recordings (WAV, FLAC, Ogg, MP3)")
    for problem in problems:
        folder.tally.fail(problem.title, problem.why)
    for path in (path for call in calls for path in call.files):
        arrivals.notice(path)
    folder.show(calls)
    left = _whole(folder, arrivals, calls)
    while folder.work.busy:
        folder.tell()
    for call in left:
        folder.tally.fail(call.title, "is still being written; run this again when it is whole")


def _whole(folder: Folder, arrivals: Arrivals, calls: Sequence[Found]) -> list[Found]:
    """Take each call once its files are whole. Those that are not after STALLED_S of waiting for nothing else."""
    left, whole, waited = list(calls), set[Path](), 0.0
    while left and waited < STALLED_S:
        whole.update(arrivals.whole())
        ready = [call for call in left if whole.issuperset(call.files)]
        for call in ready:
            while not folder.work.room:
                folder.tell()
            folder.take(call)
        left = [call for call in left if call not in ready and all(path.exists() for path in call.files)]
        if folder.work.busy:
            folder.tell(LOOK_S)
        elif left:
            arrivals.rest(LOOK_S)
            waited += LOOK_S
    return left


def _samples(found: Found) -> int:
    return samples(length(found.files))


def _facts(view: View) -> Iterator[str]:
    """A call in a line."""
    yield moment(view.now_ms)
    if not any(party.talk_ms for party in view.channels.values()):
        yield "no speech"
    alerts = len(counted(view.alerts))
    yield f"{alerts} alert{'' if alerts == 1 else 's'}"
    if view.scores.anger:
        yield f"anger up to {max(point.value for point in view.scores.anger):.2f}"
    if view.warnings:
        yield f"{len(view.warnings)} warning{'' if len(view.warnings) == 1 else 's'}"
