"""One crawl's rows in one transaction: complex, listings, snapshots, changes and the finished job, or none of them.

The job's row is the guard: it is locked first, and a job that is already finished is left as it is, so a crawl's
effects happen once however often its message is delivered.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Model, Q

from app.clients.naver_land import ComplexOverview, LandArticle, Listing
from app.domains.realestate.changes import Change, Known, Seen, appeared_or_repriced, readable, removed
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, Complex, CrawlJob

#: Columns of a listing that a crawl brings up to date; `first_found_at` and `created_at` are not among them.
_COPIED = (
    "trade_type", "price", "monthly_rent", "price_change_state", "area_name", "area1", "area2", "floor_info",
    "direction", "building_name", "feature_desc", "tags", "realtor_name", "same_addr_cnt", "same_addr_max_prc",
    "same_addr_min_prc", "confirm_date",
)  # fmt: skip
_UPDATED = (*_COPIED, "price_amount", "complex", "is_active", "last_seen_at", "updated_at", "run_id")
_IN_SNAPSHOT = (
    "trade_type", "price", "area_name", "area1", "floor_info", "direction", "building_name", "realtor_name",
    "same_addr_cnt",
)  # fmt: skip


@dataclass(frozen=True)
class Crawl:
    """What one crawl brought home, and when and for which run it started."""

    job_pk: int
    session: str
    run_id: str | None
    started_at: datetime
    overview: ComplexOverview
    listing: Listing


@dataclass(frozen=True)
class Stored:
    """What a crawl wrote. `removal_waits`: missing listings that a second crawl has to confirm."""

    collected: int
    new: int
    updated: int
    removed: int
    price_changes: int
    removal_waits: int


def store(crawl: Crawl, finished_at: datetime) -> Stored | None:
    """Write a crawl; None if this job is finished already."""
    articles = {article.article_no: _row(article, crawl) for article in crawl.listing.articles}
    with transaction.atomic():
        job = CrawlJob.objects.select_for_update().get(pk=crawl.job_pk)
        if job.status == CrawlJob.Status.SUCCESS:
            return None
        complex_row, created = _put_complex(crawl.overview)
        previous_at = _previous_crawl_at(complex_row, job)
        rows = Article.objects.filter(Q(complex=complex_row) | Q(article_no__in=list(articles)))
        before = {row.article_no: row for row in rows}
        known = {number: _known(row) for number, row in before.items()}
        first_crawl = created or (previous_at is None and not known)
        seen = [_seen(row) for row in articles.values()]
        fresh = appeared_or_repriced(known, seen, first_crawl=first_crawl)
        mine = {number: item for number, item in known.items() if before[number].complex_id == complex_row.complex_id}
        gone, waits = removed(mine, set(articles), steady=crawl.listing.steady, previous_crawl_at=previous_at)
        last_snapshots = _last_snapshots(complex_row, [change.article_no for change in (*fresh, *gone)])
        _put_articles(list(articles.values()))
        snapshots = _add_snapshots(articles, crawl)
        _add_changes(fresh + gone, {**before, **articles}, last_snapshots, snapshots, crawl)
        _retire([change.article_no for change in gone], crawl)
        stored = Stored(
            collected=len(articles),
            new=sum(number not in known for number in articles),
            updated=sum(_differs(before[number], row) for number, row in articles.items() if number in before),
            removed=len(gone),
            price_changes=sum(change.type.startswith("PRICE") for change in fresh),
            removal_waits=waits,
        )
        _finish(job, complex_row, stored, crawl.started_at, finished_at)
        return stored


def _put_complex(overview: ComplexOverview) -> tuple[Complex, bool]:
    """Insert or update the complex; what the site left out stays. Locks its row against a crawl at the same time."""
    told: dict[str, Any] = {
        "complex_name": overview.complex_name,
        "complex_type": overview.complex_type_name,
        "address": overview.address,
        "road_address": overview.road_address,
        "jibun_address": overview.jibun_address,
        "total_households": overview.total_house_hold_count,
        "total_dongs": overview.total_dong_count,
        "completion_date": overview.use_approve_ymd,
        "min_area": overview.min_area,
        "max_area": overview.max_area,
        "min_price": overview.min_price,
        "max_price": overview.max_price,
        "min_lease_price": overview.min_lease_price,
        "max_lease_price": overview.max_lease_price,
        "latitude": overview.latitude,
        "longitude": overview.longitude,
    }
    given = {name: value for name, value in _fitting(Complex, told).items() if value is not None}
    return Complex.objects.select_for_update().update_or_create(complex_id=overview.complex_no, defaults=given)


def _fitting(model: type[Model], values: dict[str, Any]) -> dict[str, Any]:
    """`values` with texts cut to what the model's columns hold."""
    return {
        name: value[: getattr(model._meta.get_field(name), "max_length", None)] if isinstance(value, str) else value
        for name, value in values.items()
    }


