"""The text of an RFC 5545 recurrence rule (`FREQ=MONTHLY;BYDAY=2MO`) to its parts, checked, and back."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache

from livebeat.errors import SpecError

#: Index = dateutil's number of the frequency.
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY = range(7)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_HORIZON_SECONDS = 40 * 366 * 86_400
_UNIT_SECONDS = (366 * 86_400, 31 * 86_400, 7 * 86_400, 86_400, 3_600, 60, 1)
_MOST_COUNTED = 100_000
_LENGTH = 2_000
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
_DAY_PARTS = {"bymonthday", "byyearday", "byweekno", "byeaster"}
_EASTER = (-80, 250)  # days from Easter Sunday that always lie in its year

#: BY-parts of numbers: lowest, highest, and whether negative ones count from the end.
_NUMBERS = {
    "BYSECOND": (0, 59, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
    "BYEASTER": (*_EASTER, False),
}


@dataclass(frozen=True)
class Parts:
    """A rule taken apart. `by`: dateutil's keyword → numbers; `days`: weekday (0 = Monday) and its ordinal or 0.

    `until` is aware where the text says UTC, else a wall-clock reading in the rule's zone.
    """

    freq: int
    interval: int = 1
    wkst: int = 0
    count: int | None = None
    until: datetime | None = None
    by: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    days: tuple[tuple[int, int], ...] = ()

    @property
    def has_times(self) -> bool:
        """Whether it names times of the day, rather than running all day through."""
        return self.freq <= DAILY

    def filled(self, start: datetime) -> "Parts":
        """With what the reading `start` says where the rule says nothing: days and times, as dateutil takes them."""
        by, days = dict(self.by), self.days
        if not days and not by.keys() & _DAY_PARTS:
            if self.freq == WEEKLY:
                days = ((start.weekday(), 0),)
            elif self.freq <= MONTHLY:
                by["bymonthday"] = (start.day,)
                if self.freq == YEARLY:
                    by.setdefault("bymonth", (start.month,))
        times = (
            ("byhour", DAILY, start.hour),
            ("byminute", HOURLY, start.minute),
            ("bysecond", MINUTELY, start.second),
        )
        for name, finest, number in times:
            if self.freq <= finest:
                by.setdefault(name, (number,))
        return replace(self, by=by, days=days)

    def __str__(self) -> str:
        """The rule's text, in one order."""
        return ";".join(f"{name}={value}" for name, value in self._pairs())

    def _pairs(self) -> Iterator[tuple[str, str]]:
        yield "FREQ", FREQUENCIES[self.freq]
        if self.interval != 1:
            yield "INTERVAL", str(self.interval)
        if self.wkst:
            yield "WKST", WEEKDAYS[self.wkst]
        if self.count is not None:
            yield "COUNT", str(self.count)
        if self.until is not None:
            yield "UNTIL", self.until.strftime("%Y%m%dT%H%M%S") + ("Z" if self.until.tzinfo else "")
        for name in _NUMBERS:
            if numbers := self.by.get(name.lower()):
                yield name, ",".join(map(str, numbers))
        if self.days:
            yield "BYDAY", ",".join(f"{nth or ''}{WEEKDAYS[day]}" for day, nth in self.days)


