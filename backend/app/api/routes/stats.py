"""`/api/stats/refresh`: a velog user's statistics read anew, one request in flight a user.

The ledger decides atomically whether a user's refresh is under way; the request's id is the run's.
"""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator, Field

from app.access.scopes import Scope
from app.api.access import needs
from app.api.engine import redis_link
from app.api.language import Reader
from app.api.problems import ProblemError
from app.api.routing import OrmRoute
from app.api.validation import Body
from app.core.celery_app import celery_app
from app.core.errors import UnknownUserError
from app.domains.velog.queries import user_exists
from app.history.models import Run
from app.history.queries import run_by_id
from app.history.unrecorded import unrecorded_run
from livebeat import LedgerEntry, clock, run_state, send

router = APIRouter(prefix="/stats", tags=["stats"], route_class=OrmRoute)

TASK = "app.tasks.stats.refresh_user_stats"
_UNIQUE = "stats-refresh:"
_LARGEST_ID = 2**63 - 1
_MAX_DIGITS = 19


def _number(value: Any) -> Any:
    """The Node API sends numbers and numeric text alike."""
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else value


class RefreshForm(Body):
    """Whose statistics."""

    userId: Annotated[int, BeforeValidator(_number), Field(gt=0, le=_LARGEST_ID)]  # noqa: N815  the old API's name


@router.post("/refresh", status_code=202)
@needs(Scope.OPERATOR)
def refresh(form: RefreshForm, reader: Reader) -> dict[str, Any]:
    """Ask for a refresh: 202 with the request's id; 409 names the request that is under way; 404 unknown user."""
    user = form.userId
    if not user_exists(user):
        raise UnknownUserError(user_id=user)
    redis_link().client.ping()  # kombu would try for seconds to reach a broker that is away
    sent = send(TASK, kwargs={"user_id": user}, unique=f"{_UNIQUE}{user}", app=celery_app)
    if not sent.accepted:
        ko, en = "이미 통계 새로고침이 진행 중입니다.", "A refresh of these statistics is under way already."
        message = en if reader == "en" else ko
        raise ProblemError(409, "refresh-under-way", ko, en, requestId=sent.run_id, message=message)
    message = (
        "The refresh of the statistics was accepted."
        if reader == "en"
        else "통계 새로고침 요청이 성공적으로 등록되었습니다."
    )
    return {"requestId": sent.run_id, "status": "queued", "userId": user, "message": message}


@router.get("/refresh/{request_id}", response_class=JSONResponse)
@needs(Scope.VIEWER)
def refresh_state(request_id: str) -> dict[str, Any]:
    """How a request stands, and why it failed where it did."""
    run = run_by_id(request_id) if request_id.isprintable() else None
    if run is None:  # the recorder may be a moment behind
        live = run_state(celery_app, request_id)
        if live is not None and live.run.task == TASK:
            return _of_ledger(request_id, live)
        of = redis_link()
        run = unrecorded_run(of.client, of.keys, request_id)
    if run is not None and run.task == TASK:
        return _of_row(run)
    raise ProblemError(
        404,
        "request-not-found",
        f"요청 '{request_id}'을(를) 찾을 수 없습니다.",
        f"No refresh request has the id '{request_id}'.",
    )


def _of_row(run: Run) -> dict[str, Any]:
    return {
        "requestId": run.id,
        "userId": _user(run.unique_key),
        "status": run.state,
        "requestedAt": run.dispatched_at or run.seen_at,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "attempt": run.attempt,
        "reason": run.error,
        "result": run.result,
    }


def _of_ledger(request_id: str, live: LedgerEntry) -> dict[str, Any]:
    return {
        "requestId": request_id,
        "userId": _user(live.unique),
        "status": live.state,
        "requestedAt": clock.from_epoch(live.pushed_at),
        "startedAt": None,
        "finishedAt": None,
        "attempt": live.attempt,
        "reason": None,
        "result": None,
    }


def _user(unique: str | None) -> int | None:
    number = (unique or "").removeprefix(_UNIQUE)
    return int(number) if number.isdigit() else None
