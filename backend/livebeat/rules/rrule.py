"""RFC 5545 recurrence rules, kept whole and walked from the last slot."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from livebeat.errors import SpecError
from livebeat.rules.clocks import Clocks, Gap, Repeat, Walls, check_policies, next_instant, policies_to_json
from livebeat.rules.recurrence import REFERENCE, Recurrence
from livebeat.rules.rrule_text import Parts, parse
from livebeat.rules.rrule_walls import walls_of
from livebeat.rules.zone import zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_YEARS = (1900, 2900)


@dataclass(frozen=True)
class RRule(Recurrence):
    """`RRule("FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0", timezone="Asia/Seoul")`.

    The rule is read on the clocks of `timezone`, from `dtstart` on (an aware instant; what the rule leaves out, such
    as BYHOUR, is taken from it, and it is a slot itself only if the rule says so). Without a zone it is that of
    `dtstart` where that is a `ZoneInfo`, else the store fills in the Celery app's; without `dtstart` the creation
    instant. UNTIL without a `Z` is a time on those clocks.

    Across a clock change it does as `Cron`, with the same `gap` and `repeat`: FREQ=DAILY and longer name fixed times;
    HOURLY and shorter are wildcards.
    """

    kind: ClassVar[str] = "rrule"

    rule: str
    dtstart: datetime | None = None
    timezone: str | None = None
    gap: Gap = "next_valid"
    repeat: Repeat | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str):
            raise SpecError("rule", "must be text such as FREQ=DAILY", "FREQ=DAILY와 같은 문자열이어야 합니다")
        check_policies(self.gap, self.repeat)
        object.__setattr__(self, "rule", "".join(self.rule.split()).upper().removeprefix("RRULE:"))
        if self.dtstart is not None:
            _check_start(self.dtstart)
            named = getattr(self.dtstart.tzinfo, "key", None)
            object.__setattr__(self, "timezone", self.timezone or named)
            object.__setattr__(self, "dtstart", self.dtstart.astimezone(UTC).replace(microsecond=0))
        if self._compiled.never:
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
        """The last instant at which it is what UNTIL says; None where it says nothing."""
        return _instant_of(self.parts.until, zone(self.timezone or "UTC"))

    @property
    def has_times(self) -> bool:
        """Whether it names times of the day, rather than running all day through."""
        return self.parts.has_times

    def next_after(self, instant: datetime) -> datetime | None:
        return self._compiled.next_after(instant)

    @property
    def _compiled(self) -> "_Compiled":
        return _compile(self.rule, self.dtstart, self.timezone, self.gap, self.repeat)

    def resolved(self, default_zone: str, anchor: datetime) -> "RRule":
        if self.dtstart and self.timezone:
            return self
        return replace(self, dtstart=self.dtstart or anchor, timezone=self.timezone or default_zone)

    def to_json(self) -> dict[str, Any]:
        data = {"kind": self.kind, "rule": self.rule}
        if self.dtstart:
            data["dtstart"] = self.dtstart.isoformat()
        if self.timezone:
            data["timezone"] = self.timezone
        return {**data, **policies_to_json(self.gap, self.repeat)}

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
        return cls(rule, dtstart, timezone, data.get("gap", "next_valid"), data.get("repeat"))

    def __str__(self) -> str:
        return self.rule


class _Ending(NamedTuple):
    """The readings up to the last one that COUNT, or UNTIL on these clocks, lets through."""

    walls: Walls
    last: datetime

    def after(self, wall: datetime) -> datetime | None:
        found = self.walls.after(wall)
        return found if found is None or found <= self.last else None


class _Compiled(NamedTuple):
    """A rule ready to be asked. `until`: the instant that an UNTIL with a Z says; a reading ends `walls`."""

    walls: Walls
    clocks: Clocks
    until: datetime | None
    never: bool

    def next_after(self, instant: datetime) -> datetime | None:
        found = next_instant(self.walls, self.clocks, instant.astimezone(UTC))
        return found if found is None or self.until is None or found <= self.until else None


@lru_cache(maxsize=8192)
def _compile(rule: str, dtstart: datetime | None, timezone: str | None, gap: Gap, repeat: Repeat | None) -> _Compiled:
    parts = parse(rule)
    tz = zone(timezone or "UTC")
    if dtstart is None:  # which of its periods count is not known yet
        parts = replace(parts, interval=1)
    start = _wall(dtstart or _EPOCH, tz)
    walls: Walls = walls_of(parts, start)
    last = walls.after(start - _SECOND)
    never = last is None
    if parts.count:
        walls = _counted(walls, last, parts.count)
    clocks = Clocks(tz, parts.has_times and gap == "next_valid", repeat or ("first" if parts.has_times else "both"))
    if parts.has_times and gap == "skip":
        never = never or next_instant(walls, clocks, (dtstart or REFERENCE) - _SECOND) is None
    if parts.until is None or parts.until.tzinfo is not None:
        return _Compiled(walls, clocks, parts.until, never)
    return _Compiled(_Ending(walls, parts.until), clocks, None, never)


def _counted(walls: Walls, last: datetime | None, count: int) -> Walls:
    for _ in range(count - 1):
        following = None if last is None else walls.after(last)
        if following is None:
            break
        last = following
    return walls if last is None else _Ending(walls, last)


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
