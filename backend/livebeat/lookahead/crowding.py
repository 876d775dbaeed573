"""How much starts when, over all schedules: counts for a heat map, the seconds in which too much starts together, and
which schedules could start a little later to end that. A suggestion is only that: nothing is changed here.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import NamedTuple

from livebeat.entry import StoredSchedule
from livebeat.errors import SpecError
from livebeat.lookahead.instants import slots
from livebeat.rules import Interval, Recurrence

_TICK, _SECOND = timedelta(microseconds=1), timedelta(seconds=1)
#: More would be no picture, and take a minute.
LONGEST, MOST_BUCKETS = timedelta(days=31), 10_000
MOST_CROWDS = 1_000
#: Seconds of jitter that are suggested: steps, so that a few schedules more change no suggestion.
_JITTERS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


class Crowd(NamedTuple):
    """A second in which more start than should."""

    at: datetime
    starts: int


@dataclass(frozen=True)
class Load:
    """`counts[k]` runs start in the `bucket` (a length of time) that begins at `start` + k × `bucket`.

    `crowds`: the seconds in which too many start, the fullest first, 1,000 at most.
    """

    start: datetime
    end: datetime
    bucket: timedelta
    counts: tuple[int, ...]
    crowds: tuple[Crowd, ...]

    @property
    def total(self) -> int:
        """How many start in all."""
        return sum(self.counts)


class Suggestion(NamedTuple):
    """A schedule that starts in a crowd of `starts`, and the seconds of jitter that would spread it."""

    name: str
    jitter: int
    starts: int


def load(
    schedules: Iterable[StoredSchedule], start: datetime, end: datetime, bucket: timedelta, *, crowd: int = 100
) -> Load:
    """What starts in [start, end), in buckets; a second with more than `crowd` starts is a crowd.

    To the second, jitter included; what a trigger starts or an overlap skips can't be known ahead.

    Raises:
        SpecError: a bucket is no whole number of seconds, there are more than 10,000, or the time is over 31 days.
    """
    _check(start, end, bucket)
    starts = _Starts(schedules, start, end).counts
    width = bucket // _SECOND
    counts = tuple(sum(starts[at : at + width]) for at in range(0, len(starts), width))
    crowded = sorted((at for at, number in enumerate(starts) if number > crowd), key=lambda at: (-starts[at], at))
    crowds = tuple(Crowd(start + at * _SECOND, starts[at]) for at in crowded[:MOST_CROWDS])
    return Load(start, end, bucket, counts, crowds)


def spread(
    schedules: Sequence[StoredSchedule], start: datetime, end: datetime, *, crowd: int = 100
) -> list[Suggestion]:
    """Jitter for the schedules without any that start in a crowd in [start, end): at most half of the time between two
    of their starts.

    A schedule's own part of its jitter is always the same, so what is spread one day is spread alike the next.

    Raises:
        SpecError: as `load`.
    """
    _check(start, end, end - start)
    starts = _Starts(schedules, start, end)
    most = {key: starts.fullest(key) for key in starts.groups}
    found = []
    for stored in schedules:
        key = starts.key(stored)
        if key is None or stored.spec.jitter or most[key] <= crowd:
            continue
        if jitter := _jitter(most[key] / crowd, starts.groups[key].offsets):
            found.append(Suggestion(stored.spec.name, jitter, most[key]))
    return found


def _jitter(needed: float, offsets: Sequence[int]) -> int:
    """Twice the seconds needed if chance were fair, as far as there is room; 0 where there is none."""
    room = min((later - earlier for earlier, later in pairwise(offsets)), default=2 * _JITTERS[-1]) // 2
    fitting = [jitter for jitter in _JITTERS if jitter <= room]
    return next((jitter for jitter in fitting if jitter >= 2 * needed), fitting[-1] if fitting else 0)


def _check(start: datetime, end: datetime, bucket: timedelta) -> None:
    if not start < end <= start + LONGEST:
        raise SpecError(
            "end",
            f"must lie after the start, by {LONGEST.days} days at most",
            f"시작 뒤 {LONGEST.days}일 이내여야 합니다",
        )
    if bucket < _SECOND or bucket % _SECOND or (end - start) / bucket > MOST_BUCKETS:
        raise SpecError(
            "bucket",
            f"must be a whole number of seconds that makes {MOST_BUCKETS:,} buckets at most",
            f"{MOST_BUCKETS:,}개 이하로 나누는 1초 이상의 정수 초여야 합니다",
        )


#: What tells one group's instants from another's: an interval's length and first instant, a rule, or a schedule's name
#: where its instants are its own.
_Key = tuple[timedelta, timedelta] | Recurrence | str


@dataclass(frozen=True)
class _Group:
    """Schedules with the same slots: those, in seconds from the origin, and how many start how much later."""

    offsets: Sequence[int]
    delays: Counter[int]


class _Starts:
    """How many start in each second from `start` on. Each distinct rule is walked once, whoever has it."""

    def __init__(self, schedules: Iterable[StoredSchedule], start: datetime, end: datetime) -> None:
        running = [stored for stored in schedules if stored.next_at is not None or stored.pause is not None]
        longest = max((_delay(stored) for stored in running), default=0)
        self._origin, self._end = start - longest * _SECOND, end
        self.groups: dict[_Key, _Group] = {}
        for stored in running:
            key = self.key(stored)
            if key is None:
                continue
            if key not in self.groups:
                self.groups[key] = _Group(self._offsets(key, stored), Counter())
            self.groups[key].delays[_delay(stored)] += 1
        self._all = self._added(-(-(end - self._origin) // _SECOND))
        self._before = longest
        self.counts = self._all[longest:]

    def key(self, stored: StoredSchedule) -> _Key | None:
        """Of its group; None for a schedule that is paused, set aside or finished."""
        if stored.problem or (stored.next_at is None and stored.pause is None):
            return None
        if stored.next_at is None or stored.spec.max_runs is not None:
            return stored.spec.name
        rule = stored.spec.rule
        if isinstance(rule, Interval):
            return rule.every, rule.next_after(self._origin - _TICK) - self._origin
        return rule

    def fullest(self, key: _Key) -> int:
        """How many start together in the fullest second in which one of this group does."""
        return max((self._all[at] for at in self.groups[key].offsets if at >= self._before), default=0)

    def _offsets(self, key: _Key, stored: StoredSchedule) -> Sequence[int]:
        if isinstance(key, tuple):
            every, first = key
            if not every % _SECOND and not first % _SECOND:
                return range(first // _SECOND, -(-(self._end - self._origin) // _SECOND), every // _SECOND)
        if isinstance(key, str):
            found: Iterable[datetime] = takewhile(lambda at: at < self._end, slots(stored, self._origin - _TICK))
        else:
            found = stored.spec.rule.between(self._origin - _TICK, self._end - _TICK)
        return [(at - self._origin) // _SECOND for at in found]

    def _added(self, seconds: int) -> list[int]:
        counts = [0] * seconds
        for group in self.groups.values():
            for delay, schedules in group.delays.items():
                for at in group.offsets[: bisect_left(group.offsets, seconds - delay)] if delay else group.offsets:
                    counts[at + delay] += schedules
        return counts


def _delay(stored: StoredSchedule) -> int:
    """Whole seconds by which its slots start later."""
    return stored.delay // _SECOND if stored.spec.jitter else 0
