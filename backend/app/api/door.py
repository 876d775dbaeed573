"""Between the guard and the routes: nobody gets to a route who may not, whatever the path looks like.

Programs get a problem in JSON; a browser that asks for a page is sent to the sign-in. Each refusal is logged.
"""

import logging
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.access import OPEN, need_of
from app.api.admission import Admission, Refused
from app.api.language import preferred
from app.api.problems import problem

logger = logging.getLogger(__name__)

SIGN_IN = "/admin/login/"


class Door:
    """The ASGI middleware."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        need = need_of(scope)
        if need == OPEN:
            await self._app(scope, receive, send)
            return
        caller = HTTPConnection(scope)
        verdict = await run_in_threadpool(self._admission.judge, caller, scope["method"], need)
        if isinstance(verdict, Refused):
            await _answer(caller, scope, verdict)(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = verdict
        await self._app(scope, receive, send)


def _answer(caller: HTTPConnection, scope: Scope, refused: Refused) -> Response:
    address = caller.client.host if caller.client else "?"
    logger.warning("refused %s %s from %s: %s", scope["method"], scope["path"], address, refused.en)
    if refused.status == 401 and _is_browser(caller, scope):
        target = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
        return RedirectResponse(f"{SIGN_IN}?next={quote(target)}", 303)
    detail = refused.en if preferred(caller.headers.get("accept-language", "")) == "en" else refused.ko
    return problem(refused.status, refused.kind, detail, scope["path"], refused.headers)


def _is_browser(caller: HTTPConnection, scope: Scope) -> bool:
    """Whether a person opens a page; what is under `/api/` is none."""
    asks_for_page = "text/html" in caller.headers.get("accept", "")
    return scope["method"] == "GET" and asks_for_page and not scope["path"].startswith("/api/")
