"""`/status` and `/beat/restart`, beside real workers and beats, none, and a beat that isn't ours."""

from pathlib import Path

import httpx2
import psutil
import pytest
import redis

from app.api.workers import answering_workers
from app.core.celery_app import celery_app
from livebeat import Cron, ScheduleSpec, ScheduleStore, leader
from livebeat.connection import link
from support.platform_processes import platform_environment, start
from support.waiting import wait_until

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(120)

STATUS = "/api/scheduler/status"
RESTART = "/api/scheduler/beat/restart"
ALL = "app.tasks.scheduler.crawl_all_complexes"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    answering_workers.forget()


def test_with_nobody_there(api: httpx2.Client) -> None:
    for name in ("나", "가 나/다"):
        ScheduleStore(celery_app).put(ScheduleSpec(name=name, task=ALL, recurrence=Cron("0 6 * * 1")))
    told = api.get(STATUS).json()
    assert told == {
        "workers": {"active": False, "count": 0, "details": None},
        "beat": {"active": False, "lock_ttl": None, "leader": None, "foreign": None},
        "registered_tasks": None,
        "beat_schedule": ["가 나/다", "나"],
        "message": "Celery worker가 실행되지 않았습니다. 'celery -A app.core.celery_app worker' 명령으로 시작하세요.",
    }
    english = api.get(STATUS, headers={"Accept-Language": "en"}).json()
    assert english["message"].startswith("No Celery worker is running.")


def test_with_a_worker_and_a_beat(api: httpx2.Client, tmp_path: Path) -> None:
    env = platform_environment(tmp_path)
    with start("worker", env, "--pool", "threads") as worker, start("beat", env) as beat:
        wait_until(lambda: answering_workers.forget() or api.get(STATUS).json()["workers"]["active"], 60, "the worker")
        wait_until(lambda: leader(celery_app), 30, "the beat")
        told = api.get(STATUS).json()
        assert told["workers"]["count"] == 1
        (name,) = told["workers"]["details"]
        assert told["workers"]["details"] == {name: []}
        assert ALL in told["registered_tasks"][name]
        assert told["beat"]["active"] is True
        assert 1 <= told["beat"]["lock_ttl"] <= 5
        assert told["beat"]["leader"].startswith("livebeat:")
        assert "message" not in told

        before = leader(celery_app)
        answer = api.post(RESTART)
        assert answer.status_code == 200
        restarted = answer.json()
        assert 1 <= restarted.pop("previous_ttl") <= 5
        assert restarted == {
            "message": "✅ Celery Beat가 재시작되었습니다!",
            "lock_removed": True,
            "killed_processes": [],
            "beat_restarted": True,
            "note": "5초 후 상태를 확인해주세요.",
        }
        wait_until(lambda: leader(celery_app) not in {None, before}, 15, "a new leader")
        assert psutil.pid_exists(beat.pid)
        assert psutil.pid_exists(worker.pid)


def test_a_restart_where_no_beat_runs_is_honest(api: httpx2.Client, redis_url: str) -> None:
    told = api.post(RESTART).json()
    assert (told["beat_restarted"], told["lock_removed"], told["previous_ttl"]) == (False, False, None)
    assert told["message"] == "실행 중인 Celery Beat가 없습니다."
    with redis.Redis.from_url(redis_url) as client:
        client.set(link(celery_app).keys.lock, "a stock beat's token", ex=300)
        told = api.post(RESTART, headers={"Accept-Language": "en"}).json()
        assert (told["beat_restarted"], told["lock_removed"], told["previous_ttl"]) == (False, False, 300)
        assert "not Livebeat's" in told["message"]
        assert client.ttl(link(celery_app).keys.lock) > 200
        beat = api.get(STATUS).json()["beat"]
        assert beat == {"active": False, "lock_ttl": 300, "leader": None, "foreign": "a stock beat's token"}
        client.persist(link(celery_app).keys.lock)
        assert api.get(STATUS).json()["beat"]["lock_ttl"] is None
