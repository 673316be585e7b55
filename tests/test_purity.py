"""Where clocks, chance, the environment and threads may be: live.py, sources/ and api/, and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPURE = {
    "time",
    "datetime",
    "random",
    "secrets",
    "uuid",
    "threading",
    "asyncio",
    "concurrent",
    "multiprocessing",
    "signal",
}
ALLOWED = {"pipeline/lane.py", "pipeline/live.py", "pipeline/pool.py", "models/whisper.py"}
"""whisper.py loads its model in a thread of low priority."""
PROMISES = {"pipeline/replay.py": {"concurrent"}, "pipeline/waiting.py": {"asyncio"}}
"""The recorded driver waits for futures that others fulfil, a call's queue for room."""
FILES = [
    path
    for package in ("pipeline", "models")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "sources" not in path.parts and path.relative_to(ROOT).as_posix() not in ALLOWED
]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_reads_a_clock_chance_or_the_environment(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert imported(tree) & IMPURE <= PROMISES.get(path.relative_to(ROOT).as_posix(), set())
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & {"environ", "getenv", "urandom", "default_rng"}
