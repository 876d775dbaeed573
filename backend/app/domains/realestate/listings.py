"""Reading listings, changes and real trades: filters, one page after another in the order of a key, a listing's history."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from app.domains.realestate.models import Article, ArticleChange, Transaction
from app.domains.realestate.queries import price_history

#: Most changes of one listing's history: the newest.
MOST_CHANGES = 1000


@dataclass(frozen=True)
class ListingFilter:
    """Prices in 만원 (of monthly rent: the deposit), areas exclusive in m²; `changed_since`: something changed then or later."""

    fields: ClassVar[tuple[str, ...]] = (
        "id", "article_no", "complex_id", "trade_type", "price", "price_amount", "monthly_rent", "price_change_state",
        "area_name", "area1", "area2", "floor_info", "direction", "building_name", "feature_desc", "realtor_name",
        "same_addr_cnt", "same_addr_max_prc", "same_addr_min_prc", "confirm_date", "is_active", "first_found_at",
        "last_seen_at", "updated_at",
    )  # fmt: skip

    complex_id: str | None = None
    trade_type: str | None = None
    active: bool | None = None
    price_min: int | None = None
    price_max: int | None = None
    area_min: float | None = None
    area_max: float | None = None
    changed_since: datetime | None = None

    def rows(self) -> QuerySet[Article]:
        """The listings that fit, newest first by `id`."""
        wanted = {
            "complex_id": self.complex_id,
            "trade_type": self.trade_type,
            "is_active": self.active,
            "price_amount__gte": self.price_min,
            "price_amount__lte": self.price_max,
            "area2__gte": self.area_min,
            "area2__lte": self.area_max,
        }
        rows = Article.objects.filter(**_given(wanted))
        if self.changed_since is not None:
            changed = ArticleChange.objects.filter(detected_at__gte=self.changed_since)
            rows = rows.filter(article_no__in=changed.values("article_no"))
        return rows.order_by("-pk")


@dataclass(frozen=True)
class ChangeFilter:
    """`since` counts from when the change was found."""

    fields: ClassVar[tuple[str, ...]] = (
        "id", "complex_id", "article_no", "change_type", "old_price", "new_price", "price_change_amount",
        "price_change_percent", "trade_type", "area_name", "building_name", "floor_info", "detected_at", "is_read",
    )  # fmt: skip

    complex_id: str | None = None
    article_no: str | None = None
    change_type: str | None = None
    unread: bool | None = None
    since: datetime | None = None

    def rows(self) -> QuerySet[ArticleChange]:
        """The changes that fit, newest first by `id`."""
        wanted = {
            "complex_id": self.complex_id,
            "article_no": self.article_no,
            "change_type": self.change_type,
            "detected_at__gte": self.since,
        }
        rows = ArticleChange.objects.filter(**_given(wanted))
        if self.unread is not None:
            rows = rows.filter(Q(is_read=False) | Q(is_read=None)) if self.unread else rows.filter(is_read=True)
        return rows.order_by("-pk")


@dataclass(frozen=True)
class TradeFilter:
    """`month` is YYYYMM; `cancelled` None takes both; `matched`: whether the trade belongs to a complex of ours."""

    fields: ClassVar[tuple[str, ...]] = (
        "id", "complex_id", "trade_type", "trade_date", "deal_price", "formatted_price", "floor", "area", "exclusive_area",
        "region_code", "apartment_name", "legal_dong", "jibun", "building_name", "build_year", "cancelled_on",
    )  # fmt: skip

    complex_id: str | None = None
    region_code: str | None = None
    month: str | None = None
    cancelled: bool | None = None
    matched: bool | None = None

    def rows(self) -> QuerySet[Transaction]:
        """The trades that fit, newest first by `id`."""
        wanted = {
            "complex_id": self.complex_id,
            "region_code": self.region_code,
            "trade_date__startswith": self.month,
            "cancelled_on__isnull": None if self.cancelled is None else not self.cancelled,
            "complex__isnull": None if self.matched is None else not self.matched,
        }
        return Transaction.objects.filter(**_given(wanted)).order_by("-pk")


Filter = ListingFilter | ChangeFilter | TradeFilter


def page(wanted: Filter, *, cursor: int | None, limit: int) -> list[dict[str, Any]]:
    """At most `limit` rows, newest first, below the id `cursor`."""
    rows = wanted.rows()
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor)
    return [dict(row) for row in rows.values(*wanted.fields)[:limit]]


def listing(article_no: str) -> dict[str, Any] | None:
    """One listing with its `price_history` and `changes`, both oldest first; None where there is none."""
    found = Article.objects.filter(article_no=article_no).values(*ListingFilter.fields).first()
    if found is None:
        return None
    changes = page(ChangeFilter(article_no=article_no), cursor=None, limit=MOST_CHANGES)
    return {**found, "price_history": price_history(article_no), "changes": changes[::-1]}


def mark_read(*, ids: Iterable[int] | None = None, up_to: int | None = None, complex_id: str | None = None) -> int:
    """Mark changes as read: those of `ids`, or all up to the id `up_to`, of one complex or of all. Returns how many were unread."""
    rows = ChangeFilter(complex_id=complex_id, unread=True).rows()
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    if up_to is not None:
        rows = rows.filter(pk__lte=up_to)
    return rows.update(is_read=True)


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}
