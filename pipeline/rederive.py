"""A stored call derived afresh: from its audio and from what entered it, with roles exchanged or with today's engines.

Everything goes back to the first journal of the call, never to a derivation: its losses, marks and commands are
admitted again at their own ticks, its settings hold, and the recogniser is asked afresh. So deriving twice with the
same roles gives the same events, whatever was derived between.

- The rows of the stored audio never change; the header's ``channels`` says whose each row is. Exchanged roles are the
  same rows with the other name. A ``Loss`` is of a row, so its channel follows its row.
- A ``Mark`` and a ``ChatLine`` keep their channel: the phone system and the chat know a party by its login, not by the
  row that its voice came on. "The agent is muted" stays so, whoever was taken for the agent.
- A ``Command`` about an alert is admitted again where the derivation has raised the same alert (kind and moment), with
  its number there. Elsewhere there is nothing that it could answer; it stays in the journal in which it was given.
- A loss or a mark that came after the audio was over is admitted with the Close.

The new journal is written beside the one in force and takes its place at once, when it is whole; the old one is kept
as ``journal.1.jsonl``, the next one as ``journal.2.jsonl`` (its inputs alone where the policy forbids to judge the
agent). What breaks off leaves the call as it was.
"""

import filecmp
import json
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import assert_never

from pipeline import graph, tape
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput, Conflict, EngineFault, StorageFault
from pipeline.events import Alert
from pipeline.graph import Engines
from pipeline.inputs import ChatLine, Close, Command, EngineResult, Frame, Input, Loss, Mark, Strained
from pipeline.journal import CallFolder, Header, Journal, is_event, read_entries, read_header
from pipeline.replay import Ask, Recorder
from pipeline.session import Entry
from pipeline.timebase import ms
from pipeline.view import View

Channels = tuple[Channel, ...]

_KEPT = re.compile(r"journal\.([1-9]\d*)\.jsonl")


@dataclass(frozen=True, slots=True)
class Derived:
    """view: the full one of the journal now in force. kept: where the one before it is."""

    view: View
    kept: Path


def kept(folder: CallFolder) -> list[Path]:
    """The journals that were in force before, oldest first."""
    numbered = {int(found[1]): path for path in folder.path.iterdir() if (found := _KEPT.fullmatch(path.name))}
    return [numbered[number] for number in sorted(numbered)]


def exchanged(folder: CallFolder) -> Channels:
    """The call's channels with the roles the other way round. Raises BadInput for a call of one channel."""
    channels = read_header(folder.journal).call.channels
    if set(channels) != set(TWO_CHANNEL):
        raise BadInput(f"{folder.path.name} has one channel; only a call with an agent and a customer can be swapped")
    return channels[::-1]


def check(folder: CallFolder, engines: Engines) -> None:
    """Raises BadInput when there is no audio to derive from, Conflict when nobody is there to hear its words."""
    if read_header(folder.journal).call.attribution == "written":
        raise BadInput(f"{folder.path.name} is a chat: each line names its writer, so nothing can be derived again")
    if not folder.audio.exists():
        raise BadInput(f"{folder.path.name} has no stored audio (policy without recording); it cannot be derived again")
    if read_header(folder.journal).settings.policy.words and engines.transcriber is None:
        raise Conflict(f"{folder.path.name} has words, and no recogniser is loaded: they would be lost")


def rederive(
    folder: CallFolder,
    engines: Engines,
    ask: Ask | None,
    *,
    channels: Channels | None = None,
    stepped: Callable[[int], None] = lambda _: None,
) -> Derived:
    """Derive a call that nobody is writing to, and put the result in force.

    ask: the shared recogniser. channels: whose each row of the audio is; as now when left out. stepped: told the sample
    that was reached, and may raise to break off. Raises as ``check`` does, EngineFault when an engine failed (nothing
    is put in force then), StorageFault.
    """
    check(folder, engines)
    first = next(iter(kept(folder)), folder.journal)
    origin = read_header(first)
    channels = channels or read_header(folder.journal).call.channels
    session = graph.build(replace(origin.call, channels=channels), origin.settings, engines)
    header = Header(session.info, origin.settings, engines.identities, origin.started, metadata.version("calmline"))
    new = folder.path / "journal.new.jsonl"
    new.unlink(missing_ok=True)  # of a derivation that was killed
    call = Call(session, journal=Journal(new, header))
    try:
        past = _Past(first, dict(zip(origin.call.channels, channels, strict=True)), call)

        def done(at: int) -> None:
            past.command(at)
            stepped(at)

        past.command(0)
        recorder = Recorder(call, ask, origin.settings.words.nominal_delay_s, stepped=done)
        view = recorder.run(_heard(folder, past), past.end, past.reason)
        if view.faults:
            fault = view.faults[0]
            raise EngineFault(f"{folder.path.name} stays as it was: {fault.part} failed: {fault.message}")
        return Derived(view, _put_in_force(folder, new))
    except BaseException:
        with suppress(StorageFault):
            call.release()
        new.unlink(missing_ok=True)
        raise


