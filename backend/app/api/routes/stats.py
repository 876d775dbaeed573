"""`/api/stats/refresh`: a velog user's statistics read anew, one request under way a user.

The ledger decides atomically whether a user's refresh is under way; the request's id is the run's.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from app.access.scopes import Scope
from app.api import refreshes
from app.api.access import caller_of, needs
from app.api.engine import redis_link
from app.api.language import Reader
from app.api.problems import ProblemError
from app.api.refresh_form import LARGEST_ID, SENTENCES, RefreshForm
from app.api.refresh_view import shown, shown_row
from app.api.refreshes import Asked
from app.api.routing import OrmRoute
from app.domains.velog.requests import unique_key
from app.history.models import State
from app.history.queries import MAX_LIMIT, UNSUCCESSFUL, CursorError, page_of
from livebeat.errors import Language

router = APIRouter(prefix="/stats", tags=["stats"], route_class=OrmRoute)

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
UserId = Annotated[int, Query(gt=0, le=LARGEST_ID)]


@router.post("/refresh", status_code=202)
@needs(Scope.OPERATOR)
def refresh(form: RefreshForm, reader: Reader) -> dict[str, Any]:
    """Ask for a refresh: 202 with the request's id. 409 where the statistics are up to date, or names the request that
    is under way; 404 for an unknown user."""
    asked = refreshes.ask(form.userId)
    if asked.outcome == "up_to_date":
        raise refused(asked, reader, lastUpdatedAt=_iso(asked))
    return accepted(asked, form.userId, reader)


@router.get("/refresh")
@needs(Scope.VIEWER)
def requests(
    reader: Reader,
    userId: UserId | None = None,  # noqa: N803  like the members of the answers
    status: State | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """A page of requests, the newest first; `next` is the cursor of the following page, null on the last."""
    rows = refreshes.refreshes()
    if userId is not None:
        rows = rows.filter(unique_key=unique_key(userId))
    if status is not None:
        rows = rows.filter(state=status)
    return page(rows, limit, cursor, reader)


@router.get("/refresh/{request_id}", response_class=JSONResponse)
@needs(Scope.VIEWER)
def refresh_state(request_id: str, reader: Reader) -> dict[str, Any]:
    """How a request stands, and why it failed where it did."""
    return shown(_found(request_id), reader)


@router.post("/refresh/{request_id}/retry", status_code=202)
@needs(Scope.OPERATOR)
def retry(request_id: str, reader: Reader) -> dict[str, Any]:
    """Ask again for what failed, was lost or cancelled, or expired: a new request, 202 with its id.

    409 where it did not fail, where the user has asked again since, or where one of the user's is under way.
    """
    request = _found(request_id)
    failed = request.row if request.live is None else None
    if failed is None or failed.state not in UNSUCCESSFUL or request.user_id is None:
        raise ProblemError(
            409,
            "request-not-failed",
            f"실패한 요청만 다시 시도할 수 있습니다 (현재: {request.state}).",
            f"Only a request that failed can be retried; this one is {request.state}.",
            requestId=request_id,
            requestStatus=request.state,
        )
    later = refreshes.later_request(failed)
    if later is not None:
        raise ProblemError(
            409,
            "request-superseded",
            f"이 사용자의 이후 요청이 있습니다: {later.id} ({later.state}).",
            f"This user has a later request: {later.id} ({later.state}).",
            requestId=later.id,
            requestStatus=later.state,
        )
    return {**accepted(refreshes.retry(failed), request.user_id, reader), "retryOf": request_id}


@router.delete("/refresh/{request_id}")
@needs(Scope.OPERATOR)
def cancel(request_id: str, request: Request, reader: Reader) -> JSONResponse:
    """Call a request off: 200 where it had not begun, 202 where its worker was asked to stop it, 409 where it has ended.

    A worker whose tasks are threads can't stop one; it goes on to its end.
    """
    found = _found(request_id)
    redis_link().client.ping()  # Celery's remote control would try for seconds to reach a broker that is away
    outcome = refreshes.cancel(found, caller_of(request)) if found.live is not None else "ended"
    if outcome == "ended":
        raise ProblemError(
            409, "request-ended", "이미 끝난 요청입니다.", "This request has ended already.", requestId=request_id
        )
    ko, en = _CANCELLED[outcome]
    body = {"requestId": request_id, "status": outcome, "message": en if reader == "en" else ko}
    return JSONResponse(body, 200 if outcome == "cancelled" else 202)


_CANCELLED = {
    "cancelled": ("요청이 취소되었습니다.", "The request was cancelled."),
    "stopping": (
        "실행 중인 작업에 중지를 요청했습니다. 상태를 확인하세요.",
        "Its worker was asked to stop it; look at its state.",
    ),
}


def accepted(asked: Asked, user_id: int, reader: Language) -> dict[str, Any]:
    """The answer to a request that was accepted.

    Raises:
        ProblemError: one of the user's is under way.
    """
    if asked.outcome == "under_way":
        raise refused(asked, reader, requestId=asked.request_id, lastFinishedAt=_iso(asked))
    message = SENTENCES["accepted"][reader]
    return {"requestId": asked.request_id, "status": "queued", "userId": user_id, "message": message}


def refused(asked: Asked, reader: Language, **more: Any) -> ProblemError:
    """A request that was not accepted, as a problem."""
    kind = "refresh-under-way" if asked.outcome == "under_way" else "statistics-up-to-date"
    said = SENTENCES[asked.outcome]
    return ProblemError(409, kind, said["ko"], said["en"], message=said[reader], **more)


def page(rows: Any, limit: int, cursor: str | None, reader: Language) -> dict[str, Any]:
    """A page of requests by their runs.

    Raises:
        ProblemError: the cursor is none.
    """
    try:
        found, following = page_of(rows, limit, cursor)
    except CursorError:
        raise ProblemError(
            422, "invalid-cursor", "cursor: 이전 응답의 next 값이어야 합니다.", "cursor: must be the `next` of a page."
        ) from None
    return {"items": [shown_row(run, reader) for run in found], "next": following}


def _found(request_id: str) -> refreshes.Request:
    found = refreshes.request_of(request_id)
    if found is None:
        raise ProblemError(
            404,
            "request-not-found",
            f"요청 '{request_id}'을(를) 찾을 수 없습니다.",
            f"No refresh request has the id '{request_id}'.",
        )
    return found


def _iso(asked: Asked) -> str | None:
    return asked.at.isoformat() if asked.at else None
