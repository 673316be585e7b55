"""What holds for every page together."""

import gzip

from conftest import need
from stage import STATIC

from api.routes.pages import PAGES

LARGEST = 250_000
"""Bytes of all pages, compressed as a proxy would: what a shift's first visit may cost."""


def test_all_pages_together_are_small() -> None:
    need((STATIC / "overlay.html").exists(), "api/static is not built: npm run build in api/web")
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert {f"{name}.html" for name in PAGES} <= {path.name for path in files}
    assert sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in files) <= LARGEST
