"""Crawl jobs in the old API's shapes: what a killed worker left behind counts as failed."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.domains.realestate.models import ArticleChange, ArticleSnapshot, Complex, CrawlJob
from app.history.services import record_events
from livebeat import clock
from support.news import event

pytest_plugins = ["support.api"]

JOBS = "/api/scheduler/jobs"
AT = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)


@pytest.fixture
def home(api: httpx2.Client) -> Complex:
    return Complex.objects.create(complex_id="109208", complex_name="시범반도유보라아이비파크4.0")


def job(home: Complex, status: str = "success", at: datetime = AT, **more: Any) -> CrawlJob:
    run = str(uuid.uuid4())
    finished = None if status == "running" else at + timedelta(seconds=90)
    values: dict[str, Any] = {
        "job_id": run,
        "celery_task_id": run,
        "complex": home,
        "complex_name": home.complex_name,
        "status": status,
        "started_at": at,
        "finished_at": finished,
        "duration_seconds": 90 if finished else None,
        "articles_collected": 20,
    }
    return CrawlJob.objects.create(**{**values, **more})


def run_of(made: CrawlJob, kind: str, **more: Any) -> None:
    task = "app.tasks.scheduler.crawl_complex"
    record_events(
        [
            event(name, 30, run=str(made.job_id), task=task, **facts)
            for name, facts in (("run.started", {}), (kind, more))
        ]
    )


def listed(api: httpx2.Client, **query: Any) -> list[str]:
    return [each["job_id"] for each in api.get(JOBS, params=query).json()["jobs"]]


def test_jobs_newest_first_and_filtered(api: httpx2.Client, home: Complex) -> None:
    made = [job(home, job_type="manual"), job(home, "failed", job_type="scheduled", error_message="왜"), job(home)]
    ids = [str(each.job_id) for each in reversed(made)]
    assert listed(api) == listed(api, status="all") == listed(api, status="") == ids
    assert listed(api, status="failed") == [ids[1]]
    assert listed(api, job_type="scheduled") == [ids[1]]
    assert listed(api, limit=0) == []
    page = api.get(JOBS, params={"limit": 2}).json()
    assert (page["total"], page["total_matching"], len(page["jobs"])) == (2, 3, 2)
    newest = page["jobs"][0]
    assert (newest["duration_seconds"], newest["articles_collected"]) == (90, 20)
    assert datetime.fromisoformat(newest["started_at"]) == AT
    assert listed(api, limit=100_000) == ids
    for query in ({"limit": -1}, {"limit": "x"}, {"status": "done"}, {"job_type": "\x00"}):
        answer = api.get(JOBS, params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"]


def test_one_job(api: httpx2.Client, home: Complex) -> None:
    made = job(home, "failed", error_message="왜", error_traceback="Traceback …")
    told = api.get(f"{JOBS}/{made.job_id}").json()
    assert (told["status"], told["error_message"], told["error_traceback"]) == ("failed", "왜", "Traceback …")
    assert told["created_at"]


@pytest.mark.parametrize(
    "job_id", ["00000000-0000-4000-8000-000000000000", "7", "undefined", "%00", "%ED%95%9C%EA%B8%80", "x" * 3000]
)
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("GET", "/detail"), ("DELETE", "")])
def test_an_unknown_job_is_404(api: httpx2.Client, method: str, rest: str, job_id: str) -> None:
    answer = api.request(method, api.base_url.copy_with(raw_path=f"{JOBS}/{job_id}{rest}".encode()))
    assert answer.status_code == 404
    assert answer.json()["detail"].endswith("'를 찾을 수 없습니다.")
    if job_id == "7":
        assert answer.json()["detail"] == "작업 ID '7'를 찾을 수 없습니다."


def test_what_runs_now(api: httpx2.Client, home: Complex) -> None:
    assert api.get(f"{JOBS}/running/current").json() == {"count": 0, "jobs": []}
    job(home)
    made = job(home, "running", clock.now() - timedelta(seconds=75))
    told = api.get(f"{JOBS}/running/current").json()
    assert told["count"] == 1
    assert told["jobs"][0]["job_id"] == str(made.job_id)
    assert 75 <= told["jobs"][0]["elapsed_seconds"] < 85


@pytest.mark.parametrize("kind", ["run.lost", "run.failed", "run.cancelled", "run.expired"])
def test_a_job_whose_run_has_ended_does_not_run_any_more(api: httpx2.Client, home: Complex, kind: str) -> None:
    made = job(home, "running", clock.now())
    assert listed(api, status="running") == [str(made.job_id)]
    run_of(made, kind, error="its worker vanished")
    assert listed(api, status="running") == []
    assert listed(api, status="failed") == [str(made.job_id)]
    told = api.get(f"{JOBS}/{made.job_id}").json()
    assert (told["status"], told["error_message"]) == ("failed", "its worker vanished")
    assert told["finished_at"]
    assert api.get(f"{JOBS}/running/current").json()["count"] == 0
    CrawlJob.objects.update(status="success")  # it was only silent, and ended after all
    assert api.get(f"{JOBS}/{made.job_id}").json()["status"] == "success"


def test_a_job_of_no_known_run_does_not_run_for_ever(api: httpx2.Client, home: Complex) -> None:
    fresh = job(home, "running", clock.now() - timedelta(minutes=29))
    stale = job(home, "running", clock.now() - timedelta(minutes=31))
    assert listed(api, status="running") == [str(fresh.job_id)]
    assert api.get(f"{JOBS}/{stale.job_id}").json()["error_message"] == "워커가 중단되어 작업이 끝나지 못했습니다."
    english = api.get(f"{JOBS}/{stale.job_id}", headers={"Accept-Language": "en"}).json()
    assert english["error_message"] == "Its worker vanished before the job was done."


def test_a_long_job_whose_run_goes_on_does_run(api: httpx2.Client, home: Complex) -> None:
    made = job(home, "running", clock.now() - timedelta(hours=3))
    run_of(made, "run.started")
    assert listed(api, status="running") == [str(made.job_id)]


def test_a_job_that_runs_is_not_deleted(api: httpx2.Client, home: Complex) -> None:
    made = job(home, "running", clock.now())
    refused = api.delete(f"{JOBS}/{made.job_id}")
    assert (refused.status_code, refused.json()["detail"]) == (409, "실행 중인 작업은 삭제할 수 없습니다.")
    run_of(made, "run.lost")
    deleted = api.delete(f"{JOBS}/{made.job_id}")
    assert deleted.json() == {
        "message": "작업 '시범반도유보라아이비파크4.0'이(가) 삭제되었습니다.",
        "job_id": str(made.job_id),
    }
    assert listed(api) == []
    assert api.delete(f"{JOBS}/{made.job_id}").status_code == 404


def snapshot(home: Complex, at: datetime, session: str | None, number: str) -> ArticleSnapshot:
    return ArticleSnapshot.objects.create(
        complex=home, article_no=number, snapshot_date=at, crawl_session_id=session, price="11억", area_name="115A"
    )


def change(home: Complex, at: datetime, number: str) -> None:
    ArticleChange.objects.create(
        complex=home, article_no=number, change_type="PRICE_UP", old_price="10억 500", new_price="11억 5,000",
        price_change_amount=14_500, price_change_percent=14.43, detected_at=at, building_name="1503동", floor_info="2/4",
    )  # fmt: skip


def test_detail_tells_what_this_crawl_saw_and_no_other(api: httpx2.Client, home: Complex) -> None:
    made, other = job(home), job(home, at=AT + timedelta(seconds=10))
    for each, number in ((made, "1"), (other, "2")):
        assert each.started_at is not None
        snapshot(home, each.started_at, str(each.job_id), number)
        change(home, each.started_at, number)
    told = api.get(f"{JOBS}/{made.job_id}/detail").json()
    assert told["job"]["job_id"] == str(made.job_id)
    assert [each["article_no"] for each in told["snapshots"]["data"]] == ["1"]
    assert (told["snapshots"]["count"], told["snapshots"]["total"]) == (1, 1)
    assert told["changes"]["count"] == 1
    (only,) = told["changes"]["data"]
    assert (only["article_name"], only["price_diff"], only["change_type"]) == ("1503동 2/4", 14_500, "PRICE_UP")
    assert (only["old_price"], only["new_price"]) == ("10억 500", "11억 5,000")


def test_detail_of_a_job_of_the_old_crawler_goes_by_time(api: httpx2.Client, home: Complex) -> None:
    made = job(home)
    for seconds, number in ((-1, "before"), (0, "first"), (90, "last"), (91, "after")):
        snapshot(home, AT + timedelta(seconds=seconds), "some session", number)
        change(home, AT + timedelta(seconds=seconds), number)
    told = api.get(f"{JOBS}/{made.job_id}/detail").json()
    for part in ("snapshots", "changes"):
        assert [each["article_no"] for each in told[part]["data"]] == ["last", "first"]


def test_detail_of_a_job_of_no_complex(api: httpx2.Client, home: Complex) -> None:
    made = job(home, complex=None, complex_name=None)
    told = api.get(f"{JOBS}/{made.job_id}/detail").json()
    assert (told["snapshots"]["count"], told["changes"]["count"]) == (0, 0)


def test_statistics(api: httpx2.Client, home: Complex) -> None:
    empty = api.get("/api/scheduler/stats").json()
    assert (empty["total_jobs"], empty["success_rate"], empty["latest_success"]) == (0, 0, None)
    job(home)
    good = job(home, at=AT + timedelta(hours=1), duration_seconds=30)
    job(home, "failed", AT + timedelta(hours=2), error_message="왜")
    lost = job(home, "running", AT + timedelta(hours=3))
    run_of(lost, "run.lost", error="its worker vanished")
    old = job(home, "failed", AT - timedelta(days=3))
    job(home, "running", clock.now())
    CrawlJob.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(hours=25))
    told = api.get("/api/scheduler/stats").json()
    counts = {name: told[f"{name}_count"] for name in ("success", "failed", "running")}
    assert (told["total_jobs"], counts) == (6, {"success": 2, "failed": 3, "running": 1})
    assert (told["success_rate"], told["avg_duration_seconds"]) == (40.0, 60)
    assert told["recent_24h"] == {"total": 5, "success": 2, "failed": 2}
    assert told["latest_success"]["job_id"] == str(good.job_id)
    assert told["latest_failure"]["job_id"] == str(lost.job_id)
    assert told["latest_failure"]["error_message"] == "its worker vanished"
