"""Requests to refresh a user's statistics as the API deals with them: find, ask, ask again, cancel.

What is under way the ledger knows, at once and for sure; what has ended is in the history, a moment later.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from django.db.models import QuerySet

from app.api.engine import redis_link
from app.core.celery_app import celery_app
from app.core.errors import UnknownUserError
from app.core.settings import get_settings
from app.domains.velog.queries import refreshed_without_a_run, user_exists
from app.domains.velog.requests import TASK, send_again, send_refresh, unique_key, user_of
from app.history.models import Run, State
from app.history.queries import ENDED, UNSUCCESSFUL, all_runs, newest_of_key, run_by_id
from app.history.unrecorded import unrecorded_run
from livebeat import LedgerEntry, Sent, clock, run_state
from livebeat.delivery import Ledger

#: Reads of an entry that changes under our eyes.
_TRIES = 3


@dataclass(frozen=True)
class Request:
    """A request: `live` while it is under way, and what was recorded of it. One of both is there."""

    id: str
    live: LedgerEntry | None
    row: Run | None

    @property
    def user_id(self) -> int | None:
        """Whose statistics; None where the run holds no user's key."""
        return user_of(self.live.unique if self.live else self.row.unique_key if self.row else None)

    @property
    def state(self) -> str:
        """Where it stands."""
        return self.live.state if self.live else self.row.state if self.row else State.QUEUED


@dataclass(frozen=True)
class Asked:
    """What came of asking for a refresh.

    `request_id` is the new one's, or that of the one `under_way`. `at`: when the statistics that are `up_to_date` were
    refreshed, or when the user's last request ended; None where there is none.
    """

    outcome: Literal["accepted", "under_way", "up_to_date"]
    request_id: str | None = None
    at: datetime | None = None


def refreshes() -> QuerySet[Run]:
    """The runs of all requests that were recorded."""
    return all_runs().filter(task=TASK)


def failures() -> QuerySet[Run]:
    """The runs of those that ended without success."""
    return refreshes().filter(state__in=UNSUCCESSFUL)


def request_of(request_id: str) -> Request | None:
    """One request; None where there is none of this id."""
    row = run_by_id(request_id) if request_id.isprintable() else None
    if row is None or row.state not in ENDED:
        live = run_state(celery_app, request_id)
        if live is not None:
            return Request(request_id, live, row) if live.run.task == TASK else None
        of = redis_link()
        told = unrecorded_run(of.client, of.keys, request_id)  # the recorder may be a moment behind
        if told is not None and (row is None or told.state in ENDED):
            row = told
    return Request(request_id, None, row) if row is not None and row.task == TASK else None


def ask(user_id: int) -> Asked:
    """Ask for a refresh of a user's statistics, unless they are up to date.

    Raises:
        UnknownUserError: no such user, or one that is switched off.
        redis.RedisError, django.db.Error: Redis or the database doesn't answer.
    """
    _check_user(user_id)
    fresh = up_to_date_since(user_id)
    return Asked("up_to_date", at=fresh) if fresh else _asked(user_id, send_refresh(user_id))


def retry(failed: Run) -> Asked:
    """Ask again for what failed, however new the statistics are. Raises as `ask`."""
    user_id = user_of(failed.unique_key) or 0
    _check_user(user_id)
    return _asked(user_id, send_again(user_id, failed.pk))


def _check_user(user_id: int) -> None:
    if not user_exists(user_id):
        raise UnknownUserError(user_id=user_id)


def _asked(user_id: int, sent: Sent) -> Asked:
    if sent.accepted:
        return Asked("accepted", sent.run_id)
    last = newest_of_key(unique_key(user_id), ENDED)
    return Asked("under_way", sent.run_id, last.finished_at if last else None)


def up_to_date_since(user_id: int) -> datetime | None:
    """When the user's statistics were refreshed, all of them, if that is not longer ago than the setting says."""
    since = clock.now() - timedelta(minutes=get_settings().stats_up_to_date_minutes)
    last = newest_of_key(unique_key(user_id), ENDED)
    if (
        last
        and last.state == State.SUCCEEDED
        and not failed_posts(last)
        and last.finished_at
        and last.finished_at > since
    ):
        return last.finished_at
    return refreshed_without_a_run(user_id, since)


def failed_posts(run: Run) -> int | None:
    """Of how many posts a successful refresh got no statistics; None where it isn't known."""
    told = run.result.get("failed_posts") if run.state == State.SUCCEEDED and isinstance(run.result, dict) else None
    return told if isinstance(told, int) else None


def later_request(failed: Run) -> Run | None:
    """The newest request of the same user, where it is a later one."""
    newest = newest_of_key(failed.unique_key or "", list(State))
    return newest if newest is not None and newest.seen_at > failed.seen_at else None


def cancel(request: Request, by: str) -> Literal["cancelled", "stopping", "ended"]:
    """End a request that waits; have the worker stop one that runs, which it can't where its tasks are threads.

    The user is free for another request only once the worker has let go.
    """
    ledger = Ledger(redis_link())
    error = f"cancelled by {by}"
    for _ in range(_TRIES):
        live = ledger.read(request.id)
        if live is None:
            return "ended"
        if live.state == "running":
            break
        # A run that was given back is nobody's, though it may not be pushed again yet.
        end = (
            partial(ledger.finish, live.run, "", live.attempt)
            if live.state == "retrying"
            else partial(ledger.end, live)
        )
        if end("run.cancelled", error=error):
            return "cancelled"
    celery_app.control.revoke(request.id, terminate=True)
    return "stopping"
