"""The pages tell what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says() -> None:
    made, kept = reference().page(), (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert made == kept, "run: uv run python docs/make_reference.py"


def test_the_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install uv && uv run calmline demo" in readme
    assert "uv run pytest" in readme


def test_every_file_of_the_layout_exists() -> None:
    """Names at the beginning of the layout's lines in docs/design.md."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    layout = text.split("```")[1]
    folder = ""
    for line in layout.strip().splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name
            continue
        if name.endswith(".py"):
            assert (ROOT / folder / name).exists(), f"{folder}{name} is in the layout, not in the tree"
