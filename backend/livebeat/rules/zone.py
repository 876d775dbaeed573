"""Wall-clock times of a zone to instants, across gaps and repeats."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from livebeat.errors import SpecError

_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises:
        SpecError: no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SpecError(
            "timezone",
            f"{name!r} is not an IANA zone; write for example Asia/Seoul",
            f"{name!r}은(는) IANA 시간대가 아닙니다. 예: Asia/Seoul",
        ) from None


def instants(wall: datetime, tz: ZoneInfo) -> tuple[datetime, ...]:
    """The instants at which a clock in `tz` shows the naive `wall`: one, two in a repeat, none in a gap."""
    first, second = (wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return (first,)
    if first.astimezone(tz).replace(tzinfo=None) == wall:
        return (first, second)
    return ()


def gap_end(wall: datetime, tz: ZoneInfo) -> datetime:
    """The first valid instant after the gap that holds the naive `wall`, to the second."""
    high, low = (wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    before = low.astimezone(tz).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        if middle.astimezone(tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
