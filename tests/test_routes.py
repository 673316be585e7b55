"""Every route is on the page that tells of them."""

from __future__ import annotations

import re
from pathlib import Path

from api.app import PARTS
from api.routes import pages

ROUTERS = [part.router for part in PARTS]
UNTOLD = {"/", "/login", "/room/{}", *(f"/{name}" for name in pages.PAGES)}
"""Pages: the README and the section on credentials tell of them."""


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_route_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    told = {shape(path) for path in re.findall(r"/[\w{}/]*[\w}]", page.replace("`…/", "`/calls/{id}/alerts/{n}/"))}
    routes = {shape(route.path) for router in ROUTERS for route in router.routes}
    assert len(routes) >= 15
    assert routes - UNTOLD <= told, sorted(routes - UNTOLD - told)
