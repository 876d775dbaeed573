"""Which slots a schedule has, by brute force: every tenth of a second, every second, or every minute, is asked.

Slow and simple on purpose, and without a line of the engine's rules.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from chaos.history import Every, Minutes, Rule, Seconds

_TENTH = 100
_MINUTE = 60_000
_SECOND = timedelta(seconds=1)


def slots(rule: Rule, after: float, until: float) -> list[int]:
    """Every slot in (`after`, `until`], in order."""
    step = {Every: _TENTH, Seconds: 1000, Minutes: _MINUTE}[type(rule)]
    instants = range((int(after) // step) * step, int(until) + 1, step)
    return [instant for instant in instants if instant > after and is_slot(rule, instant)]


def is_slot(rule: Rule, instant: int) -> bool:
    """Whether the rule names this instant."""
    if isinstance(rule, Every):
        return instant > rule.anchor and (instant - rule.anchor) % rule.every == 0
    if isinstance(rule, Seconds):
        return instant % 1000 == 0 and _is_second(rule, datetime.fromtimestamp(instant // 1000, UTC))
    wall = datetime.fromtimestamp(instant / 1000, UTC).astimezone(ZoneInfo(rule.zone))
    return instant % _MINUTE == 0 and _shows(rule.expression.split(), wall)


def _is_second(rule: Seconds, instant: datetime) -> bool:
    zone = ZoneInfo(rule.zone)
    second, *fields = rule.expression.split()

    def is_named(reading: datetime) -> bool:
        return _names(second, reading.second, 0) and _shows(fields, reading)

    wall = instant.astimezone(zone)
    reading, before = (each.replace(tzinfo=None, fold=0) for each in (wall, (instant - _SECOND).astimezone(zone)))
    swallowed = [before + step * _SECOND for step in range(1, int((reading - before) / _SECOND))]
    if rule.gap == "next_valid" and "*" not in "".join(fields[:2]) and any(map(is_named, swallowed)):
        return True
    twice = reading.replace(tzinfo=zone).astimezone(UTC) != reading.replace(tzinfo=zone, fold=1).astimezone(UTC)
    counts = not twice or rule.repeat == "both" or (rule.repeat == "second") == bool(wall.fold)
    return counts and is_named(reading)


def _shows(fields: list[str], wall: datetime) -> bool:
    minute, hour, day, month, weekday = fields
    return (
        _names(minute, wall.minute, 0)
        and _names(hour, wall.hour, 0)
        and _names(day, wall.day, 1)
        and _names(month, wall.month, 1)
        and _names(weekday, wall.isoweekday() % 7, 0)
    )


def _names(text: str, value: int, first: int) -> bool:
    return any(_part_names(part, value, first) for part in text.split(","))


def _part_names(part: str, value: int, first: int) -> bool:
    span, _, step = part.partition("/")
    low, _, high = span.partition("-")
    start = first if low == "*" else int(low)
    end = value if low == "*" or (step and not high) else int(high or low)
    return start <= value <= end and (value - start) % int(step or 1) == 0
