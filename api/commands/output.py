"""Where a command's result goes: a file that is not overwritten unasked, or stdout."""

import os
import sys
from pathlib import Path

from pipeline.errors import BadInput

STDOUT = Path("-")


def check(target: Path, *, force: bool, text: bool) -> None:
    """Before the work is done. text: whether it may be shown in a terminal. Raises BadInput."""
    if target == STDOUT:
        if not text and sys.stdout.isatty():
            raise BadInput("this is no text for a terminal; name a file with -o, or pipe it on")
    elif target.is_dir():
        raise BadInput(f"{target} is a folder; name a file in it")
    elif not target.parent.is_dir():
        raise BadInput(f"there is no folder {target.parent} to write {target.name} to")
    elif target.exists() and not force:
        raise BadInput(f"{target} exists already; --force overwrites it")


def write(data: bytes, target: Path) -> None:
    """All of it or, as far as a disk can promise, nothing: an older file stays until the new one is whole."""
    if target == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if target.exists() and not target.is_file():  # a pipe, /dev/stdout
        target.write_bytes(data)
        return
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
