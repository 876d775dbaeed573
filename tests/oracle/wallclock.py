"""Zones and what their clocks show, minute by minute."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

MINUTES_A_DAY = 1440
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
#: Minutes around a line in which its readings may be shown once more, or be missing.
_AROUND = 1500


def minute_of(at: datetime) -> int:
    """Whole minutes since 1970."""
    return int((at - _EPOCH).total_seconds()) // 60


def instant_of(minute: int, second: int = 0) -> datetime:
    return _EPOCH + timedelta(minutes=minute, seconds=second)


def _offset(zone: str, minute: int) -> int:
    """Minutes ahead of UTC. Only years in which each zone's offset and changes are whole minutes are asked about."""
    offset = instant_of(minute).astimezone(ZoneInfo(zone)).utcoffset()
    minutes, rest = divmod(offset, _MINUTE)
    if rest:
        raise ValueError(f"{zone} is {offset} from UTC at {instant_of(minute)}")
    return minutes


class Line:
    """A zone's clock at each minute of [begin, begin + length): what it reads, also in minutes since 1970."""

    def __init__(self, zone: str, begin: int, length: int) -> None:
        self.begin, self.length = begin, length
        #: The readings of the line and of what lies around it, from this minute on.
        self._first = begin - _AROUND
        self._walls = _readings(zone, self._first, length + 2 * _AROUND)
        walls = self._walls[_AROUND : _AROUND + length]
        self.lowest, self.highest = min(walls), max(walls)

    def wall(self, minute: int) -> int:
        """The reading at a minute of the line."""
        return self._walls[minute - self._first]

    def minutes(self, wall: int) -> list[int]:
        """The minutes, on the line or near it, at which the clock reads `wall`."""
        if isinstance(self._walls, range):
            return [self._first + wall - self._walls[0]] if wall in self._walls else []
        return self._shown.get(wall, [])

    def is_on(self, minute: int) -> bool:
        return self.begin <= minute < self.begin + self.length

    @cached_property
    def _shown(self) -> dict[int, list[int]]:
        shown: dict[int, list[int]] = defaultdict(list)
        for index, wall in enumerate(self._walls):
            shown[wall].append(self._first + index)
        return shown

    @cached_property
    def gaps(self) -> list[tuple[range, int]]:
        """Readings that are never shown, and the minute at which the clock goes on."""
        if isinstance(self._walls, range):
            return []
        return [
            (range(before + 1, now), self._first + index)
            for index, (before, now) in enumerate(pairwise(self._walls), 1)
            if now > before + 1 and self.is_on(self._first + index)
        ]


def _readings(zone: str, first: int, length: int) -> Sequence[int]:
    """Each minute's reading. Where both ends of an hour have one offset, so has all of it."""
    hours = range(first - first % 60, first + length + 60, 60)
    offsets = [_offset(zone, hour) for hour in hours]
    if len(set(offsets)) == 1:
        return range(first + offsets[0], first + length + offsets[0])
    found = []
    for hour, (begin, end) in zip(hours, pairwise(offsets), strict=False):
        minutes = range(max(first, hour), min(hour + 60, first + length))
        found += [minute + (begin if begin == end else _offset(zone, minute)) for minute in minutes]
    return found


def changes(zone: str, since: datetime, until: datetime) -> tuple[tuple[int, int, int], ...]:
    """Minute, offset before and offset after of each time the zone's clocks are set."""
    found, low, last = [], minute_of(since), minute_of(until)
    before = _offset(zone, low)
    while low < last:
        high = min(low + 2 * MINUTES_A_DAY, last)
        after = _offset(zone, high)
        if before != after:
            left, right = low, high
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if _offset(zone, middle) == before else (left, middle)
            found.append((right, before, after))
        low, before = high, after
    return tuple(found)


def names() -> list[str]:
    """Every IANA zone."""
    return sorted(available_timezones() - {"localtime", "Factory"})


def histories(since: datetime, until: datetime) -> dict[str, tuple[tuple[int, int, int], ...]]:
    """One zone for each history of clocks in those years, and its changes."""
    found: dict[tuple[object, ...], str] = {}
    for zone in names():
        found.setdefault((_offset(zone, minute_of(since)), *changes(zone, since, until)), zone)
    return {zone: key[1:] for key, zone in found.items()}  # type: ignore[misc]
