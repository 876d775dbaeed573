"""RFC 5545 rules, a day and a minute at a time: every part is asked whether it accepts them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_EPOCH = datetime(1970, 1, 1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Reading:
    """`times_of`: the minutes of a day that are due on it; `second_of`: whether a second of such a reading is.

    `seconds`: those that ever are.
    """

    times_of: Callable[[date], Iterable[int]]
    seconds: tuple[int, ...]
    fixed: bool
    until: datetime | None
    second_of: Callable[[int, int], bool] | None = None

    def up_to(self, last: datetime) -> "Reading":
        """Without the readings after `last`."""
        end = int((last - _EPOCH).total_seconds())
        first = min(self.seconds)

        def times_of(day: date) -> Iterable[int]:
            return [time for time in self.times_of(day) if _wall(day, time) + timedelta(seconds=first) <= last]

        def second_of(wall: int, second: int) -> bool:
            return wall * 60 + second <= end and (self.second_of is None or self.second_of(wall, second))

        return replace(self, times_of=times_of, second_of=second_of)


@lru_cache(maxsize=256)
def rrule(text: str, dtstart: str, timezone: str) -> Reading:
    """The rule read on the clocks of its zone, from the reading of `dtstart` on."""
    parts = dict(part.split("=") for part in text.split(";"))
    start = datetime.fromisoformat(dtstart).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    by_days = parts["FREQ"] in {"YEARLY", "MONTHLY", "WEEKLY", "DAILY"}
    until = datetime.fromisoformat(parts["UNTIL"].removesuffix("Z")) if "UNTIL" in parts else None
    instant = until.replace(tzinfo=UTC) if until and parts["UNTIL"].endswith("Z") else None
    reading = (_by_days if by_days else _all_day_long)(parts, start, instant)
    return reading.up_to(until) if until and instant is None else reading


def _numbers(parts: dict[str, str], name: str) -> list[int]:
    return [int(number) for number in parts[name].split(",")] if name in parts else []


def _by_days(parts: dict[str, str], start: datetime, until: datetime | None) -> Reading:
    hours = _numbers(parts, "BYHOUR") or [start.hour]
    minutes = _numbers(parts, "BYMINUTE") or [start.minute]
    seconds = tuple(_numbers(parts, "BYSECOND") or [start.second])
    times = sorted({h * 60 + m for h, m in product(hours, minutes)})
    positions, freq = _numbers(parts, "BYSETPOS"), parts["FREQ"]
    first_of_week = _DAYS.index(parts.get("WKST", "MO"))

    def is_due_period(day: date) -> bool:
        return _periods_between(freq, first_of_week, start.date(), day) % int(parts.get("INTERVAL", "1")) == 0

    @lru_cache(maxsize=512)
    def accepted(day: date) -> tuple[int, ...]:
        if not _accepts_day(parts, start, day) or not is_due_period(day):
            return ()
        chosen = tuple(times)
        if positions:
            chosen = tuple(time for at, time in in_set(day) if at == day)
        return tuple(time for time in chosen if _wall(day, time) >= start.replace(second=0))

    def in_set(day: date) -> list[tuple[date, int]]:
        days = [one for one in _period(freq, first_of_week, day) if _accepts_day(parts, start, one)]
        if freq == "WEEKLY":  # a first week begins on its first day
            days = [one for one in days if one >= start.date()]
        whole = [(one, time) for one in days for time in times]
        wanted = [p - 1 if p > 0 else len(whole) + p for p in positions]
        return [whole[index] for index in wanted if 0 <= index < len(whole)]

    counted = None
    if "COUNT" in parts:
        day, left, counted = start.date(), int(parts["COUNT"]), {}
        while left > 0:
            counted[day] = accepted(day)[:left]
            left -= len(counted[day])
            day += _DAY
    return Reading(accepted if counted is None else lambda day: counted.get(day, ()), seconds, True, until)


def _wall(day: date, time: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(minutes=time)


def _accepts_day(parts: dict[str, str], start: datetime, day: date) -> bool:
    """Whether each part that speaks of days accepts it; what none says, the start says."""
    freq = parts["FREQ"]
    months, in_month, in_year = (_numbers(parts, name) for name in ("BYMONTH", "BYMONTHDAY", "BYYEARDAY"))
    says_days = bool(in_month or in_year or "BYDAY" in parts)
    if freq == "YEARLY" and not says_days and not months:
        months = [start.month]
    if freq in {"YEARLY", "MONTHLY"} and not says_days:
        in_month = [start.day]
    weekdays = parts["BYDAY"].split(",") if "BYDAY" in parts else []
    if freq == "WEEKLY" and not says_days:
        weekdays = [_DAYS[start.weekday()]]
    is_in_month = freq == "MONTHLY" or bool(_numbers(parts, "BYMONTH"))
    begin = day.replace(day=1) if is_in_month else day.replace(month=1, day=1)
    end = _next_month(day) if is_in_month else date(day.year + 1, 1, 1)
    return (
        (not months or day.month in months)
        and (not in_month or _is_nth(day, in_month, day.replace(day=1), _next_month(day)))
        and (not in_year or _is_nth(day, in_year, date(day.year, 1, 1), date(day.year + 1, 1, 1)))
        and (not weekdays or any(_is_weekday(day, text, begin, end) for text in weekdays))
    )


def _next_month(day: date) -> date:
    return (day.replace(day=28) + 4 * _DAY).replace(day=1)


def _is_nth(day: date, numbers: list[int], begin: date, end: date) -> bool:
    return (day - begin).days + 1 in numbers or (day - end).days in numbers


def _is_weekday(day: date, text: str, begin: date, end: date) -> bool:
    if _DAYS[day.weekday()] != text[-2:]:
        return False
    from_end = -(((end - day).days - 1) // 7 + 1)
    return int(text[:-2] or 0) in {0, (day - begin).days // 7 + 1, from_end}


def _periods_between(freq: str, first_of_week: int, start: date, day: date) -> int:
    if freq == "YEARLY":
        return day.year - start.year
    if freq == "MONTHLY":
        return (day.year - start.year) * 12 + day.month - start.month
    if freq == "DAILY":
        return (day - start).days
    return ((_week(day, first_of_week) - _week(start, first_of_week)).days) // 7


def _week(day: date, first_of_week: int) -> date:
    return day - (day.weekday() - first_of_week) % 7 * _DAY


def _period(freq: str, first_of_week: int, day: date) -> list[date]:
    """All days of the period that the day lies in."""
    if freq == "DAILY":
        return [day]
    if freq == "WEEKLY":
        begin = _week(day, first_of_week)
        return [begin + n * _DAY for n in range(7)]
    begin = day.replace(day=1) if freq == "MONTHLY" else date(day.year, 1, 1)
    end = _next_month(day) if freq == "MONTHLY" else date(day.year + 1, 1, 1)
    return [begin + n * _DAY for n in range((end - begin).days)]


def _all_day_long(parts: dict[str, str], start: datetime, until: datetime | None) -> Reading:
    unit = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[parts["FREQ"]]
    step = int(parts.get("INTERVAL", "1"))
    hours, minutes, seconds = (_numbers(parts, name) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if unit == 3600:
        minutes = minutes or [start.minute]
    if unit >= 60:
        seconds = seconds or [start.second]
    from_start = int((start - _EPOCH).total_seconds())

    def is_due(second: int) -> bool:
        return second >= from_start and (second // unit - from_start // unit) % step == 0

    @lru_cache(maxsize=64)
    def times_of(day: date) -> list[int]:
        if not _accepts_day({**parts, "FREQ": "DAILY"}, start, day):
            return []
        return [
            time for time in range(1440) if (not hours or time // 60 in hours) and (not minutes or time % 60 in minutes)
        ]

    chosen = tuple(sorted(seconds or range(60)))
    return Reading(times_of, chosen, False, until, lambda wall, second: is_due(wall * 60 + second))
