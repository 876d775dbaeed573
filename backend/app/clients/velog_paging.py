"""Walking velog's list of posts to its end without losing any.

The server's next page is "released strictly before the cursor's post", so posts that share the cursor's instant would
be skipped, and it starts over at page 1 where the cursor's post is gone or was never released. Hence:

- The cursor is not a page's last post but the last one *newer* than it, so that the next page repeats the tail and
  whatever shares its instant. The end is a page without anything new.
- A page that isn't wholly older than its cursor shows that the cursor's post vanished meanwhile, and one that doesn't
  repeat the tail that the tail did, or that the list breaks off: an earlier cursor is tried instead. If none of a few
  works, the server ignores cursors (ShapeChangedError) or breaks off (UpstreamUnavailableError); neither passes for the
  end of the list.

What can't be listed: more than a page of posts of one instant, or more than a page never released. Then `complete` is
False, and nobody must conclude anything from a post's absence.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.clients.text import CleanText
from app.core.errors import ShapeChangedError, UpstreamUnavailableError

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


Fetch = Callable[[str], list[VelogPost]]


class PostWalk:
    """All posts behind `fetch(cursor)`, where the cursor is a post's id and "" the start; iterate once, page by page.

    Each step fetches a page and gives the posts that are new with it. `complete` turns True at the end, where the server
    could show all of them.
    """

    def __init__(self, service: str, fetch: Fetch, *, page_size: int = PAGE_SIZE, max_pages: int = MAX_PAGES) -> None:
        self.complete = False
        self._service, self._fetch = service, fetch
        self._page_size, self._max_pages = page_size, max_pages

    def __iter__(self) -> Iterator[list[VelogPost]]:
        """Raises, between pages:

        ShapeChangedError: the cursor has no effect, or the list no end.
        UpstreamUnavailableError: the list breaks off.
        UpstreamError: what `fetch` raises.
        """
        found: set[UUID] = set()
        hidden = False
        page = self._fetch("")
        for _ in range(self._max_pages):
            new = {post.id: post for post in page if post.id not in found}
            if not new:
                self.complete = not hidden
                return
            found |= new.keys()
            yield list(new.values())
            cursors = _cursors(page)
            full = len(page) >= self._page_size
            if not cursors:
                self.complete = not (hidden or full)
                return
            hidden |= full and len({post.released_at for post in page if post.released_at is not None}) == 1
            page = self._next_page(page, cursors)
        raise ShapeChangedError(
            self._service,
            f"posts: the list has no end within {self._max_pages} pages",
            reason_ko=f"posts: 목록이 {self._max_pages}쪽 안에 끝나지 않습니다",
        )

    def _next_page(self, page: list[VelogPost], cursors: list[VelogPost]) -> list[VelogPost]:
        breaks_off = False
        for cursor in cursors[:CURSORS_TO_TRY]:
            following = self._fetch(str(cursor.id))
            if _is_older(following, cursor):
                if _repeats_tail(following, page, cursor):
                    return following
                breaks_off = True
        if breaks_off:
            raise UpstreamUnavailableError(
                self._service,
                "posts: a page does not go on where the one before it ended",
                reason_ko="posts: 다음 쪽이 앞쪽에 이어지지 않습니다",
            )
        raise ShapeChangedError(
            self._service,
            "posts: the page after a cursor is not older than it",
            reason_ko="posts: 커서 다음 쪽이 커서보다 오래되지 않았습니다",
        )


def _released(post: VelogPost) -> datetime:
    return post.released_at or datetime.min.replace(tzinfo=UTC)


def _cursors(page: list[VelogPost]) -> list[VelogPost]:
    """Posts to continue from, best first: the oldest ones newer than the page's end; else the end itself."""
    dated = sorted((post for post in page if post.released_at is not None), key=_released)
    newer = [post for post in dated if post.released_at != dated[0].released_at]
    return newer or dated[:1]


def _is_older(following: list[VelogPost], cursor: VelogPost) -> bool:
    """Whether every post of a page is older than the cursor."""
    return all(post.released_at is not None and post.released_at < _released(cursor) for post in following)


def _repeats_tail(following: list[VelogPost], page: list[VelogPost], cursor: VelogPost) -> bool:
    """Whether the page after a cursor has anything of what the page before it showed behind that cursor, if it did."""
    tail = {post.id for post in page if post.released_at is not None and post.released_at < _released(cursor)}
    return not tail or not tail.isdisjoint(post.id for post in following)
