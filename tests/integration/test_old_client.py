"""Each endpoint of the old API, called as its clients call it, answers with what they read: keys and their types."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from app.domains.realestate.models import ArticleChange, ArticleSnapshot, Complex, CrawlJob
from app.history.services import record_events
from livebeat import clock
from support.news import life

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(90)

ALL = "app.tasks.scheduler.crawl_all_complexes"
JOB = "0f0f0f0f-0000-4000-8000-000000000001"
RUNNING = "0f0f0f0f-0000-4000-8000-000000000002"
Shape = dict[str, Any]

ENTRY: Shape = {"task": str, "schedule": str, "options": dict}
CHANGED: Shape = {"name": str, "task": str, "hour": int, "minute": int, "day_of_week": str}
STARTED: Shape = {"task_id": str, "status": "started", "message": str, "job_id": str}
JOB_ROW: Shape = {
    "job_id": str, "job_type": str, "status": str, "complex_id": (str, None), "complex_name": (str, None),
    "started_at": str, "finished_at": (str, None), "duration_seconds": (int, None), "articles_collected": int,
    "articles_new": int, "articles_updated": int, "error_message": (str, None), "celery_task_id": (str, None),
}  # fmt: skip
JOB_WHOLE: Shape = {**JOB_ROW, "error_traceback": (str, None), "created_at": str}
SNAPSHOT: Shape = {
    "snapshot_id": int, "article_no": str, "article_name": str, "trade_type": str, "price": str, "area": float,
    "floor": str, "direction": str, "is_active": bool, "captured_at": str,
}  # fmt: skip
CHANGE: Shape = {
    "change_id": int, "article_no": str, "change_type": str, "article_name": str, "trade_type": str, "old_price": str,
    "new_price": str, "price_diff": int, "detected_at": str,
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A request, and what an old client reads of the answer."""

    method: str
    path: str
    shape: Shape
    body: Any = None
    status: int = 200
    query: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body or ''}"


def created(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "task": ALL, "hour": 14, "minute": 30, "day_of_week": "3", **more}


DETAIL: Shape = {"detail": str}
CALLS = [
    Call("POST", "/trigger/all", {**STARTED, "message": "모든 단지 크롤링이 백그라운드에서 시작되었습니다."}),
    Call("POST", "/trigger/109208", {
        **STARTED, "complex_id": "109208", "message": "단지 109208 크롤링이 백그라운드에서 시작되었습니다.",
    }),
    Call("GET", "/task/r1", {"task_id": "r1", "status": "SUCCESS", "ready": True, "result": dict}),
    Call("GET", "/task/unknown", {"task_id": "unknown", "status": "PENDING", "ready": False}),
    Call("GET", "/schedule", {"schedule": {"있음": ENTRY}, "timezone": "Asia/Seoul"}),
    Call("POST", "/schedule", {
        "message": "스케줄 '새것'이 생성되었습니다.", "schedule": {**CHANGED, "description": "설명"}, "note": str,
    }, created("새것", description="설명")),
    Call("POST", "/schedule", {"schedule": {**CHANGED, "day_of_week": "*", "description": None}},
         {"name": "새것", "task": ALL, "hour": 14, "minute": 30}),
    Call("POST", "/schedule", {"schedule": CHANGED},
         created("새것", task="app.tasks.scheduler.crawl_complex_async", complex_id="109208")),
    Call("POST", "/schedule", {"schedule": CHANGED}, created("새것", complex_id=None, description=None)),
    Call("POST", "/schedule", {"detail": "'있음' 스케줄이 이미 존재합니다."}, created("있음"), status=400),
    Call("POST", "/schedule", {"detail": str}, created("새것", task="app.tasks.none"), status=400),
    Call("POST", "/schedule", {"detail": "특정 단지 크롤링 작업에는 complex_id가 필요합니다."},
         created("새것", task="app.tasks.scheduler.crawl_complex_async"), status=400),
    Call("POST", "/schedule", DETAIL, created("새것", hour="두시"), status=422),
    Call("PUT", "/schedule/있음", {
        "message": "스케줄 '있음'이 수정되었습니다.", "schedule": {**CHANGED, "hour": 15, "minute": 0}, "note": str,
    }, {"hour": 15, "minute": 0}),
    Call("PUT", "/schedule/있음", {"schedule": CHANGED},
         {"task": ALL, "hour": 6, "minute": 0, "day_of_week": "*", "enabled": False}),
    Call("PUT", "/schedule/없음", {"detail": "'없음' 스케줄을 찾을 수 없습니다."}, {"hour": 1}, status=404),
    Call("DELETE", "/schedule/있음", {"message": "스케줄 '있음'이 삭제되었습니다.", "note": str}),
    Call("DELETE", "/schedule/없음", {"detail": "'없음' 스케줄을 찾을 수 없습니다."}, status=404),
    Call("GET", "/status", {
        "workers": {"active": bool, "count": int, "details": (dict, None)},
        "beat": {"active": bool, "lock_ttl": (int, None)},
        "registered_tasks": (dict, None),
        "beat_schedule": ["있음"],
    }),
    Call("POST", "/beat/restart", {
        "message": str, "previous_ttl": (int, None), "lock_removed": bool, "killed_processes": list,
        "beat_restarted": bool, "note": str,
    }),
    Call("GET", "/jobs", {"total": 2, "jobs": [JOB_ROW, JOB_ROW]}),
    Call("GET", "/jobs", {"total": 1, "jobs": [{**JOB_ROW, "status": "success"}]},
         query={"limit": 50, "status": "success", "job_type": "manual"}),
    Call("GET", f"/jobs/{JOB}", {**JOB_WHOLE, "articles_removed": int}),
    Call("GET", "/jobs/7", {"detail": "작업 ID '7'를 찾을 수 없습니다."}, status=404),
    Call("GET", f"/jobs/{JOB}/detail", {
        "job": JOB_WHOLE,
        "snapshots": {"count": 1, "data": [SNAPSHOT]},
        "changes": {"count": 1, "data": [CHANGE]},
    }),
    Call("GET", "/jobs/7/detail", {"detail": "작업 ID '7'를 찾을 수 없습니다."}, status=404),
    Call("DELETE", f"/jobs/{JOB}", {"message": str, "job_id": JOB}),
    Call("DELETE", "/jobs/7", {"detail": "작업 ID '7'를 찾을 수 없습니다."}, status=404),
    Call("GET", "/jobs/running/current", {"count": 1, "jobs": [{
        "job_id": RUNNING, "job_type": str, "complex_id": str, "complex_name": str, "started_at": str,
        "elapsed_seconds": int, "celery_task_id": str,
    }]}),
    Call("GET", "/stats", {
        "total_jobs": 2, "success_count": 1, "failed_count": 0, "running_count": 1, "success_rate": float,
        "avg_duration_seconds": int, "recent_24h": {"total": int, "success": int, "failed": int},
        "latest_success": {"job_id": JOB, "complex_name": str, "finished_at": str}, "latest_failure": None,
    }),
    Call("GET", "/complexes", {"complexes": [{"complex_id": "109208", "complex_name": str}]}),
]  # fmt: skip


