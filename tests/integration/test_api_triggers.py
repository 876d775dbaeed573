"""Crawls started by hand, and how a run stands in Celery's words."""

from typing import Any

import httpx2
import pytest
import redis

from app.core.celery_app import celery_app
from app.domains.realestate.models import Complex
from app.history.services import record_events
from app.tasks.scheduler import crawl_all_complexes
from livebeat.connection import link
from livebeat.events import EventReader, emit
from support.news import event, life

pytest_plugins = ["support.api"]

TRIGGER = "/api/scheduler/trigger"
TASK = "/api/scheduler/task"


def waiting(redis_url: str, queue: str = "crawl") -> int:
    with redis.Redis.from_url(redis_url) as client:
        return int(client.llen(queue))


def record() -> None:
    of = link(celery_app)
    reader = EventReader(of.client, of.keys, "test", "test")
    reader.register()
    record_events(reader.read(200, 1))


def test_all_complexes_are_crawled_once_at_a_time(api: httpx2.Client, redis_url: str) -> None:
    first = api.post(f"{TRIGGER}/all")
    assert first.status_code == 200
    body = first.json()
    assert body == {
        "task_id": body["task_id"],
        "status": "started",
        "message": "모든 단지 크롤링이 백그라운드에서 시작되었습니다.",
        "job_id": body["task_id"],
        "already_running": False,
    }
    again = api.post(f"{TRIGGER}/all").json()
    assert (again["task_id"], again["status"], again["already_running"]) == (body["task_id"], "started", True)
    assert again["message"] == "모든 단지 크롤링이 이미 진행 중입니다."
    assert waiting(redis_url) == 1
    record()
    run = api.get("/api/scheduler/runs").json()["items"][0]
    assert (run["id"], run["kind"], run["state"]) == (body["task_id"], "send", "queued")


def test_one_complex_is_crawled_once_at_a_time(api: httpx2.Client, redis_url: str) -> None:
    first = api.post(f"{TRIGGER}/109208").json()
    assert (first["status"], first["complex_id"], first["job_id"]) == ("started", "109208", first["task_id"])
    assert first["message"] == "단지 109208 크롤링이 백그라운드에서 시작되었습니다."
    again = api.post(f"{TRIGGER}/109208", headers={"Accept-Language": "en"}).json()
    assert (again["task_id"], again["already_running"]) == (first["task_id"], True)
    assert again["message"] == "The crawl of complex 109208 is under way already."
    assert api.post(f"{TRIGGER}/2").json()["already_running"] is False
    assert waiting(redis_url) == 2


def test_the_crawl_of_all_leaves_out_what_is_crawled_already(api: httpx2.Client, redis_url: str) -> None:
    for number in ("1", "2"):
        Complex.objects.create(complex_id=number, complex_name=number)
    by_hand = api.post(f"{TRIGGER}/2").json()["task_id"]
    result = crawl_all_complexes.apply(kwargs={"job_type": "manual"}).get()
    assert result["total_complexes"] == 2
    assert result["runs"]["2"] == by_hand
    assert waiting(redis_url) == 3  # both crawls, and the summary: nothing says that the run it waits for is unfinished


@pytest.mark.parametrize("number", ["abc", "1a", "%D9%A1", "-1", "1" * 21, "%20", "%00", "ALL"])
def test_what_is_no_number_is_404(api: httpx2.Client, redis_url: str, number: str) -> None:
    answer = api.post(api.base_url.copy_with(raw_path=f"{TRIGGER}/{number}".encode()))
    assert answer.status_code == 404
    assert "단지 번호는 숫자여야 합니다" in answer.json()["detail"]
    assert waiting(redis_url) == 0


def test_the_pick_list(api: httpx2.Client) -> None:
    Complex.objects.create(complex_id="109208", complex_name="시범반도유보라아이비파크4.0")
    assert api.get("/api/scheduler/complexes").json() == {
        "total": 1,
        "complexes": [
            {
                "complex_id": "109208",
                "complex_name": "시범반도유보라아이비파크4.0",
                "active_articles": 0,
                "last_crawled_at": None,
            }
        ],
    }


def test_a_triggered_run_is_pending_recorded_or_not(api: httpx2.Client) -> None:
    run = api.post(f"{TRIGGER}/109208").json()["task_id"]
    for _ in range(2):
        told = api.get(f"{TASK}/{run}").json()
        assert (told["task_id"], told["status"], told["ready"]) == (run, "PENDING", False)
        assert "result" not in told
        assert "error" not in told
        record()


@pytest.mark.parametrize("task_id", ["nobody", "%00", "%FF", "x" * 3000, "%ED%95%9C%EA%B8%80"])
def test_an_unknown_id_is_pending_as_celery_says(api: httpx2.Client, task_id: str) -> None:
    answer = api.get(api.base_url.copy_with(raw_path=f"{TASK}/{task_id}".encode()))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["ready"]) == ("PENDING", False)
    assert set(told) == {"task_id", "status", "ready"}


@pytest.mark.parametrize(
    ("kind", "status", "more"),
    [
        ("run.started", "STARTED", {}),
        ("run.retrying", "RETRY", {}),
        ("run.succeeded", "SUCCESS", {"result": {"success": True}}),
        ("run.failed", "FAILURE", {"error": "토큰 만료"}),
        ("run.lost", "FAILURE", {"error": "토큰 만료"}),
        ("run.cancelled", "REVOKED", {"error": "토큰 만료"}),
        ("run.expired", "REVOKED", {"error": "토큰 만료"}),
    ],
)
def test_states_in_celerys_words(api: httpx2.Client, kind: str, status: str, more: dict[str, Any]) -> None:
    facts = {"error_class": "E", "error": "토큰 만료"} if kind != "run.succeeded" else more
    record_events([event("run.queued", 0), event(kind, 2, worker="w", **facts)])
    told = api.get(f"{TASK}/r1").json()
    assert (told["status"], told["ready"]) == (status, bool(more))
    assert {name: told[name] for name in ("result", "error") if name in told} == more


def test_an_end_that_is_not_recorded_yet_is_told_all_the_same(api: httpx2.Client) -> None:
    record_events(life()[:2])
    of = link(celery_app)
    emit(of.client, of.keys, "run.succeeded", {**life()[1].data, "result": 7})
    assert api.get(f"{TASK}/r1").json()["status"] == "SUCCESS"
    assert api.get(f"{TASK}/r1").json()["result"] == 7
