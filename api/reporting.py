"""The report after a stored call, in the form that is wanted: for the command and for the route."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, assert_never

from api.mask import Mask
from api.reading import gather
from api.report_html import html, linked
from api.report_text import markdown
from api.rows import CallRow
from api.store import Store
from pipeline.archive import Archive
from pipeline.errors import BadInput, CalmlineError
from pipeline.figures import Earlier, earlier
from pipeline.journal import CallFolder, read_entries, read_header
from pipeline.past import Past
from pipeline.playbook import load_playbook
from pipeline.report import REPORT, Report
from pipeline.review import report

Format = Literal["json", "md", "html"]

MEDIA: dict[Format, str] = {"json": "application/json", "md": "text/markdown", "html": "text/html"}

EARLIER = 20
"""Earlier calls that an agent's usual is made of: the latest ones, for people change."""
SHIFT = timedelta(hours=8)
"""Calls that began within it before this one are of the same shift."""
PAGE = 100
"""Rows asked for at once while looking for them."""


def review(folder: CallFolder, store: Store | None, archive: Archive, *, own: bool = False) -> Report:
    """store: the list of calls, for the agent's earlier ones; None for no such list. own: the agent is who asks.

    Raises Conflict for a call without an end, BadInput for a damaged journal.
    """
    past = past_of(folder)
    before = [] if store is None else list(islice(_earlier(past, store, archive), EARLIER))
    return report(past, {each.number: each.title for each in load_playbook().practice}, before, own=own)


def past_of(folder: CallFolder) -> Past:
    """Raises BadInput when there is no journal, or naming the line that is damaged."""
    header, entries = read_header(folder.journal), list(read_entries(folder.journal))
    try:
        return Past(header, gather(header, entries).view, entries)
    except LookupError as error:
        raise BadInput(f"{folder.journal}, {error.args[0]}") from None


def _earlier(past: Past, store: Store, archive: Archive) -> Iterator[Earlier]:
    """The same agent's calls before this one that have an end, latest first; one that cannot be read is left out."""
    for row in _rows(past.header.call.agent_id, store):
        if row.state != "ended" or row.started >= past.header.started or row.id == past.header.call.call_id:
            continue
        try:
            recent = _in_shift(row.started, past.header.started)
            yield earlier(past_of(archive.folder(row.id)), recent=recent)
        except (CalmlineError, OSError):
            continue


def _rows(agent_id: str, store: Store) -> Iterator[CallRow]:
    """Newest first; none where nobody is named as the agent."""
    offset, total = 0, 1 if agent_id else 0
    while offset < total:
        rows, total = store.page(agent_id, PAGE, offset)
        yield from rows
        offset += PAGE


def _in_shift(before: str, now: str) -> bool:
    try:
        return datetime.fromisoformat(now) - datetime.fromisoformat(before) <= SHIFT
    except (ValueError, TypeError):  # a call without a time of day is in nobody's shift
        return False


def dump(made: Report, form: Format, mask: Mask, *, served: bool = False) -> bytes:
    """One page, UTF-8. Swear words are starred as the mask says.

    served: beside the call's events, to which an HTML page links then.
    """
    made = REPORT.validate_json(mask.message(REPORT.dump_json(made)))
    match form:
        case "json":
            return REPORT.dump_json(made) + b"\n"
        case "md":
            return markdown(made).encode()
        case "html":
            return (linked(html(made)) if served else html(made)).encode()
        case _:
            assert_never(form)
