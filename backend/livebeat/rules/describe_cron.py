"""A cron rule in words, Korean or English."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from celery.schedules import crontab_parser

from livebeat.errors import Language
from livebeat.rules.rrule_words import MOST_TIMES, listed, months, time_of_day, weekdays


class _Within(NamedTuple):
    """Seconds or minutes of something: its words alone, and of one that was named before."""

    alone: str
    of_that: str


def cron_in_words(expression: str, language: Language) -> str:
    """`매주 월요일 06:00`, `every Monday 06:00`, of five fields, or of six with seconds first."""
    *seconds, minute, hour, day, month, weekday = expression.split()
    second = seconds[0] if seconds else "0"
    days = _days(day, month, weekday, language)
    times = _fixed(second, minute, hour)
    if times:
        return f"{days} {times}"
    running = _running(second, minute, hour, language)
    return f"{days} {running}" if language == "ko" else f"{days}, {running}"


def _fixed(second: str, minute: str, hour: str) -> str:
    """The times of the day, where they are few; '' where they are not."""
    if "*" in second + minute + hour:
        return ""
    fields = _numbers(hour, 24, 0), _numbers(minute, 60, 0), _numbers(second, 60, 0)
    times = list(product(*fields))
    return ", ".join(time_of_day(*time) for time in times) if len(times) <= MOST_TIMES else ""


def _running(second: str, minute: str, hour: str, language: Language) -> str:
    """What goes on through the day."""
    if second == "0":
        return _minutes(minute, hour, language)
    seconds = _seconds(second, language)
    if minute != "*":
        return f"{_minutes(minute, hour, language)}{seconds.of_that}"
    if hour == "*":
        return seconds.alone
    return (
        f"{_hours(hour, language)} {seconds.alone}" if language == "ko" else f"{seconds.alone} {_hours(hour, language)}"
    )


def _seconds(field: str, language: Language) -> _Within:
    ko = language == "ko"
    if step := _step(field, 60):
        every = (
            ("매초" if step == 1 else f"{step}초마다")
            if ko
            else ("every second" if step == 1 else f"every {step} seconds")
        )
        return _Within(every, f", 그 1분 동안 {every}" if ko else f", {every} of that minute")
    numbers = _numbers(field, 60, 0)
    if ko:
        return _Within(f"매분 {listed(numbers, '초')}", f" {listed(numbers, '초')}")
    at = f"at second{_s(numbers)} {listed(numbers)}"
    return _Within(f"{at} of every minute", f", {at}")


def _minutes(minute: str, hour: str, language: Language) -> str:
    ko = language == "ko"
    numbers, hours = _numbers(minute, 60, 0), "" if hour == "*" else _hours(hour, language)
    if step := _step(minute, 60):
        every = (
            ("매분" if step == 1 else f"{step}분마다")
            if ko
            else ("every minute" if step == 1 else f"every {step} minutes")
        )
        return every if not hours else f"{hours} {every}" if ko else f"{every} {hours}"
    if ko:
        at = listed(numbers, "분")
        return f"{hours} {at}" if hour.isdecimal() else f"{hours} 매시 {at}".lstrip()
    at = f"at minute{_s(numbers)} {listed(numbers)}"
    return f"{at} of every hour" if not hours else f"{at} {hours}"


def _hours(hour: str, language: Language) -> str:
    ko, numbers = language == "ko", _numbers(hour, 24, 0)
    if ko:
        return listed(numbers, "시")
    return f"of hour{_s(numbers)} {listed(numbers)}"


def _days(day: str, month: str, weekday: str, language: Language) -> str:
    ko = language == "ko"
    parts = []
    if month != "*":
        named = months(_numbers(month, 12, 1), language)
        parts.append(named if ko else f"in {named}")
    if day != "*":
        days = _numbers(day, 31, 1)
        prefix = "" if month != "*" else "매월 "
        parts.append(prefix + listed(days, "일") if ko else f"on day{_s(days)} {listed(days)} of the month")
    if weekday != "*":
        names = weekdays([(number - 1) % 7 for number in _numbers(weekday, 7, 0)], language)
        if day != "*":
            parts.append(f"중 {names}에만" if ko else f"only if it is {names}")
        else:
            parts.append(f"매주 {names}" if ko else f"every {names}")
    elif month != "*" and day == "*":
        parts.append("매일" if ko else "every day")
    return " ".join(parts) or ("매일" if ko else "every day")


def _step(field: str, size: int) -> int:
    """1 of `*`, n of `*/n` where that is the same distance all the way round; else 0."""
    if field == "*":
        return 1
    start, _, step = field.partition("/")
    return int(step) if start == "*" and step.isdecimal() and size % int(step) == 0 else 0


def _numbers(field: str, size: int, first: int) -> list[int]:
    return sorted(crontab_parser(size, first).parse(field))


def _s(numbers: Sequence[int]) -> str:
    return "s" if len(numbers) > 1 else ""
