"""Redis or the database down: 503 within two seconds, with a sentence, never 500."""

import time
import uuid
from collections.abc import Iterator

import httpx2
import pytest
import redis
from django.db import connection

from app.domains.velog.models import User
from app.history.services import record_events
from support.refreshes import told

pytest_plugins = ["support.api"]

BODY = {"name": "n", "task": "app.tasks.scheduler.crawl_all_complexes", "hour": 1, "minute": 2}
CALLS = [
    ("GET", "/api/scheduler/schedule", None),
    ("POST", "/api/scheduler/schedule", BODY),
    ("GET", "/api/scheduler/schedule/n", None),
    ("PUT", "/api/scheduler/schedule/n", {"hour": 3}),
    ("DELETE", "/api/scheduler/schedule/n", None),
    ("POST", "/api/scheduler/trigger/all", None),
    ("POST", "/api/scheduler/trigger/109208", None),
    ("GET", "/api/scheduler/task/unknown", None),
    ("POST", "/api/scheduler/beat/restart", None),
    ("GET", "/api/stats/refresh/unknown", None),
    ("GET", "/api/stats/queue", None),
    ("GET", "/api/stats/figures", None),
    ("DELETE", "/api/stats/refresh/unknown", None),
    ("GET", "/api/health/ready", None),
    ("GET", "/", None),
]


@pytest.fixture
def frozen_redis(api: httpx2.Client, redis_url: str) -> Iterator[None]:
    """A Redis that accepts connections and answers nothing for three seconds."""
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        client.client_pause(3000, all=True)
        yield
        client.ping()


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_redis_that_is_gone_is_503_at_once(
    api: httpx2.Client, absent_redis: None, method: str, path: str, body: dict[str, object] | None
) -> None:
    assert_down(api, method, path, body)
    assert api.get("/api/health/live").status_code == 200


def test_the_status_says_so_and_never_fails(api: httpx2.Client, absent_redis: None) -> None:
    answer = api.get("/api/scheduler/status")
    assert answer.status_code == 200
    told = answer.json()
    assert told["error"]
    assert {name: told[name] for name in ("workers", "beat", "message")} == {
        "workers": {"active": False, "count": 0},
        "beat": {"active": False, "lock_ttl": None},
        "message": "Celery worker가 실행되지 않았습니다. 'celery -A app.core.celery_app worker' 명령으로 시작하세요.",
    }


def test_a_redis_that_hangs_is_503_in_time(api: httpx2.Client, frozen_redis: None) -> None:
    assert_down(api, "GET", "/api/scheduler/schedule", None)


def assert_down(api: httpx2.Client, method: str, path: str, body: dict[str, object] | None) -> None:
    started = time.monotonic()
    answer = api.request(method, path, json=body, timeout=30)
    assert answer.status_code == 503, answer.text
    assert time.monotonic() - started < 2
    if path.startswith("/api/") and "health" not in path:
        assert answer.json()["detail"] == "Redis에 연결할 수 없습니다. 잠시 후 다시 시도하세요."
        assert answer.headers["retry-after"] == "2"


def test_a_stats_request_is_503_at_once_too(api: httpx2.Client, absent_redis: None) -> None:
    user = User.objects.create(velog_uuid=uuid.uuid4(), access_token="a", refresh_token="r")
    assert_down(api, "POST", "/api/stats/refresh", {"userId": user.pk})
    assert_down(api, "POST", "/api/stats-refresh", {"userId": user.pk})
    assert_down(api, "GET", f"/api/stats/users/{user.pk}", None)
    record_events(told("failed", user.pk, "queued", "started", "failed"))
    assert_down(api, "POST", "/api/stats/refresh/failed/retry", None)
    assert_down(api, "POST", "/api/stats/failures/retry", {"dryRun": False})
    assert api.get("/api/stats/failures").status_code == api.get("/api/stats/refresh").status_code == 200


def test_a_database_that_is_not_there_is_503(api: httpx2.Client) -> None:
    elsewhere = "/nowhere/at/all" if connection.vendor == "sqlite" else "nope"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict, "NAME", elsewhere)
        old = ("jobs", f"jobs/{uuid.uuid4()}", "jobs/running/current", "stats", "complexes", "task/x")
        stats = ("refresh/x", "refresh", "failures", "figures", "users/1")
        new = ("/api/scheduler/runs", "/api/realestate/complexes", *(f"/api/stats/{name}" for name in stats))
        for path in (*(f"/api/scheduler/{name}" for name in old), *new, "/api/health/ready"):
            answer = api.get(path)
            assert answer.status_code == 503, answer.text
        assert answer.json()["checks"]["database"]["ok"] is False
        assert api.get("/api/scheduler/schedule").status_code == 200
