"""Reading velog data for pages and REST; dicts, never tokens."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce

from app.domains.velog.errors import NoSuchGroupError
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


def active_user_ids(part: int = 1, parts: int = 1) -> list[int]:
    """Primary keys of the users that may be refreshed: all, or those of the `part`-th of `parts` groups.

    Each user is in exactly one of the groups, whatever its `group_id`.

    Raises:
        NoSuchGroupError: `part` is none of 1 to `parts`.
    """
    if not 1 <= part <= parts:
        raise NoSuchGroupError(part=part, parts=parts)
    users = User.objects.filter(is_active=True).order_by("pk").values_list("pk", "group_id")
    return [pk for pk, group_id in users if group_id % parts == part - 1]


def user_exists(user_pk: int) -> bool:
    """Whether a user may be refreshed: known and active."""
    return User.objects.filter(pk=user_pk, is_active=True).exists()


def refreshed_without_a_run(user_pk: int, since: datetime) -> datetime | None:
    """When the old consumer last wrote statistics of the user, if after `since`: its rows name no run."""
    # A row that was written lately is of today or, about midnight, of yesterday: the index spares the years before.
    rows = PostDailyStatistics.objects.filter(
        post__user=user_pk, date__gte=since - timedelta(days=2), updated_at__gt=since, run_id=None
    )
    written: datetime | None = rows.aggregate(at=Max("updated_at"))["at"]
    return written


def user_facts(user_pk: int) -> dict[str, Any] | None:
    """A user's id, username and is_active; None where there is no such user."""
    found = User.objects.filter(pk=user_pk).values("id", "username", "is_active").first()
    return dict(found) if found else None
