"""`/api/stats/queue`, `/failures`, `/figures`, `/users/{id}`: how the stats refresh fares, and what failed asked for again."""

from datetime import timedelta
from typing import Annotated, Any

from django.db.models import Q, QuerySet
from fastapi import APIRouter, Query

from app.access.scopes import Scope
from app.api import refresh_figures, refreshes
from app.api.access import needs
from app.api.engine import redis_link
from app.api.language import Reader
from app.api.refresh_form import LARGEST_ID, Code, Failed, RetryForm
from app.api.refresh_view import UNEXPECTED, known_classes, places_of, shown_row
from app.api.routes.stats import Limit, page
from app.api.routing import OrmRoute
from app.core.errors import UnknownUserError
from app.domains.velog.queries import user_facts
from app.domains.velog.requests import unique_key
from app.history.models import Run, State
from app.history.queries import ENDED, latest_of_their_key, newest_of_key
from livebeat import clock

router = APIRouter(prefix="/stats", tags=["stats"], route_class=OrmRoute)

Hours = Annotated[int, Query(ge=1, le=8760)]


@router.get("/queue")
@needs(Scope.VIEWER)
def queue() -> dict[str, Any]:
    """What is under way now: how many wait for a worker, run, and wait to be tried again; ages in seconds."""
    now = refresh_figures.queue_now(redis_link())
    return {
        "waiting": now.waiting,
        "running": now.running,
        "retrying": now.retrying,
        "oldestWaitingSeconds": now.oldest_waiting,
        "oldestSeconds": now.oldest,
    }


@router.get("/figures")
@needs(Scope.VIEWER)
def figures(hours: Hours = 24) -> dict[str, Any]:
    """How the requests of the last hours fared, the queue now, and since when the workers run.

    `processed` are those that succeeded or failed; `failed` counts what was lost or expired, too, by `reasons`.
    """
    waiting = queue()
    uptimes = refresh_figures.workers_uptime()
    states, reasons = refresh_figures.ended_since(clock.now() - timedelta(hours=hours))
    failed = states[State.FAILED] + states[State.LOST] + states[State.EXPIRED]
    return {
        "hours": hours,
        "processed": states[State.SUCCEEDED] + failed,
        "succeeded": states[State.SUCCEEDED],
        "failed": failed,
        "cancelled": states[State.CANCELLED],
        "reasons": dict(reasons.most_common()),
        "uptimeSeconds": max(uptimes.values(), default=0.0),
        "workers": [{"name": name, "uptimeSeconds": seconds} for name, seconds in uptimes.items()],
        "queue": waiting,
    }


@router.get("/failures")
@needs(Scope.VIEWER)
def failures(
    reader: Reader,
    status: Failed | None = None,
    code: Annotated[Code | None, Query()] = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """A page of the requests that ended without success, with their reasons, the newest first.

    `retryable`: the user has not asked again since.
    """
    told = page(_failed(status, code), limit, cursor, reader)
    ids = [item["requestId"] for item in told["items"]]
    again = set(latest_of_their_key(refreshes.failures().filter(pk__in=ids)).values_list("pk", flat=True))
    return {**told, "items": [{**item, "retryable": item["requestId"] in again} for item in told["items"]]}


@router.post("/failures/retry")
@needs(Scope.OPERATOR)
def retry_failures(form: RetryForm, reader: Reader) -> dict[str, Any]:
    """Ask again for failed requests, one of each user. Without `"dryRun": false` only says for which.

    `refused`: those of users that are gone, or have one under way meanwhile. Safe to repeat.
    """
    since = clock.now() - timedelta(hours=form.hours)
    rows = latest_of_their_key(_failed(form.status, form.code).filter(seen_at__gte=since))
    found = list(rows.order_by("-seen_at", "-pk")[: form.limit])
    matching = rows.count()
    told: dict[str, Any] = {"dryRun": form.dryRun, "matching": matching, "more": matching > len(found)}
    if form.dryRun:
        return {**told, "requests": [shown_row(run, reader) for run in found], "retried": [], "refused": []}
    retried: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for run in found:
        outcome, request_id = _retry(run)
        (retried if outcome == "accepted" else refused).append(
            {"requestId": request_id, "retryOf": run.pk, "outcome": outcome}
        )
    return {**told, "requests": [], "retried": retried, "refused": refused}


@router.get("/users/{user_id}")
@needs(Scope.VIEWER)
def user(user_id: int, reader: Reader) -> dict[str, Any]:
    """A user's request under way and last result, and whether the statistics are up to date."""
    facts = user_facts(user_id) if 0 < user_id <= LARGEST_ID else None
    if facts is None:
        raise UnknownUserError(user_id=user_id)
    key = unique_key(user_id)
    under_way = redis_link().client.hget(redis_link().keys.unique, key)
    last, succeeded = newest_of_key(key, ENDED), newest_of_key(key, [State.SUCCEEDED])
    return {
        "userId": user_id,
        "username": facts["username"],
        "isActive": facts["is_active"],
        "underWay": under_way,
        "last": shown_row(last, reader) if last else None,
        "lastSucceededAt": succeeded.finished_at if succeeded else None,
        "upToDateSince": refreshes.up_to_date_since(user_id),
    }


def _failed(status: str | None, code: str | None) -> QuerySet[Run]:
    rows = refreshes.failures()
    if status is not None:
        rows = rows.filter(state=status)
    if code == UNEXPECTED:
        rows = rows.filter(state=State.FAILED).exclude(error_class__in=known_classes())
    elif code is not None:
        states, classes = places_of(code)
        rows = rows.filter(Q(state__in=states) | Q(state=State.FAILED, error_class__in=classes))
    return rows


def _retry(run: Run) -> tuple[str, str | None]:
    try:
        asked = refreshes.retry(run)
    except UnknownUserError:
        return "unknown_user", None
    return asked.outcome, asked.request_id
