"""What is wrong with a page for those who read it with other means: axe-core's findings.

axe-core comes with the pages' own tools (``npm ci`` in api/web); it is run in the page and never shipped.
"""

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "api" / "web" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")


def grave(page: Page) -> list[str]:
    """One line for each serious or critical finding: the rule, and where."""
    assert SCRIPT.is_file(), "axe-core is not installed: npm ci in api/web"
    page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:120]} ({node['failureSummary']})"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]
