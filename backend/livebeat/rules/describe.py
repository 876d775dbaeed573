"""A rule in words, Korean or English: for pages, the shell and error messages. Never parsed back."""

from collections.abc import Sequence
from typing import NamedTuple

from celery.schedules import crontab_parser

from livebeat.errors import Language
from livebeat.rules.cron import Cron
from livebeat.rules.interval import Interval
from livebeat.rules.once import Once
from livebeat.rules.recurrence import Recurrence
from livebeat.rules.rrule import RRule
from livebeat.rules.rrule_words import MONTHS, WEEKDAYS, rrule_in_words

_MOST_TIMES = 6


class _Unit(NamedTuple):
    seconds: int
    ko: str
    en: str


_UNITS = (_Unit(86400, "일", "day"), _Unit(3600, "시간", "hour"), _Unit(60, "분", "minute"), _Unit(1, "초", "second"))


def describe(rule: Recurrence, language: Language = "ko") -> str:
    """The rule in words, without its zone: `매주 월요일 06:00`, `every Monday 06:00`."""
    if isinstance(rule, Interval):
        return _interval(rule, language)
    if isinstance(rule, Cron):
        return _cron(rule.expression, language)
    if isinstance(rule, RRule):
        is_whole = rule.dtstart is not None and rule.parts.has_times
        return rrule_in_words(rule.parts.filled(rule.start) if is_whole else rule.parts, language)
    if isinstance(rule, Once):
        at = rule.at.isoformat(sep=" ").replace("+00:00", " UTC")
        return f"{at}에 한 번" if language == "ko" else f"once, {at}"
    return str(rule)


def _interval(rule: Interval, language: Language) -> str:
    seconds = rule.every.total_seconds()
    for unit in _UNITS:
        if seconds >= unit.seconds and seconds % unit.seconds == 0:
            count = int(seconds // unit.seconds)
            if language == "ko":
                return f"{count}{unit.ko}마다"
            return f"every {unit.en}" if count == 1 else f"every {count} {unit.en}s"
    return f"{seconds:g}초마다" if language == "ko" else f"every {seconds:g} seconds"


def _cron(expression: str, language: Language) -> str:
    minute, hour, day, month, weekday = expression.split()
    days = _days(day, month, weekday, language)
    times = _times(minute, hour, language)
    return (
        f"{days} {times}" if language == "ko" else f"{days}, {times}" if not times[0].isdigit() else f"{days} {times}"
    )


def _times(minute: str, hour: str, language: Language) -> str:
    minutes, hours = _numbers(minute, 60, 0), _numbers(hour, 24, 0)
    if "*" not in minute + hour and len(minutes) * len(hours) <= _MOST_TIMES:
        return ", ".join(f"{h:02d}:{m:02d}" for h in hours for m in minutes)
    ko = language == "ko"
    if hour == "*" and minute == "*":
        return "매분" if ko else "every minute"
    if hour == "*" and minute.startswith("*/") and 60 % int(minute[2:]) == 0:
        return f"{minute[2:]}분마다" if ko else f"every {minute[2:]} minutes"
    at = _list(minutes, "분" if ko else "")
    if hour == "*":
        return f"매시 {at}" if ko else f"at minute {at} of every hour"
    within = _list(hours, "시" if ko else "")
    if minute == "*":
        return f"{within} 동안 매분" if ko else f"every minute of hour {within}"
    return f"{within}의 {at}" if ko else f"at minute {at} of hour {within}"


def _days(day: str, month: str, weekday: str, language: Language) -> str:
    ko = language == "ko"
    parts = []
    if month != "*":
        months = _numbers(month, 12, 1)
        parts.append(_list(months, "월") if ko else "in " + ", ".join(MONTHS[m - 1] for m in months))
    if day != "*":
        days = _numbers(day, 31, 1)
        prefix = "" if month != "*" else "매월 "
        parts.append(prefix + _list(days, "일") if ko else f"on day {_list(days, '')} of the month")
    if weekday != "*":
        names = ", ".join(WEEKDAYS[language][w - 1] for w in _numbers(weekday, 7, 0))
        only = bool(parts)
        if ko:
            parts.append(f"중 {names}에만" if only else f"매주 {names}")
        else:
            parts.append(f"only if it is {names}" if only else f"every {names}")
    if not parts:
        return "매일" if ko else "every day"
    return " ".join(parts)


def _numbers(field: str, size: int, first: int) -> list[int]:
    return sorted(crontab_parser(size, first).parse(field))


def _list(numbers: Sequence[int], suffix: str) -> str:
    """`1, 2, 3` as `1–3`, `1, 4, 7` as it is; the suffix after each."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}–{numbers[-1]}{suffix}"
    return ", ".join(f"{number}{suffix}" for number in numbers)
