"""Crawling a complex against the simulator: the rows that it leaves, what it calls a change, and why it fails."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.clients.http import Patience
from app.core.errors import (
    NotConfiguredError,
    ShapeChangedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings
from app.domains.realestate import queries, services
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, Complex, CrawlJob
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]
pytestmark = pytest.mark.django_db

NUMBER = "109208"
FIRST_CRAWL = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
Crawl = Callable[..., dict[str, Any]]


def listings(number: str = NUMBER) -> dict[str, dict[str, Any]]:
    return {no: item for no, item in world.listings().items() if item["complexNo"] == number}


def some(trade: str, number: str = NUMBER) -> str:
    return next(no for no, item in listings(number).items() if item["tradeTypeCode"] == trade)


@pytest.fixture
def crawl(platform: Settings, impatient: Patience) -> Crawl:
    """Crawls an hour apart, each a run of its own."""
    times = iter(FIRST_CRAWL + timedelta(hours=hour) for hour in range(100))

    def run(number: str = NUMBER, run_id: str | None = None, **more: Any) -> dict[str, Any]:
        given = {"settings": platform, "patience": impatient, "now": next(times), **more}
        execution = services.Execution(run_id or str(uuid.uuid4()))
        return services.crawl_complex(number, execution, **given)

    return run


def changes() -> set[tuple[str, str | None]]:
    return set(ArticleChange.objects.values_list("change_type", "article_no"))


def test_a_crawl_saves_everything(crawl: Crawl) -> None:
    run_id = str(uuid.uuid4())
    summary = crawl(run_id=run_id, job_type="manual")
    assert summary["articles_collected"] == summary["articles_new"] == len(listings())
    assert (summary["success"], summary["job_id"], summary["complex_name"]) == (
        True,
        run_id,
        "시범반도유보라아이비파크4.0",
    )
    assert json.dumps(summary)
    row = Complex.objects.get(complex_id=NUMBER)
    assert (row.total_households, row.min_price, row.completion_date) == (740, 104_000, "20180129")
    articles = {article.article_no: article for article in Article.objects.all()}
    assert {no: article.price for no, article in articles.items()} == {
        no: item["dealOrWarrantPrc"] for no, item in listings().items()
    }
    rent = articles[some("B2")]
    assert rent.monthly_rent == int((rent.price or "").partition("/")[2])
    assert articles[some("A1")].monthly_rent is None
    snapshots = ArticleSnapshot.objects.all()
    assert {(s.crawl_session_id, s.run_id, s.snapshot_date) for s in snapshots} == {(run_id, run_id, FIRST_CRAWL)}
    assert snapshots.count() == len(listings())
    job = CrawlJob.objects.get()
    assert (job.status, job.job_type, job.celery_task_id) == ("success", "manual", run_id)
    assert job.articles_collected == len(listings())
    assert not ArticleChange.objects.exists()  # a first crawl is no news


def test_the_same_run_again_does_nothing(crawl: Crawl, land: Simulator) -> None:
    run_id = str(uuid.uuid4())
    first = crawl(run_id=run_id)
    asked = len(land.requests())
    again = crawl(run_id=run_id)
    assert again["repeated"]
    assert again["articles_collected"] == first["articles_collected"]
    assert len(land.requests()) == asked
    assert ArticleSnapshot.objects.count() == len(listings())
    assert CrawlJob.objects.count() == 1


def test_a_run_id_that_is_no_uuid_still_names_one_job(crawl: Crawl) -> None:
    assert crawl(run_id="celery-7")["job_id"] == crawl(run_id="celery-7")["job_id"]
    assert CrawlJob.objects.get().celery_task_id == "celery-7"


def test_an_unchanged_complex_has_no_changes(crawl: Crawl) -> None:
    crawl()
    summary = crawl()
    assert (summary["articles_new"], summary["articles_updated"], summary["articles_removed"]) == (0, 0, 0)
    assert not ArticleChange.objects.exists()
    assert ArticleSnapshot.objects.count() == 2 * len(listings())
    assert set(Article.objects.values_list("last_seen_at", flat=True)) == {FIRST_CRAWL + timedelta(hours=1)}
    assert set(Article.objects.values_list("first_found_at", flat=True)) == {FIRST_CRAWL}


def test_new_removed_and_returning_listings(crawl: Crawl, land: Simulator) -> None:
    crawl()
    gone = some("B1")
    land.change(
        remove=[gone],
        add=[{"complexNo": NUMBER, "articleNo": "77", "tradeTypeCode": "A1", "dealOrWarrantPrc": "11억 5,000"}],
    )
    summary = crawl()
    assert changes() == {("NEW", "77"), ("REMOVED", gone)}
    assert (summary["articles_new"], summary["articles_removed"]) == (1, 1)
    assert not Article.objects.get(article_no=gone).is_active
    removed = ArticleChange.objects.get(change_type="REMOVED")
    assert removed.old_price == listings()[gone]["dealOrWarrantPrc"]
    assert removed.from_snapshot_id is not None
    assert ArticleSnapshot.objects.get(pk=removed.from_snapshot_id).article_no == gone
    assert removed.to_snapshot_id is None
    land.reset()
    crawl()
    assert ("RELISTED", gone) in changes()
    assert Article.objects.get(article_no=gone).is_active


@pytest.mark.parametrize(
    ("trade", "before", "after", "kind", "amount", "percent"),
    [
        ("A1", "11억", "11억 5,000", "PRICE_UP", 5_000, 4.55),
        ("A1", "10억 500", "9억 9,500", "PRICE_DOWN", -1_000, -1.0),
        ("B1", "9,800", "1억", "PRICE_UP", 200, 2.04),
        ("B2", "5,000/140", "5,000/150", "PRICE_UP", 10, 7.14),
        ("B2", "5,000/140", "4,000/150", "PRICE_DOWN", -1_000, -20.0),
    ],
)
def test_price_changes_are_read_right(
    crawl: Crawl, land: Simulator, trade: str, before: str, after: str, kind: str, amount: int, percent: float
) -> None:
    article_no = some(trade)
    land.change(set={article_no: {"dealOrWarrantPrc": before}})
    crawl()
    land.change(set={article_no: {"dealOrWarrantPrc": after}})
    assert crawl()["price_changes"] == 1
    change = ArticleChange.objects.get()
    assert (change.change_type, change.old_price, change.new_price) == (kind, before, after)
    assert (change.price_change_amount, change.price_change_percent) == (amount, percent)
    assert (change.article_no, change.is_read, change.complex_id) == (article_no, False, NUMBER)
    assert change.from_snapshot_id
    assert change.to_snapshot_id


def test_a_rent_that_the_old_crawler_split_is_no_change(crawl: Crawl, land: Simulator) -> None:
    article_no = some("B2")
    land.change(set={article_no: {"dealOrWarrantPrc": "5,000/140"}})
    crawl()
    Article.objects.filter(article_no=article_no).update(price="5,000", monthly_rent=140)
    crawl()
    assert not ArticleChange.objects.exists()


def test_a_price_that_cannot_be_read_is_kept_as_text(crawl: Crawl, land: Simulator) -> None:
    crawl()
    article_no = some("A1")
    land.change(set={article_no: {"dealOrWarrantPrc": "협의"}})
    crawl()
    assert Article.objects.get(article_no=article_no).price == "협의"
    assert not ArticleChange.objects.exists()


def test_texts_longer_than_their_columns_are_cut(crawl: Crawl, land: Simulator) -> None:
    article_no = some("A1")
    land.change(set={article_no: {"floorInfo": "1" * 300, "realtorName": "가" * 300, "articleFeatureDesc": "a\x00b"}})
    crawl()
    article = Article.objects.get(article_no=article_no)
    assert (len(article.floor_info or ""), len(article.realtor_name or "")) == (50, 200)
    assert article.feature_desc == "ab"


@pytest.mark.parametrize(
    "field", [{"sameAddrCnt": 2**31}, {"area1": "wide"}, {"articleNo": "x/y"}, {"dealOrWarrantPrc": None}]
)
def test_what_no_column_can_hold_is_a_changed_form(crawl: Crawl, land: Simulator, field: dict[str, Any]) -> None:
    land.change(set={some("A1"): field})
    with pytest.raises(ShapeChangedError):
        crawl()
    assert not Article.objects.exists()


def test_most_prices_unreadable_is_a_changed_form(crawl: Crawl, land: Simulator) -> None:
    land.fault("bad_price", "articles", times=None)
    with pytest.raises(ShapeChangedError, match="prices"):
        crawl()
    assert not Article.objects.exists()


def test_an_empty_list_removes_nothing_until_it_comes_twice(crawl: Crawl, land: Simulator) -> None:
    crawl()
    land.fault("empty", "articles", times=None)
    summary = crawl()
    assert (summary["articles_removed"], summary["removal_waits"]) == (0, len(listings()))
    assert not ArticleChange.objects.exists()
    summary = crawl()
    assert summary["articles_removed"] == len(listings())


def test_a_list_that_moved_while_it_was_read_removes_nothing_at_once(crawl: Crawl, land: Simulator) -> None:
    crawl()
    land.fault("moved", "articles", after=1)
    assert crawl()["removal_waits"] == 3
    assert crawl()["articles_removed"] == 0
    assert not ArticleChange.objects.exists()


def test_a_list_that_breaks_off_changes_nothing(crawl: Crawl, land: Simulator) -> None:
    crawl()
    land.fault("status_500", "articles", times=None, after=2)
    with pytest.raises(UpstreamUnavailableError):
        crawl()
    assert not Article.objects.filter(is_active=False).exists()
    assert ArticleSnapshot.objects.count() == len(listings())


def test_without_a_token_the_job_fails_with_that_reason(crawl: Crawl, platform: Settings) -> None:
    with pytest.raises(NotConfiguredError):
        crawl(settings=platform.model_copy(update={"naver_land_token_file": None}))
    assert "NAVER_LAND_TOKEN_FILE" in (CrawlJob.objects.get().error_message or "")


def test_two_complexes_do_not_mix(crawl: Crawl) -> None:
    crawl(NUMBER)
    crawl("900001")
    assert crawl(NUMBER)["articles_removed"] == 0
    assert Article.objects.filter(is_active=True).count() == len(listings()) + len(listings("900001"))


def test_old_snapshots_are_deleted_and_the_rest_stays(crawl: Crawl) -> None:
    crawl()
    crawl()
    keep = ArticleSnapshot.objects.filter(snapshot_date=FIRST_CRAWL + timedelta(hours=1)).count()
    summary = services.cleanup_old_snapshots(90, now=FIRST_CRAWL + timedelta(days=90, minutes=1))
    assert summary["deleted_count"] == len(listings())
    assert summary["errors"] == []
    assert ArticleSnapshot.objects.count() == keep
    assert Article.objects.count() == len(listings())
    with pytest.raises(ValueError, match="one day"):
        services.cleanup_old_snapshots(0)


def test_queries_list_complexes_with_counts(crawl: Crawl, land: Simulator) -> None:
    services.put_complex({"complex_id": "900001", "complex_name": "라이브비트숲마을1단지"})
    crawl()
    crawl()
    first, second = queries.complexes()
    assert (first["active_articles"], first["last_crawled_at"]) == (0, None)
    assert second["active_articles"] == len(listings())
    assert second["last_crawled_at"] == FIRST_CRAWL + timedelta(hours=1)
    assert queries.complexes(after=first["id"], limit=1) == [second]
    assert queries.complexes(complex_id=NUMBER) == [second]
    land.change(remove=[some("A1")])
    crawl()
    (change,) = queries.changes(complex_id=NUMBER)
    assert change["change_type"] == "REMOVED"
    assert queries.changes(before=change["id"]) == []
