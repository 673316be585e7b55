"""Many calls at once: what people heard in them as training data, and the calls themselves for other programs."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from api import zips
from api.calls import Desk
from api.export import SUFFIX, Format, export
from api.export import Wanted as Form
from api.export import labels as labelled
from api.reading import read
from api.routes.calls import Problem
from api.routes.deps import Judge, Seer, TheDesk
from api.routes.listing import Wanted
from api.rows import CallRow
from pipeline.errors import BadInput, CalmlineError

router = APIRouter(tags=["export"])

ZIP = "application/zip"
MOST = 1000
"""Calls that go into one archive: some 50 MB of tables."""

ANSWERS: dict[int | str, dict[str, Any]] = {
    **{status: {"model": Problem} for status in (400, 401, 403, 503)},
    200: {"content": {ZIP: {}}},
}


@router.get("/labels/export", response_class=Response, responses=ANSWERS)
def labels(desk: TheDesk, wanted: Wanted, who: Judge) -> Response:
    """Labelled stretches as clips and a table (``index.csv``) for ``calmline train``, as one ZIP archive."""
    folders = [desk.archive.folder(row.id) for row in _rows(desk, wanted, labelled_only=True)]
    return _archive(labelled.files(folders), "calmline-labels.zip")


@router.get("/export", response_class=Response, responses=ANSWERS)
def bulk(
    desk: TheDesk, wanted: Wanted, who: Seer, format: Annotated[Format, Query(description="Of each call")] = "csv"
) -> Response:
    """Every call that is sought, one file each, as one ZIP archive; what is left out says why in left_out.txt."""
    return _archive(_files(desk, _rows(desk, wanted), format), f"calmline-{format}.zip")


def _rows(desk: Desk, wanted: Wanted, *, labelled_only: bool = False) -> list[CallRow]:
    rows, total = desk.store.find(wanted, MOST, labelled=labelled_only)
    if total > MOST:
        raise BadInput(f"{total} calls are sought and one archive takes {MOST}; narrow it, by from= and to= for one")
    return rows


def _files(desk: Desk, rows: list[CallRow], form: Format) -> Iterator[tuple[str, bytes]]:
    left_out = []
    for row in rows:
        try:
            if row.id in desk.in_progress:
                raise BadInput("in progress; it can be exported once that is over")
            yield f"{row.id}{SUFFIX[form]}", export(read(desk.archive.folder(row.id)), Form(form))
        except (CalmlineError, OSError) as error:
            left_out.append(f"{row.id}: {error}")
    if left_out or not rows:
        yield "left_out.txt", "\n".join([*(left_out or ["no call was found"]), ""]).encode()


def _archive(files: Iterator[tuple[str, bytes]], name: str) -> Response:
    return StreamingResponse(
        zips.stream(files), media_type=ZIP, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
