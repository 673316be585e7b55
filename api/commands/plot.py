"""``plot``: a stored call as one picture."""

from pathlib import Path

from api.commands.console import note
from api.commands.output import check, write
from api.commands.replay import find
from api.config import Config
from api.reading import read
from pipeline.errors import BadInput

SUFFIXES = (".png", ".svg", ".pdf")


def run(config: Config, call: str, target: Path | None, *, force: bool) -> int:
    """target: None for a PNG with the name of the call."""
    if target is not None and target.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{target} names no kind of picture; end it with .png, .svg or .pdf")
    folder = find(config, call)
    target = target or Path(f"{folder.path.name}.png")
    check(target, force=force, text=False)
    from api.plot import draw

    reading = read(folder)
    if not reading.finished:
        note(f"{folder.path.name} goes on, or its writer was killed; drawn as far as it goes")
    write(draw(reading, target.suffix.lower().removeprefix(".")), target)
    note(f"{folder.path.name} drawn in {target}")
    return 0
