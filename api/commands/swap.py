"""``swap``: a stored call with agent and customer exchanged, derived afresh from its audio."""

from collections import deque
from contextlib import ExitStack
from functools import partial

from api import notes
from api.commands.bar import Bar
from api.commands.console import err, note, out
from api.commands.listing import listing
from api.commands.replay import find_stored
from api.commands.report import report
from api.config import Config
from api.mask import Mask
from api.policy import LOCAL
from api.store import Store
from api.swaps import swapped
from pipeline import graph, tape
from pipeline.archive import Archive
from pipeline.errors import Conflict, NotFound
from pipeline.events import CallEnded
from pipeline.graph import Engines
from pipeline.journal import CallFolder, read_entries, read_header
from pipeline.pool import EnginePool
from pipeline.rederive import Channels, Derived, check, exchanged, rederive
from pipeline.replay import Ask
from pipeline.settings import Settings
from pipeline.view import VIEW


def run(config: Config, call_id: str, *, as_json: bool) -> int:
    """Raises Conflict while somebody may be writing the call, BadInput, EngineFault, StorageFault."""
    folder = find_stored(config, call_id)
    with listing(config) as store:
        if store.stale:
            store.reindex(Archive(config.calls_folder, config.settings.storage.max_gb))
        _check_over(folder, store)
        channels = exchanged(folder)
        derived = _derived(config, folder, channels)
        notes.append(folder, swapped(derived.kept.name, LOCAL.name))
        store.project(folder)
    _tell(config, folder, derived, as_json=as_json)
    return 0


def _check_over(folder: CallFolder, store: Store) -> None:
    """A journal without an end is being written, or its writer was killed: the list knows which."""
    last = deque(read_entries(folder.journal), maxlen=1)
    ended = bool(last) and isinstance(last[0].item, CallEnded)
    if not ended and _state(folder, store) != "interrupted":
        raise Conflict(
            f"call {folder.path.name} has no end: it is in progress, or its writer was killed; "
            "once nothing is running, calmline reindex settles which"
        )


def _state(folder: CallFolder, store: Store) -> str:
    try:
        return store.get(folder.path.name).state
    except NotFound:
        return ""


def _derived(config: Config, folder: CallFolder, channels: Channels) -> Derived:
    """By the settings of the call, with the engines of now."""
    with ExitStack() as stack:
        settings = read_header(folder.journal).settings
        with err.status("loading the models…"):
            engines = graph.load(settings, config.model_cache)
        check(folder, engines)
        ask = _ask(engines, settings, stack)
        total = tape.length(folder.audio)
        stepped = stack.enter_context(stack.enter_context(Bar(1, total)).line(folder.path.name, total))
        return rederive(folder, engines, ask, channels=channels, stepped=stepped)


def _ask(engines: Engines, settings: Settings, stack: ExitStack) -> Ask | None:
    if engines.transcriber is None:
        return None
    pool = EnginePool(engines.transcriber, settings.words)
    stack.callback(pool.close)
    return partial(pool.ask, bulk=True)


def _tell(config: Config, folder: CallFolder, derived: Derived, *, as_json: bool) -> None:
    note(f"roles exchanged; what held before is in {derived.kept}")
    if as_json:
        out.file.write(VIEW.dump_json(derived.view).decode() + "\n")
    else:
        report(derived.view, f"{folder.path.name} · roles exchanged", Mask(on=config.server.mask_profanity))
