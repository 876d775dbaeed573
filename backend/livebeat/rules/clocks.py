"""A rule's readings as instants on a zone's clocks: what becomes of those in a gap and in a repeat."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, NamedTuple, Protocol, get_args

from livebeat.errors import SpecError
from livebeat.rules.zone import stretch

Gap = Literal["next_valid", "skip"]
Repeat = Literal["first", "second", "both"]
_GAPS, _REPEATS = get_args(Gap), get_args(Repeat)

#: A 29 February on a given weekday comes back within 40 years, also across a century without a leap year.
HORIZON = timedelta(days=41 * 366)
TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_LAST_YEAR = 9_900


class Walls(Protocol):
    """The readings (naive datetimes) of one rule, on a clock that is never set."""

    def after(self, wall: datetime) -> datetime | None:
        """The first reading strictly after `wall`; None where there is none within 40 years."""
        ...


class Clocks(NamedTuple):
    """`fills_gaps`: what a gap swallowed is due once, at its end. `repeat`: the passes that count."""

    tz: tzinfo
    fills_gaps: bool
    repeat: Repeat


class Span(NamedTuple):
    """Readings in (low, high], all shown once at `offset` from UTC; `gap_end`, before them, is due as well."""

    low: datetime
    high: datetime
    offset: timedelta
    gap_end: datetime | None


def check_policies(gap: Any, repeat: Any) -> None:
    """Raises SpecError where one is none of those known."""
    _check("gap", gap, _GAPS)
    if repeat is not None:
        _check("repeat", repeat, _REPEATS)


def policies_to_json(gap: Gap, repeat: Repeat | None) -> dict[str, str]:
    """The two, where they are not the defaults."""
    data: dict[str, str] = {} if gap == "next_valid" else {"gap": gap}
    return {**data, "repeat": repeat} if repeat else data


def _check(field: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        text = ", ".join(known)
        raise SpecError(field, f"must be one of {text}; it is {value!r}", f"{text} 중 하나여야 합니다 (현재 {value!r})")


def next_instant(walls: Walls, clocks: Clocks, instant: datetime) -> datetime | None:
    """The first instant after `instant` (UTC); None where there is none within 40 years of the first reading."""
    last_year, is_first = _LAST_YEAR, True
    margin = timedelta(0)
    while instant.year <= last_year:
        now = stretch(instant, clocks.tz)
        low = instant.replace(tzinfo=None) + now.offset - margin
        if clocks.repeat == "first" and now.left > now.opens:
            low = max(low, now.left - TICK)
        reading = walls.after(low)
        if reading is not None:
            if is_first:
                last_year, is_first = min(reading.year + HORIZON.days // 366, _LAST_YEAR), False
            if reading < (now.closes if clocks.repeat != "second" else min(now.closes, now.resumes)):
                return (reading - now.offset).replace(tzinfo=UTC)
            if clocks.fills_gaps and reading < now.resumes:
                return now.end
        # Whatever clocks show again was there less than a day before they are set.
        if now.end - instant <= _DAY:
            instant = now.end
        elif reading is None:
            return None
        else:
            instant = max(now.end, (reading - now.offset).replace(tzinfo=UTC) - 2 * _DAY)
        margin = TICK
    return None


def spans(walls: Walls, clocks: Clocks, after: datetime, until: datetime) -> Iterator[Span]:
    """The instants in (after, until], both UTC, in order."""
    while after < until:
        now = stretch(after + TICK, clocks.tz)
        low, high = (at.replace(tzinfo=None) + now.offset for at in (after, until))
        if clocks.repeat == "first":
            low = max(low, now.left - TICK)
        end = min(now.closes, now.resumes) if clocks.repeat == "second" else now.closes
        fills = clocks.fills_gaps and now.left < now.opens and after < now.begin
        yield Span(
            low=low,
            high=min(high, end - TICK),
            offset=now.offset,
            gap_end=now.begin if fills and _is_swallowed(walls, now.left, now.opens) else None,
        )
        after = now.end - TICK


def _is_swallowed(walls: Walls, left: datetime, opens: datetime) -> bool:
    """Whether a reading lies in the gap [left, opens), and none at its end, which would be due anyway."""
    reading = walls.after(left - TICK)
    return reading is not None and reading < opens and walls.after(opens - TICK) != opens
