"""When a rule is due on a line of minutes, from its JSON form and the meaning that the documentation gives it."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import holidays as national

from oracle.rrules import Reading, rrule
from oracle.wallclock import MINUTES_A_DAY, Line, instant_of, minute_of

_EPOCH = date(1970, 1, 1).toordinal()
_NAMES = (
    {},
    {},
    {},
    {},
    {
        name: number
        for number, name in enumerate(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
        )
    },
    {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
)
_FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))

LineOf = Callable[[str], Line]


def due(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    """The instants within the lines, which all cover the same minutes, at which the rule is due."""
    return _KINDS[rule["kind"]](rule, line_of)


def _cron(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    texts = rule["expression"].lower().split()
    texts = texts if len(texts) == 6 else ["0", *texts]
    seconds, *rest = (
        _field(text, *bounds, _NAMES[n]) for n, (text, bounds) in enumerate(zip(texts, _FIELDS, strict=True))
    )
    minutes, hours, days, months, weekdays = rest
    times = {hour * 60 + minute for hour in hours for minute in minutes}

    def times_of(day: date) -> Iterable[int]:
        is_due = day.day in days and day.month in months and (day.weekday() + 1) % 7 in weekdays
        return times if is_due else ()

    fixed = "*" not in texts[1] + texts[2]
    return _on_clocks(rule, line_of(rule.get("timezone", "UTC")), times_of, seconds, fixed)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    """Celery's own grammar: `*`, numbers, names, ranges (also around the end), steps from the first on."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            values = list(range(low, high + 1))
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else begin
            values = list(range(begin, end + 1))
            if end < begin:
                values = [*range(begin, high + 1), *range(low, end + 1)]
        found.update(values[:: int(step or 1)])
    return found


def _number(text: str, names: dict[str, int]) -> int:
    return names[text[:3]] if text[:3] in names else int(text)


def _rrule(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    line = line_of(rule.get("timezone", "UTC"))
    reading: Reading = rrule(rule["rule"], rule["dtstart"], rule.get("timezone", "UTC"))
    found = _on_clocks(rule, line, reading.times_of, reading.seconds, reading.fixed, reading.second_of)
    return {at for at in found if reading.until is None or at <= reading.until}


def _on_clocks(
    rule: dict[str, Any],
    line: Line,
    times_of: Callable[[date], Iterable[int]],
    seconds: Iterable[int],
    fixed: bool,
    second_of: Callable[[int, int], bool] | None = None,
) -> set[datetime]:
    """`times_of`: the minutes of a day that the rule accepts; `second_of`: whether a reading's second, then, is due."""
    repeat = rule.get("repeat") or ("first" if fixed else "both")
    seconds = sorted(seconds)

    def instants(minute: int, wall: int) -> Iterable[datetime]:
        return [instant_of(minute, s) for s in seconds if second_of is None or second_of(wall, s)]

    found: set[datetime] = set()
    for wall in _accepted(line, times_of):
        shown = line.minutes(wall)
        chosen = {"first": shown[:1], "second": shown[-1:], "both": shown}[repeat]
        for minute in chosen:
            if line.is_on(minute):
                found.update(instants(minute, wall))
    if fixed and rule.get("gap", "next_valid") == "next_valid":
        for missing, end in line.gaps:
            if any(wall % MINUTES_A_DAY in times_of(_date(wall)) for wall in missing):
                found.add(instant_of(end))
    return found


def _accepted(line: Line, times_of: Callable[[date], Iterable[int]]) -> Iterable[int]:
    """The readings that the rule accepts, of each day on the line."""
    for day in range(line.lowest // MINUTES_A_DAY, line.highest // MINUTES_A_DAY + 1):
        for time in times_of(date.fromordinal(_EPOCH + day)):
            yield day * MINUTES_A_DAY + time


def _date(wall: int) -> date:
    return date.fromordinal(_EPOCH + wall // MINUTES_A_DAY)


def _interval(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    line = line_of("UTC")
    every = timedelta(seconds=rule["every"])
    anchor = datetime.fromisoformat(rule["anchor"])
    begin, end = instant_of(line.begin), instant_of(line.begin + line.length)
    steps = max((begin - anchor) // every, 1)
    found, at = set(), anchor + steps * every
    while at < end:
        if at >= begin:
            found.add(at)
        at += every
    return found


def _once(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    at = datetime.fromisoformat(rule["at"]).astimezone(UTC)
    return {at} if line_of("UTC").is_on(minute_of(at)) else set()


def _union(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    return set().union(*(due(part, line_of) for part in rule["rules"]))


def _excluding(rule: dict[str, Any], line_of: LineOf) -> set[datetime]:
    line = line_of(rule.get("timezone", "UTC"))
    out = set().union(*(due(part, line_of) for part in rule.get("rules", ())))
    return {at for at in due(rule["rule"], line_of) - out if not _is_out(rule, _date(line.wall(minute_of(at))))}


def _is_out(rule: dict[str, Any], day: date) -> bool:
    if _is_listed(rule.get("dates", ()), day):
        return True
    chosen = rule.get("holidays")
    if chosen is None:
        return False
    if _is_listed(chosen.get("add", ()), day):
        return True
    key = chosen["country"], chosen.get("subdivision"), tuple(chosen.get("categories", ("public",))), day.year
    return day in _national(*key) and not _is_listed(chosen.get("remove", ()), day)


def _is_listed(days: Iterable[str], day: date) -> bool:
    spans = (text.split("/") for text in days)
    return any(span[0] <= day.isoformat() <= span[-1] for span in spans)


@lru_cache
def _national(country: str, part: str | None, categories: tuple[str, ...], year: int) -> set[date]:
    return set(national.country_holidays(country, subdiv=part, categories=categories, years=year))


_KINDS: dict[str, Callable[[dict[str, Any], LineOf], set[datetime]]] = {
    "cron": _cron,
    "rrule": _rrule,
    "interval": _interval,
    "once": _once,
    "union": _union,
    "excluding": _excluding,
}
