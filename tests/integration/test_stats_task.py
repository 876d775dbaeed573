"""The refresh task in a real worker: what is tried again and when, what it tells meanwhile, and what a kill -9 costs."""

import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import redis

from app.core.celery_app import celery_app
from app.domains.velog.models import PostDailyStatistics, StatsRefreshRequest, User
from app.domains.velog.requests import TASK, send_refresh
from app.history.services import record_events
from app.recorder.requests import record_requests_of
from app.tasks.stats import COLLECTION_PRIORITY
from livebeat import children, clock, send
from livebeat.connection import link
from livebeat.events import EventReader
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


def pauses(client: "redis.Redis", run_id: str) -> list[float]:
    """Seconds from each end of an attempt to the instant that was set for the next."""
    return [
        datetime.fromisoformat(data["until"]).timestamp() - at
        for at, kind, data in told(client)
        if kind == "run.retrying" and data["run"] == run_id
    ]


def test_a_passing_illness_is_tried_again_and_succeeds(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    velog.fault("rate_limit", "currentUser", times=2)  # not asked again within an attempt: it named no pause
    with working(environment):
        run = send_refresh(add(DOHYUN)).run_id
        assert ended(client, run, 60) == "run.succeeded"
    assert [data["error_class"] for data in data_of(client, "run.retrying", run)] == ["RateLimitedError"] * 2
    assert pauses(client, run) == pytest.approx([2, 4], abs=0.5)
    (end,) = data_of(client, "run.succeeded", run)
    assert end["attempt"] == 3
    total = posts_of(DOHYUN)
    assert (end["result"]["statistics"], end["result"]["failed_posts"]) == (total, 0)
    assert end["progress"] == {"done": total, "total": total, "note": "statistics"}
    assert data_of(client, "run.progress", run)[0]["progress"] == {"done": total, "total": None, "note": "posts"}
    assert set(PostDailyStatistics.objects.values_list("run_id", flat=True)) == {run}


def test_three_retries_and_no_more(client: "redis.Redis", velog: Simulator, environment: dict[str, str]) -> None:
    velog.fault("rate_limit", "currentUser", times=None)
    with working(environment):
        run = send_refresh(add(SEOYEON)).run_id
        assert ended(client, run, 60) == "run.failed"
    assert pauses(client, run) == pytest.approx([2, 4, 8], abs=0.5)
    (end,) = data_of(client, "run.failed", run)
    assert (end["error_class"], end["attempt"]) == ("RateLimitedError", 4)
    assert len(velog.requests("currentUser")) == 4


def test_what_cannot_heal_is_not_tried_again(client: "redis.Redis", environment: dict[str, str]) -> None:
    with working(environment):
        expired = send_refresh(add(SEOYEON, access_token=-10, refresh_token=-10)).run_id
        unknown = send_refresh(987_654).run_id
        assert ended(client, expired, 60) == ended(client, unknown) == "run.failed"
    for run, error in ((expired, "TokensRejectedError"), (unknown, "UnknownUserError")):
        assert [kind for kind, _ in events_of(client, run)] == ["run.queued", "run.started", "run.failed"]
        assert data_of(client, "run.failed", run)[0]["error_class"] == error


def test_the_pause_that_velog_asks_for_is_kept(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    velog.fault("rate_limit", "currentUser", retry_after=600)
    with working(environment):
        run = send_refresh(add(SEOYEON)).run_id
        wait_until(lambda: data_of(client, "run.retrying", run), 60, "the first attempt's end")
    assert pauses(client, run) == pytest.approx([600], abs=2)
    assert client.hget(f"livebeat:run:{run}", "state") == "retrying"
    assert not client.llen("stats")


def test_after_a_kill_9_another_worker_goes_on_where_the_first_one_was(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    total = posts_of(HARU)
    velog.fault("slow", "getStats", times=None, after=40, delay=14.0)  # the client would wait for 15
    with working(environment) as first:
        run = send_refresh(add(HARU)).run_id
        wait_until(lambda: data_of(client, "run.started", run), 60, "the first attempt")
        with working(environment):
            wait_until(lambda: PostDailyStatistics.objects.filter(run_id=run).count() >= 40, 60, "two chunks")
            os.killpg(first.pid, signal.SIGKILL)
            killed_at = clock.monotonic()
            velog.faults()
            asked = len(velog.requests("getStats"))
            wait_until(lambda: len(data_of(client, "run.started", run)) == 2, 60, "the second attempt")
            assert clock.monotonic() - killed_at < 15
            assert ended(client, run, 60) == "run.succeeded"
    assert len(velog.requests("getStats")) - asked == total - 40
    assert PostDailyStatistics.objects.filter(run_id=run).count() == total
    events = EventReader(client, link(celery_app).keys, "recorder", "test")
    events.register()
    told_of = events.read()
    record_events(told_of)
    record_requests_of(told_of)
    row = StatsRefreshRequest.objects.get(request_id=run)
    assert (row.status, row.retry_count, row.reclaimed_count) == ("SUCCESS", 1, 1)


def test_at_its_time_limit_it_stops_at_once_and_goes_on_in_its_next_attempt(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    total = posts_of(HARU)
    velog.fault("slow", "getStats", times=None, after=40, delay=14.0)  # the client would wait for 15
    limits = {"soft_time_limit": 6, "time_limit": 60}
    with working(environment):
        run = send(TASK, kwargs={"user_id": add(HARU)}, app=celery_app, **limits).run_id
        wait_until(lambda: data_of(client, "run.retrying", run), 60, "the first attempt's end")
        velog.faults()
        assert ended(client, run, 60) == "run.succeeded"
    events = {(kind, data["attempt"]): at for at, kind, data in told(client) if kind in ("run.started", "run.retrying")}
    assert 5 < events["run.retrying", 1] - events["run.started", 1] < 12
    (retried,) = data_of(client, "run.retrying", run)
    assert retried["error_class"] == "TookTooLongError"
    (end,) = data_of(client, "run.succeeded", run)
    assert (end["attempt"], end["result"]["statistics"]) == (2, total)


def test_a_group_is_one_refresh_a_user_and_nobody_waits_for_another(
    client: "redis.Redis", velog: Simulator, environment: dict[str, str]
) -> None:
    good, expired = add(SEOYEON), add(DOHYUN, access_token=-10, refresh_token=-10)
    User.objects.create(velog_uuid=world.users()[1].id, access_token="", refresh_token="", is_active=False)
    velog.fault("rate_limit", "currentUser")  # so that the one who asked first waits for another try
    asked_for = send_refresh(good).run_id
    group = send("app.tasks.stats.refresh_group", kwargs={"part": 1, "parts": 1}, app=celery_app).run_id
    with working(environment):
        assert ended(client, group, 60) == "run.succeeded"
        assert ended(client, asked_for) == "run.succeeded"
        wait_until(lambda: not client.zcard("livebeat:ledger"), 30, "every refresh")
    assert data_of(client, "run.succeeded", group)[0]["result"] == {"users": 2, "sent": 1, "under_way": 1}
    (failed,) = [data for _, kind, data in told(client) if kind == "run.failed"]
    assert (failed["error_class"], failed["parent"]) == ("TokensRejectedError", group)
    assert User.objects.filter(pk=expired).exists()
    assert children(group, app=celery_app) is None


def test_who_asks_overtakes_the_collection(client: "redis.Redis", redis_url: str) -> None:
    """Its refreshes wait on a list of their own, behind whatever somebody waits for."""
    waiting, urgent = add(SEOYEON), add(DOHYUN)
    send(TASK, kwargs={"user_id": waiting}, priority=COLLECTION_PRIORITY, app=celery_app)
    send_refresh(urgent)
    assert client.llen("stats") == 1
    assert len([key for key in client.keys("stats*") if key != "stats"]) == 1
