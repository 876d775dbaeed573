"""What hurt in the old crawler, one test a pain, each under the name of what is right now; the crawls by real workers."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.clients.http import Patience
from app.core.celery_app import celery_app
from app.core.errors import ShapeChangedError
from app.core.settings import Settings
from app.domains.realestate import services
from app.domains.realestate.errors import CrawlUnderWayError
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, Complex, CrawlJob
from app.history.services import record_events
from app.tasks.scheduler import crawl_all_complexes, crawl_complex_async
from livebeat import run_state, send
from livebeat.connection import link
from livebeat.events import EventReader
from simulators import world
from support.platform_processes import platform_environment, start
from support.processes import Running
from support.runs import relaying
from support.serving import Simulator
from support.waiting import wait_until

pytest_plugins = ["support.simulators", "support.api"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

NUMBER = "109208"
LISTED = len(world.listings())


@pytest.fixture
def environment(platform: Settings, tmp_path: Path) -> dict[str, str]:
    """A worker's, with the simulated site and the six complexes of its world to crawl."""
    for record in world.complex_list():
        services.put_complex(record)
    return platform_environment(
        tmp_path,
        NAVER_LAND_URL=platform.naver_land_url,
        NAVER_LAND_TOKEN_FILE=str(platform.naver_land_token_file),
        NAVER_LAND_REQUESTS_PER_SECOND="100",
        NAVER_LAND_SECONDS_BETWEEN_COMPLEXES="0",
        DISCORD_WEBHOOK_URL="https://discord.com/api/webhooks/1/nobody-consumes-its-queue-here",
    )


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[Running]:
    with relaying(celery_app), working(environment) as process:
        yield process


def working(environment: dict[str, str]) -> Running:
    process = start("worker", environment, "-Q", "crawl", "--loglevel", "info")
    process.wait_for_line("ready", 60)
    return process


def crawl_all(**kwargs: Any) -> str:
    return send(crawl_all_complexes.name, kwargs=kwargs, app=celery_app).run_id


def ended(job_id: str) -> CrawlJob:
    done = CrawlJob.objects.filter(job_id=job_id, status__in=("success", "failed"))
    return wait_until(done.first, 120, f"the end of job {job_id}", every=0.2)


def result_of(run_task: str) -> dict[str, Any]:
    """What the last run of this task returned, as history has it."""
    of = link(celery_app)
    reader = EventReader(of.client, of.keys, "test", "test")
    reader.register()
    found: dict[str, Any] = {}

    def told() -> bool:
        events = reader.read(200, 1)
        record_events(events)
        for each in events:
            if each.type == "run.succeeded" and each.data["task"] == run_task:
                found.update(each.data["result"])
        return bool(found)

    wait_until(told, 30, f"the result of {run_task}")
    return found


@pytest.mark.usefixtures("worker")
def test_20_a_crawl_of_all_saves_what_it_collected_and_sums_up(api: httpx2.Client) -> None:
    asked = api.post("/api/scheduler/trigger/all").json()
    job = ended(asked["job_id"])
    assert (job.status, job.articles_collected) == ("success", LISTED)
    assert Article.objects.filter(is_active=True).count() == ArticleSnapshot.objects.count() == LISTED
    summary = result_of("app.tasks.scheduler.summarize_crawl")
    assert set(summary) == {
        "job_id", "started_at", "total_complexes", "success", "failed", "errors", "total_articles_collected",
        "total_articles_new", "total_articles_updated", "total_articles_removed", "finished_at", "duration_seconds",
    }  # fmt: skip
    counts = (summary["total_complexes"], summary["success"], summary["failed"], summary["errors"])
    assert counts == (6, 6, 0, [])
    assert summary["total_articles_new"] == LISTED
    (briefing,) = link(celery_app).broker.lrange("default", 0, -1)
    assert "app.tasks.briefing_tasks.send_custom_briefing" in briefing
    told = api.get(f"/api/scheduler/jobs/{asked['job_id']}").json()
    assert told["progress"] == {"total": 6, "pending": 0, "running": 0, "success": 6, "failed": 0}
    parts = api.get("/api/scheduler/jobs", params={"crawl_id": asked["job_id"]}).json()["jobs"]
    assert {part["complex_id"] for part in parts} == set(world.complexes())


@pytest.mark.usefixtures("worker")
def test_21_a_block_is_a_failure_with_its_name_and_nobody_asks_on(api: httpx2.Client, land: Simulator) -> None:
    assert ended(crawl_all()).status == "success"
    land.http.delete("/_sim/requests")
    land.fault("rate_limit", times=None, after=7)
    job_id = crawl_all()
    job = ended(job_id)
    assert job.status == "failed"
    assert "asks us to slow down" in (job.error_message or "")
    assert "complexes were not crawled" in (job.error_message or "")
    assert len(land.requests()) == 8
    assert Article.objects.filter(is_active=True).count() == LISTED
    assert not ArticleChange.objects.exists()

    land.faults()
    done = CrawlJob.objects.filter(crawl_id=job_id, status="success").exclude(job_id=job_id).count()
    assert 0 < done < 6
    asked = api.post("/api/scheduler/trigger/all", params={"resume": job_id}).json()
    assert asked["job_id"] == job_id
    wait_until(lambda: CrawlJob.objects.get(job_id=job_id).status == "success", 120, "the resumed crawl", every=0.2)
    overviews = [entry for entry in land.requests("overview") if not entry["fault"]]
    assert len({entry["complex"] for entry in overviews}) == 6
    assert CrawlJob.objects.get(job_id=job_id).articles_collected == LISTED
    assert ArticleSnapshot.objects.count() == 2 * LISTED


