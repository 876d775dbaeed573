"""An RFC 5545 rule in words, Korean or English."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from livebeat.errors import Language
from livebeat.rules.rrule_text import MONTHLY, WEEKLY, Parts

#: Monday first.
WEEKDAYS = {
    "ko": ("월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
#: More times of the day are not listed one by one.
MOST_TIMES = 6
_EVERY = {
    "ko": ("매년", "매월", "매주", "매일", "매시간", "매분", "매초"),
    "en": ("year", "month", "week", "day", "hour", "minute", "second"),
}
_KOREAN_UNITS = ("년", "개월", "주", "일", "시간", "분", "초")
_KOREAN_ORDINALS = ("첫째", "둘째", "셋째", "넷째", "다섯째")
_KOREAN_TIMES = {"hour": "시", "minute": "분", "second": "초"}
#: Numbers in a row or at equal distances are shortened from so many on.
_ROW, _PROGRESSION = 3, 7


def rrule_in_words(parts: Parts, language: Language) -> str:
    """`매월 둘째 월요일 09:00`, `every month on the 2nd Monday 09:00`."""
    days, hours, times, place = _days(parts, language), *_times(parts, language), _place(parts, language)
    if not parts.has_times and language == "ko":
        words = [*days, *hours, _every(parts, language), *times, *place]
    elif len(times) > 1 or "," in "".join(times):  # a position counts them, too
        words = [_every(parts, language), *days, *hours, *times, *place]
    else:
        words = [_every(parts, language), *days, *place, *hours, *times]
    return " ".join(words) + "".join(_ends(parts, language))


def listed(numbers: Sequence[int], suffix: str = "") -> str:
    """`1, 2, 3` as `1–3`, `0, 5, …, 55` where they are many at equal distances; the suffix once, after the last of a
    range, and after each of a list."""
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    if steps == {1} and len(numbers) >= _ROW:
        return f"{numbers[0]}–{numbers[-1]}{suffix}"
    if len(steps) == 1 and len(numbers) >= _PROGRESSION:
        return f"{numbers[0]}{suffix}, {numbers[1]}{suffix}, …, {numbers[-1]}{suffix}"
    return ", ".join(f"{number}{suffix}" for number in numbers)


def months(numbers: Sequence[int], language: Language) -> str:
    """`1월, 4월`, `January, April`; in a row `3–5월`, `March–May`."""
    if language == "ko":
        return listed(numbers, "월")
    return _in_a_row(sorted(numbers), MONTHS, 1)


def weekdays(numbers: Sequence[int], language: Language) -> str:
    """Days of the week, 0 = Monday: `월요일, 수요일`, `Monday, Wednesday`; in a row `월요일–금요일`, `Monday–Friday`."""
    return _in_a_row(sorted(numbers), WEEKDAYS[language], 0)


def time_of_day(hour: int, minute: int, second: int = 0) -> str:
    """`09:30`, or `09:30:15`."""
    return f"{hour:02d}:{minute:02d}" + (f":{second:02d}" if second else "")


def _in_a_row(numbers: Sequence[int], names: Sequence[str], first: int) -> str:
    if len(numbers) >= _ROW and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{names[numbers[0] - first]}–{names[numbers[-1] - first]}"
    return ", ".join(names[number - first] for number in numbers)


def _every(parts: Parts, language: Language) -> str:
    if language == "ko":
        return _EVERY["ko"][parts.freq] if parts.interval == 1 else f"{parts.interval}{_KOREAN_UNITS[parts.freq]}마다"
    unit = _EVERY["en"][parts.freq]
    return f"every {unit}" if parts.interval == 1 else f"every {parts.interval} {unit}s"


def _days(parts: Parts, language: Language) -> Iterator[str]:
    ko, by = language == "ko", {name: sorted(numbers, key=_from_the_end) for name, numbers in parts.by.items()}
    if numbers := by.get("bymonth"):
        yield months(numbers, language) if ko else f"in {months(numbers, language)}"
    if numbers := by.get("byweekno"):
        yield _counted(numbers, "{}주차", "마지막 주", "끝에서 {}번째 주") if ko else f"in {_ordinals(numbers, 'week')}"
    if numbers := by.get("byyearday"):
        day = "{}번째 날"
        yield (
            _counted(numbers, day, "마지막 날", f"끝에서 {day}")
            if ko
            else f"on {_ordinals(numbers, 'day')} of the year"
        )
    if numbers := by.get("bymonthday"):
        yield _counted(numbers, "{}일", "말일", "끝에서 {}번째 날") if ko else "on " + _english_days(numbers)
    if numbers := by.get("byeaster"):
        yield ", ".join(map(_easter_ko if ko else _easter_en, numbers))
    if parts.days:
        yield _weekdays(parts, language)


def _from_the_end(number: int) -> tuple[bool, int]:
    """What is counted from the end comes last; of Easter's days, those before it first."""
    return number < 0, number


