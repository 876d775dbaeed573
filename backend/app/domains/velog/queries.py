"""Reading velog data for pages and REST; dicts, never tokens."""

from typing import Any

from django.db.models import Count, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce

from app.domains.velog.models import Post, PostDailyStatistics, User


def users(*, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """Users by primary key, from the first one above `after`: id, velog_uuid, username, is_active, active_posts and
    last_refreshed_at (when a statistics row was last written; None before the first)."""
    # Subqueries, not joins: posts times days would be a row for each of both.
    active = Post.objects.filter(user=OuterRef("pk"), is_active=True).order_by().values("user")
    read = PostDailyStatistics.objects.filter(post__user=OuterRef("pk")).order_by().values("post__user")
    rows = (
        User.objects.filter(pk__gt=after)
        .annotate(
            active_posts=Coalesce(Subquery(active.annotate(n=Count("pk")).values("n")), 0),
            last_refreshed_at=Subquery(read.annotate(at=Max("updated_at")).values("at")),
        )
        .order_by("pk")
        .values("id", "velog_uuid", "username", "is_active", "active_posts", "last_refreshed_at")
    )
    return [dict(row) for row in rows[:limit]]


def active_user_ids() -> list[int]:
    """Primary keys of all users that may be refreshed."""
    return list(User.objects.filter(is_active=True).order_by("pk").values_list("pk", flat=True))


def user_exists(user_pk: int) -> bool:
    """Whether a user may be refreshed: known and active."""
    return User.objects.filter(pk=user_pk, is_active=True).exists()
