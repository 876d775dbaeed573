"""Old daily totals are thrown away, in batches, by Korean days, and old requests; users are dealt into groups without gap or overlap."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.settings import Settings
from app.domains.velog import retention
from app.domains.velog.errors import NoSuchGroupError
from app.domains.velog.models import Post, PostDailyStatistics, StatsRefreshRequest, User
from app.domains.velog.queries import active_user_ids
from app.domains.velog.retention import delete_old_requests, delete_old_statistics, is_hypertable
from app.tasks.maintenance import cleanup_old_statistics
from livebeat import clock

pytestmark = pytest.mark.django_db

#: Half past midnight of 31 August in Korea: six months before is the last day of February.
NOW = datetime(2026, 8, 30, 15, 30, tzinfo=UTC)
FIRST_KEPT = datetime(2026, 2, 27, 15, 0, tzinfo=UTC)


def add_user(group_id: int = 1, *, is_active: bool = True) -> User:
    return User.objects.create(
        velog_uuid=uuid.uuid4(), access_token="", refresh_token="", group_id=group_id, is_active=is_active
    )


def add_days(*dates: datetime) -> Post:
    post = Post.objects.create(post_uuid=uuid.uuid4(), user=add_user(), title="t")
    PostDailyStatistics.objects.bulk_create(PostDailyStatistics(post=post, date=date) for date in dates)
    return post


def test_days_before_the_first_one_kept_go_and_no_others() -> None:
    day = timedelta(days=1)
    add_days(FIRST_KEPT - 400 * day, FIRST_KEPT - day, FIRST_KEPT, FIRST_KEPT + day)
    deleted = delete_old_statistics(settings=Settings(), now=NOW)
    assert deleted == {"before": "2026-02-28", "chunks": 0, "rows": 2}
    assert list(PostDailyStatistics.objects.order_by("date").values_list("date", flat=True)) == [
        FIRST_KEPT,
        FIRST_KEPT + day,
    ]
    assert Post.objects.count() == 1
    assert delete_old_statistics(settings=Settings(), now=NOW)["rows"] == 0


def test_the_setting_says_how_many_months() -> None:
    add_days(FIRST_KEPT)
    assert delete_old_statistics(settings=Settings(velog_retention_months=7), now=NOW)["rows"] == 0
    assert delete_old_statistics(settings=Settings(velog_retention_months=5), now=NOW)["rows"] == 1


def test_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 40)
    add_days(*(FIRST_KEPT - timedelta(days=1 + n) for n in range(100)))
    assert delete_old_statistics(settings=Settings(), now=NOW)["rows"] == 100


def add_request(status: str, created: timedelta, finished: timedelta | None) -> StatsRefreshRequest:
    """A request that was made and has ended so long before `NOW`."""
    made = StatsRefreshRequest.objects.create(user=add_user(), status=status)
    StatsRefreshRequest.objects.filter(pk=made.pk).update(
        created_at=NOW - created, finished_at=None if finished is None else NOW - finished
    )
    return made


def kept() -> set[int]:
    return set(StatsRefreshRequest.objects.values_list("pk", flat=True))


def test_requests_that_ended_long_ago_go_and_no_others() -> None:
    long_ago, lately = timedelta(days=90, seconds=1), timedelta(days=89, hours=23)
    for status in ("SUCCESS", "FAILED", "DLQ"):
        add_request(status, long_ago, long_ago)
        add_request(status, long_ago, None)  # as an overtaken one, and the old system's, may be
    stay = {
        add_request(status, created, finished).pk
        for status in ("SUCCESS", "FAILED", "DLQ")
        for created, finished in ((long_ago, lately), (lately, lately), (lately, None))
    }
    stay |= {add_request(status, 4 * long_ago, None).pk for status in ("QUEUED", "PROCESSING")}
    stay |= {add_request(status, 4 * long_ago, long_ago).pk for status in ("QUEUED", "PROCESSING")}
    assert delete_old_requests(settings=Settings(), now=NOW) == 6
    assert kept() == stay
    assert delete_old_requests(settings=Settings(), now=NOW) == 0


def test_the_setting_says_for_how_many_days_requests_are_kept() -> None:
    one = add_request("FAILED", timedelta(days=3), timedelta(days=3))
    assert delete_old_requests(settings=Settings(stats_request_retention_days=4), now=NOW) == 0
    assert kept() == {one.pk}
    assert delete_old_requests(settings=Settings(stats_request_retention_days=2), now=NOW) == 1
    assert not kept()


def test_more_requests_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    for _ in range(10):
        add_request("SUCCESS", timedelta(days=100), timedelta(days=100))
    assert delete_old_requests(settings=Settings(), now=NOW) == 10


def test_a_request_that_goes_on_just_before_it_is_deleted_stays() -> None:
    row = add_request("FAILED", timedelta(days=100), None)

    def put_back(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        if sql.startswith("DELETE"):
            StatsRefreshRequest.objects.update(status="QUEUED")
        return execute(sql, *more)

    with connection.execute_wrapper(put_back):
        assert delete_old_requests(settings=Settings(), now=NOW) == 0
    assert kept() == {row.pk}


def test_the_daily_task_deletes_both() -> None:
    add_days(clock.now() - timedelta(days=400))
    old = add_request("FAILED", timedelta(days=100), None)
    StatsRefreshRequest.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(days=91))
    done = cleanup_old_statistics()
    assert (done["rows"], done["requests"]) == (1, 1)


def test_a_plain_table_is_no_hypertable() -> None:
    assert not is_hypertable()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(st.integers(-5, 1100), max_size=12), parts=st.integers(1, 30))
def test_each_active_user_is_in_exactly_one_group(groups: list[int], parts: int) -> None:
    User.objects.all().delete()
    users = [add_user(group).pk for group in groups]
    add_user(is_active=False)
    dealt = [active_user_ids(part, parts) for part in range(1, parts + 1)]
    assert sorted(pk for group in dealt for pk in group) == sorted(users)


@pytest.mark.parametrize(("part", "parts"), [(0, 3), (4, 3), (1, 0), (-1, -1)])
def test_a_group_that_there_is_not_is_refused(part: int, parts: int) -> None:
    with pytest.raises(NoSuchGroupError, match=f"group {part} of {parts}") as refused:
        active_user_ids(part, parts)
    assert "그룹" in refused.value.text("ko")
