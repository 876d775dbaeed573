"""How much starts when, over all schedules: counts for a heat map, the seconds in which too much starts together, and
which schedules could start a little later to end that. A suggestion is only that: nothing is changed here.

Each schedule is looked at once and let go, so a store may be given as it is read: what is kept grows with the distinct
rules and, for the suggestions, by a name for each schedule.
"""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from operator import attrgetter
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


class Suggestion(NamedTuple):
    """A schedule that starts in a crowd of `starts`, and the seconds of jitter that would spread it."""

    name: str
    jitter: int
    starts: int


@dataclass(frozen=True)
class Load:
    """`counts[k]` runs start in the `bucket` (a length of time) that begins at `start` + k × `bucket`.

    `crowds`: the seconds in which more than `crowd` start, the fullest first, 1,000 at most.
    """

    start: datetime
    end: datetime
    bucket: timedelta
    crowd: int
    counts: tuple[int, ...]
    crowds: tuple[Crowd, ...]
    _starts: "_Starts" = field(repr=False, compare=False)

    @property
    def total(self) -> int:
        """How many start in all."""
        return sum(self.counts)

    def spread(self) -> list[Suggestion]:
        """Jitter for the schedules without any that start in a crowd, by name: at most half of the time between two of
        their starts.

        A schedule's own part of its jitter is always the same, so what is spread one day is spread alike the next.
        """
        if not self.crowds:
            return []
        found = []
        for group in self._starts.groups.values():
            most = self._starts.fullest(group) if group.names else 0
            if most > self.crowd and (jitter := _jitter(most / self.crowd, group.offsets)):
                found += [Suggestion(name, jitter, most) for name in group.names]
        return sorted(found, key=attrgetter("name"))


def load(
    schedules: Iterable[StoredSchedule], start: datetime, end: datetime, bucket: timedelta, *, crowd: int = 100
) -> Load:
    """What starts in [start, end), in buckets; a second with more than `crowd` starts is a crowd. Of a `ScheduleStore`
    itself, all of its schedules.

    To the second, jitter included; what a trigger starts or an overlap skips can't be known ahead.

    Raises:
        SpecError: a bucket is no whole number of seconds, there are more than 10,000, or the time is over 31 days.
    """
    _check(start, end, bucket)
    found = _Starts(schedules, start, end)
    starts, width = found.counts, bucket // _SECOND
    counts = tuple(sum(starts[at : at + width]) for at in range(0, len(starts), width))
    crowded = sorted((at for at, number in enumerate(starts) if number > crowd), key=lambda at: (-starts[at], at))
    crowds = tuple(Crowd(start + at * _SECOND, starts[at]) for at in crowded[:MOST_CROWDS])
    return Load(start, end, bucket, crowd, counts, crowds, found)


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


#: What tells one group's instants from another's: a rule, an interval's length and its first start in the time, or a
#: schedule's name where its instants are its own.
_Key = Recurrence | tuple[timedelta, timedelta] | str


@dataclass
class _Group:
    """Schedules with the same slots: those, in seconds from the start of the time, how many of them start how much later,
    and the names of those without jitter."""

    offsets: Sequence[int] = ()
    delays: Counter[int] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)


class _Starts:
    """How many start in each second from `start` on. Each distinct rule is walked once, whoever has it."""

    def __init__(self, schedules: Iterable[StoredSchedule], start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        self.counts = [0] * -(-(end - start) // _SECOND)
        self.groups: defaultdict[_Key, _Group] = defaultdict(_Group)
        for stored in schedules:
            if not stored.problem and (stored.next_at is not None or stored.pause is not None):
                self._add(stored)
        for key, group in self.groups.items():
            if not isinstance(key, str):
                group.offsets = self._offsets(key, group)
            self._count(group)

    def fullest(self, group: _Group) -> int:
        """How many start together in the fullest second in which one of this group does."""
        offsets = group.offsets
        return max((self.counts[at] for at in offsets[bisect_left(offsets, 0) :]), default=0)

    def _add(self, stored: StoredSchedule) -> None:
        spec, delay = stored.spec, stored.delay // _SECOND
        rule = spec.rule
        if stored.next_at is None or spec.max_runs is not None:
            group = self.groups[spec.name]
            coming = slots(stored, self._start - delay * _SECOND - _TICK)
            group.offsets = self._in_seconds(takewhile(lambda at: at < self._end, coming))
        elif isinstance(rule, Interval):
            since = self._start - delay * _SECOND
            group = self.groups[rule.every, rule.next_after(since - _TICK) - since]
            delay = 0
        else:
            group = self.groups[rule]
        group.delays[delay] += 1
        if not spec.jitter:
            group.names.append(spec.name)

    def _offsets(self, key: Recurrence | tuple[timedelta, timedelta], group: _Group) -> Sequence[int]:
        if isinstance(key, tuple):
            every, first = key
            if not every % _SECOND and not first % _SECOND:
                return range(first // _SECOND, len(self.counts), every // _SECOND)
            key = Interval(every=every, anchor=self._start + first - every)
        longest = max(group.delays) * _SECOND
        return self._in_seconds(key.walk(self._start - longest - _TICK, self._end - _TICK))

    def _in_seconds(self, instants: Iterable[datetime]) -> Sequence[int]:
        return array("i", ((at - self._start) // _SECOND for at in instants))

    def _count(self, group: _Group) -> None:
        counts, offsets = self.counts, group.offsets
        for delay, schedules in group.delays.items():
            for at in offsets[bisect_left(offsets, -delay) : bisect_left(offsets, len(counts) - delay)]:
                counts[at + delay] += schedules
