"""Writing posts and their daily totals: idempotent, in short transactions, never with a call to velog inside one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from app.clients.velog_paging import PostList, VelogPost
from app.domains.velog.models import Post, PostDailyStatistics, User

#: The statistics' day, whatever the platform's own zone is: readers of the old table compare with Korean midnights.
SEOUL = ZoneInfo("Asia/Seoul")
BATCH = 200
_TITLE_LENGTH = 255
_SLUG_LENGTH = 500

Item = TypeVar("Item")


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


def sync_active(user: User, fetched: PostList, now: datetime) -> tuple[str, int]:
    """Mark listed posts active and missing ones inactive; returns what was done and how many were switched off.

    Nothing is switched off (`skipped_…`) where the list is empty or incomplete, or more than half of the user's active
    posts would go: that is how a broken answer looks, not how people delete posts.
    """
    listed = {post.id for post in fetched.posts}
    known = dict(Post.objects.filter(user=user, is_active=True).values_list("post_uuid", "pk"))
    back = [
        pk
        for uuid, pk in Post.objects.filter(user=user, is_active=False).values_list("post_uuid", "pk")
        if uuid in listed
    ]
    _set_active(back, now, active=True)
    missing = [pk for uuid, pk in known.items() if uuid not in listed]
    if not listed:
        return "skipped_empty", 0
    if not fetched.complete:
        return "skipped_incomplete", 0
    if len(missing) * 2 > len(known):
        return "skipped_guard", 0
    _set_active(missing, now, active=False)
    return "done", len(missing)


def _set_active(pks: list[int], now: datetime, *, active: bool) -> None:
    for batch in batches(pks):
        Post.objects.filter(pk__in=batch).update(is_active=active, updated_at=now)


def put_statistics(read: Sequence[tuple[VelogPost, int]], date: datetime, run_id: str | None) -> int:
    """Set the totals of posts for the day `date`, with the run that read them; returns how many rows were written."""
    pks: dict[UUID, int] = dict(
        Post.objects.filter(post_uuid__in=[post.id for post, _ in read]).values_list("post_uuid", "pk")
    )
    rows = [
        PostDailyStatistics(
            post_id=pks[post.id],
            date=date,
            daily_view_count=views,
            daily_like_count=post.likes,
            run_id=run_id,
        )
        for post, views in read
        if post.id in pks
    ]
    with transaction.atomic():
        PostDailyStatistics.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["post", "date"],
            update_fields=["daily_view_count", "daily_like_count", "run_id", "updated_at"],
        )
    return len(rows)
