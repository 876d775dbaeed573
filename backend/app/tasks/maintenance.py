"""Keeping the database small."""

from typing import Any

from app.core.celery_app import celery_app, schedulable
from app.domains.velog.retention import delete_old_requests, delete_old_statistics


@schedulable
@celery_app.task(name="app.tasks.maintenance.cleanup_old_statistics")
def cleanup_old_statistics() -> dict[str, Any]:
    """Delete old daily totals, and the rows of refresh requests that ended long ago; returns how much."""
    return {**delete_old_statistics(), "requests": delete_old_requests()}