def _english_days(days: Sequence[int]) -> str:
    if days[-1] > 0:
        return ("days " if len(days) > 1 else "day ") + listed(days)
    return ", ".join(f"day {day}" if day > 0 else f"the {_ordinal(day)} day" for day in days)


def _weekdays(parts: Parts, language: Language) -> str:
    ko = language == "ko"
    if any(nth for _, nth in parts.days):
        named = ", ".join(_weekday(day, nth, language) for day, nth in parts.days)
        return named if ko else f"on {named}"
    named = weekdays([day for day, _ in parts.days], language)
    if parts.by.keys() & {"bymonthday", "byyearday", "byeaster"}:
        return f"중 {named}" if ko else f"if it is {named}"
    if parts.freq <= MONTHLY and not parts.by.keys() & {"byweekno", "bysetpos"}:
        return f"모든 {named}" if ko else f"on every {named}"
    return named if ko else f"on {named}"


def _weekday(day: int, nth: int, language: Language) -> str:
    name = WEEKDAYS[language][day]
    if not nth:
        return name if language == "ko" else f"every {name}"
    return f"{_korean_place(nth)} {name}" if language == "ko" else f"the {_ordinal(nth)} {name}"


def _times(parts: Parts, language: Language) -> tuple[list[str], list[str]]:
    """The hours and the rest; where they are few times of the day, those as the rest."""
    hours, minutes, seconds = (parts.by.get(name, ()) for name in ("byhour", "byminute", "bysecond"))
    if parts.has_times and 0 < len(hours) * len(minutes) * len(seconds) <= MOST_TIMES:
        return [], [", ".join(time_of_day(*time) for time in product(hours, minutes, seconds))]
    rest = [(minutes, "minute"), ((), "second") if seconds == (0,) else (seconds, "second")]
    return _numbered([(hours, "hour")], language), _numbered(rest, language)


def _numbered(units: Sequence[tuple[Sequence[int], str]], language: Language) -> list[str]:
    shown = [(numbers, unit) for numbers, unit in units if numbers]
    if language == "ko":
        return [listed(numbers, _KOREAN_TIMES[unit]) for numbers, unit in shown]
    return [
        f"{'in' if unit == 'hour' else 'at'} {unit}{'s' if len(numbers) > 1 else ''} {listed(numbers)}"
        for numbers, unit in shown
    ]


def _place(parts: Parts, language: Language) -> list[str]:
    """BYSETPOS."""
    numbers = sorted(parts.by.get("bysetpos", ()), key=_from_the_end)
    if not numbers:
        return []
    if language == "ko":
        return ["중 " + ", ".join(map(_korean_place, numbers))]
    return [f"(only {_ordinals(numbers, 'of them')})"]


def _ends(parts: Parts, language: Language) -> Iterator[str]:
    ko = language == "ko"
    if parts.wkst and ((parts.freq == WEEKLY and parts.interval > 1) or "byweekno" in parts.by):
        day = WEEKDAYS[language][parts.wkst]
        yield f" (주의 첫날: {day})" if ko else f" (weeks begin on {day})"
    if parts.count is not None:
        times = "once" if parts.count == 1 else f"{parts.count} times"
        yield f", {parts.count}회" if ko else f", {times}"
    if parts.until is not None:
        until = f"{parts.until:%Y-%m-%d} {time_of_day(parts.until.hour, parts.until.minute, parts.until.second)}"
        until += " UTC" if parts.until.tzinfo else ""
        yield f", {until}까지" if ko else f", until {until}"


def _korean_place(nth: int) -> str:
    place = _KOREAN_ORDINALS[abs(nth) - 1] if abs(nth) <= len(_KOREAN_ORDINALS) else f"{abs(nth)}번째"
    return place if nth > 0 else "마지막" if nth == -1 else f"끝에서 {place}"


def _counted(numbers: Sequence[int], from_the_start: str, last: str, from_the_end: str) -> str:
    if numbers[-1] > 0:
        return listed(numbers, from_the_start.removeprefix("{}"))
    return ", ".join(
        from_the_start.format(n) if n > 0 else last if n == -1 else from_the_end.format(-n) for n in numbers
    )


def _ordinals(numbers: Sequence[int], what: str) -> str:
    return "the " + ", ".join(map(_ordinal, numbers)) + f" {what}"


def _ordinal(number: int) -> str:
    """`1st`, `22nd`; from the end `last`, `2nd to last`."""
    if number < 0:
        return "last" if number == -1 else f"{_ordinal(-number)} to last"
    suffix = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _easter_ko(days: int) -> str:
    return "부활절" if not days else f"부활절 {abs(days)}일 {'뒤' if days > 0 else '전'}"


def _easter_en(days: int) -> str:
    if not days:
        return "on Easter Sunday"
    return f"{abs(days)} day{'s' if abs(days) > 1 else ''} {'after' if days > 0 else 'before'} Easter Sunday"
