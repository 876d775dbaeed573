"""A rule in words, Korean or English: for pages, the shell and error messages. Never parsed back."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from livebeat.errors import Language
from livebeat.rules.bounded import Bounded
from livebeat.rules.cron import Cron
from livebeat.rules.days import Holidays
from livebeat.rules.describe_cron import cron_in_words
from livebeat.rules.excluding import Excluding
from livebeat.rules.interval import Interval
from livebeat.rules.once import Once
from livebeat.rules.recurrence import Recurrence
from livebeat.rules.rrule import RRule
from livebeat.rules.rrule_words import rrule_in_words, time_of_day
from livebeat.rules.union import Union
from livebeat.rules.zone import zone

#: More rules and dates are counted.
_MOST_RULES, _MOST_DATES = 5, 4
_REPEATS = {
    "ko": {"first": "첫 번째에만 실행", "second": "두 번째에만 실행", "both": "두 번 다 실행"},
    "en": {"first": "the first time only", "second": "the second time only", "both": "both times"},
}


class _Unit(NamedTuple):
    seconds: int
    ko: str
    en: str


_UNITS = (_Unit(86400, "일", "day"), _Unit(3600, "시간", "hour"), _Unit(60, "분", "minute"), _Unit(1, "초", "second"))


def describe(rule: Recurrence, language: Language = "ko") -> str:
    """The rule in words, without its zone: `매주 월요일 06:00`, `every Monday 06:00`."""
    if isinstance(rule, Interval):
        return _interval(rule, language)
    if isinstance(rule, Cron | RRule):
        return _of_the_clock(rule, language)
    if isinstance(rule, Once):
        at = rule.at.isoformat(sep=" ").replace("+00:00", " UTC")
        return f"{at}에 한 번" if language == "ko" else f"once, {at}"
    if isinstance(rule, Union):
        return _union(rule, language)
    if isinstance(rule, Excluding):
        return _excluding(rule, language)
    if isinstance(rule, Bounded):
        return _bounded(rule, language)
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


def _of_the_clock(rule: Cron | RRule, language: Language) -> str:
    """With what it does where clocks are set, as far as that isn't what such a rule does anyway."""
    if isinstance(rule, Cron):
        words = cron_in_words(rule.expression, language)
    else:
        words = rrule_in_words(rule.parts.filled(rule.start) if rule.dtstart else rule.parts, language)
    return words + "".join(_policies(rule, language))


def _policies(rule: Cron | RRule, language: Language) -> Iterator[str]:
    ko = language == "ko"
    if rule.gap == "skip":
        yield ", 시계를 앞당겨 없는 시각은 건너뜀" if ko else "; a time that the clocks jump over is left out"
    if rule.repeat:
        which = _REPEATS[language][rule.repeat]
        yield f", 시계를 되돌려 두 번 오는 시각은 {which}" if ko else f"; a time that comes twice runs {which}"


def _union(rule: Union, language: Language) -> str:
    """Each rule, with its zone where these differ."""
    ko = language == "ko"
    words = []
    for each in rule.rules[:_MOST_RULES]:
        named = _zone_of(each) if _zone_of(rule) is None else None
        words.append(describe(each, language) + (f" ({named})" if named else ""))
    if (more := len(rule.rules) - _MOST_RULES) > 0:
        words.append(f"그 밖의 규칙 {more}개" if ko else f"{more} more rule{'s' if more > 1 else ''}")
    return (" 그리고 " if ko else "; and ").join(words)


def _excluding(rule: Excluding, language: Language) -> str:
    ko = language == "ko"
    words = describe(rule.rule, language)
    left_out = list(_dates(rule.dates, language))
    if rule.holidays:
        left_out.append(_holidays(rule.holidays, language))
    left_out += [describe(each, language) for each in rule.rules]
    if not left_out:
        return words
    own = _zone_of(rule.rule)
    if rule.timezone and own and own != rule.timezone:
        left_out[-1] += f" ({rule.timezone})"
    return f"{words} (제외: {', '.join(left_out)})" if ko else f"{words}, except {', '.join(left_out)}"


def _dates(dates: Sequence[str], language: Language) -> Iterator[str]:
    ko = language == "ko"
    for each in dates[:_MOST_DATES]:
        first, _, last = each.partition("/")
        yield first if not last else f"{first}–{last}" if ko else f"{first} to {last}"
    if (more := len(dates) - _MOST_DATES) > 0:
        yield f"그 밖의 {more}건" if ko else f"{more} more"


def _holidays(holidays: Holidays, language: Language) -> str:
    """`KR 공휴일`, `the public holidays of KR`; what was added and removed by hand in brackets."""
    ko, kinds = language == "ko", ", ".join(holidays.categories)
    place = "-".join(filter(None, (holidays.country, holidays.subdivision)))
    added, removed = (", ".join(_dates(each, language)) for each in (holidays.add, holidays.remove))
    if ko:
        words = f"{place} 공휴일" if kinds == "public" else f"{place} 휴일[{kinds}]"
        changes = [f"{added} 추가"] * bool(added) + [f"{removed} 빼고"] * bool(removed)
    else:
        words = f"the {kinds} holidays of {place}"
        changes = [f"with {added}"] * bool(added) + [f"without {removed}"] * bool(removed)
    return f"{words} ({', '.join(changes)})" if changes else words


def _bounded(rule: Bounded, language: Language) -> str:
    named, ko, words = _zone_of(rule.rule), language == "ko", describe(rule.rule, language)
    if rule.start:
        start = _reading(rule.start, named)
        words += f", {start}부터" if ko else f", from {start}"
    if rule.end:
        end = _reading(rule.end, named)
        between = " " if rule.start else ", "
        words += f"{between}{end}까지" if ko else f"{between}until {end}"
    return words


def _zone_of(rule: Recurrence) -> str | None:
    """The zone whose clocks a rule reads; None where it reads none, or several."""
    if isinstance(rule, Union):
        zones = {_zone_of(each) for each in rule.rules}
        return zones.pop() if len(zones) == 1 else None
    return _zone_of(rule.rule) if isinstance(rule, Excluding | Bounded) else getattr(rule, "timezone", None)


def _reading(at: datetime, named: str | None) -> str:
    """On the rule's own clocks, else in UTC."""
    local = at.astimezone(zone(named or "UTC"))
    return f"{local:%Y-%m-%d} {time_of_day(local.hour, local.minute, local.second)}" + ("" if named else " UTC")
