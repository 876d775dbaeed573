"""Wall-clock times of a zone to instants, across gaps and repeats."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from livebeat.errors import SpecError

_SECOND = timedelta(seconds=1)
_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
#: A year whose clock changes are those of a zone's last known rule.
_FAR_YEAR = 2037


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


def gap_end(wall: datetime, tz: tzinfo) -> datetime:
    """The first valid instant after the gap that holds the naive `wall`, to the second."""
    after, before = (wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    return change(before, after, tz)


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
