"""`POST /api/stats-refresh` as the Node API answered it: `success`, `message`, `data`, `error`, and nothing else.

New is who may ask (an API key of ours, the user's id in the body), and that nobody is put twice into the queue. `Location`
names the request, which the Node API did not have. Refusals are problems with the old members beside ours.
"""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.access.scopes import Scope
from app.api import refreshes
from app.api.access import needs
from app.api.language import Reader
from app.api.refresh_form import SENTENCES, RefreshForm
from app.api.routing import OrmRoute

router = APIRouter(tags=["stats"], route_class=OrmRoute)


@router.post("/stats-refresh", status_code=202)
@needs(Scope.OPERATOR)
def refresh_as_the_node_api(form: RefreshForm, reader: Reader) -> JSONResponse:
    """202 accepted; 409 up to date (`data.lastUpdatedAt`), or under way (`data` is empty)."""
    asked = refreshes.ask(form.userId)
    data = {"lastUpdatedAt": _as_javascript(asked.at)} if asked.outcome == "up_to_date" and asked.at else {}
    success = asked.outcome == "accepted"
    body: dict[str, Any] = {
        "success": success,
        "message": SENTENCES[asked.outcome][reader],
        "data": data,
        "error": None,
    }
    headers = {"Location": f"/api/stats/refresh/{asked.request_id}"} if asked.request_id else {}
    return JSONResponse(body, 202 if success else 409, headers)


def _as_javascript(at: datetime) -> str:
    """As `Date.toISOString` writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
