"""Importing real trades: each month of a region whole, in one transaction, each trade once.

Guarantees: importing again changes nothing but what the ministry changed; a trade that was called off stays, marked with
the day; one that fits no watched complex is kept without one. A trade is told from others by apartment, place, day, area,
floor and price; where the ministry lists one both as called off and as standing, it was signed again and stands.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from app.clients.budget import SEOUL
from app.clients.http import Patience
from app.clients.real_trades import RealTradesClient, Trade
from app.core.settings import Settings
from app.domains.realestate.models import Transaction
from app.domains.realestate.places import Places
from app.domains.realestate.prices import format_amount
from livebeat import clock

#: Months of regions in one import: half of what a key may ask for in a day.
MOST_MONTHS = 500
_REGION_DIGITS = 5
_KEPT_UP = ("complex", "building_name", "cancelled_on", "build_year")


def import_trades(
    regions: Sequence[str],
    months: int = 3,
    *,
    settings: Settings | None = None,
    patience: Patience | None = None,
    now: datetime | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Import the sales of the last `months` months, this one included, in these regions (five digits each).

    `tell` hears after each month of a region how many are done, of how many. Returns JSON-ready: started_at, finished_at,
    regions, months, trades, new, updated, cancelled, unmatched.

    Raises:
        ValueError: a region that isn't one, or too many months.
        NotConfiguredError: no key.
        UpstreamError: the ministry did not answer as it should; the months before are imported.
    """
    started_at = now or clock.now()
    wanted = months_until(started_at.astimezone(SEOUL), months)
    todo = [(region, month) for region in _checked(regions) for month in wanted]
    if not 0 < len(todo) <= MOST_MONTHS:
        raise ValueError(f"regions times months must be 1 to {MOST_MONTHS}, not {len(todo)}")
    counts = {"trades": 0, "new": 0, "updated": 0, "cancelled": 0, "unmatched": 0}
    with RealTradesClient(settings=settings, patience=patience) as client:
        for done, (region, month) in enumerate(todo, start=1):
            stored = store(region, month, client.trades(region, month))
            counts = {name: counts[name] + stored[name] for name in counts}
            if tell:
                tell(done, len(todo))
    finished_at = now or clock.now()
    return {
        "started_at": started_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "regions": list(dict.fromkeys(regions)),
        "months": wanted,
        **counts,
    }


def months_until(day: datetime, months: int) -> list[str]:
    """The last `months` months up to that of `day`, as YYYYMM, newest first. Raises ValueError unless 1 to 120."""
    if not 1 <= months <= 120:
        raise ValueError(f"months must be 1 to 120, not {months}")
    last = day.year * 12 + day.month - 1
    return [f"{number // 12}{number % 12 + 1:02d}" for number in range(last, last - months, -1)]


def store(region: str, month: str, trades: Iterable[Trade]) -> dict[str, int]:
    """Write a month of a region; counts of trades, and of new, updated, cancelled and unmatched ones."""
    wanted = _once(region, trades)
    with transaction.atomic():
        places = Places(region)
        known = _known(region, month)
        legacy = _without_key(month)
        new, changed = [], []
        for key, trade in wanted.items():
            row = _row(region, key, trade, places.complex_of(trade))
            before = known.get(key) or legacy.pop(_old_key(row), None)
            if before is None:
                new.append(row)
            elif _brought_up(before, row):
                changed.append(before)
        Transaction.objects.bulk_create(new, batch_size=200, ignore_conflicts=True)
        fields = [*_KEPT_UP, "trade_key", "region_code", "apartment_name", "legal_dong", "jibun"]
        Transaction.objects.bulk_update(changed, fields, batch_size=100)
        return {
            "trades": len(wanted),
            "new": len(new),
            "updated": len(changed),
            "cancelled": sum(trade.cancelled_on is not None for trade in wanted.values()),
            "unmatched": _of_month(region, month).filter(complex=None).count(),
        }


def _checked(regions: Sequence[str]) -> list[str]:
    for region in regions:
        if not (isinstance(region, str) and region.isascii() and region.isdigit() and len(region) == _REGION_DIGITS):
            raise ValueError(f"a region is the first five digits of a legal-dong code, not {str(region)[:20]!r}")
    return list(dict.fromkeys(regions))


def _once(region: str, trades: Iterable[Trade]) -> dict[str, Trade]:
    found: dict[str, Trade] = {}
    for trade in trades:
        key = _key(region, trade)
        if key not in found or trade.cancelled_on is None:
            found[key] = trade
    return found


def _key(region: str, trade: Trade) -> str:
    parts = (region, trade.legal_dong, trade.jibun, trade.apartment, trade.day, trade.area, trade.floor, trade.amount)
    return hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def _of_month(region: str, month: str) -> Any:
    return Transaction.objects.filter(region_code=region, trade_date__startswith=month)


def _known(region: str, month: str) -> dict[str, Transaction]:
    return {str(row.trade_key): row for row in _of_month(region, month).exclude(trade_key=None)}


def _without_key(month: str) -> dict[tuple[Any, ...], Transaction]:
    """The old crawler's rows of the month, which the ministry's trades take over instead of doubling them."""
    rows = Transaction.objects.filter(trade_key=None, trade_date__startswith=month).exclude(complex=None)
    return {_old_key(row): row for row in rows}


def _old_key(row: Transaction) -> tuple[Any, ...]:
    area = row.exclusive_area if row.exclusive_area is not None else row.area
    return (row.complex_id, row.trade_date, row.deal_price, row.floor, None if area is None else round(area, 1))


def _row(region: str, key: str, trade: Trade, complex_id: str | None) -> Transaction:
    return Transaction(
        complex_id=complex_id,
        trade_type="매매",
        trade_date=trade.day,
        deal_price=trade.amount,
        formatted_price=format_amount(trade.amount),
        floor=trade.floor,
        area=trade.area,
        exclusive_area=trade.area,
        region_code=region,
        apartment_name=trade.apartment,
        legal_dong=trade.legal_dong,
        jibun=trade.jibun,
        building_name=trade.building or None,
        build_year=trade.build_year,
        cancelled_on=trade.cancelled_on,
        trade_key=key,
    )


def _brought_up(before: Transaction, row: Transaction) -> bool:
    """Bring a known row up to date; whether that changed it. A complex that somebody chose stays."""
    wanted = {
        "complex_id": before.complex_id or row.complex_id,
        "building_name": row.building_name or before.building_name,
        "cancelled_on": row.cancelled_on,
        "build_year": row.build_year or before.build_year,
        "trade_key": row.trade_key,
        "region_code": row.region_code,
        "apartment_name": row.apartment_name,
        "legal_dong": row.legal_dong,
        "jibun": row.jibun,
    }
    differing = {name: value for name, value in wanted.items() if getattr(before, name) != value}
    for name, value in differing.items():
        setattr(before, name, value)
    return bool(differing)
