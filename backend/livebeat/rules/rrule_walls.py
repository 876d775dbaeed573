"""A rule's wall-clock readings, walked from any reading on at the same cost, never from its start.

Which days of a year a rule's BY-parts accept is dateutil's work, done once a year; the periods between them (every
third week, every 90 minutes) are arithmetic. Readings are naive datetimes; inside, seconds on that clock's own count.
"""

from bisect import bisect_left
from collections.abc import Callable
from datetime import MAXYEAR, date, datetime, timedelta
from functools import lru_cache
from itertools import product
from math import gcd
from typing import Protocol

from dateutil import rrule as dateutil

from livebeat.rules.rrule_text import DAILY, HOURLY, MINUTELY, MONTHLY, SECONDLY, WEEKLY, YEARLY, Parts

#: A 29 February on a given weekday comes back within 40 years, also across a century without a leap year.
_HORIZON_DAYS = 41 * 366
#: Periods that are looked into for one reading; a rule that needs more is as good as one that never comes.
_MOST_STEPS = 10_000
_DAY = 86_400
_MOST_DAYS = {YEARLY: 366, MONTHLY: 31, WEEKLY: 7, DAILY: 1}
_UNIT = {HOURLY: 3_600, MINUTELY: 60, SECONDLY: 1}
_DAY_PARTS = ("bymonth", "bymonthday", "byyearday", "byweekno", "byeaster")


class Walls(Protocol):
    """The readings of one rule from its start."""

    def after(self, wall: datetime) -> datetime | None:
        """The first reading strictly after `wall`; None where there is none within 40 years."""
        ...


def walls_of(parts: Parts, start: datetime) -> Walls:
    """The readings of a rule without its COUNT and UNTIL, counted from the reading `start`."""
    filled = parts.filled(start)
    return _ByDay(filled, start) if parts.has_times else _WithinDay(filled, start)


class _Days:
    """The days, as ordinals, that a rule's BY-parts accept."""

    def __init__(self, parts: Parts) -> None:
        by = {name: parts.by[name] for name in _DAY_PARTS if name in parts.by}
        days = parts.days
        if any(nth for _, nth in days):
            if parts.freq == MONTHLY:
                by.setdefault("bymonth", tuple(range(1, 13)))  # the nth of the month, not of the year
            each = range(1, 6) if "bymonth" in by else range(1, 54)
            days = tuple((day, n) for day, nth in days for n in ([nth] if nth else each))
        self._all = not by and not days
        self._key = (tuple(by.items()), days or tuple((day, 0) for day in range(7)), parts.wkst)

    def first(self, day: int, horizon: int) -> int | None:
        """The first day in [day, horizon]."""
        if self._all:
            return day if day <= horizon else None
        while day <= horizon:
            year = date.fromordinal(day).year
            found = _days_of_year(*self._key, year)
            index = bisect_left(found, day)
            if index < len(found):
                return found[index] if found[index] <= horizon else None
            day = date(year + 1, 1, 1).toordinal()
        return None

    def between(self, first: int, last: int) -> list[int]:
        """The days in [first, last], which span two years at most."""
        if self._all:
            return list(range(first, last + 1))
        years = sorted({date.fromordinal(first).year, date.fromordinal(last).year})
        return [day for year in years for day in _days_of_year(*self._key, year) if first <= day <= last]


@lru_cache(maxsize=1024)
def _days_of_year(
    by: tuple[tuple[str, tuple[int, ...]], ...], days: tuple[tuple[int, int], ...], wkst: int, year: int
) -> tuple[int, ...]:
    rule = dateutil.rrule(
        dateutil.YEARLY,
        dtstart=datetime(year, 1, 1),  # noqa: DTZ001  a wall-clock reading
        interval=MAXYEAR,  # this year only, even if it has no such day
        wkst=wkst,
        byweekday=[dateutil.weekday(day, nth or None) for day, nth in days],
        byhour=0,
        byminute=0,
        bysecond=0,
        **dict(by),
    )
    return tuple(wall.toordinal() for wall in rule)


