"""Walking a list whose cursor is strict, may vanish, and may be ignored."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clients.velog_paging import PostWalk, VelogPost
from app.core.errors import ShapeChangedError, UpstreamUnavailableError

START = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 5


def post(number: int, minute: int | None) -> VelogPost:
    released = None if minute is None else START + timedelta(minutes=minute)
    return VelogPost(id=UUID(int=number), title=str(number), url_slug=str(number), likes=0, released_at=released)


class Server:
    """velog's rules for a list: newest first, never released first of all, strictly before the cursor."""

    def __init__(self, posts: list[VelogPost], *, ignores_cursor: bool = False) -> None:
        self.posts = posts
        self.ignores_cursor = ignores_cursor
        self.vanish_after: dict[int, UUID] = {}
        self.calls = 0

    def __call__(self, cursor: str) -> list[VelogPost]:
        self.calls += 1
        late = datetime.max.replace(tzinfo=UTC)
        ordered = sorted(self.posts, key=lambda p: p.released_at or late, reverse=True)
        after = next((p for p in self.posts if str(p.id) == cursor), None)
        if after is not None and after.released_at is not None and not self.ignores_cursor:
            mark = after.released_at
            ordered = [p for p in ordered if p.released_at is not None and p.released_at < mark]
        page = ordered[:PAGE]
        gone = self.vanish_after.get(self.calls)
        self.posts = [p for p in self.posts if p.id != gone]
        return page


@dataclass
class Listed:
    posts: list[VelogPost]
    complete: bool


def walk(server: Server) -> Listed:
    pages = PostWalk("velog", server, page_size=PAGE)
    return Listed([post for page in pages for post in page], pages.complete)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 23])
def test_every_post_is_found_once(count: int) -> None:
    listed = walk(Server([post(n, n) for n in range(count)]))
    assert sorted(p.id.int for p in listed.posts) == list(range(count))
    assert listed.complete


@given(st.lists(st.integers(0, 12), max_size=40))
def test_a_list_is_whole_or_says_that_it_is_not(minutes: list[int]) -> None:
    listed = walk(Server([post(n, minute) for n, minute in enumerate(minutes)]))
    if listed.complete:
        assert len(listed.posts) == len(minutes)
    if all(minutes.count(minute) < PAGE for minute in minutes):
        assert listed.complete


def test_more_than_a_page_of_one_instant_is_said() -> None:
    listed = walk(Server([post(n, 7) for n in range(8)] + [post(100 + n, n) for n in range(3)]))
    assert not listed.complete
    assert {p.id.int for p in listed.posts} >= {100, 101, 102}


def test_posts_that_were_never_released_lead_the_list() -> None:
    listed = walk(Server([post(n, None) for n in range(3)] + [post(10 + n, n) for n in range(9)]))
    assert len(listed.posts) == 12
    assert listed.complete
    assert not walk(Server([post(n, None) for n in range(6)])).complete


def test_a_cursor_that_vanishes_is_replaced_by_an_earlier_one() -> None:
    server = Server([post(n, n) for n in range(12)])
    server.vanish_after[1] = UUID(int=8)  # the first page is 11..7, its cursor 8
    assert {p.id.int for p in walk(server).posts} == set(range(12))


def test_a_cursor_without_effect_is_an_error_soon() -> None:
    server = Server([post(n, n) for n in range(12)], ignores_cursor=True)
    with pytest.raises(ShapeChangedError):
        walk(server)
    assert server.calls < 6


def test_a_list_without_end_is_an_error() -> None:
    def endless(cursor: str) -> list[VelogPost]:
        first = -1 if not cursor else -UUID(cursor).int
        return [post(-(first - n), first - n) for n in range(1, PAGE + 1)]

    with pytest.raises(ShapeChangedError, match="no end"):
        list(PostWalk("velog", endless, page_size=PAGE, max_pages=20))


@pytest.mark.parametrize("length", [0, 1])
def test_a_list_that_breaks_off_is_not_taken_for_its_end(length: int) -> None:
    """Pages after the first that lack their beginning: nothing of what the page before showed behind the cursor."""
    server = Server([post(n, n) for n in range(12)])

    def broken(cursor: str) -> list[VelogPost]:
        page = server(cursor)
        return page[-length:] if cursor and length else [] if cursor else page

    pages = PostWalk("velog", broken, page_size=PAGE)
    with pytest.raises(UpstreamUnavailableError, match="does not go on"):
        list(pages)
    assert not pages.complete


def test_the_last_post_may_vanish_between_two_pages() -> None:
    server = Server([post(n, n) for n in range(5)])
    server.vanish_after[1] = UUID(int=0)
    listed = walk(server)
    assert listed.complete
    assert {p.id.int for p in listed.posts} == set(range(5))  # it was seen before it vanished


def test_each_page_gives_what_is_new_with_it_and_is_over_before_the_next_is_asked_for() -> None:
    server = Server([post(n, n) for n in range(12)])
    pages = PostWalk("velog", server, page_size=PAGE)
    sizes = [(len(page), server.calls) for page in pages]
    assert sizes == [(5, 1), (4, 2), (3, 3)]
