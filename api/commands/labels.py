"""``labels``: what people heard in stretches of calls, as a corpus for ``calmline train``."""

from pathlib import Path

from api.commands.console import note, out
from api.config import Config
from api.export.labels import TABLE, write
from pipeline.archive import Archive
from pipeline.errors import BadInput


def run(config: Config, target: Path) -> int:
    """Raises BadInput when the folder is not empty."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target} is not an empty folder; name a new one")
    archive = Archive(config.calls_folder, config.settings.storage.max_gb)
    count = write((archive.folder(call_id) for call_id in archive.ids()), target)
    if not count:
        note("no stretch of a call is labelled yet: open a call at /room, press L, and mark what you hear")
    out.print(f"{count} clips: {target / TABLE}", soft_wrap=True)
    return 0
