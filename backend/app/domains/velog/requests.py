"""Requests to refresh a user's statistics: one under way a user, and a row each with the old back office's status words.

A request is a run of the refresh task that holds its user's unique key; its id is the run's. The rows are written by the
recorder alone, from what it knows of those runs: twice, late or out of order, they come to the same.
"""

import logging
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from django.db import transaction

from app.core.celery_app import celery_app
from app.domains.velog.models import StatsRefreshRequest, User
from livebeat import Sent, clock, send
from livebeat.connection import link
from livebeat.delivery.dead import drop, find
from livebeat.errors import LivebeatError

logger = logging.getLogger(__name__)

TASK = "app.tasks.stats.refresh_user_stats"
#: A unique key is this and the user's id.
KEY_PREFIX = "stats-refresh:"
_MOST_DIGITS = 18  # what every database's bigint holds
_Status = StatsRefreshRequest.Status
_IN_FLIGHT = (_Status.QUEUED, _Status.PROCESSING)
_OVERTAKEN = "A later request of this user is under way; how this one ended is not recorded yet."
_WRITTEN = ("user_id", "status", "retry_count", "reclaimed_count", "last_error", "finished_at", "created_at")


@dataclass(frozen=True)
class Request:
    """One request as its run stands. `status` is a word of `StatsRefreshRequest.Status`.

    `reclaimed_count`: lost attempts as far as they are known; a row that knows of more keeps its own.
    """

    request_id: uuid.UUID
    user_id: int
    status: str
    retry_count: int
    reclaimed_count: int
    last_error: str
    finished_at: datetime | None
    created_at: datetime


def unique_key(user_id: int) -> str:
    """The key that a user's refresh holds while it is under way."""
    return f"{KEY_PREFIX}{user_id}"


def user_of(key: str | None) -> int | None:
    """The user of such a key; None where it is none."""
    number = (key or "").removeprefix(KEY_PREFIX)
    is_id = key != number and number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    return int(number) if is_id else None


def send_refresh(user_id: int) -> Sent:
    """Ask for a refresh. Not accepted where one of the user's is under way: then the id is that one's.

    Raises:
        redis.RedisError: Redis doesn't answer.
        ConfigurationError: a worker without `livebeat.install` consumes the queue.
    """
    link(celery_app).client.ping()  # kombu would try for seconds to reach a broker that is away
    return send(TASK, kwargs={"user_id": user_id}, unique=unique_key(user_id), app=celery_app)


def send_again(user_id: int, request_id: str) -> Sent:
    """Ask again for what this request failed to do. If it was given up as lost, its message is forgotten then.

    Raises:
        redis.RedisError, ConfigurationError: as `send_refresh`.
    """
    sent = send_refresh(user_id)
    if sent.accepted:
        with suppress(LivebeatError):  # nothing was kept; else `livebeat dead --retry` would run it beside the new one
            of = link(celery_app)
            drop(of, find(of, request_id))
    return sent


def retry_row(row: StatsRefreshRequest) -> Literal["accepted", "under_way", "not_failed", "superseded"]:
    """Ask again for a request by its row, if it failed and the user has no later one. Raises as `send_refresh`."""
    if row.status not in (_Status.FAILED, _Status.DLQ):
        return "not_failed"
    if StatsRefreshRequest.objects.filter(user_id=row.user_id, created_at__gt=row.created_at).exists():
        return "superseded"
    return "accepted" if send_again(row.user_id, str(row.request_id)).accepted else "under_way"


def record_requests(requests: Sequence[Request]) -> None:
    """Bring these requests' rows up to date, in one transaction. Those of users that aren't there are logged and left out.

    At most one of a user's requests is shown as under way, the newest: another's end is only not recorded yet.
    """
    with transaction.atomic():
        wanted = _of_known_users(requests)
        rows = _rows(wanted)
        ended = [request for request in wanted if request.status not in _IN_FLIGHT]
        under_way = [request for request in wanted if request.status in _IN_FLIGHT]
        _write(rows, ended)
        _write(rows, _newest_in_flight(under_way))


def end_coalesced(request_id: uuid.UUID, at: datetime, run_id: str) -> None:
    """Close the row that the old back office made for a request which became part of another, `run_id`."""
    rows = StatsRefreshRequest.objects.filter(request_id=request_id, status__in=_IN_FLIGHT)
    said = f"The user's statistics were being refreshed already, by request {run_id}; see there."
    rows.update(status=_Status.FAILED, last_error=said, finished_at=at, updated_at=clock.now())


def _of_known_users(requests: Sequence[Request]) -> list[Request]:
    """Locks the users, so that two recorders write a user's rows one after the other."""
    ids = {request.user_id for request in requests}
    users = User.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    known = set(users.values_list("pk", flat=True))
    for user_id in sorted(ids - known):
        logger.warning("a refresh of user %s is not shown among the requests: there is no such user", user_id)
    return [request for request in requests if request.user_id in known]


def _rows(requests: Sequence[Request]) -> dict[uuid.UUID, StatsRefreshRequest]:
    """The rows of these requests; a new one is made as ended, since only one of a user may be under way."""
    ids = [request.request_id for request in requests]
    made = [
        StatsRefreshRequest(request_id=each.request_id, user_id=each.user_id, status=_Status.FAILED)
        for each in requests
    ]
    StatsRefreshRequest.objects.bulk_create(made, ignore_conflicts=True)
    return {row.request_id: row for row in StatsRefreshRequest.objects.filter(request_id__in=ids)}


def _newest_in_flight(requests: Sequence[Request]) -> list[Request]:
    """These requests, all but each user's newest shown as ended; the rows of earlier ones become so at once."""
    users = {request.user_id for request in requests}
    rows = StatsRefreshRequest.objects.filter(user_id__in=users, status__in=_IN_FLIGHT)
    places = {(row.created_at, row.request_id, row.user_id) for row in rows}
    places |= {(each.created_at, each.request_id, each.user_id) for each in requests}
    newest = {user_id: request_id for _, request_id, user_id in sorted(places)}
    overtaken = rows.exclude(request_id__in=newest.values())
    overtaken.update(status=_Status.FAILED, last_error=_OVERTAKEN, updated_at=clock.now())
    return [
        each if newest[each.user_id] == each.request_id else replace(each, status=_Status.FAILED, last_error=_OVERTAKEN)
        for each in requests
    ]


def _write(rows: dict[uuid.UUID, StatsRefreshRequest], requests: Iterable[Request]) -> None:
    changed = []
    for told in requests:
        row = rows[told.request_id]
        request = replace(told, reclaimed_count=max(told.reclaimed_count, row.reclaimed_count))
        if any(getattr(row, name) != getattr(request, name) for name in _WRITTEN):
            for name in _WRITTEN:
                setattr(row, name, getattr(request, name))
            row.updated_at = clock.now()
            changed.append(row)
    StatsRefreshRequest.objects.bulk_update(changed, [*(name.removesuffix("_id") for name in _WRITTEN), "updated_at"])
