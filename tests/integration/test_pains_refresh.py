"""What hurt about the old consumer's work itself, one test a pain; its queue has tests of its own."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.db import connection

from app.clients.http import Patience
from app.core.errors import PlatformError
from app.core.settings import Settings
from app.domains.velog.models import Post, PostDailyStatistics
from app.domains.velog.requests import send_refresh
from app.domains.velog.services import ScraperTargetUser
from app.tasks.stats import refresh_user_stats
from livebeat import clock
from livebeat.delivery.ledger import LEASE
from simulators import world
from support.engine import connect
from support.refreshing import add, consumer_environment, posts_of, told, working
from support.runs import data_of, ended, events_of
from support.serving import Simulator
from support.waiting import wait_until

pytest_plugins = ["support.simulators"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

HARU, _, DOHYUN, SEOYEON = world.users()


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def environment(velog: Simulator, tmp_path: Path) -> dict[str, str]:
    return consumer_environment(velog, tmp_path)


def test_29_two_refreshes_at_once_leave_one_row_a_post_and_day(platform: Settings) -> None:
    user = add(DOHYUN)
    failures: list[Exception] = []

    def refresh() -> None:
        try:
            ScraperTargetUser([user], str(uuid.uuid4()), settings=platform).run()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=refresh) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Post.objects.count() == PostDailyStatistics.objects.count() == posts_of(DOHYUN)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (None, "unknown_user"),
        (("expired_token", "currentUser"), "tokens_rejected"),
        (("status_500", "posts"), "upstream_unavailable"),
        (("not_found", "getStats"), "no_statistics"),
    ],
)
def test_30_what_failed_is_not_told_as_a_success(
    platform: Settings, impatient: Patience, velog: Simulator, fault: tuple[str, str] | None, code: str
) -> None:
    """Bad tokens, a list that breaks off after its first page, no statistics at all, an unknown user."""
    user = add(HARU) if fault else 987_654
    if fault:
        velog.fault(*fault, times=None, after=int(fault[1] == "posts"))
    with pytest.raises(PlatformError) as caught:
        ScraperTargetUser([user], settings=platform, patience=impatient).run()
    assert caught.value.code == code


def test_31_who_waits_for_another_try_holds_nobody_up(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    """One child, and the first attempt of all fails."""
    velog.fault("status_500", "currentUser", times=Patience().attempts)
    with working(environment):
        first = send_refresh(add(SEOYEON)).run_id
        wait_until(lambda: data_of(client, "run.retrying", first), 60, "the first attempt's end")
        second = send_refresh(add(DOHYUN)).run_id
        assert ended(client, first, 60) == ended(client, second) == "run.succeeded"
    order = [
        (data["run"], data["attempt"]) for _, kind, data in told(client) if kind in ("run.started", "run.succeeded")
    ]
    assert order == [(first, 1), (second, 1), (second, 1), (first, 2), (first, 2)]


def test_31_a_refresh_has_time_limits() -> None:
    assert 0 < refresh_user_stats.soft_time_limit < refresh_user_stats.time_limit <= 900


def test_32_a_refresh_longer_than_any_lease_is_nobody_elses(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    """The old one was taken for dead after 600 s and done twice."""
    velog.fault("slow", "getStats", times=None, delay=LEASE + 2)
    with working(environment):
        started = clock.monotonic()
        run = send_refresh(add(SEOYEON)).run_id
        assert ended(client, run, 60) == "run.succeeded"
        assert clock.monotonic() - started > LEASE
    kinds = [kind for kind, _ in events_of(client, run) if kind != "run.progress"]
    assert kinds == ["run.queued", "run.started", "run.succeeded"]
    assert len(velog.requests("getStats")) == posts_of(SEOYEON)


@pytest.mark.postgres
def test_35_a_database_that_drops_its_connections_costs_one_attempt(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections to drop")
    velog.fault("slow", "getStats", times=None, delay=3.0)
    with working(environment):
        run = send_refresh(add(SEOYEON)).run_id
        wait_until(lambda: Post.objects.count() == posts_of(SEOYEON), 60, "the posts")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] > 0
        velog.faults()
        assert ended(client, run, 60) == "run.succeeded"
    (retried,) = data_of(client, "run.retrying", run)
    assert retried["error_class"] == "ServerUnavailableError"
    assert "PostgreSQL" in retried["error"]
    assert PostDailyStatistics.objects.count() == posts_of(SEOYEON)
