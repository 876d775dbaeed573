"""Telling people what changed."""

from typing import Any

import livebeat
from app.clients.webhooks import CHANNELS
from app.core.celery_app import celery_app, schedulable
from app.domains.realestate import briefing
from app.domains.realestate.errors import BriefingUndeliveredError

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 60.0, 3600.0


@schedulable
@celery_app.task(name="app.tasks.briefing_tasks.send_weekly_briefing", bind=True, max_retries=8)
def send_weekly_briefing(self: Any, days: int = 7) -> dict[str, Any]:
    """Send the unread changes of the last days to every channel that has a webhook."""
    return _sent(self, days, tuple(CHANNELS))


@schedulable
@celery_app.task(name="app.tasks.briefing_tasks.send_custom_briefing", bind=True, max_retries=8)
def send_custom_briefing(self: Any, days: int, to_slack: bool = True, to_discord: bool = True) -> dict[str, Any]:
    """Send the unread changes of the last days to the channels that are asked for."""
    wanted = {"discord": to_discord, "slack": to_slack}
    return _sent(self, days, tuple(name for name, asked in wanted.items() if asked))


def _sent(task: Any, days: int, channels: tuple[str, ...]) -> dict[str, Any]:
    """The briefing's result; what may heal is tried again, eight times over about three hours."""
    try:
        return briefing.send(days, channels, at=livebeat.current_slot())
    except BriefingUndeliveredError as error:
        if not error.retryable:
            raise
        wait = min(_FIRST_WAIT_SECONDS * 2**task.request.retries, _LONGEST_WAIT_SECONDS)
        raise task.retry(exc=error, countdown=max(wait, error.retry_after or 0.0)) from error
