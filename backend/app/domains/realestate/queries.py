"""Reading real-estate data for pages and REST: dicts, in an order that a cursor can continue."""

from typing import Any

from django.db.models import Count, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce

from app.domains.realestate.changes import readable
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, Complex, CrawlJob

_FIELDS = (
    "id", "complex_id", "complex_name", "complex_type", "address", "road_address", "jibun_address",
    "total_households", "total_dongs", "completion_date", "min_area", "max_area", "min_price", "max_price",
    "min_lease_price", "max_lease_price", "latitude", "longitude", "is_watched", "active_articles", "last_crawled_at",
)  # fmt: skip


def complexes(
    *, after: int = 0, limit: int | None = None, complex_id: str | None = None, watched: bool | None = None
) -> list[dict[str, Any]]:
    """Complexes in the order of their `id`, from the first above `after`, all or `limit` of them; prices in 만원, times aware.

    `active_articles` counts listings that are up now, `last_crawled_at` is the end of the last successful crawl, or
    None. The cursor for more is the last one's `id`.
    """
    rows = Complex.objects.filter(pk__gt=after)
    if complex_id is not None:
        rows = rows.filter(complex_id=complex_id)
    if watched is not None:
        rows = rows.filter(is_watched=watched)
    # Subqueries, not joins: listings times crawls would be millions of rows for one old complex.
    mine = {"complex_id": OuterRef("complex_id")}
    active = Article.objects.filter(**mine, is_active=True).order_by().values("complex_id")
    crawled = CrawlJob.objects.filter(**mine, status=CrawlJob.Status.SUCCESS).order_by().values("complex_id")
    counted = rows.annotate(
        active_articles=Coalesce(Subquery(active.annotate(n=Count("pk")).values("n")), 0),
        last_crawled_at=Subquery(crawled.annotate(at=Max("finished_at")).values("at")),
    )
    return [dict(row) for row in counted.order_by("pk").values(*_FIELDS)[:limit]]


def changes(*, before: int | None = None, limit: int = 100, complex_id: str | None = None) -> list[dict[str, Any]]:
    """Changes, newest first by `id`, below `before`; amounts in 만원."""
    rows = ArticleChange.objects.order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if complex_id is not None:
        rows = rows.filter(complex_id=complex_id)
    fields = (
        "id", "complex_id", "article_no", "change_type", "old_price", "new_price", "price_change_amount",
        "price_change_percent", "trade_type", "area_name", "building_name", "floor_info", "detected_at", "is_read",
    )  # fmt: skip
    return [dict(row) for row in rows.values(*fields)[:limit]]


def price_history(article_no: str) -> list[dict[str, Any]]:
    """What a listing asked, oldest first: one item for each time that its price was another one.

    `price` is the site's text, `amount` and `monthly_rent` what it says in 만원 (None where it can't be read),
    `first_seen_at` and `last_seen_at` the first and the last crawl that saw it so. Reaches back as far as snapshots are kept.
    """
    seen = ArticleSnapshot.objects.filter(article_no=article_no).order_by("snapshot_date", "pk")
    history: list[dict[str, Any]] = []
    for trade_type, price, at in seen.values_list("trade_type", "price", "snapshot_date").iterator():
        if history and (history[-1]["trade_type"], history[-1]["price"]) == (trade_type, price):
            history[-1]["last_seen_at"] = at
            continue
        read = readable(price or "")
        history.append(
            {
                "trade_type": trade_type,
                "price": price,
                "amount": read.amount if read else None,
                "monthly_rent": read.monthly_rent if read else None,
                "first_seen_at": at,
                "last_seen_at": at,
            }
        )
    return history
