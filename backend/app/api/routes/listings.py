"""`/api/realestate`: listings and their history, changes, real trades, odd answers, the briefing's preview; and as CSV.

Lists come in pages: `next` is the cursor of the following page, null on the last. Prices and differences are in 만원.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, Field
from starlette.responses import StreamingResponse

from app.access.scopes import Scope
from app.api.access import needs
from app.api.csv_export import as_csv
from app.api.problems import ProblemError
from app.api.routing import OrmRoute
from app.api.validation import Body
from app.domains.realestate import briefing, listings, queries
from app.domains.realestate.listings import ChangeFilter, Filter, ListingFilter, TradeFilter
from app.domains.realestate.odd_answers import odd_answers

router = APIRouter(prefix="/realestate", tags=["realestate"], route_class=OrmRoute)

_LARGEST_ID = 2**63 - 1
_MOST_READ = 1000
_COMPLEX_FIELDS = (
    "complex_id", "complex_name", "complex_type", "address", "total_households", "total_dongs", "completion_date",
    "min_area", "max_area", "min_price", "max_price", "min_lease_price", "max_lease_price", "is_watched",
    "active_articles", "last_crawled_at",
)  # fmt: skip

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[int | None, Query(ge=0, le=_LARGEST_ID)]
Number = Annotated[str | None, Query(max_length=50, pattern="^[A-Za-z0-9-]*$")]
Manwon = Annotated[int | None, Query(ge=0, le=2**53)]
Area = Annotated[float | None, Query(ge=0, le=100_000, allow_inf_nan=False)]
ChangeType = Literal["NEW", "REMOVED", "PRICE_UP", "PRICE_DOWN", "RELISTED"]


def _listing_filter(
    complex_id: Number = None,
    trade_type: Annotated[str | None, Query(max_length=20, pattern="^[^\\x00]*$")] = None,
    active: bool | None = None,
    price_min: Manwon = None,
    price_max: Manwon = None,
    area_min: Area = None,
    area_max: Area = None,
    changed_since: AwareDatetime | None = None,
) -> ListingFilter:
    return ListingFilter(complex_id, trade_type, active, price_min, price_max, area_min, area_max, changed_since)


def _change_filter(
    complex_id: Number = None,
    article_no: Number = None,
    change_type: ChangeType | None = None,
    unread: bool | None = None,
    since: AwareDatetime | None = None,
) -> ChangeFilter:
    return ChangeFilter(complex_id, article_no, change_type, unread, since)


def _trade_filter(
    complex_id: Number = None,
    region_code: Annotated[str | None, Query(pattern="^[0-9]{5}$")] = None,
    month: Annotated[str | None, Query(pattern="^[0-9]{6}$")] = None,
    cancelled: bool | None = None,
    matched: bool | None = None,
) -> TradeFilter:
    return TradeFilter(complex_id, region_code, month, cancelled, matched)


Listings = Annotated[ListingFilter, Depends(_listing_filter)]
Changes = Annotated[ChangeFilter, Depends(_change_filter)]
Trades = Annotated[TradeFilter, Depends(_trade_filter)]


class ReadForm(Body):
    """Which changes were read: by their ids, or all up to one id (of one complex)."""

    ids: list[Annotated[int, Field(ge=1, le=_LARGEST_ID)]] | None = Field(default=None, max_length=_MOST_READ)
    up_to: int | None = Field(default=None, ge=1, le=_LARGEST_ID)
    complex_id: str | None = Field(default=None, max_length=50, pattern="^[A-Za-z0-9-]*$")


@router.get("/listings")
@needs(Scope.VIEWER)
def all_listings(wanted: Listings, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Listings, newest first. Areas are exclusive ones in m²; `changed_since` counts from when a change was found."""
    return _page(wanted, limit, cursor)


@router.get("/listings.csv")
@needs(Scope.VIEWER)
def listings_csv(wanted: Listings) -> StreamingResponse:
    """The same listings as CSV, all of them."""
    return _csv("listings", wanted)


@router.get("/listings/{article_no}")
@needs(Scope.VIEWER)
def one_listing(article_no: str) -> dict[str, Any]:
    """One listing, each price that it was seen with, and its changes; both oldest first."""
    found = listings.listing(article_no) if article_no.isprintable() else None
    if found is None:
        shown = article_no[:50]
        raise ProblemError(
            404, "no-such-listing", f"매물 '{shown}'을(를) 찾을 수 없습니다.", f"No listing has the number '{shown}'."
        )
    return found


@router.get("/changes")
@needs(Scope.VIEWER)
def all_changes(wanted: Changes, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """What changed, newest first."""
    return _page(wanted, limit, cursor)


@router.get("/changes.csv")
@needs(Scope.VIEWER)
def changes_csv(wanted: Changes) -> StreamingResponse:
    """The same changes as CSV, all of them."""
    return _csv("changes", wanted)


@router.post("/changes/read")
@needs(Scope.OPERATOR)
def read(form: ReadForm) -> dict[str, int]:
    """Mark changes as read, so that no briefing tells them; `marked` were unread until now."""
    if (form.ids is None) == (form.up_to is None):
        raise ProblemError(422, "invalid", "ids와 up_to 중 하나만 지정하세요.", "Give either ids or up_to.")
    return {"marked": listings.mark_read(ids=form.ids, up_to=form.up_to, complex_id=form.complex_id)}


@router.get("/trades")
@needs(Scope.VIEWER)
def all_trades(wanted: Trades, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Real trades as the ministry publishes them, newest first as imported."""
    return _page(wanted, limit, cursor)


@router.get("/trades.csv")
@needs(Scope.VIEWER)
def trades_csv(wanted: Trades) -> StreamingResponse:
    """The same trades as CSV, all of them."""
    return _csv("trades", wanted)


@router.get("/complexes.csv")
@needs(Scope.VIEWER)
def complexes_csv() -> StreamingResponse:
    """The known complexes as CSV, all of them."""

    def more(after: int | None) -> list[dict[str, Any]]:
        return queries.complexes(after=after or 0, limit=_CSV_PAGE)

    return as_csv("complexes", _COMPLEX_FIELDS, more)


@router.get("/odd-answers")
@needs(Scope.VIEWER)
def all_odd_answers(limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """What the site answered that no crawl could use, newest first: the answer's form, never its content."""
    return _cut(odd_answers(before=cursor, limit=limit + 1), limit)


@router.get("/briefing")
@needs(Scope.VIEWER)
def preview(days: Annotated[int, Query(ge=1, le=briefing.MOST_DAYS)] = 7) -> dict[str, Any]:
    """What a briefing would send now, and to which channels; nothing is sent or marked."""
    return briefing.preview(days)


_CSV_PAGE = 1000


def _csv(name: str, wanted: Filter) -> StreamingResponse:
    return as_csv(name, wanted.fields, lambda after: listings.page(wanted, cursor=after, limit=_CSV_PAGE))


def _page(wanted: Filter, limit: int, cursor: int | None) -> dict[str, Any]:
    return _cut(listings.page(wanted, cursor=cursor, limit=limit + 1), limit)


def _cut(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """`found` has one row more than the page where another page follows."""
    return {"items": found[:limit], "next": found[limit - 1]["id"] if len(found) > limit else None}
