"""What ``train`` and ``evaluate`` share: labelled clips, measured once, with a bar."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.commands.console import err
from api.config import Config
from models.errors import ModelError
from models.training.cache import Cache
from models.training.corpus import Clip
from models.training.errors import TrainingError
from models.training.lines import Lines, background
from models.training.measure import Encoder, Voice
from models.training.table import Collector, Table
from models.whisper import WhisperTranscriber
from pipeline import graph
from pipeline.errors import BadInput, EngineFault
from pipeline.settings import Policy


@dataclass(frozen=True, slots=True)
class Heard:
    """How clips are heard. cache: folder; None keeps nothing. noise, music: files to mix in."""

    cache: Path | None
    seed: int = 0
    noise: Sequence[Path] = ()
    music: Sequence[Path] = ()


@contextmanager
def failures() -> Iterator[None]:
    """What training and models raise, as the command line tells it: exit code 2 for the user's, 3 for an engine's."""
    try:
        yield
    except TrainingError as error:
        raise BadInput(str(error)) from error
    except ModelError as error:
        raise EngineFault(str(error)) from error


def measured(config: Config, clips: Sequence[Clip], names: Sequence[str], how: Heard) -> dict[str, Table]:
    """A table for each line. Raises TrainingError, ModelError, EngineFault."""
    lines = Lines(how.seed, background(how.noise), background(how.music))
    names = list(dict.fromkeys(names))
    for name in names:
        lines.check(name)
    with err.status("loading the models…"):
        voice, encoder = Voice(), Encoder(_recogniser(config))
    with Cache(how.cache) as cache, bar() as progress:
        collector = Collector(lines, cache, voice, encoder)
        tables = {}
        for name in names:
            task = progress.add_task(f"hearing {len(clips)} clips on {name}", total=len(clips))
            tables[name] = collector.table(clips, name, lambda task=task: progress.advance(task))  # type: ignore[misc]
    return tables


def _recogniser(config: Config) -> WhisperTranscriber:
    """The one that the settings name, for its encoder: whatever the policy, for it hears no call."""
    settings = config.settings.model_copy(update={"policy": Policy(customer_affect=False)})
    transcriber = graph.load(settings, config.model_cache).transcriber
    if not isinstance(transcriber, WhisperTranscriber):
        raise EngineFault("training needs the encoder of a Whisper model: see words.model in the settings")
    return transcriber


def bar() -> Progress:
    """Shows nothing where stderr is no terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal, redirect_stdout=False)
