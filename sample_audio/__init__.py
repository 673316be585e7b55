"""Five short two-channel telephone calls with known truth, shipped so that a first run needs no audio of its own.

The voices are synthetic and the anger is acted by a vocoder; see README.md beside this file.
"""

from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """Names of the calls that are present, sorted."""
    return sorted(file.stem for file in HERE.glob("*.flac"))


def path(name: str) -> Path:
    """The FLAC file of one call; raises KeyError if there is no such call."""
    file = HERE / f"{name}.flac"
    if not file.is_file():
        raise KeyError(f"no sample call {name!r}; there are: {', '.join(names())}")
    return file
