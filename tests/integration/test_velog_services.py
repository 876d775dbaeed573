"""Refreshing a user against the simulator: the rows that it leaves, and why it fails where it fails."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.clients.http import Patience
from app.core.errors import NotConfiguredError, TokensRejectedError, UnknownUserError, UpstreamUnavailableError
from app.core.settings import Settings
from app.domains.velog import queries, tokens
from app.domains.velog.errors import AllStatisticsFailedError, EmptyListError, InactiveUserError
from app.domains.velog.models import Post, PostDailyStatistics, User
from app.domains.velog.services import ScraperTargetUser, put_user
from livebeat import clock
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]
pytestmark = pytest.mark.django_db

HARU, MINJI, DOHYUN, SEOYEON = world.users()
Refresh = Callable[..., dict[str, Any]]


def add(user: world.VelogUser = SEOYEON, *, life: int | None = None, refresh_life: int | None = None) -> User:
    now = clock.now().timestamp()
    put_user(
        {
            "velog_uuid": user.id,
            "access_token": world.velog_token(user.id, now, "access_token", life),
            "refresh_token": world.velog_token(user.id, now, "refresh_token", refresh_life),
            "group_id": user.group_id,
        }
    )
    return User.objects.get(velog_uuid=user.id)


def shown_posts(user: world.VelogUser) -> dict[str, world.Post]:
    return {post.id: post for post in world.posts() if post.user_id == user.id and not post.is_temp}


@pytest.fixture
def refresh(platform: Settings, impatient: Patience) -> Refresh:
    def run(*pks: int, run_id: str | None = "run-1", **more: Any) -> dict[str, Any]:
        given = {"settings": platform, "patience": impatient, **more}
        return ScraperTargetUser(pks, run_id, **given).run()

    return run


def test_a_refresh_leaves_posts_and_totals(refresh: Refresh) -> None:
    user = add(HARU)
    now = datetime(2026, 11, 2, 15, 30, tzinfo=UTC)  # half past midnight of the 3rd in Korea
    summary = refresh(user.pk, now=now)
    expected = shown_posts(HARU)
    assert summary["users"] == 1
    assert summary["posts"] == summary["statistics"] == len(expected) > 50
    assert summary["failed_posts"] == summary["deactivated"] == 0
    assert json.dumps(summary)
    rows = PostDailyStatistics.objects.select_related("post")
    assert {(str(r.post.post_uuid), r.daily_view_count, r.daily_like_count) for r in rows} == {
        (post.id, post.views, post.likes) for post in expected.values()
    }
    assert {(r.date, r.run_id) for r in rows} == {(datetime(2026, 11, 2, 15, tzinfo=UTC), "run-1")}
    post = Post.objects.get(post_uuid=next(iter(expected)))
    source = expected[str(post.post_uuid)]
    assert (post.title, post.slug, post.released_at) == (source.title, source.url_slug, source.released_at)
    user.refresh_from_db()
    assert (user.username, user.thumbnail) == (HARU.username, HARU.thumbnail)


def test_a_second_run_updates_the_same_rows(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    refresh(user.pk)
    post_id = next(iter(shown_posts(SEOYEON)))
    velog.change(set={post_id: {"views": 123_456, "likes": 7, "title": "renamed"}})
    before = PostDailyStatistics.objects.count()
    refresh(user.pk, run_id="run-2")
    assert PostDailyStatistics.objects.count() == before
    row = PostDailyStatistics.objects.get(post__post_uuid=post_id)
    assert (row.daily_view_count, row.daily_like_count, row.run_id) == (123_456, 7, "run-2")
    assert row.post.title == "renamed"
    assert Post.objects.count() == before


def test_another_korean_day_is_another_row(refresh: Refresh) -> None:
    user = add()
    day = datetime(2026, 11, 2, 14, 59, tzinfo=UTC)
    refresh(user.pk, now=day)
    refresh(user.pk, now=day + timedelta(minutes=2))
    assert PostDailyStatistics.objects.values("date").distinct().count() == 2


def test_a_deleted_post_becomes_inactive_and_comes_back(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    refresh(user.pk)
    gone = next(post for post in shown_posts(SEOYEON).values() if not post.is_private)
    velog.change(remove=[gone.id])
    assert refresh(user.pk)["deactivated"] == 1
    assert not Post.objects.get(post_uuid=gone.id).is_active
    velog.reset()
    refresh(user.pk)
    assert Post.objects.get(post_uuid=gone.id).is_active


def test_half_of_the_posts_gone_at_once_switches_nothing_off(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    refresh(user.pk)
    velog.change(remove=list(shown_posts(SEOYEON))[:5])
    summary = refresh(user.pk)
    assert summary["details"][0]["active_sync"] == "skipped_guard"
    assert not Post.objects.filter(is_active=False).exists()


def test_an_empty_list_of_a_user_with_posts_is_a_failure_and_switches_nothing_off(
    refresh: Refresh, velog: Simulator
) -> None:
    user = add()
    refresh(user.pk)
    velog.fault("empty", "posts", times=None)
    with pytest.raises(EmptyListError, match=f"none of the user's {len(shown_posts(SEOYEON))} posts"):
        refresh(user.pk)
    assert not Post.objects.filter(is_active=False).exists()


def test_a_user_without_posts_is_no_failure(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    velog.change(remove=list(shown_posts(SEOYEON)))
    summary = refresh(user.pk)
    assert (summary["posts"], summary["statistics"], summary["failed_posts"]) == (0, 0, 0)


def test_a_list_that_breaks_off_switches_nothing_off(refresh: Refresh, velog: Simulator) -> None:
    user = add(HARU)
    refresh(user.pk)
    velog.fault("status_500", "posts", times=None, after=1)
    with pytest.raises(UpstreamUnavailableError):
        refresh(user.pk)
    assert not Post.objects.filter(is_active=False).exists()


def test_some_failing_posts_are_counted(refresh: Refresh, velog: Simulator) -> None:
    user = add(DOHYUN)
    velog.fault("not_found", "getStats", times=3)
    summary = refresh(user.pk)
    total = len(shown_posts(DOHYUN))
    assert (summary["failed_posts"], summary["statistics"]) == (3, total - 3)
    assert summary["details"][0]["failures"] == {"upstream_rejected": 3}


def test_all_failing_posts_fail_the_run(refresh: Refresh, velog: Simulator) -> None:
    user = add(DOHYUN)
    velog.fault("not_found", "getStats", times=None)
    with pytest.raises(AllStatisticsFailedError, match=r"none of 17 posts.*Post not found"):
        refresh(user.pk)


def test_an_outage_halfway_keeps_what_was_read_and_the_next_attempt_goes_on_there(
    refresh: Refresh, velog: Simulator
) -> None:
    user = add(HARU)
    total = len(shown_posts(HARU))
    velog.fault("status_503", "getStats", times=None, after=30)
    with pytest.raises(UpstreamUnavailableError):
        refresh(user.pk)
    written = PostDailyStatistics.objects.count()
    assert written == 30
    asked = len(velog.requests("getStats"))
    assert asked < 30 + 2 * 20  # two attempts a post, and no chunk after the one that failed
    velog.faults()
    summary = refresh(user.pk)
    assert len(velog.requests("getStats")) - asked == total - written
    assert (summary["statistics"], summary["failed_posts"]) == (total, 0)


def test_another_run_reads_every_post_anew(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    refresh(user.pk, run_id="run-1")
    refresh(user.pk, run_id="run-2")
    refresh(user.pk, run_id=None)
    assert len(velog.requests("getStats")) == 3 * len(shown_posts(SEOYEON))


def test_tokens_that_run_out_between_two_steps_are_told_as_that(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    velog.fault("expired_token", "getStats", times=None)
    with pytest.raises(TokensRejectedError, match="shows the statistics of none"):
        refresh(user.pk)


def test_expired_tokens_fail_the_run(refresh: Refresh) -> None:
    user = add(life=-10, refresh_life=-10)
    with pytest.raises(TokensRejectedError) as caught:
        refresh(user.pk)
    assert caught.value.facts["user_id"] == user.pk
    assert "로그인" in caught.value.text("ko")


def test_an_unknown_and_an_inactive_user_fail_the_run(refresh: Refresh) -> None:
    with pytest.raises(UnknownUserError):
        refresh(987_654)
    user = add()
    User.objects.update(is_active=False)
    with pytest.raises(InactiveUserError):
        refresh(user.pk)
    with pytest.raises(ValueError, match="no user"):
        refresh()


def test_tokens_of_somebody_else_touch_nothing(refresh: Refresh) -> None:
    user = add()
    User.objects.filter(pk=user.pk).update(velog_uuid=MINJI.id)
    with pytest.raises(TokensRejectedError, match="another velog user"):
        refresh(user.pk)
    user.refresh_from_db()
    assert user.username is None
    assert not Post.objects.exists()


def test_renewed_tokens_are_saved_even_if_a_later_step_fails(
    refresh: Refresh, velog: Simulator, platform: Settings
) -> None:
    user = add(life=600)
    velog.fault("status_500", "posts", times=None)
    with pytest.raises(UpstreamUnavailableError):
        refresh(user.pk)
    after = User.objects.get(pk=user.pk)
    keys = tokens.keys_for(user.group_id, platform)
    assert keys.read(after.access_token) != keys.read(user.access_token)
    assert after.refresh_token == user.refresh_token  # unchanged: 23 days and more are left


def test_an_unrelated_cookie_does_no_harm(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    velog.fault("unrelated_cookie", times=None)
    refresh(user.pk)
    assert User.objects.get(pk=user.pk).access_token == user.access_token


def test_plain_tokens_are_used_and_encrypted(refresh: Refresh, platform: Settings) -> None:
    user = add()
    keys = tokens.keys_for(user.group_id, platform)
    plain = keys.read(user.access_token)
    User.objects.update(access_token=plain)
    refresh(user.pk)
    stored = User.objects.get(pk=user.pk).access_token
    assert not tokens.is_token(stored)
    assert keys.holds(stored, plain)


def test_a_missing_key_and_a_wrong_one_are_told_apart(refresh: Refresh, platform: Settings) -> None:
    user = add()
    index = user.group_id % 100 % 10
    missing = platform.model_copy(update={f"aes_key_{index}": None})
    with pytest.raises(NotConfiguredError, match=f"AES_KEY_{index}"):
        refresh(user.pk, settings=missing)
    User.objects.update(group_id=user.group_id + 1)
    with pytest.raises(TokensRejectedError, match="decrypted"):
        refresh(user.pk)


def test_one_user_s_failure_lets_the_others_have_their_turn(refresh: Refresh) -> None:
    bad = add(SEOYEON, life=-10, refresh_life=-10)
    good = add(DOHYUN)
    with pytest.raises(TokensRejectedError):
        refresh(bad.pk, good.pk)
    assert PostDailyStatistics.objects.filter(post__user=good).exists()


def test_too_long_titles_are_cut_and_too_long_pictures_left_out(refresh: Refresh, velog: Simulator) -> None:
    user = add()
    post_id = next(iter(shown_posts(SEOYEON)))
    velog.change(set={post_id: {"title": "가" * 300, "url_slug": "s" * 501}})
    refresh(user.pk)
    post = Post.objects.get(post_uuid=post_id)
    assert (len(post.title), post.slug) == (255, None)


def test_queries_show_users_without_tokens(refresh: Refresh) -> None:
    user = add()
    refresh(user.pk)
    (row,) = queries.users()
    assert row["active_posts"] == len(shown_posts(SEOYEON))
    assert row["last_refreshed_at"] is not None
    assert not any("token" in name for name in row)
    assert queries.active_user_ids() == [user.pk]
    assert queries.user_exists(user.pk)
    assert queries.users(after=user.pk) == []