@lru_cache(maxsize=8192)
def parse(text: str) -> Parts:
    """The parts of a rule's text.

    Raises:
        SpecError: it isn't one; names the part and says what to write.
    """
    if len(text) > _LENGTH:
        raise _refused(f"is longer than {_LENGTH} characters", f"{_LENGTH}자보다 깁니다")
    values = _values(text)
    if values.get("FREQ") not in FREQUENCIES:
        known = ", ".join(FREQUENCIES)
        raise _refused(f"FREQ must be one of {known}", f"FREQ는 {known} 중 하나여야 합니다")
    freq = FREQUENCIES.index(values.pop("FREQ"))
    interval = _number("INTERVAL", values.pop("INTERVAL", "1"), 1, _HORIZON_SECONDS // _UNIT_SECONDS[freq])
    week_start = values.pop("WKST", "MO")
    if week_start not in WEEKDAYS:
        raise _refused("WKST must be a weekday such as MO", "WKST는 MO와 같은 요일이어야 합니다")
    count = values.pop("COUNT", None)
    until = values.pop("UNTIL", None)
    days = values.pop("BYDAY", None)
    return Parts(
        freq=freq,
        interval=interval,
        wkst=WEEKDAYS.index(week_start),
        count=None if count is None else _number("COUNT", count, 1, _MOST_COUNTED),
        until=None if until is None else _until(until),
        by={name.lower(): _numbers(name, value) for name, value in values.items()},
        days=() if days is None else _days(days, freq, in_month=freq == MONTHLY or "BYMONTH" in values),
    )


def _values(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    known = {*_NUMBERS, "FREQ", "INTERVAL", "WKST", "COUNT", "UNTIL", "BYDAY"}
    for pair in text.upper().removeprefix("RRULE:").split(";"):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in known:
            raise _refused(
                f"{pair!r} is not a part of a rule; write parts such as FREQ=DAILY;BYHOUR=9 (dtstart is a field of its own)",
                f"{pair!r}: 규칙의 항목이 아닙니다. FREQ=DAILY;BYHOUR=9처럼 적으세요 (dtstart는 별도 항목입니다)",
            )
        if name in pairs:
            raise _refused(f"{name} is given twice", f"{name}이(가) 두 번 있습니다")
        pairs[name] = value
    return pairs


def _number(name: str, text: str, low: int, high: int) -> int:
    if _NUMBER.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    raise _refused(
        f"{name} must be a number from {low} to {high}; it is {text!r}",
        f"{name}은(는) {low}~{high} 사이의 숫자여야 합니다 (현재 {text!r})",
    )


def _numbers(name: str, text: str) -> tuple[int, ...]:
    low, high, signed = _NUMBERS[name]
    found = {_number(name, part.strip(), -high if signed else low, high) for part in text.split(",")}
    if signed and 0 in found:
        raise _refused(f"{name} can't be 0", f"{name}은(는) 0일 수 없습니다")
    return tuple(sorted(found))


def _days(text: str, freq: int, *, in_month: bool) -> tuple[tuple[int, int], ...]:
    most = 5 if in_month else 53
    return tuple(dict.fromkeys(_day(part.strip(), freq, most) for part in text.split(",")))


def _day(text: str, freq: int, most: int) -> tuple[int, int]:
    ordinal, weekday = text[:-2], text[-2:]
    if weekday not in WEEKDAYS:
        raise _refused(
            f"BYDAY must hold weekdays such as MO or 2MO, not {text!r}",
            f"BYDAY에는 MO, 2MO와 같은 요일을 적으세요 (현재 {text!r})",
        )
    if not ordinal:
        return WEEKDAYS.index(weekday), 0
    nth = _number("BYDAY", ordinal, -most, most)
    if not nth or freq > MONTHLY:
        raise _refused(
            f"BYDAY={text} (an ordinal) needs FREQ=MONTHLY or YEARLY",
            f"BYDAY={text}처럼 순서를 적으려면 FREQ=MONTHLY 또는 YEARLY여야 합니다",
        )
    return WEEKDAYS.index(weekday), nth


def _until(text: str) -> datetime:
    digits, _, utc = text.partition("Z")
    # strptime would also take fewer digits.
    if len(digits) == 15 and not utc:
        try:
            wall = datetime.strptime(digits, "%Y%m%dT%H%M%S")  # noqa: DTZ007  a wall-clock reading unless it says Z
        except ValueError:
            pass
        else:
            return wall.replace(tzinfo=UTC) if text.endswith("Z") else wall
    raise _refused(
        f"UNTIL must be a date with a time such as 20271231T235959Z (UTC) or 20271231T235959; it is {text!r}",
        f"UNTIL은 20271231T235959Z(UTC) 또는 20271231T235959처럼 날짜와 시각으로 적으세요 (현재 {text!r})",
    )


def _refused(en: str, ko: str) -> SpecError:
    return SpecError("rule", en, ko)