def _previous_crawl_at(complex_row: Complex, job: CrawlJob) -> datetime | None:
    done = CrawlJob.objects.filter(complex=complex_row, status=CrawlJob.Status.SUCCESS).exclude(pk=job.pk)
    latest: datetime | None = done.aggregate(at=Max("started_at"))["at"]
    return latest


def _row(article: LandArticle, crawl: Crawl) -> Article:
    price = readable(article.deal_or_warrant_prc)
    values: dict[str, Any] = {
        "trade_type": article.trade_type_name,
        "price": article.deal_or_warrant_prc,
        "monthly_rent": price.monthly_rent if price else None,
        "price_amount": price.amount if price else None,
        "price_change_state": article.price_change_state,
        "area_name": article.area_name,
        "area1": article.area1,
        "area2": article.area2,
        "floor_info": article.floor_info,
        "direction": article.direction,
        "building_name": article.building_name,
        "feature_desc": article.article_feature_desc,
        "tags": json.dumps(article.tag_list, ensure_ascii=False),
        "realtor_name": article.realtor_name,
        "same_addr_cnt": article.same_addr_cnt,
        "same_addr_max_prc": article.same_addr_max_prc,
        "same_addr_min_prc": article.same_addr_min_prc,
        "confirm_date": article.article_confirm_ymd,
    }
    return Article(
        article_no=article.article_no,
        complex_id=crawl.overview.complex_no,
        is_active=True,
        first_found_at=crawl.started_at,
        last_seen_at=crawl.started_at,
        run_id=crawl.run_id,
        **_fitting(Article, values),
    )


def _seen(row: Article) -> Seen:
    text = row.price or ""
    return Seen(row.article_no, row.trade_type, text, readable(text))


def _known(row: Article) -> Known:
    rent = int(row.monthly_rent) if row.monthly_rent is not None and str(row.monthly_rent).isdigit() else None
    return Known(row.article_no, row.trade_type, row.price, rent, bool(row.is_active), row.last_seen_at)


def _differs(before: Article, after: Article) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in (*_COPIED, "is_active"))


def _put_articles(rows: list[Article]) -> None:
    Article.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["article_no"], update_fields=_UPDATED, batch_size=200
    )


def _add_snapshots(articles: dict[str, Article], crawl: Crawl) -> dict[str, int]:
    """Write the crawl's snapshots; article number → snapshot id."""
    rows = [
        ArticleSnapshot(
            complex_id=crawl.overview.complex_no,
            article_no=number,
            snapshot_date=crawl.started_at,
            crawl_session_id=crawl.session,
            run_id=crawl.run_id,
            **{name: getattr(row, name) for name in _IN_SNAPSHOT},
        )
        for number, row in articles.items()
    ]
    return {row.article_no: row.pk for row in ArticleSnapshot.objects.bulk_create(rows, batch_size=200)}


def _last_snapshots(complex_row: Complex, numbers: list[str]) -> dict[str, int]:
    rows = ArticleSnapshot.objects.filter(complex=complex_row, article_no__in=numbers)
    return dict(rows.values("article_no").annotate(last=Max("pk")).values_list("article_no", "last"))


def _add_changes(
    changes: list[Change],
    articles: dict[str, Article],
    last_snapshots: dict[str, int],
    snapshots: dict[str, int],
    crawl: Crawl,
) -> None:
    rows = []
    for change in changes:
        article = articles[change.article_no]
        rows.append(
            ArticleChange(
                complex_id=crawl.overview.complex_no,
                article_no=change.article_no,
                change_type=change.type,
                old_price=change.old_price,
                new_price=change.new_price,
                price_change_amount=change.amount,
                price_change_percent=change.percent,
                trade_type=article.trade_type,
                area_name=article.area_name,
                building_name=article.building_name,
                floor_info=article.floor_info,
                from_snapshot_id=last_snapshots.get(change.article_no),
                to_snapshot_id=snapshots.get(change.article_no),
                detected_at=crawl.started_at,
                is_read=False,
            )
        )
    ArticleChange.objects.bulk_create(rows, batch_size=200)


def _retire(numbers: list[str], crawl: Crawl) -> None:
    rows = Article.objects.filter(article_no__in=numbers)
    rows.update(is_active=False, updated_at=crawl.started_at, run_id=crawl.run_id)


def _finish(job: CrawlJob, complex_row: Complex, stored: Stored, started_at: datetime, finished_at: datetime) -> None:
    job.complex = complex_row
    job.complex_name = complex_row.complex_name
    job.status = CrawlJob.Status.SUCCESS
    job.finished_at = finished_at
    job.duration_seconds = round((finished_at - started_at).total_seconds())
    job.articles_collected = stored.collected
    job.articles_new = stored.new
    job.articles_updated = stored.updated
    job.articles_removed = stored.removed
    job.error_message = job.error_traceback = None
    job.save()
