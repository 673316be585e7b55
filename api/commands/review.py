"""``report``: the page after a call, for people (Markdown, HTML) and programs (JSON)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.commands.console import note
from api.commands.listing import listing
from api.commands.output import STDOUT, check, write
from api.commands.replay import find
from api.config import Config
from api.mask import Mask
from api.reporting import Format, dump, review
from api.store import Store
from pipeline.archive import Archive


def run(config: Config, call: str, form: Format, target: Path | None, *, own: bool, force: bool) -> int:
    """target: None for stdout. own: with what is for the agent alone."""
    folder = find(config, call)
    target = target or STDOUT
    check(target, force=force, text=True)
    archive = Archive(config.calls_folder, config.settings.storage.max_gb)
    with _listed(config, archive) as store:
        made = review(folder, store, archive, own=own)
    write(dump(made, form, Mask(on=config.server.mask_profanity and form != "json")), target)
    if target != STDOUT:
        note(f"report of {made.call_id} written to {target}")
    return 0


@contextmanager
def _listed(config: Config, archive: Archive) -> Iterator[Store | None]:
    """The list of calls, made anew where it is missing; None without any calls."""
    if not config.calls_folder.is_dir():
        yield None
        return
    with listing(config) as store:
        if store.stale:
            store.reindex(archive)
        yield store
