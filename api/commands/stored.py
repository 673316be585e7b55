"""``reindex`` and ``delete``: the stored calls and the list of them."""

from collections.abc import Sequence

import typer

from api.commands.console import err, out
from api.commands.listing import listing
from api.commands.replay import find_stored
from api.config import Config
from pipeline.archive import Archive
from pipeline.errors import BadInput


def reindex(config: Config) -> int:
    archive = _archive(config)
    with listing(config) as store, err.status("reading the journals…"):
        count = store.reindex(archive)
    out.print(f"{count} calls listed from {archive.root}", soft_wrap=True)
    return 0


def delete(config: Config, call_ids: Sequence[str], *, yes: bool) -> int:
    """All are there and agreed to before the first one goes. Raises NotFound, or BadInput for a no."""
    archive = _archive(config)
    for call_id in call_ids:
        find_stored(config, call_id)
    if not yes:
        _confirm(call_ids)
    with listing(config) as store:
        for call_id in call_ids:
            archive.delete(call_id)
            store.forget(call_id)
            out.print(f"deleted {call_id}", soft_wrap=True)
    return 0


def _archive(config: Config) -> Archive:
    return Archive(config.calls_folder, config.settings.storage.max_gb)


def _confirm(call_ids: Sequence[str]) -> None:
    if not typer.get_text_stream("stdin").isatty():
        raise BadInput("nobody is there to confirm; add --yes to delete without being asked")
    what = call_ids[0] if len(call_ids) == 1 else f"{len(call_ids)} calls"
    if not typer.confirm(f"Delete {what} with its audio, journal and notes, for good?", err=True):
        raise BadInput("nothing was deleted")
