"""The crawl of all as one job: what it counts, what it tells of a part that failed, how it is begun again."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from app.core.errors import AccessRefusedError
from app.domains.realestate import crawls, odd_answers, queries, services
from app.domains.realestate.errors import CrawlStoppedError
from app.domains.realestate.models import ArticleSnapshot, Complex, CrawlJob, OddAnswer

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
NUMBERS = ["1", "2", "3"]


@pytest.fixture
def crawl_id() -> str:
    """A crawl of three complexes that has begun, with a job that waits for each."""
    for number in NUMBERS:
        Complex.objects.create(complex_id=number, complex_name=f"단지 {number}")
    made = str(uuid.uuid4())
    assert crawls.begin(made, "run", "scheduled", now=AT) == NUMBERS
    for number in NUMBERS:
        add(made, number)
    return made


def run_of(crawl_id: str, number: str) -> str:
    return str(uuid.uuid5(uuid.UUID(crawl_id), number))


def add(crawl_id: str, number: str) -> None:
    run = run_of(crawl_id, number)
    crawls.add(crawl_id, number, run, uuid.UUID(run), "scheduled")


def part(crawl_id: str, number: str, **values: object) -> None:
    assert CrawlJob.objects.filter(job_id=run_of(crawl_id, number)).update(**values) == 1


def test_a_part_that_failed_is_told_and_fails_the_whole(crawl_id: str) -> None:
    part(crawl_id, "1", status="success", started_at=AT, articles_collected=20, articles_new=3, articles_updated=2)
    part(crawl_id, "2", status="failed", started_at=AT, error_message="a cause")
    part(crawl_id, "3", status="running", started_at=AT)
    assert crawls.unfinished_runs(crawl_id) == [run_of(crawl_id, "3")]
    told = crawls.end(crawl_id, "summary", now=AT + timedelta(seconds=90))
    assert told == {
        "job_id": crawl_id,
        "started_at": AT.isoformat(),
        "total_complexes": 3,
        "success": 1,
        "failed": 2,
        "errors": ["단지 2 (2): a cause", "단지 3 (3): its run vanished"],
        "total_articles_collected": 20,
        "total_articles_new": 3,
        "total_articles_updated": 2,
        "total_articles_removed": 0,
        "finished_at": (AT + timedelta(seconds=90)).isoformat(),
        "duration_seconds": 90,
    }
    job = CrawlJob.objects.get(job_id=crawl_id)
    assert (job.status, job.articles_collected, job.celery_task_id) == ("failed", 20, "summary")
    assert job.error_message == "\n".join(told["errors"])
    assert crawls.end(crawl_id, "summary") == told


def test_no_complex_at_all_is_a_success() -> None:
    made = str(uuid.uuid4())
    assert crawls.begin(made, "run", "scheduled") == []
    told = crawls.end(made, "summary")
    assert (told["total_complexes"], told["errors"]) == (0, [])
    assert CrawlJob.objects.get(job_id=made).status == "success"


def test_the_first_reason_stops_it_and_what_was_not_crawled_is_one_line(crawl_id: str) -> None:
    crawls.refuse_if_stopped(crawl_id)
    crawls.refuse_if_stopped(None)
    reason = AccessRefusedError("site", "go away")
    crawls.stop(crawl_id, reason)
    crawls.stop(crawl_id, ValueError("a later one"))
    with pytest.raises(CrawlStoppedError, match="go away") as caught:
        crawls.refuse_if_stopped(crawl_id)
    part(crawl_id, "1", status="failed", started_at=AT, error_message=str(reason))
    for number in ("2", "3"):
        part(crawl_id, number, status="failed", error_message=str(caught.value))
    told = crawls.end(crawl_id, "summary")
    assert told["stopped"] == str(reason)
    assert told["errors"] == [f"stopped, 2 complexes were not crawled: {reason}", f"단지 1 (1): {reason}"]


def test_an_execution_that_comes_again_changes_nothing(crawl_id: str) -> None:
    crawls.stop(crawl_id, ValueError("why"))
    part(crawl_id, "1", status="success")
    assert crawls.begin(crawl_id, "run", "scheduled") == ["2", "3"]
    with pytest.raises(CrawlStoppedError):
        crawls.refuse_if_stopped(crawl_id)
    for number in NUMBERS:
        add(crawl_id, number)
    assert crawls.progress([crawl_id])[crawl_id] == {"total": 3, "pending": 2, "running": 0, "success": 1, "failed": 0}


def test_another_run_takes_up_what_is_left(crawl_id: str) -> None:
    part(crawl_id, "1", status="success", articles_collected=20)
    part(crawl_id, "2", status="failed", started_at=AT, error_message="why")
    crawls.stop(crawl_id, ValueError("why"))
    crawls.end(crawl_id, "summary")
    Complex.objects.filter(complex_id="3").update(is_watched=False)
    assert crawls.begin(crawl_id, "another", "manual") == ["2"]
    crawls.refuse_if_stopped(crawl_id)
    again = str(uuid.uuid4())
    crawls.add(crawl_id, "2", again, uuid.UUID(again), "manual")
    CrawlJob.objects.filter(job_id=again).update(status="success", articles_collected=5)
    told = crawls.end(crawl_id, "summary")
    assert (told["total_complexes"], told["failed"], told["total_articles_collected"]) == (2, 0, 25)
    assert CrawlJob.objects.get(job_id=crawl_id).error_message is None


def test_a_crawl_by_hand_that_is_under_way_counts_too(crawl_id: str) -> None:
    by_hand = CrawlJob.objects.create(complex_id="2", status="running", celery_task_id="hand")
    crawls.add(crawl_id, "2", "hand", by_hand.job_id, "scheduled")
    by_hand.refresh_from_db()
    assert str(by_hand.crawl_id) == crawl_id
    assert "hand" in crawls.unfinished_runs(crawl_id)


def test_the_prices_that_a_listing_asked() -> None:
    home = Complex.objects.create(complex_id="1", complex_name="단지")
    for day, price in enumerate(["5,000/140", "5,000/140", "협의", "5,000/130", "5,000/140"]):
        ArticleSnapshot.objects.create(
            complex=home, article_no="7", trade_type="월세", price=price, snapshot_date=AT + timedelta(days=day)
        )
    told = [(item["price"], item["amount"], item["monthly_rent"]) for item in queries.price_history("7")]
    assert told == [
        ("5,000/140", 5_000, 140),
        ("협의", None, None),
        ("5,000/130", 5_000, 130),
        ("5,000/140", 5_000, 140),
    ]
    first = queries.price_history("7")[0]
    assert (first["first_seen_at"], first["last_seen_at"]) == (AT, AT + timedelta(days=1))
    assert queries.price_history("8") == []


def test_old_odd_answers_go_with_the_old_snapshots() -> None:
    for days in (29, 31):
        at = AT - timedelta(days=days)
        OddAnswer.objects.create(created_at=at, complex_id="1", step="overview", error="E", reason=str(days))
    services.cleanup_old_snapshots(now=AT)
    assert [row["reason"] for row in odd_answers.odd_answers()] == ["29"]
