"""``export``: a stored call for other programs."""

from pathlib import Path

from api.commands.console import note
from api.commands.output import STDOUT, check, write
from api.commands.replay import find
from api.config import Config
from api.export import SUFFIX, Wanted, export
from api.reading import read


def run(config: Config, call: str, wanted: Wanted, target: Path | None, *, force: bool) -> int:
    """target: None for stdout, or a name of the call's where the format is no text."""
    wanted.check()
    folder, text = find(config, call), wanted.format != "parquet"
    if target is None:
        target = STDOUT if text else Path(folder.path.name + SUFFIX[wanted.format])
    check(target, force=force, text=text)
    reading = read(folder)
    if not reading.finished:
        note(f"{folder.path.name} goes on, or its writer was killed; exported as far as it goes")
    write(export(reading, wanted), target)
    if target != STDOUT:
        note(f"{folder.path.name} written to {target}")
    return 0
