"""``replay``: a stored call's report, or the proof that its events follow from its audio and its inputs."""

import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from api.commands.console import note, out, trouble
from api.commands.report import report
from api.config import Config
from api.mask import Mask
from api.reading import read
from models.protocols import Identity
from pipeline import graph
from pipeline.archive import Archive
from pipeline.errors import BadInput, NotFound
from pipeline.journal import CallFolder, Header, read_header
from pipeline.replay import Difference, Verdict, verify
from pipeline.settings import Settings
from pipeline.view import VIEW


def show(config: Config, call: str, *, as_json: bool) -> int:
    folder = find(config, call)
    reading = read(folder)
    header, view = reading.header, reading.view
    if as_json:
        out.file.write(VIEW.dump_json(view).decode() + "\n")
    else:
        report(view, f"{folder.path.name} · {header.started}", Mask(on=config.server.mask_profanity))
    return 0


def prove(config: Config, call: str, *, as_json: bool) -> int:
    """0 when every event comes out again, 1 at the first that does not."""
    folder = find(config, call)
    header = read_header(folder.journal)
    engines = graph.load(wordless(header.settings), config.model_cache)
    changed = _changed(header, engines.identities)
    verdict = verify(graph.build(header.call, header.settings, engines), folder)
    if as_json:
        out.file.write(json.dumps(_plain(folder, verdict, changed)) + "\n")
    else:
        _tell(folder, verdict, changed)
    return 0 if verdict.difference is None else 1


def find(config: Config, call: str) -> CallFolder:
    """By the path of a call's folder or of its journal, else by id. Raises NotFound or BadInput."""
    path = Path(call).expanduser()
    path = path.parent if path.name == "journal.jsonl" else path
    if (path / "journal.jsonl").is_file():
        return CallFolder(path.resolve())
    if path.is_dir() or "/" in call:
        raise BadInput(f"{call} holds no journal.jsonl; give a call id or the folder of a call")
    return find_stored(config, call)


def find_stored(config: Config, call_id: str) -> CallFolder:
    """Raises NotFound, which says how to find the right id, or BadInput."""
    try:
        return Archive(config.calls_folder, config.settings.storage.max_gb).folder(call_id)
    except NotFound:
        hint = "calmline calls lists those that are there"
        raise NotFound(f"no stored call {call_id} in {config.calls_folder}; {hint}") from None


def wordless(settings: Settings) -> Settings:
    """What was heard is in the journal, so the recogniser is neither asked nor loaded."""
    return settings.model_copy(update={"policy": settings.policy.model_copy(update={"words": False})})


def _changed(header: Header, now: tuple[Identity, ...]) -> list[str]:
    """What is not what the call was made with, one line each."""
    then = {identity.name: identity for identity in header.engines}
    here = metadata.version("calmline")
    older = [f"calmline is {here} here, the call was made with {header.version}"] if header.version != here else []
    return older + [
        f"{engine.name} is {_short(engine)} here, the call was made with {_short(then[engine.name])}"
        for engine in now
        if engine.name in then and then[engine.name] != engine
    ]


def _short(identity: Identity) -> str:
    return f"{identity.version} ({identity.sha256[:12]})"


def _tell(folder: CallFolder, verdict: Verdict, changed: list[str]) -> None:
    for line in changed:
        note(line)
    if not verdict.finished:
        note(f"{folder.path.name} was not finished (its writer was killed); compared as far as it goes")
    if verdict.difference is None:
        out.print(f"{folder.path.name}: {verdict.events} journal entries compared, no difference", soft_wrap=True)
        return
    _differ(folder, verdict.difference, verdict.events)


def _differ(folder: CallFolder, difference: Difference, before: int) -> None:
    trouble(f"{folder.path.name} differs at line {difference.n} of its journal ({before} entries before it agree)")
    out.print(f"expected  {difference.expected or 'nothing: the journal ends before'}", soft_wrap=True)
    out.print(f"found     {difference.found or 'nothing: the session ended before'}", soft_wrap=True)


def _plain(folder: CallFolder, verdict: Verdict, changed: list[str]) -> dict[str, object]:
    return {"call_id": folder.path.name, "engines_changed": changed, **asdict(verdict)}
