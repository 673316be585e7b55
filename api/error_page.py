"""A refusal as a page, for whoever asked with a browser: what is missing, who they are here, where to go."""

from html import escape
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.policy import Role, Who

STYLE = """
:root { color-scheme: light dark; --ground: light-dark(#f6f7f5, #131819); --panel: light-dark(#fff, #1a2122);
  --ink: light-dark(#1c2a2c, #e4eae8); --soft: light-dark(#526066, #9fadaf); --line: light-dark(#dbe0de, #2b3536);
  --voice: light-dark(#2e6670, #86c2cb) }
* { box-sizing: border-box; margin: 0 }
body { min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 'Segoe UI', Roboto, 'Helvetica Neue', Arial, system-ui, sans-serif }
main { width: 100%; max-width: 34rem; padding: 1.6rem 1.8rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: .8rem; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.25; margin: .2rem 0 .6rem } p + p { margin-top: .5rem }
.soft { color: var(--soft) } nav { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1.1rem }
a { padding: .35rem .9rem; border: 1px solid var(--line); border-radius: .45rem; color: var(--voice);
  text-decoration: none } a:hover { border-color: var(--soft) }
:focus-visible { outline: 2px solid var(--voice); outline-offset: 2px }
"""
"""The colours of ``api/web/src/theme.css``, in the file itself: this page must come when the others are not built."""

HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}
"""Nothing is loaded or run; after a login the same address must not show the refusal again."""

TITLES = {
    400: "This address cannot be used",
    401: "You are not logged in",
    403: "This is not open to you",
    404: "There is nothing here",
    409: "Not now",
    421: "Another name for this server",
    500: "Something broke on the server",
    503: "Not ready yet",
}
LOGIN = (
    "Open the login link that you were given; it holds for twelve hours. If it no longer works, ask for a new one "
    "from whoever looks after calmline."
)
BROKEN = "it is in the server's log; try again, and if it stays so tell whoever looks after calmline"


def wants_page(method: str, headers: Headers) -> bool:
    """Whether a person's browser asks for something to look at; scripts and programs get JSON."""
    return method in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def refusal(
    method: str, headers: Headers, status: int, detail: str, who: Who | None, more: dict[str, str] | None = None
) -> Response:
    """``{"detail": …}``, or the same as a page. more: further headers."""
    if wants_page(method, headers):
        asks = LOGIN if status == 401 and more else detail  # WWW-Authenticate: words for programs
        return HTMLResponse(page(status, asks, who), status, {**(more or {}), **HEADERS})
    return JSONResponse({"detail": detail}, status, more)


def page(status: int, detail: str, who: Who | None) -> str:
    """detail: what was wrong, on one line."""
    title, what = TITLES.get(status, HTTPStatus(status).phrase), sentence(detail)
    links = "".join(f'<a href="{escape(address)}">{escape(name)}</a>' for name, address in _places(who))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · calmline</title><style>{STYLE}</style></head>\n"
        f'<body><main data-testid="refused" data-status="{status}"><p class="soft">calmline · {status}</p>'
        f'<h1>{escape(title)}</h1><p>{escape(what)}</p><p class="soft" data-testid="who">{escape(_told(who))}</p>'
        + (f'<nav aria-label="Where to go">{links}</nav>' if links else "")
        + "</main></body></html>\n"
    )


def sentence(detail: str) -> str:
    """A line of an error as a person reads it: with a full stop, and a capital unless a setting's name comes first."""
    first = detail.split(" ", 1)[0].rstrip(",;:")
    capital = detail[:1].upper() if first.isalpha() else detail[:1]
    return f"{capital}{detail[1:]}{'' if detail.endswith(('.', '?')) else '.'}"


def _told(who: Who | None) -> str:
    if who is None:
        return "Nobody is logged in in this browser."
    return f"You are logged in as {who.role} {who.name}."


def _places(who: Who | None) -> list[tuple[str, str]]:
    """Where they may go from here."""
    if who is None or who.role is Role.DOOR:
        return []
    if who.role is Role.AGENT:
        return [("Your overlay", f"/overlay?agent={quote(who.name)}"), ("Your calls", "/room")]
    return [("Calls", "/room"), ("Live calls", "/wall"), ("Trends", "/trends")]
