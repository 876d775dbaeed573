"""Writing posts and their daily totals: idempotent, in short transactions, never with a call to velog inside one."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from app.clients.velog_paging import VelogPost
from app.domains.velog.models import Post, PostDailyStatistics, User

#: The statistics' day, whatever the platform's own zone is: readers of the old table compare with Korean midnights.
SEOUL = ZoneInfo("Asia/Seoul")
BATCH = 200
_TITLE_LENGTH = 255
_SLUG_LENGTH = 500

Item = TypeVar("Item")


@dataclass(frozen=True)
class Totals:
    """What velog counted of one post since it was published."""

    post: UUID
    views: int
    likes: int


def korean_midnight(now: datetime) -> datetime:
    """The start of the Korean day that contains `now`: the `date` of its statistics."""
    return now.astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)


def batches(items: Sequence[Item], size: int = BATCH) -> Iterable[Sequence[Item]]:
    """`items` in runs of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def put_posts(user: User, posts: Sequence[VelogPost]) -> None:
    """Insert posts, or update title, slug and release time of those that are known by their UUID."""
    for batch in batches(posts):
        rows = [
            Post(
                post_uuid=post.id,
                user=user,
                title=post.title[:_TITLE_LENGTH],
                slug=post.url_slug if len(post.url_slug) <= _SLUG_LENGTH else None,
                released_at=post.released_at,
            )
            for post in batch
        ]
        with transaction.atomic():
            Post.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["post_uuid"],
                update_fields=["title", "slug", "released_at", "updated_at"],
            )


def sync_active(user: User, listed: Collection[UUID], now: datetime, *, complete: bool) -> tuple[str, int]:
    """Mark listed posts active and missing ones inactive; returns what was done and how many were switched off.

    Nothing is switched off (`skipped_…`) where the list is incomplete, or more than half of the user's active posts would
    go: that is how a broken answer looks, not how people delete posts.
    """
    known = Post.objects.filter(user=user).values_list("pk", "post_uuid", "is_active")
    active = {pk: uuid for pk, uuid, is_active in known if is_active}
    back = [pk for pk, uuid, is_active in known if not is_active and uuid in listed]
    missing = [pk for pk, uuid in active.items() if uuid not in listed]
    _set_active(back, now, active=True)
    if not complete:
        return "skipped_incomplete", 0
    if len(missing) * 2 > len(active):
        return "skipped_guard", 0
    _set_active(missing, now, active=False)
    return "done", len(missing)


def _set_active(pks: list[int], now: datetime, *, active: bool) -> None:
    for batch in batches(pks):
        Post.objects.filter(pk__in=batch).update(is_active=active, updated_at=now)


def written_by(run_id: str | None, user: User, date: datetime) -> set[UUID]:
    """The posts whose totals of the day this run has written already, in an earlier attempt."""
    if run_id is None:
        return set()
    rows = PostDailyStatistics.objects.filter(post__user=user, date=date, run_id=run_id)
    return set(rows.values_list("post__post_uuid", flat=True))


def put_statistics(read: Sequence[Totals], date: datetime, run_id: str | None) -> int:
    """Set the totals of posts for the day `date`, with the run that read them; returns how many rows were written."""
    pks: dict[UUID, int] = dict(
        Post.objects.filter(post_uuid__in=[totals.post for totals in read]).values_list("post_uuid", "pk")
    )
    rows = [
        PostDailyStatistics(
            post_id=pks[totals.post],
            date=date,
            daily_view_count=totals.views,
            daily_like_count=totals.likes,
            run_id=run_id,
        )
        for totals in read
        if totals.post in pks
    ]
    with transaction.atomic():
        PostDailyStatistics.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["post", "date"],
            update_fields=["daily_view_count", "daily_like_count", "run_id", "updated_at"],
        )
    return len(rows)