@pytest.fixture
def old_world(api: httpx2.Client) -> None:
    """A schedule, a complex, a job that is done and one that runs, and a run that succeeded."""
    assert api.post("/api/scheduler/schedule", json=created("있음")).status_code == 200
    home = Complex.objects.create(complex_id="109208", complex_name="시범반도유보라아이비파크4.0")
    now = clock.now()
    shared: dict[str, Any] = {"complex": home, "complex_name": home.complex_name, "started_at": now}
    CrawlJob.objects.create(
        job_id=uuid.UUID(JOB), celery_task_id=JOB, status="success", finished_at=now, duration_seconds=60, **shared
    )
    CrawlJob.objects.create(job_id=uuid.UUID(RUNNING), celery_task_id=RUNNING, status="running", **shared)
    listing: dict[str, Any] = {
        "complex": home, "article_no": "1", "trade_type": "매매", "area_name": "115A", "floor_info": "2/4",
        "building_name": "1503동",
    }  # fmt: skip
    ArticleSnapshot.objects.create(
        **listing, snapshot_date=now, crawl_session_id=JOB, price="11억", area1=114.5, direction="남향"
    )
    ArticleChange.objects.create(
        **listing, detected_at=now, change_type="PRICE_UP", old_price="10억", new_price="11억",
        price_change_amount=10_000,
    )  # fmt: skip
    record_events(life())


def assert_readable(got: Any, expected: Any, where: str = "") -> None:
    """`expected`: a value, a type, several of them, or a mapping or list of these."""
    if isinstance(expected, dict):
        assert isinstance(got, dict), where
        for name, part in expected.items():
            assert name in got, f"{where}.{name} is missing"
            assert_readable(got[name], part, f"{where}.{name}")
    elif isinstance(expected, list):
        assert isinstance(got, list), where
        assert len(got) == len(expected), where
        for number, part in enumerate(expected):
            assert_readable(got[number], part, f"{where}[{number}]")
    elif isinstance(expected, tuple):
        assert any(got is None if part is None else type(got) is part for part in expected), f"{where}: {got!r}"
    elif isinstance(expected, type):
        assert type(got) is expected, f"{where}: {got!r}"
    else:
        assert got == expected, where


@pytest.mark.usefixtures("old_world")
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_an_old_client_can_read_the_answer(api: httpx2.Client, call: Call) -> None:
    answer = api.request(call.method, f"/api/scheduler{call.path}", json=call.body, params=call.query or None)
    assert answer.status_code == call.status, answer.text
    assert "json" in answer.headers["content-type"]
    assert_readable(answer.json(), call.shape)


def test_the_old_health_check(api: httpx2.Client) -> None:
    assert api.get("/health").json() == {"status": "healthy"}


@pytest.mark.usefixtures("old_world")
@pytest.mark.parametrize("call", [call for call in CALLS if call.status != 200], ids=str)
def test_refusals_in_english(api: httpx2.Client, call: Call) -> None:
    english = {"Accept-Language": "en"}
    answer = api.request(call.method, f"/api/scheduler{call.path}", json=call.body, headers=english)
    assert answer.status_code == call.status
    assert not any("가" <= letter <= "힣" for letter in answer.json()["detail"].replace("있음", "").replace("없음", ""))
