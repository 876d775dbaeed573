"""Refreshing a velog user's statistics."""

from typing import Any

from app.core.celery_app import celery_app
from app.domains.velog.services import ScraperTargetUser


@celery_app.task(name="app.tasks.stats.refresh_user_stats", bind=True, time_limit=900, soft_time_limit=840)
def refresh_user_stats(self: Any, user_id: int) -> dict[str, Any]:
    """Refresh one user's posts and statistics."""
    return ScraperTargetUser([user_id], run_id=self.request.id).run()