class _ByDay:
    """YEARLY to DAILY: some days of each nth period, at some times of the day."""

    def __init__(self, parts: Parts, start: datetime) -> None:
        self._days = _Days(parts)
        times = product(parts.by["byhour"], parts.by["byminute"], parts.by["bysecond"])
        self._times = sorted(h * 3600 + m * 60 + s for h, m, s in times)
        most = _MOST_DAYS[parts.freq] * len(self._times)
        self._positions = [p for p in parts.by.get("bysetpos", ()) if abs(p) <= most]
        self._is_empty = "bysetpos" in parts.by and not self._positions
        self._start = _seconds(start)
        self._interval = parts.interval
        self._period, self._first_day = _PERIODS[parts.freq](parts.wkst)
        self._phase = self._period(start.toordinal())
        self._is_cut = parts.freq == WEEKLY

    def after(self, wall: datetime) -> datetime | None:
        if self._is_empty:
            return None
        low = max(_seconds(wall) + 1, self._start)
        rest = low // _DAY
        horizon = rest + _HORIZON_DAYS
        while (day := self._due_day(rest, horizon)) is not None:
            found, rest = self._in_set(day, low) if self._positions else self._in_day(day, low)
            if found is not None:
                return _reading(found)
        return None

    def _due_day(self, day: int, horizon: int) -> int | None:
        for _ in range(_MOST_STEPS):
            found = self._days.first(day, horizon)
            if found is None:
                return None
            behind = (self._period(found) - self._phase) % self._interval
            if not behind:
                return found
            day = self._first_day(self._period(found) + self._interval - behind)
        return None

    def _in_day(self, day: int, low: int) -> tuple[int | None, int]:
        """The first second of the day from `low` on, and the day to go on from."""
        index = bisect_left(self._times, low - day * _DAY)
        return (day * _DAY + self._times[index] if index < len(self._times) else None), day + 1

    def _in_set(self, day: int, low: int) -> tuple[int | None, int]:
        """The same for BYSETPOS, which chooses among all of the period that the day lies in."""
        period = self._period(day)
        first, end = self._first_day(period), self._first_day(period + 1)
        if self._is_cut and period == self._phase:
            first = max(first, self._start // _DAY)  # as dateutil: a first week begins on its first day
        days, times = self._days.between(first, end - 1), len(self._times)
        chosen = (p - 1 if p > 0 else p + len(days) * times for p in self._positions)
        seconds = (days[c // times] * _DAY + self._times[c % times] for c in chosen if 0 <= c < len(days) * times)
        return min((s for s in seconds if s >= low), default=None), end


class _WithinDay:
    """HOURLY to SECONDLY: every nth hour, minute or second, where the BY-parts accept it."""

    def __init__(self, parts: Parts, start: datetime) -> None:
        self._days = _Days(parts)
        freq, by = parts.freq, parts.by
        unit = _UNIT[freq]
        self._step = parts.interval * unit
        self._start = _seconds(start)
        self._phase = self._start // unit * unit
        limits = (("byhour", 3600, 24, HOURLY), ("byminute", 60, 60, MINUTELY), ("bysecond", 1, 60, SECONDLY))
        #: What a period must lie in: the numbers allowed, the seconds that one stands for, and how many there are.
        self._limits = [(by[name], size, base) for name, size, base, finest in limits if name in by and freq >= finest]
        minutes = by["byminute"] if freq == HOURLY else (0,)
        seconds = by["bysecond"] if freq <= MINUTELY else (0,)
        within = sorted(m * 60 + s for m, s in product(minutes, seconds))
        positions = by.get("bysetpos")
        if positions:
            chosen = {p - 1 if p > 0 else p + len(within) for p in positions}
            within = [within[c] for c in sorted(chosen) if 0 <= c < len(within)]
        self._within = within if self._is_reachable() else []

    def after(self, wall: datetime) -> datetime | None:
        if not self._within:
            return None
        low = max(_seconds(wall) + 1, self._start)
        horizon = low // _DAY + _HORIZON_DAYS
        second = low - self._within[-1]  # where the earliest period that may still hold one begins
        while (period := self._due_period(second, horizon)) is not None:
            index = bisect_left(self._within, low - period)
            if index < len(self._within):
                return _reading(period + self._within[index])
            second = period + 1
        return None

    def _due_period(self, second: int, horizon: int) -> int | None:
        """The first period that begins at `second` or later and is accepted."""
        for _ in range(_MOST_STEPS):
            second += (self._phase - second) % self._step
            day = self._days.first(second // _DAY, horizon)
            if day is None:
                return None
            if day > second // _DAY:
                second = day * _DAY
                continue
            later = self._where_allowed(second)
            if later == second:
                return second
            second = later
        return None

    def _where_allowed(self, second: int) -> int:
        """`second`, or the first later one at which the coarsest limit that refuses it may accept again."""
        for allowed, size, base in self._limits:
            number = second // size % base
            index = bisect_left(allowed, number)
            if index == len(allowed):
                return (second // (size * base) + 1) * size * base
            if allowed[index] > number:
                return (second // (size * base) * base + allowed[index]) * size
        return second

    def _is_reachable(self) -> bool:
        """Whether the steps ever fall on a time of day that the limits accept: they come round after whole days."""
        stride = gcd(self._step, _DAY)
        second = self._phase % stride
        while second < _DAY:
            later = self._where_allowed(second)
            if later == second:
                return True
            second = later + (self._phase - later) % stride
        return False


def _seconds(wall: datetime) -> int:
    return wall.toordinal() * _DAY + wall.hour * 3600 + wall.minute * 60 + wall.second


def _reading(seconds: int) -> datetime:
    day, rest = divmod(seconds, _DAY)
    return datetime.fromordinal(day) + timedelta(seconds=rest)


_Numbering = tuple[Callable[[int], int], Callable[[int], int]]


def _years(_: int) -> _Numbering:
    return lambda day: date.fromordinal(day).year, lambda year: date(year, 1, 1).toordinal()


def _months(_: int) -> _Numbering:
    def number(day: int) -> int:
        at = date.fromordinal(day)
        return at.year * 12 + at.month - 1

    return number, lambda month: date(month // 12, month % 12 + 1, 1).toordinal()


def _weeks(wkst: int) -> _Numbering:
    return lambda day: (day - 1 - wkst) // 7, lambda week: week * 7 + 1 + wkst  # day 1 of the calendar is a Monday


def _single_days(_: int) -> _Numbering:
    return lambda day: day, lambda day: day


#: Frequency → a period's number from a day in it, and its first day from its number.
_PERIODS = {YEARLY: _years, MONTHLY: _months, WEEKLY: _weeks, DAILY: _single_days}