@pytest.mark.usefixtures("worker")
def test_21_the_end_of_the_token_is_an_outcome_of_its_own(land: Simulator) -> None:
    land.fault("expired_token", times=None)
    job = ended(crawl_all())
    assert "put a new one into NAVER_LAND_TOKEN_FILE" in (job.error_message or "")
    assert len(land.requests()) == 1


def test_22_prices_and_rents_are_read_right_and_told_once(
    platform: Settings, impatient: Patience, land: Simulator
) -> None:
    sale, rent = (
        next(
            no for no, item in world.listings().items() if (item["complexNo"], item["tradeTypeCode"]) == (NUMBER, kind)
        )
        for kind in ("A1", "B2")
    )

    def crawl(sale_price: str, rent_price: str) -> None:
        land.change(set={sale: {"dealOrWarrantPrc": sale_price}, rent: {"dealOrWarrantPrc": rent_price}})
        execution = services.Execution(str(uuid.uuid4()))
        for _ in range(2):  # the second one is a late copy of the same run
            services.crawl_complex(NUMBER, execution, settings=platform, patience=impatient)

    crawl("11억", "5,000/140")
    crawl("11억 5,000", "5,000/130")
    crawl("10억 500", "5,000/130")
    told = ArticleChange.objects.order_by("pk").values_list("article_no", "change_type", "price_change_amount")
    assert sorted(told) == sorted([(sale, "PRICE_UP", 5_000), (rent, "PRICE_DOWN", -10), (sale, "PRICE_DOWN", -14_500)])


def test_23_a_worker_that_is_killed_loses_nothing_and_no_job_runs_for_ever(
    environment: dict[str, str], land: Simulator
) -> None:
    land.fault("slow", "articles", after=3, delay=20)
    with relaying(celery_app):
        with working(environment) as first:
            job_id = crawl_all()
            wait_until(lambda: any(each["fault"] for each in land.requests()), 60, "a crawl in the middle")
            os.killpg(first.pid, signal.SIGKILL)
        with working(environment):
            assert ended(job_id).status == "success"
    assert not CrawlJob.objects.exclude(status="success").exists()
    assert Article.objects.count() == ArticleSnapshot.objects.count() == LISTED


@pytest.mark.usefixtures("worker")
def test_23_a_second_crawl_does_not_overlap_the_first(api: httpx2.Client, land: Simulator) -> None:
    land.fault("slow", "articles", times=None, delay=0.3)
    first = crawl_all()
    wait_until(lambda: CrawlJob.objects.filter(job_id=first).exists(), 60, "the first crawl")
    asked = api.post("/api/scheduler/trigger/all").json()
    assert (asked["already_running"], asked["job_id"]) == (True, first)
    second = crawl_all()  # as a schedule sends it
    wait_until(lambda: run_state(celery_app, second) is None, 60, "the second one's end")
    assert CrawlJob.objects.filter(job_id=second).count() == 0
    assert ended(first).status == "success"
    assert ArticleSnapshot.objects.count() == LISTED


def test_23_a_complex_that_is_being_crawled_waits_for_its_turn(
    platform: Settings, impatient: Patience, land: Simulator
) -> None:
    Complex.objects.create(complex_id=NUMBER, complex_name="단지")
    CrawlJob.objects.create(complex_id=NUMBER, status="running", celery_task_id="other")
    alive = {"other"}
    execution = services.Execution("mine", retries=0, alive=alive.__contains__)
    with pytest.raises(CrawlUnderWayError) as caught:
        services.crawl_complex(NUMBER, execution, settings=platform, patience=impatient)
    assert services.retry_in(caught.value, 0) == 30
    assert land.requests() == []
    alive.clear()  # its worker vanished
    assert services.crawl_complex(NUMBER, execution, settings=platform, patience=impatient)["success"]


def test_24_whoever_starts_a_crawl_gets_the_id_of_its_job(api: httpx2.Client) -> None:
    for what in ("all", NUMBER):
        told = api.post(f"/api/scheduler/trigger/{what}").json()
        assert told["job_id"] == told["task_id"]


def test_26_the_detail_of_a_job_with_changes_and_odd_answers_is_told(
    api: httpx2.Client, platform: Settings, impatient: Patience, land: Simulator
) -> None:
    given: dict[str, Any] = {"settings": platform, "patience": impatient}
    services.crawl_complex(NUMBER, services.Execution(str(uuid.uuid4())), **given)
    gone = next(no for no, item in world.listings().items() if item["complexNo"] == NUMBER)
    land.change(remove=[gone])
    good, bad = str(uuid.uuid4()), str(uuid.uuid4())
    services.crawl_complex(NUMBER, services.Execution(good), **given)
    land.fault("shape", "articles")
    with pytest.raises(ShapeChangedError):
        services.crawl_complex(NUMBER, services.Execution(bad), **given)
    told = api.get(f"/api/scheduler/jobs/{good}/detail").json()
    assert [each["article_no"] for each in told["changes"]["data"]] == [gone]
    assert told["odd_answers"] == []
    (kept,) = api.get(f"/api/scheduler/jobs/{bad}/detail").json()["odd_answers"]
    assert (kept["step"], kept["error"]) == ("articles", "ShapeChangedError")
    assert "totalCount" in kept["form"]


@pytest.mark.usefixtures("worker")
def test_a_crawl_by_hand_under_the_old_name_returns_what_it_collected() -> None:
    run = send(crawl_complex_async.name, (NUMBER,), app=celery_app).run_id
    job = ended(run)
    result = result_of(crawl_complex_async.name)
    assert (result["success"], result["complex_id"], result["articles_collected"]) == (True, NUMBER, 46)
    assert (job.job_type, str(job.job_id)) == ("manual", run)
