"""An RFC 5545 rule in words, Korean or English; a part that has no words is shown as it is written."""

from collections.abc import Iterator
from itertools import product

from livebeat.errors import Language
from livebeat.rules.rrule_text import Parts

#: Monday first.
WEEKDAYS = {
    "ko": ("월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_EVERY = {
    "ko": ("매년", "매월", "매주", "매일", "매시간", "매분", "매초"),
    "en": ("year", "month", "week", "day", "hour", "minute", "second"),
}
_KOREAN_UNITS = ("년", "개월", "주", "일", "시간", "분", "초")
_KOREAN_ORDINALS = ("첫째", "둘째", "셋째", "넷째", "다섯째")
_MOST_TIMES = 6
_TIMES = ("byhour", "byminute", "bysecond")


def rrule_in_words(parts: Parts, language: Language) -> str:
    """`매월 둘째 월요일 09:00`, `every month on the 2nd Monday 09:00`."""
    words = [_every(parts, language), *_days(parts, language)]
    shown = {"bymonth", "bymonthday"}
    hours, minutes, seconds = (parts.by.get(name, ()) for name in _TIMES)
    if parts.has_times and 0 < len(hours) * len(minutes) * len(seconds) <= _MOST_TIMES:
        words.append(", ".join(_time(*time) for time in product(hours, minutes, seconds)))
        shown.update(_TIMES)
    rest = Parts(parts.freq, by={name: numbers for name, numbers in parts.by.items() if name not in shown})
    if rest.by:
        words.append(f"({str(rest).partition(';')[2]})")
    return " ".join(words) + _end(parts, language)


def _every(parts: Parts, language: Language) -> str:
    if language == "ko":
        return _EVERY["ko"][parts.freq] if parts.interval == 1 else f"{parts.interval}{_KOREAN_UNITS[parts.freq]}마다"
    unit = _EVERY["en"][parts.freq]
    return f"every {unit}" if parts.interval == 1 else f"every {parts.interval} {unit}s"


def _days(parts: Parts, language: Language) -> Iterator[str]:
    ko = language == "ko"
    if months := parts.by.get("bymonth"):
        yield ", ".join(f"{m}월" for m in months) if ko else "in " + ", ".join(MONTHS[m - 1] for m in months)
    if days := parts.by.get("bymonthday"):
        yield ", ".join(map(_korean_day, days)) if ko else "on " + ", ".join(map(_english_day, days))
    if parts.days:
        weekdays = ", ".join(_weekday(day, nth, language) for day, nth in parts.days)
        yield weekdays if ko else f"on {weekdays}"


def _korean_day(day: int) -> str:
    return f"{day}일" if day > 0 else "말일" if day == -1 else f"끝에서 {-day}번째 날"


def _english_day(day: int) -> str:
    return f"day {day}" if day > 0 else f"the {_from_the_end(-day)} day"


def _weekday(day: int, nth: int, language: Language) -> str:
    name = WEEKDAYS[language][day]
    if not nth:
        return name
    if language == "en":
        return f"the {_ordinal(nth) if nth > 0 else _from_the_end(-nth)} {name}"
    place = _KOREAN_ORDINALS[abs(nth) - 1] if abs(nth) <= len(_KOREAN_ORDINALS) else f"{abs(nth)}번째"
    if nth > 0:
        return f"{place} {name}"
    return f"마지막 {name}" if nth == -1 else f"끝에서 {place} {name}"


def _from_the_end(number: int) -> str:
    return "last" if number == 1 else f"{_ordinal(number)} to last"


def _ordinal(number: int) -> str:
    suffix = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _time(hour: int, minute: int, second: int) -> str:
    return f"{hour:02d}:{minute:02d}" + (f":{second:02d}" if second else "")


def _end(parts: Parts, language: Language) -> str:
    ko, end = language == "ko", ""
    if parts.count is not None:
        end += f", {parts.count}회" if ko else f", {parts.count} times"
    if parts.until is not None:
        until = f"{parts.until:%Y-%m-%d %H:%M:%S}" + (" UTC" if parts.until.tzinfo else "")
        end += f", {until}까지" if ko else f", until {until}"
    return end
