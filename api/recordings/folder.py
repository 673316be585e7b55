"""The calls in a folder of recordings: which files there are, and which two of them are one call."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import soundfile

from api.recordings.naming import Named, Naming
from pipeline.channel import Channel
from pipeline.errors import BadInput

SUFFIXES = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3"})


@dataclass(frozen=True, slots=True)
class Found:
    """One call to be. title: its files, as they are called in the folder. files: the agent's first."""

    title: str
    files: tuple[Path, ...]
    named: Named


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is no call, and why. waits: its other side may yet come."""

    title: str
    why: str
    waits: bool = False


def recordings(root: Path, but: Path | None = None) -> Iterator[Path]:
    """Every recording under a folder, in order; hidden files and folders are left out, and so is the folder ``but``."""
    for place, folders, files in os.walk(root):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and here / name != but)
        yield from (here / name for name in sorted(files) if is_recording(here / name))


def is_recording(path: Path) -> bool:
    """By its name: what is still being copied often has a hidden one, or ends in .part. A pipe would never end."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def grouped(root: Path, files: Iterable[Path], naming: Naming) -> tuple[list[Found], list[Problem]]:
    """What is a call, and what is none."""
    sides: dict[str, dict[Channel, tuple[Path, Named]]] = {}
    found, problems = list[Found](), list[Problem]()
    for path in files:
        title = path.relative_to(root).as_posix()
        try:
            named = naming.read(PurePosixPath(title))
            if naming.overlooks_side(PurePosixPath(title)) and not _stereo([path]):
                raise BadInput("its name is that of one party's file, and --name has no {side}; add it to the pattern")
            if named.side is None:
                found.append(Found(title, (path,), named))
            elif named.side in (both := sides.setdefault(named.call, {})):
                raise BadInput(f"the {named.side}'s side of this call is {both[named.side][0].name} already")
            else:
                both[named.side] = (path, named)
        except BadInput as error:
            problems.append(Problem(title, str(error)))
    for both in sides.values():
        paired = _paired(root, both)
        (found if isinstance(paired, Found) else problems).append(paired)  # type: ignore[arg-type]
    return sorted(found, key=lambda each: each.title), problems


def _paired(root: Path, both: dict[Channel, tuple[Path, Named]]) -> Found | Problem:
    files = [both[channel][0] for channel in (Channel.AGENT, Channel.CUSTOMER) if channel in both]
    title = " + ".join(path.relative_to(root).as_posix() for path in files)
    named = next(iter(both.values()))[1]
    if len(files) == 2 or _stereo(files):
        return Found(title, tuple(files), named)
    missing = "customer" if Channel.AGENT in both else "agent"
    return Problem(title, f"the {missing}'s side of this call is missing", waits=True)


def _stereo(files: Sequence[Path]) -> bool:
    """Whether a file that is called one side holds both after all."""
    try:
        return int(soundfile.info(str(files[0])).channels) == 2
    except (soundfile.LibsndfileError, OSError, TypeError):
        return False


def length(files: Sequence[Path]) -> float:
    """Seconds, as the headers say; 0 where they cannot be read."""
    try:
        return max(float(soundfile.info(str(path)).duration) for path in files)
    except (soundfile.LibsndfileError, OSError, TypeError):
        return 0.0
