"""docs/playbook.md names, for each practice, files and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.playbook import load_playbook

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "playbook.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)
]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_practice_has_its_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 28))


def test_every_file_and_test_that_is_named_exists() -> None:
    for number, _, files, _, tests in ROWS:
        assert named(files), number
        assert named(tests), number
        for file in named(files):
            assert (ROOT / file).is_file(), file
        for test in named(tests):
            path, _, name = test.partition("::")
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.M), test


def test_every_advice_stands_in_the_row_of_its_practice() -> None:
    told = {int(number): named(advice) for number, _, _, advice, _ in ROWS}
    for advice in load_playbook().advice:
        assert advice.kind in told[advice.practice], (advice.kind, advice.practice)
