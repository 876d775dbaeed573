"""RFC 5545 recurrence rules, kept whole and walked from the last slot."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from livebeat.errors import SpecError
from livebeat.rules.recurrence import Recurrence
from livebeat.rules.rrule_text import Parts, parse
from livebeat.rules.rrule_walls import Walls, walls_of
from livebeat.rules.zone import change, gap_end, instants, zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_YEARS = (1900, 2900)


@dataclass(frozen=True)
class RRule(Recurrence):
    """`RRule("FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0", timezone="Asia/Seoul")`.

    The rule is read on the clocks of `timezone`, from `dtstart` on (an aware instant; what the rule leaves out, such
    as BYHOUR, is taken from it, and it is a slot itself only if the rule says so). Without a zone it is that of
    `dtstart` where that is a `ZoneInfo`, else the store fills in the Celery app's; without `dtstart` the creation
    instant. UNTIL without a `Z` is a time on those clocks.

    Across a clock change it does as `Cron`: FREQ=DAILY and longer name fixed times, which run once, at the end of a
    gap that swallowed them and at the first pass of a repeat; HOURLY and shorter have no instants in a gap, and run
    in both passes of a repeat.
    """

    kind: ClassVar[str] = "rrule"

    rule: str
    dtstart: datetime | None = None
    timezone: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str):
            raise SpecError("rule", "must be text such as FREQ=DAILY", "FREQ=DAILY와 같은 문자열이어야 합니다")
        object.__setattr__(self, "rule", "".join(self.rule.split()).upper().removeprefix("RRULE:"))
        if self.dtstart is not None:
            _check_start(self.dtstart)
            named = getattr(self.dtstart.tzinfo, "key", None)
            object.__setattr__(self, "timezone", self.timezone or named)
            object.__setattr__(self, "dtstart", self.dtstart.astimezone(UTC).replace(microsecond=0))
        if _compiled(self.rule, self.dtstart, self.timezone).never:
            raise SpecError(
                "rule",
                f"{self.rule} never occurs: no date and time fits all of its parts (looked at 40 years)",
                f"{self.rule}: 모든 항목을 만족하는 날짜와 시각이 없어 실행될 수 없습니다 (40년 확인)",
            )

    @property
    def anchor(self) -> datetime | None:
        return self.dtstart

    @property
    def parts(self) -> Parts:
        """The rule taken apart."""
        return parse(self.rule)

    @property
    def start(self) -> datetime:
        """`dtstart` as a reading of the rule's clocks."""
        return _wall(self.dtstart or _EPOCH, zone(self.timezone or "UTC"))

    @property
    def until(self) -> datetime | None:
        """The instant that UNTIL says; None where it says none."""
        return _compiled(self.rule, self.dtstart, self.timezone).until

    def next_after(self, instant: datetime) -> datetime | None:
        return _compiled(self.rule, self.dtstart, self.timezone).next_after(instant)

    def resolved(self, default_zone: str, anchor: datetime) -> "RRule":
        if self.dtstart and self.timezone:
            return self
        return replace(self, dtstart=self.dtstart or anchor, timezone=self.timezone or default_zone)

    def to_json(self) -> dict[str, Any]:
        data = {"kind": self.kind, "rule": self.rule}
        if self.dtstart:
            data["dtstart"] = self.dtstart.isoformat()
        return {**data, "timezone": self.timezone} if self.timezone else data

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "RRule":
        rule, start, timezone = data.get("rule"), data.get("dtstart"), data.get("timezone")
        if not isinstance(rule, str) or not isinstance(timezone, str | None):
            raise SpecError("rule", "rule and timezone must be text", "rule과 timezone은 문자열이어야 합니다")
        try:
            dtstart = datetime.fromisoformat(start) if start else None
        except (TypeError, ValueError):
            raise SpecError(
                "dtstart", "must be an ISO 8601 instant with a zone", "시간대가 있는 ISO 8601 시각이어야 합니다"
            ) from None
        return cls(rule, dtstart, timezone)

    def __str__(self) -> str:
        return self.rule


class _Compiled(NamedTuple):
    """A rule ready to be asked. `last`: the reading that COUNT ends with; `until`: the instant that UNTIL says."""

    walls: Walls
    tz: tzinfo
    has_times: bool
    last: datetime | None
    until: datetime | None
    never: bool

    def next_after(self, instant: datetime) -> datetime | None:
        local = instant.astimezone(self.tz)
        wall = local.replace(tzinfo=None)
        found = self._first(wall, instant)
        if not self.has_times and not local.fold:
            passes = instants(wall, self.tz)
            if len(passes) == 2:  # the clock will be set back over this reading: some earlier ones come again
                back = change(*passes, self.tz)
                again = self._first(_wall(back, self.tz) - _TICK, back - _TICK)
                found = min((at for at in (found, again) if at is not None), default=None)
        return found if found is None or self.until is None or found <= self.until else None

    def _first(self, wall: datetime, after: datetime) -> datetime | None:
        """The first instant after `after` of the readings later than `wall`."""
        reading = self.walls.after(wall)
        while reading is not None and (self.last is None or reading <= self.last):
            at = instants(reading, self.tz)
            if self.has_times:
                at = at[:1] or (gap_end(reading, self.tz),)
            for found in at:
                if found > after:
                    return found
            reading = self.walls.after(reading)
        return None


@lru_cache(maxsize=8192)
def _compiled(rule: str, dtstart: datetime | None, timezone: str | None) -> _Compiled:
    parts = parse(rule)
    tz = zone(timezone or "UTC")
    if dtstart is None:  # which of its periods count is not known yet
        parts = replace(parts, interval=1)
    start = _wall(dtstart or _EPOCH, tz)
    walls = walls_of(parts, start)
    first = walls.after(start - _SECOND)
    last = first
    for _ in range((parts.count or 1) - 1):
        if last is None:
            break
        last = walls.after(last)
    return _Compiled(
        walls=walls,
        tz=tz,
        has_times=parts.has_times,
        last=last if parts.count else None,
        until=_instant_of(parts.until, tz),
        never=first is None,
    )


def _instant_of(until: datetime | None, tz: tzinfo) -> datetime | None:
    """The last instant at which it is `until`, where that is a reading of the rule's clocks."""
    if until is None or until.tzinfo is not None:
        return until
    try:
        return max(until.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    except OverflowError:
        return None  # the end of the calendar: no end at all


def _wall(instant: datetime, tz: tzinfo) -> datetime:
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)


def _check_start(dtstart: datetime) -> None:
    if not isinstance(dtstart, datetime) or dtstart.tzinfo is None:
        raise SpecError("dtstart", "must be an instant with a time zone", "시간대가 있는 시각이어야 합니다")
    first, last = _YEARS
    if not first <= dtstart.year <= last:
        raise SpecError("dtstart", f"must lie between {first} and {last}", f"{first}~{last}년 사이여야 합니다")
