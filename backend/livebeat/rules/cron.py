"""Cron in Celery's meaning: five fields; day of month *and* day of week must both match; 0 = Sunday.

Across a clock change a rule with fixed times (no `*` in minute and hour, as in Debian's cron) fires once: at the
end of a gap that swallowed it, at the first pass of a repeat. A rule with a wildcard or step simply has no
instants in a gap and has them twice in a repeat.
"""

from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from celery.schedules import ParseException, crontab_parser

from livebeat.errors import SpecError
from livebeat.rules.recurrence import Recurrence
from livebeat.rules.zone import gap_end, instants, zone

_FIELDS = (("minute", 60, 0), ("hour", 24, 0), ("day_of_month", 31, 1), ("month_of_year", 12, 1), ("day_of_week", 7, 0))
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
#: A 29 February on a given weekday comes back within 40 years, also across a century without a leap year.
_HORIZON_YEARS = 41


class _Fields(NamedTuple):
    minutes_of_day: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    fixed: bool


@lru_cache(maxsize=65536)
def _parse(expression: str) -> _Fields:
    parts = expression.split()
    if len(parts) != len(_FIELDS):
        raise SpecError(
            "cron",
            f"{expression!r} has {len(parts)} fields; write five: minute hour day-of-month month day-of-week",
            f"{expression!r}: 필드가 {len(parts)}개입니다. '분 시 일 월 요일' 다섯 개를 적으세요",
        )
    minutes, hours, days, months, weekdays = (
        _parse_field(text, name, size, first) for text, (name, size, first) in zip(parts, _FIELDS, strict=True)
    )
    if not any(day <= _LONGEST_MONTH[month] for month in months for day in days):
        raise SpecError(
            "cron",
            f"{expression!r} never occurs: none of its months has such a day",
            f"{expression!r}: 해당 월에 그 날짜가 없어 실행될 수 없습니다",
        )
    return _Fields(
        tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)),
        frozenset(days),
        frozenset(months),
        frozenset(weekdays),
        "*" not in parts[0] and "*" not in parts[1],
    )


def _parse_field(text: str, name: str, size: int, first: int) -> set[int]:
    try:
        values: set[int] = crontab_parser(size, first).parse(text)
    except (ParseException, ValueError, IndexError, ZeroDivisionError, KeyError):
        values = set()
    last = first + size - 1
    if not values or min(values) < first or max(values) > last:
        raise SpecError(
            name,
            f"{text!r} is not usable; write numbers from {first} to {last}, lists, ranges or steps, or *",
            f"{text!r}을(를) 사용할 수 없습니다. {first}~{last} 범위의 숫자, 목록, 범위, 간격 또는 *을 적으세요",
        )
    return values


@dataclass(frozen=True)
class Cron(Recurrence):
    """`Cron("30 9 * * 1-5", timezone="Asia/Seoul")`. Without a zone the store fills in the Celery app's."""

    kind: ClassVar[str] = "cron"

    expression: str
    timezone: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", " ".join(self.expression.split()))
        _parse(self.expression)
        if self.timezone is not None:
            zone(self.timezone)

    def next_after(self, instant: datetime) -> datetime | None:
        fields = _parse(self.expression)
        tz = zone(self.timezone or "UTC")
        day = instant.astimezone(tz).date()
        if _day(day, tz).midnight > instant:
            day -= _DAY  # the clock will be set back over midnight: the day before has instants to come
        last_year = instant.year + _HORIZON_YEARS
        while (match := _matching_day(fields, day, last_year)) is not None:
            found = _first_in_day(fields, match, tz, instant)
            if found is not None:
                return found
            day = match + _DAY
        return None

    def count(self, after: datetime, until: datetime) -> int:
        """How many due instants lie in (after, until]: by whole days, so years cost little."""
        fields = _parse(self.expression)
        tz = zone(self.timezone or "UTC")
        # A day more at both ends, where clocks may be set back over midnight.
        found, day, last = 0, after.astimezone(tz).date() - _DAY, until.astimezone(tz).date() + _DAY
        while (match := _matching_day(fields, day, last.year)) is not None and match <= last:
            found += _count_in_day(fields, match, tz, after, until)
            day = match + _DAY
        return found

    def resolved(self, default_zone: str, anchor: datetime) -> "Cron":
        return self if self.timezone else Cron(self.expression, default_zone)

    def to_json(self) -> dict[str, Any]:
        data = {"kind": self.kind, "expression": self.expression}
        return {**data, "timezone": self.timezone} if self.timezone else data

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Cron":
        expression, timezone = data.get("expression"), data.get("timezone")
        if not isinstance(expression, str) or not isinstance(timezone, str | None):
            raise SpecError(
                "cron", "expression and timezone must be text", "expression과 timezone은 문자열이어야 합니다"
            )
        return cls(expression, timezone)

    def __str__(self) -> str:
        """As Celery prints a crontab, and as the old API showed it."""
        return f"<crontab: {self.expression} (m/h/dM/MY/d)>"


def _matching_day(fields: _Fields, day: date, last_year: int) -> date | None:
    """The first day from `day` on that the rule's three day fields accept; None past `last_year`."""
    while day.year <= last_year:
        if day.month not in fields.months:
            day = day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])
        elif day.day in fields.days and day.isoweekday() % 7 in fields.weekdays:
            return day
        else:
            day += _DAY
    return None


class _Day(NamedTuple):
    """`midnight`: its last one. `start`: the same for a day of 24 hours, None where clocks are changed on that day."""

    midnight: datetime
    start: datetime | None


@lru_cache(maxsize=1024)
def _day(day: date, tz: tzinfo) -> _Day:
    wall = datetime(day.year, day.month, day.day)  # noqa: DTZ001  a wall-clock reading, zone added below
    midnight = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    offsets = {at.replace(tzinfo=tz, fold=fold).utcoffset() for at in (wall, wall + _DAY) for fold in (0, 1)}
    return _Day(midnight, midnight if len(offsets) == 1 else None)


def _first_in_day(fields: _Fields, day: date, tz: tzinfo, after: datetime) -> datetime | None:
    start = _day(day, tz).start
    if start is None:
        return min((at for at in _instants_of_changing_day(fields, day, tz) if at > after), default=None)
    index = bisect_right(fields.minutes_of_day, (after - start) // _MINUTE)
    return start + timedelta(minutes=fields.minutes_of_day[index]) if index < len(fields.minutes_of_day) else None


def _count_in_day(fields: _Fields, day: date, tz: tzinfo, after: datetime, until: datetime) -> int:
    start = _day(day, tz).start
    if start is None:
        return sum(after < at <= until for at in _instants_of_changing_day(fields, day, tz))
    low, high = (bisect_right(fields.minutes_of_day, (at - start) // _MINUTE) for at in (after, until))
    return high - low


def _instants_of_changing_day(fields: _Fields, day: date, tz: tzinfo) -> set[datetime]:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  a wall-clock reading
    found: set[datetime] = set()
    for minute in fields.minutes_of_day:
        wall = midnight + timedelta(minutes=minute)
        at = instants(wall, tz)
        if at:
            found.update(at[:1] if fields.fixed else at)
        elif fields.fixed:
            found.add(gap_end(wall, tz))
    return found
