"""From the runs of the refresh task to the rows of its requests, in the old back office's status words.

Called once the runs are recorded. A request's row says what its run's row says, so it doesn't matter which event led here;
how many of its attempts were lost the events themselves say, and the row keeps the most.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from app.domains.velog.models import StatsRefreshRequest
from app.domains.velog.requests import TASK, Request, end_coalesced, record_requests, user_of
from app.history.models import Run, State
from app.history.news import STATES
from app.history.services import locked_runs
from livebeat.events import Event

#: The bridge's, of a message for a user whose refresh was under way: `request` became part of `run`.
COALESCED = "request.coalesced"
_Status = StatsRefreshRequest.Status
#: Progress moves no request.
_EVENTS = STATES.keys() - {"run.progress"}
#: Given up for good is what the old back office called DLQ; what somebody may simply ask for again is FAILED.
_ENDED = {
    State.SUCCEEDED: _Status.SUCCESS,
    State.FAILED: _Status.FAILED,
    State.CANCELLED: _Status.FAILED,
    State.EXPIRED: _Status.FAILED,
    State.LOST: _Status.DLQ,
}
#: What the column holds.
_LARGEST = 32767


def record_requests_of(events: Iterable[Event]) -> None:
    """Bring the rows of the requests that these events are about up to date. Idempotent; progress changes nothing.

    Raises:
        django.db.Error: the database refused or is away; nothing was written.
    """
    told = [event for event in events if event.data.get("task") == TASK and isinstance(event.data.get("run"), str)]
    ids = {event.data["run"] for event in told if event.type in _EVENTS}
    coalesced = [event for event in told if event.type == COALESCED]
    if not ids and not coalesced:
        return
    with transaction.atomic():
        lost = _lost_attempts(told)
        found = (request_of(run, lost.get(run.id, 0)) for run in locked_runs(ids))
        record_requests([request for request in found if request is not None])
        for event in coalesced:
            request_id = _uuid(event.data.get("request"))
            if request_id is not None:
                end_coalesced(request_id, event.at, event.data["run"])


def request_of(run: Run, lost: int) -> Request | None:
    """What the request's row is to say, with so many lost attempts; None where the run is none: another task, no user's key,
    an id that is no UUID."""
    user_id = user_of(run.unique_key)
    request_id = _uuid(run.id)
    if run.task != TASK or user_id is None or request_id is None:
        return None
    succeeded = run.state == State.SUCCEEDED
    return Request(
        request_id=request_id,
        user_id=user_id,
        status=_ENDED.get(State(run.state)) or (_Status.PROCESSING if run.attempt > 0 else _Status.QUEUED),
        retry_count=min(max(run.attempt - 1, 0), _LARGEST),
        reclaimed_count=lost,
        last_error="" if succeeded else run.error or run.error_class or _default_error(run),
        finished_at=run.finished_at,
        created_at=run.seen_at,
    )


def _lost_attempts(events: Iterable[Event]) -> dict[str, int]:
    """The most lost attempts that an event tells of each run; those that tell of none are left out."""
    found: dict[str, int] = {}
    for event in events:
        lost = event.data.get("losses")
        if type(lost) is int and lost > found.get(event.data["run"], 0):
            found[event.data["run"]] = min(lost, _LARGEST)
    return found


def _default_error(run: Run) -> str:
    return run.state if run.finished_at is not None else ""


def _uuid(text: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except (ValueError, AttributeError, TypeError):
        return None
