"""``models``: the speech recognisers on this machine, and how further ones get here."""

from pathlib import Path

from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from api.commands.console import err, note, out
from api.config import Config
from models import checkpoints
from models.checkpoints import Installed
from models.errors import ModelError
from pipeline.errors import BadInput, EngineFault

_STYLES = {"verified": "green", "unverified": "yellow", "damaged": "bold red"}


def show(config: Config) -> int:
    """Those that are here first, then the names that can be pulled."""
    here = {model.name: model for model in _installed(config)}
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("model", "state", "source", ""):
        table.add_column(heading)
    chosen = config.settings.words.model
    for model in here.values():
        used = "in use" if model.name == chosen else ""
        table.add_row(Text(model.name), Text(model.state, style=_STYLES[model.state]), model.source, used)
    if chosen not in here:
        table.add_row(Text(chosen), Text("not among these", style="yellow"), "settings", "in use")
    out.print(table)
    others = (name for name in checkpoints.available() if name not in here)
    out.print(Text(f"\ncan be pulled: {', '.join(others)}", style="dim"))
    return 0


def pull(config: Config, name: str) -> int:
    """Raises BadInput for an unknown name, EngineFault when it cannot be had."""
    if name not in checkpoints.available():
        raise BadInput(f"{name} is no known model; known models: {', '.join(checkpoints.available())}")
    part = config.model_cache / f".{name}.part"
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), _Arrived(part))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"pulling {name}", total=None)

        def say(line: str) -> None:
            progress.update(task, description=line)
            if progress.disable:
                note(line)

        try:
            folder = checkpoints.pull(name, config.model_cache, say)
        except ModelError as error:
            raise EngineFault(str(error)) from error
    out.print(f"{name} is in {folder}", soft_wrap=True)
    return 0


def verify(config: Config, names: list[str]) -> int:
    """Every installed model, or those named. Raises EngineFault for the first damaged one, once all are shown."""
    found = [model for model in _installed(config) if not names or model.name in names]
    missing = set(names) - {model.name for model in found}
    if missing:
        raise BadInput(f"not on this machine: {', '.join(sorted(missing))}; see calmline models list")
    for model in found:
        out.print(Text(f"{model.name:20} {model.state}", style=_STYLES[model.state]))
    damaged = [model for model in found if model.state == "damaged"]
    if damaged:
        raise EngineFault(damaged[0].problem)
    return 0


def _installed(config: Config) -> tuple[Installed, ...]:
    with err.status("computing SHA-256…"):
        try:
            return checkpoints.installed(config.model_cache)
        except ModelError as error:
            raise EngineFault(str(error)) from error


class _Arrived(ProgressColumn):
    """Megabytes downloaded so far: the hub's client does not say, the folder does."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def render(self, task: Task) -> Text:
        return Text(f"{sum(_size(file) for file in self._folder.rglob('*')) / 1e6:.0f} MB")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:  # renamed between listing and looking
        return 0