def _heard(folder: CallFolder, past: "_Past") -> Iterator[Frame]:
    """The stored frames; before each, what is heard with it is admitted, and behind the last one all the rest."""
    for frame in tape.frames(folder.audio):
        past.admit(frame.start)
        yield frame
    past.admit(None)


class _Past:
    """What entered the call beside its audio, and how it ended.

    roles: the channel of the journal to the channel of the same row now. call: where it is admitted again.
    """

    def __init__(self, journal: Path, roles: dict[Channel, Channel], call: Call) -> None:
        entries = list(read_entries(journal))
        inputs = [entry for entry in entries if not is_event(entry)]
        self._inputs = deque(entry for entry in inputs if not isinstance(entry.item, Command))
        self._commands = deque(entry for entry in inputs if isinstance(entry.item, Command))
        self._alerts = {entry.n: entry.item for entry in entries if isinstance(entry.item, Alert)}
        self._close = next((entry.item for entry in entries if isinstance(entry.item, Close)), None)
        self._roles = roles
        self._call = call

    @property
    def reason(self) -> str:
        return "interrupted" if self._close is None else self._close.reason

    def end(self) -> int:
        """Samples of real audio: all that is stored where the writer was killed before it could say."""
        stored = self._call.session.heard
        return stored if self._close is None else min(stored, self._close.end)

    def admit(self, upto: int | None) -> None:
        """What is heard up to this tick, for the ears; None for all that is left."""
        self._admit(self._inputs, upto)

    def command(self, upto: int) -> None:
        """What people answered up to this tick, once the mind has found what they answered to."""
        self._admit(self._commands, upto)

    def _admit(self, inputs: deque[Entry], upto: int | None) -> None:
        while inputs and (upto is None or inputs[0].at <= upto):
            item = self._again(inputs.popleft().item)  # type: ignore[arg-type]
            if item is not None:
                self._call.admit(item)

    def _again(self, item: Input) -> Input | None:
        match item:
            case Loss():
                return replace(item, channel=self._roles[item.channel])
            case Command():
                return item if item.alert is None else self._answer(item, self._alerts.get(item.alert))
            case Mark() | ChatLine():
                return item
            case EngineResult() | Close() | Strained():
                return None
            case _:
                assert_never(item)

    def _answer(self, command: Command, alert: Alert | None) -> Command | None:
        for found in self._call.view.alerts:
            if alert is not None and (found.kind, found.raised_ms) == (alert.kind, ms(alert.at)):
                return replace(command, alert=found.n)
        return None


def _put_in_force(folder: CallFolder, new: Path) -> Path:
    """Keep the journal in force under the next number, then replace it. Killed between the two, it still holds."""
    before = kept(folder)
    part = folder.path / "journal.part"
    try:
        _copy(folder.journal, part)
        if before and filecmp.cmp(before[-1], part, shallow=False):
            part.unlink()
            last = before[-1]
        else:
            last = folder.path / f"journal.{_number(before) + 1}.jsonl"
            os.replace(part, last)
        os.replace(new, folder.journal)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageFault(f"cannot keep {folder.journal}: {error.strerror or error}") from error
    return last


def _copy(journal: Path, part: Path) -> None:
    """The whole journal; under a policy without agent affect, what entered the call alone.

    Such a journal judged the agent's feelings, because it took the agent for the customer: that is not kept.
    """
    if read_header(journal).settings.policy.agent_affect:
        shutil.copyfile(journal, part)
        return
    with journal.open("rb") as lines, part.open("wb") as file:
        file.writelines(line for number, line in enumerate(lines) if number == 0 or _entered(line))


def _entered(line: bytes) -> bool:
    """Whether a whole line is an input; the last one may be torn."""
    return line.endswith(b"\n") and "in" in json.loads(line)


def _number(before: list[Path]) -> int:
    found = _KEPT.fullmatch(before[-1].name) if before else None
    return int(found[1]) if found else 0
