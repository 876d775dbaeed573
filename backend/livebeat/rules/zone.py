"""A zone's clocks: when they are set, and which instants show a reading."""

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from livebeat.errors import SpecError

_SECOND = timedelta(seconds=1)
_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
#: A year whose clock changes are those of a zone's last known rule.
_FAR_YEAR = 2037
#: No zone's clocks were ever set twice within so little.
_STRIDE = timedelta(days=2)
#: Beside a year, for clocks that are set around New Year.
_MARGIN = timedelta(days=4)


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """The zone of an IANA name, or of an offset that never changes, such as `+09:00`.

    Raises:
        SpecError: no such zone.
    """
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        distance = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-distance if sign == "-" else distance)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SpecError(
            "timezone",
            f"{name!r} is not an IANA zone; write for example Asia/Seoul",
            f"{name!r}은(는) IANA 시간대가 아닙니다. 예: Asia/Seoul",
        ) from None


def keeps_offset(name: str, since: datetime) -> bool:
    """Whether the zone's clocks differ from UTC by the same all year round, as they did at the instant `since`."""
    return _offsets_of_a_year(name) == {since.astimezone(zone(name)).utcoffset()}


@lru_cache(maxsize=1024)
def _offsets_of_a_year(name: str) -> set[timedelta | None]:
    tz, year = zone(name), datetime(_FAR_YEAR, 1, 1, tzinfo=UTC)
    return {(year + timedelta(days=day)).astimezone(tz).utcoffset() for day in range(0, 366, 7)}


def instants(wall: datetime, tz: tzinfo) -> tuple[datetime, ...]:
    """The instants at which a clock in `tz` shows the naive `wall`: one, two in a repeat, none in a gap."""
    first, second = (wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return (first,)
    if first.astimezone(tz).replace(tzinfo=None) == wall:
        return (first, second)
    return ()


def change(low: datetime, high: datetime, tz: tzinfo) -> datetime:
    """The instant in (low, high], to the second, at which a clock in `tz` is set forward or back; there must be one."""
    before = low.astimezone(tz).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        if middle.astimezone(tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


class Stretch(NamedTuple):
    """From `begin` on and before `end` a zone's clocks keep one `offset` from UTC.

    Readings: `opens` at `begin`, where clocks left at `left` would have gone on; `closes` at `end`, where the next
    stretch opens at `resumes`. So [left, opens) is a gap before it, [resumes, closes) a repeat after it, and so on.
    """

    begin: datetime
    end: datetime
    offset: timedelta
    left: datetime
    opens: datetime
    closes: datetime
    resumes: datetime


def stretch(instant: datetime, tz: tzinfo) -> Stretch:
    """The stretch that holds a UTC instant."""
    begins, stretches = _year(instant.year, tz)
    return stretches[bisect_right(begins, instant) - 1]


@lru_cache(maxsize=4096)
def _year(year: int, tz: tzinfo) -> tuple[tuple[datetime, ...], tuple[Stretch, ...]]:
    """The beginnings and the stretches of a year and a little more at both ends."""
    first, last = datetime(year, 1, 1, tzinfo=UTC) - _MARGIN, datetime(year, 12, 31, tzinfo=UTC) + _MARGIN
    begins, offsets = [first], [_offset(first, tz)]
    low, before = first, offsets[0]
    while low < last:
        high = min(low + _STRIDE, last)
        offset = _offset(high, tz)
        if offset != before:
            begins.append(change(low, high, tz))
            offsets.append(offset)
        low, before = high, offset
    ends = (*begins[1:], last)
    around = (offsets[0], *offsets, offsets[-1])
    found = zip(begins, ends, around, offsets, around[2:], strict=False)
    return tuple(begins), tuple(_stretch(*one) for one in found)


def _stretch(begin: datetime, end: datetime, before: timedelta, offset: timedelta, after: timedelta) -> Stretch:
    opened, closed = begin.replace(tzinfo=None), end.replace(tzinfo=None)
    return Stretch(begin, end, offset, opened + before, opened + offset, closed + offset, closed + after)


def _offset(instant: datetime, tz: tzinfo) -> timedelta:
    return instant.astimezone(tz).utcoffset() or timedelta(0)
