"""Refreshing velog users' statistics: one user's, and those of a whole group."""

from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

import livebeat
from app.clients.rate import LONGEST_HOLD_SECONDS
from app.core.celery_app import celery_app, schedulable
from app.core.errors import PlatformError, RateLimitedError
from app.domains.velog.errors import TookTooLongError
from app.domains.velog.queries import active_user_ids
from app.domains.velog.requests import TASK, unique_key
from app.domains.velog.services import ScraperTargetUser

#: After the first attempt.
RETRIES = 3
SOFT_LIMIT_SECONDS, HARD_LIMIT_SECONDS = 840, 900
#: Redis' priorities go from 0, the first, to 9: what somebody waits for overtakes the collection.
COLLECTION_PRIORITY = 6


@celery_app.task(
    name=TASK, bind=True, max_retries=RETRIES, soft_time_limit=SOFT_LIMIT_SECONDS, time_limit=HARD_LIMIT_SECONDS
)
def refresh_user_stats(self: Any, user_id: int) -> dict[str, Any]:
    """Refresh one user's posts and statistics; what can heal is tried again, and goes on where it stopped."""
    try:
        return ScraperTargetUser([user_id], run_id=self.request.id).run()
    except SoftTimeLimitExceeded:
        error: PlatformError = TookTooLongError(user_id=user_id, seconds=SOFT_LIMIT_SECONDS)
    except PlatformError as raised:
        error = raised
    if not error.retryable:
        raise error
    raise self.retry(exc=error, countdown=_pause(error, self.request.retries))


def _pause(error: PlatformError, retries: int) -> float:
    """Seconds until the next attempt: 2, 4, 8, or as long as velog asked for."""
    asked = (error.retry_after or 0.0) if isinstance(error, RateLimitedError) else 0.0
    return max(2.0 ** (retries + 1), min(asked, LONGEST_HOLD_SECONDS))


@schedulable
@celery_app.task(name="app.tasks.stats.refresh_group", bind=True)
def refresh_group(self: Any, part: int = 1, parts: int = 1) -> dict[str, int]:
    """Send a refresh for each active user of the `part`-th of `parts` groups; returns how many, and how many had one."""
    users = active_user_ids(part, parts)
    sent = 0
    for done, user in enumerate(users, 1):
        options = {"parent": self.request.id, "unique": unique_key(user), "priority": COLLECTION_PRIORITY}
        sent += livebeat.send(TASK, kwargs={"user_id": user}, app=celery_app, **options).accepted
        livebeat.progress(done, len(users), "users")
    return {"users": len(users), "sent": sent, "under_way": len(users) - sent}
