"""Walking velog's list of posts to its end without losing any.

The server's next page is "released strictly before the cursor's post", so posts that share the cursor's instant would
be skipped, and it starts over at page 1 where the cursor's post is gone or was never released. Hence:

- The cursor is not a page's last post but the last one *newer* than it, so that the next page repeats the tail and
  whatever shares its instant. The end is a page without anything new.
- A page that isn't wholly older than its cursor shows that the cursor's post vanished meanwhile: an earlier one is
  tried instead. If none of a few works, the server ignores cursors: ShapeChangedError.

What can't be listed: more than a page of posts of one instant, or more than a page never released. Then `complete` is
False, and nobody must conclude anything from a post's absence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.clients.text import CleanText
from app.core.errors import ShapeChangedError

#: The server's own cap for the list of one user.
PAGE_SIZE = 50
MAX_PAGES = 400
CURSORS_TO_TRY = 3


class VelogPost(BaseModel):
    """A post in a list. `likes` counts since publication; `released_at` is null for what was never released."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    title: CleanText
    url_slug: CleanText
    likes: int = Field(ge=0, le=2**31 - 1, strict=True)
    released_at: AwareDatetime | None


@dataclass(frozen=True)
class PostList:
    """A user's posts; `complete` is False where the server can't show all of them."""

    posts: list[VelogPost]
    complete: bool


Fetch = Callable[[str], list[VelogPost]]


def walk_posts(service: str, fetch: Fetch, *, page_size: int = PAGE_SIZE, max_pages: int = MAX_PAGES) -> PostList:
    """All posts behind `fetch(cursor)`, where the cursor is a post's id and "" the start.

    Raises:
        ShapeChangedError: the cursor has no effect, or there is no end.
        UpstreamError: what `fetch` raises.
    """
    found: dict[UUID, VelogPost] = {}
    complete = True
    page = fetch("")
    for _ in range(max_pages):
        if all(post.id in found for post in page):
            return PostList(list(found.values()), complete)
        found.update((post.id, post) for post in page)
        cursors = _cursors(page)
        full = len(page) >= page_size
        if not cursors:
            return PostList(list(found.values()), complete and not full)
        if full and len({post.released_at for post in page if post.released_at is not None}) == 1:
            complete = False
        page = _next_page(service, fetch, cursors)
    raise ShapeChangedError(
        service,
        f"posts: the list has no end within {max_pages} pages",
        reason_ko=f"posts: 목록이 {max_pages}쪽 안에 끝나지 않습니다",
    )


def _released(post: VelogPost) -> datetime:
    return post.released_at or datetime.min.replace(tzinfo=UTC)


def _cursors(page: list[VelogPost]) -> list[VelogPost]:
    """Posts to continue from, best first: the oldest ones newer than the page's end; else the end itself."""
    dated = sorted((post for post in page if post.released_at is not None), key=_released)
    newer = [post for post in dated if post.released_at != dated[0].released_at]
    return newer or dated[:1]


def _next_page(service: str, fetch: Fetch, cursors: list[VelogPost]) -> list[VelogPost]:
    for cursor in cursors[:CURSORS_TO_TRY]:
        page = fetch(str(cursor.id))
        mark = cursor.released_at
        if mark and all(post.released_at is not None and post.released_at < mark for post in page):
            return page
    raise ShapeChangedError(
        service,
        "posts: the page after a cursor is not older than it",
        reason_ko="posts: 커서 다음 쪽이 커서보다 오래되지 않았습니다",
    )
