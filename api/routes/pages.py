"""The pages, and the link that logs into them."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from api.policy import May, Role, Who
from api.routes.deps import Seer, folder
from api.security import COOKIE, SESSION_S, Keyring, local_path, require

router = APIRouter(include_in_schema=False)

PAGES: dict[str, May] = {
    "overlay": May.SEE,
    "wall": May.CLAIM,
    "capture": May.BRING_OWN,
    "room": May.SEE,
    "trends": May.SEE,
}
"""Each page by its name, which is its address and its file in ``api/static``, and what its readers must be allowed."""

NOT_BUILT = "the pages are not built; build them with: npm --prefix api/web run build"


@router.get("/login")
def login(
    request: Request, token: Annotated[str, Query()] = "", following: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Exchange a token for a cookie. 401 for a token we do not know."""
    keyring: Keyring = request.app.state.keyring
    who = keyring.holder(token)
    if who is None or not who.may(May.SEE):
        raise HTTPException(401, "this login link is not valid; ask for a new one")
    answer = RedirectResponse(local_path(following), 303, {"Cache-Control": "no-store"})
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, keyring.login(who), max_age=SESSION_S, path="/", secure=secure, httponly=True, samesite="strict"
    )
    return answer


@router.get("/")
def home(who: Seer) -> Response:
    """The overlay, for now."""
    return RedirectResponse(_overlay_of(who), 307)


def _overlay_of(who: Who) -> str:
    return f"/overlay?agent={quote(who.name)}" if who.role is Role.AGENT else "/overlay"


def _page(name: str, may: May) -> Callable[[Request, Who], Response]:
    """Serves one page: its script finds out the rest from its address."""

    def page(request: Request, who: Annotated[Who, Depends(require(may))]) -> Response:
        file = request.app.state.static / f"{name}.html"
        if not file.is_file():
            raise HTTPException(503, NOT_BUILT)
        return FileResponse(file, media_type="text/html", headers={"Cache-Control": "no-cache"})

    return page


_call = _page("call", May.SEE)
router.add_api_route("/room/{call_id}", _call, name="call", response_model=None, dependencies=[Depends(folder)])
for _name, _may in PAGES.items():
    router.add_api_route(f"/{_name}", _page(_name, _may), name=_name, response_model=None)
