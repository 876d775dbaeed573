"""The fields of a cron expression, checked, and the readings that fit them all."""

from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from celery.schedules import ParseException, crontab_parser

from livebeat.errors import SpecError
from livebeat.rules.clocks import HORIZON

_NAMES = ("second", "minute", "hour", "day_of_month", "month_of_year", "day_of_week")
#: How many values a field has, and the first.
_SIZES = ((60, 0), (60, 0), (24, 0), (31, 1), (12, 1), (7, 0))
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2
_DAY = timedelta(days=1)
_LAST_YEAR = 9_998


class Fields(NamedTuple):
    """What each field accepts, ascending. `fixed`: it names times of the day (no `*` in minute and hour)."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    fixed: bool

    def after(self, wall: datetime) -> datetime | None:
        """The first reading strictly after `wall`; None where there is none within 40 years."""
        if self._accepts(wall):
            time = self._later(wall.hour, wall.minute, wall.second)
            if time is not None:
                return datetime(wall.year, wall.month, wall.day, *time)  # noqa: DTZ001  a wall-clock reading
        first = wall.date() + _DAY
        for day in self._days(first, first + HORIZON):
            return datetime(day.year, day.month, day.day, self.hours[0], self.minutes[0], self.seconds[0])  # noqa: DTZ001
        return None

    def hours_of(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """The beginnings of the hours that hold readings and meet [low, high], in order."""
        first = low.replace(minute=0, second=0, microsecond=0)
        for day in self._days(low.date(), high.date()):
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  a wall-clock reading
            for hour in self.hours:
                begin = midnight + timedelta(hours=hour)
                if first <= begin <= high:
                    yield begin

    def within_an_hour(self) -> tuple[timedelta, ...]:
        """What comes after an hour's beginning, up to each of its readings."""
        return _within(self.minutes, self.seconds)

    def number(self, low: datetime, high: datetime) -> int:
        """How many readings lie in (low, high]: by whole days, so years cost little."""
        if low >= high:
            return 0
        each = len(self.hours) * len(self.minutes) * len(self.seconds)
        found = each * sum(1 for _ in self._days(low.date(), high.date()))
        return found - self._passed(low) - (each - self._passed(high) if self._accepts(high) else 0)

    def _accepts(self, day: date) -> bool:
        return day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays

    def _days(self, first: date, last: date) -> Iterator[date]:
        """The days in [first, last] that the three day fields accept."""
        for year in range(first.year, min(last.year, _LAST_YEAR) + 1):
            begins = year == first.year
            for month in self.months[bisect_left(self.months, first.month) if begins else 0 :]:
                starts = begins and month == first.month
                for day in self.days[bisect_left(self.days, first.day) if starts else 0 :]:
                    if day > _LONGEST_MONTH[month] - (month == _FEBRUARY and not isleap(year)):
                        break
                    found = date(year, month, day)
                    if found > last:
                        return
                    if found.isoweekday() % 7 in self.weekdays:
                        yield found

    def _later(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first time of the day after this one."""
        if hour in self.hours:
            if minute in self.minutes and second < self.seconds[-1]:
                return hour, minute, self.seconds[bisect_right(self.seconds, second)]
            if minute < self.minutes[-1]:
                return hour, self.minutes[bisect_right(self.minutes, minute)], self.seconds[0]
        if hour < self.hours[-1]:
            return self.hours[bisect_right(self.hours, hour)], self.minutes[0], self.seconds[0]
        return None

    def _passed(self, wall: datetime) -> int:
        """How many readings of its day are not later than `wall`."""
        if not self._accepts(wall):
            return 0
        hours, minutes = bisect_left(self.hours, wall.hour), 0
        seconds = 0
        if wall.hour in self.hours:
            minutes = bisect_left(self.minutes, wall.minute)
            if wall.minute in self.minutes:
                seconds = bisect_right(self.seconds, wall.second)
        return (hours * len(self.minutes) + minutes) * len(self.seconds) + seconds


@lru_cache(maxsize=65536)
def fields_of(expression: str) -> Fields:
    """The fields of an expression: five, or six with the seconds first.

    Raises:
        SpecError: it isn't one; names the field and says what to write.
    """
    parts = expression.split()
    if len(parts) not in {5, 6}:
        raise SpecError(
            "cron",
            f"{expression!r} has {len(parts)} fields; write five: minute hour day-of-month month day-of-week, "
            "or six with the second first",
            f"{expression!r}: 필드가 {len(parts)}개입니다. '분 시 일 월 요일' 다섯 개, 또는 맨 앞에 초를 더해 여섯 개를 적으세요",
        )
    texts = parts if len(parts) == 6 else ["0", *parts]
    seconds, minutes, hours, days, months, weekdays = (
        _values(text, name, *size) for text, name, size in zip(texts, _NAMES, _SIZES, strict=True)
    )
    if not any(day <= _LONGEST_MONTH[month] for month in months for day in days):
        raise SpecError(
            "cron",
            f"{expression!r} never occurs: none of its months has such a day",
            f"{expression!r}: 해당 월에 그 날짜가 없어 실행될 수 없습니다",
        )
    return Fields(seconds, minutes, hours, days, months, weekdays, "*" not in texts[1] and "*" not in texts[2])


@lru_cache(maxsize=4096)
def _values(text: str, name: str, size: int, first: int) -> tuple[int, ...]:
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
    return tuple(sorted(values))


@lru_cache(maxsize=256)
def _within(minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=minute, seconds=second) for minute in minutes for second in seconds)
