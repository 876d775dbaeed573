"""What hurt about asking the old consumer for a refresh, one test a pain; its work and its lists have tests of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from app.core.celery_app import celery_app
from app.domains.velog.models import StatsRefreshRequest
from app.domains.velog.requests import TASK, retry_row, unique_key
from app.history.services import BATCH, record_events
from app.recorder.requests import record_requests_of
from livebeat import Run
from livebeat.connection import link
from livebeat.delivery import Ledger
from livebeat.events import EventReader
from simulators import world
from support.engine import connect
from support.refreshes import make_user, new_id, told
from support.refreshing import add, consumer_environment, working
from support.runs import data_of, ended
from support.serving import Simulator
from support.waiting import wait_until

pytest_plugins = ["support.api", "support.simulators"]
pytestmark = pytest.mark.timeout(120)

STATS = "/api/stats"
HARU = world.users()[0]


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with connect(redis_url) as client:
        yield client


def ask(api: httpx2.Client, user: int) -> httpx2.Response:
    return api.post(f"{STATS}/refresh", json={"userId": user})


def record(group: str = "test") -> None:
    """What the recorder does."""
    of = link(celery_app)
    reader = EventReader(of.client, of.keys, group, "test")
    reader.register()
    while events := reader.read(BATCH, 1):
        record_events(events)
        record_requests_of(events)
        reader.ack(events)


def test_29_clicking_again_while_it_waits_puts_nothing_into_the_queue(
    api: httpx2.Client, client: "redis.Redis"
) -> None:
    user = make_user()
    statuses = [ask(api, user).status_code for _ in range(5)]
    statuses += [api.post("/api/stats-refresh", json={"userId": str(user)}).status_code for _ in range(5)]
    assert statuses == [202, *[409] * 9]
    assert client.llen("stats") == 1


def test_29_with_redis_away_nobody_is_told_that_it_was_accepted(api: httpx2.Client, absent_redis: None) -> None:
    assert ask(api, make_user()).status_code == 503


def test_30_a_user_sees_each_step_and_why_it_failed(
    api: httpx2.Client, velog: Simulator, client: "redis.Redis", tmp_path: Path
) -> None:
    velog.fault("expired_token", "currentUser", times=None)
    user = add(HARU)
    request = ask(api, user).json()["requestId"]
    path = f"{STATS}/refresh/{request}"
    assert api.get(path).json()["status"] == "queued"
    with working(consumer_environment(velog, tmp_path)):
        assert ended(client, request) == "run.failed"
    state = api.get(path).json()
    assert (state["status"], state["code"]) == ("failed", "tokens_rejected")
    assert state["advice"] == "대시보드에 다시 로그인하세요."
    assert state["reason"]
    record()
    assert api.get(path).json()["reason"] == state["reason"]
    last = api.get(f"{STATS}/users/{user}").json()["last"]
    assert (last["requestId"], last["code"]) == (request, "tokens_rejected")


def test_31_a_refresh_that_hangs_can_be_called_off(
    api: httpx2.Client, velog: Simulator, client: "redis.Redis", tmp_path: Path
) -> None:
    velog.fault("slow", "currentUser", times=1, delay=60)
    user = add(HARU)
    first = ask(api, user).json()["requestId"]
    with working(consumer_environment(velog, tmp_path)):
        wait_until(lambda: velog.requests("currentUser"), 40, "it hangs")
        assert api.delete(f"{STATS}/refresh/{first}").status_code == 202
        assert ended(client, first, 20) == "run.cancelled"
        second = ask(api, user).json()["requestId"]  # the user is free, and the worker works
        assert ended(client, second) == "run.succeeded"
    assert second != first


def test_33_what_was_given_up_really_runs_when_it_is_retried(api: httpx2.Client, client: "redis.Redis") -> None:
    user = make_user()
    first = ask(api, user).json()["requestId"]
    entry = Ledger(link(celery_app)).read(first)
    assert entry is not None
    Ledger(link(celery_app)).end(entry, "run.lost", error="its workers vanished")
    record()
    row = StatsRefreshRequest.objects.get(request_id=first)
    assert row.status == "DLQ"
    assert retry_row(row) == "accepted"
    second = client.hget("livebeat:unique", unique_key(user))
    assert second not in (None, first)
    assert data_of(client, "run.queued", str(second))
    record()
    assert StatsRefreshRequest.objects.get(request_id=second).status == "QUEUED"
    assert retry_row(row) == "superseded"


def test_33_whatever_failed_is_among_the_failures(api: httpx2.Client) -> None:
    failed = {end: new_id() for end in ("failed", "lost", "cancelled", "expired")}
    for end, run in failed.items():
        record_events(told(run, make_user(), "queued", "started", end))
    listed = api.get(f"{STATS}/failures").json()["items"]
    assert {each["status"]: each["requestId"] for each in listed} == failed


def test_34_failures_have_reasons_and_none_is_trimmed(api: httpx2.Client) -> None:
    users = [make_user() for _ in range(250)]
    events = [told(new_id(), user, "queued", "started", "failed", error=f"why {user}") for user in users]
    for each in events:
        record_events(each)
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while cursor is not None or not found:
        page = api.get(f"{STATS}/failures", params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        cursor = page["next"]
    assert {each["reason"] for each in found} == {f"why {user}" for user in users}
    assert len(found) == 250


def test_28_a_request_whose_worker_vanished_is_still_under_way(api: httpx2.Client) -> None:
    request = ask(api, make_user()).json()["requestId"]
    Ledger(link(celery_app)).claim(Run(request, TASK), "a worker that is killed now", "worker")
    assert api.get(f"{STATS}/refresh/{request}").json()["status"] == "running"
    assert api.get(f"{STATS}/queue").json()["running"] == 1
