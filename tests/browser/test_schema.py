"""What is committed for the pages must be what Python says, and must name no registry."""

import json
from pathlib import Path

from pipeline.view import schema

WEB = Path(__file__).parents[2] / "api" / "web"
AGAIN = "python -c 'import json; from pipeline.view import schema; print(json.dumps(schema(), indent=2))'"


def test_the_committed_schema_is_that_of_a_view() -> None:
    committed = json.loads((WEB / "src/schema/view.json").read_text(encoding="utf-8"))
    assert committed == schema(), f"write it again: {AGAIN} > api/web/src/schema/view.json"


def test_the_lock_file_names_no_host() -> None:
    text = (WEB / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    assert all("resolved" not in package for package in json.loads(text)["packages"].values())
