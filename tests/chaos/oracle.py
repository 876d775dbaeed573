"""Which slots a schedule has, by brute force: every tenth of a second, or every minute, is asked.

Slow and simple on purpose, and without a line of the engine's rules.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from chaos.history import Every, Minutes

_TENTH = 100
_MINUTE = 60_000


def slots(rule: Every | Minutes, after: float, until: float) -> list[int]:
    """Every slot in (`after`, `until`], in order."""
    step = _TENTH if isinstance(rule, Every) else _MINUTE
    instants = range((int(after) // step) * step, int(until) + 1, step)
    return [instant for instant in instants if instant > after and is_slot(rule, instant)]


def is_slot(rule: Every | Minutes, instant: int) -> bool:
    """Whether the rule names this instant."""
    if isinstance(rule, Every):
        return instant > rule.anchor and (instant - rule.anchor) % rule.every == 0
    wall = datetime.fromtimestamp(instant / 1000, UTC).astimezone(ZoneInfo(rule.zone))
    minute, hour, day, month, weekday = rule.expression.split()
    return (
        instant % _MINUTE == 0
        and _names(minute, wall.minute, 0)
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
