"""What changed between two crawls of one complex. Pure: no database, no clock.

- NEW: not known. A complex's first crawl reports none: everything would be new.
- RELISTED: known as gone; with the difference where its price is another one now.
- REMOVED: was active, isn't in a complete listing. Where that can't be trusted — a listing that moved while it was
  read, or more than half of ten or more gone at once, which is how a broken answer looks — it takes two crawls in a row.
- PRICE_UP, PRICE_DOWN: by the parsed price within one kind of trade. For monthly rent the deposit decides, and the rent
  where the deposit stayed. A price that can't be read on either side is no change.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from app.domains.realestate.prices import Price, PriceTextError, parse_price

GUARD_FROM = 10


@dataclass(frozen=True)
class Seen:
    """A listing as a crawl found it; `price` is None where its text can't be read."""

    article_no: str
    trade_type: str | None
    price_text: str
    price: Price | None


@dataclass(frozen=True)
class Known:
    """A listing as the database has it."""

    article_no: str
    trade_type: str | None
    price_text: str | None
    monthly_rent: int | None
    is_active: bool
    last_seen_at: datetime | None

    @property
    def price(self) -> Price | None:
        """The parsed price, with the rent from its own column where the old crawler split the two."""
        price = readable(self.price_text or "")
        if price is not None and price.monthly_rent is None and self.monthly_rent is not None:
            return Price(price.amount, self.monthly_rent)
        return price


@dataclass(frozen=True)
class Change:
    """One change; `amount` in 만원, `percent` of the old value, both None where no price moved."""

    type: str
    article_no: str
    old_price: str | None = None
    new_price: str | None = None
    amount: int | None = None
    percent: float | None = None


def readable(text: str) -> Price | None:
    """The parsed price, or None."""
    try:
        return parse_price(text)
    except PriceTextError:
        return None


def appeared_or_repriced(known: Mapping[str, Known], seen: Iterable[Seen], *, first_crawl: bool) -> list[Change]:
    """NEW, RELISTED, PRICE_UP and PRICE_DOWN."""
    found: list[Change] = []
    for article in seen:
        before = known.get(article.article_no)
        if before is not None:
            change = _repriced(before, article) if before.is_active else _relisted(before, article)
        else:
            change = None if first_crawl else Change("NEW", article.article_no, new_price=article.price_text)
        if change is not None:
            found.append(change)
    return found


def _relisted(before: Known, after: Seen) -> Change:
    moved = _repriced(before, after)
    plain = Change("RELISTED", after.article_no, old_price=before.price_text, new_price=after.price_text)
    return plain if moved is None else replace(moved, type="RELISTED")


def _repriced(before: Known, after: Seen) -> Change | None:
    old, new = before.price, after.price
    if old is None or new is None or before.trade_type != after.trade_type:
        return None
    base, value = old.amount, new.amount
    if base == value and old.monthly_rent is not None and new.monthly_rent is not None:
        base, value = old.monthly_rent, new.monthly_rent
    if base == value:
        return None
    return Change(
        "PRICE_UP" if value > base else "PRICE_DOWN",
        after.article_no,
        old_price=before.price_text,
        new_price=after.price_text,
        amount=value - base,
        percent=round((value - base) / base * 100, 2) if base else None,
    )


def removed(
    known: Mapping[str, Known], seen: Collection[str], *, steady: bool, previous_crawl_at: datetime | None
) -> tuple[list[Change], int]:
    """REMOVED, and how many missing listings have to wait for a second crawl.

    `previous_crawl_at` is when the last successful crawl began: a listing last seen before then was missing already.
    """
    active = [article for article in known.values() if article.is_active]
    missing = [article for article in active if article.article_no not in seen]
    doubtful = not steady or (len(active) >= GUARD_FROM and len(missing) * 2 > len(active))
    gone = [article for article in missing if not doubtful or _was_missing(article, previous_crawl_at)]
    changes = [Change("REMOVED", article.article_no, old_price=article.price_text) for article in gone]
    return changes, len(missing) - len(gone)


def _was_missing(article: Known, previous_crawl_at: datetime | None) -> bool:
    if previous_crawl_at is None:
        return False
    return article.last_seen_at is None or article.last_seen_at < previous_crawl_at
