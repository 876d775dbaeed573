"""A rule without some of its instants: on listed days, on holidays, or when another rule is due."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from livebeat.errors import SpecError
from livebeat.rules.clocks import HORIZON, TICK
from livebeat.rules.covering import is_covered
from livebeat.rules.days import Holidays, checked_days, listed_until
from livebeat.rules.recurrence import REFERENCE, Recurrence, from_json
from livebeat.rules.union import checked_rules, parsed_rules
from livebeat.rules.zone import stretch, zone

_DAY = timedelta(days=1)
_BEFORE_ALL, _AFTER_ALL = datetime(1900, 1, 1, tzinfo=UTC), datetime(9900, 1, 1, tzinfo=UTC)
#: Where so many instants in a row are taken away by other rules, none is left.
_MOST_TAKEN = 90_000
#: How many of them are looked at for a rule that is to be made; where they decide nothing, it is taken.
_TRIED = 2_000
#: Steps that a rule beside takes to come to an instant, before it begins anew there.
_STEPS = 8
#: Days left out in a row that are passed at once.
_MOST_DAYS = 400


@dataclass(frozen=True, init=False)
class Excluding(Recurrence):
    """`Excluding(Cron("0 9 * * 1-5"), holidays=Holidays("KR"), dates=["2026-12-24/2026-12-31"])`.

    An instant of `rule` is left out if its date on the clocks of `timezone` (without one: the rule's own, else the
    Celery app's) is listed or a holiday, or if one of `rules` is due at that very instant.
    """

    kind: ClassVar[str] = "excluding"

    rule: Recurrence
    dates: tuple[str, ...]
    rules: tuple[Recurrence, ...]
    holidays: Holidays | None
    timezone: str | None

    def __init__(
        self,
        rule: Recurrence,
        dates: Iterable[str | date] = (),
        rules: Iterable[Recurrence] = (),
        holidays: Holidays | None = None,
        timezone: str | None = None,
    ) -> None:
        if not isinstance(rule, Recurrence):
            raise SpecError(
                "rule", "must be a rule such as Cron(…) or Interval(…)", "Cron이나 Interval과 같은 규칙이어야 합니다"
            )
        if not isinstance(holidays, Holidays | None):
            raise SpecError("holidays", "must be Holidays(…)", "Holidays(…)여야 합니다")
        object.__setattr__(self, "rule", rule)
        object.__setattr__(self, "dates", checked_days("dates", dates))
        object.__setattr__(self, "rules", checked_rules(rules))
        object.__setattr__(self, "holidays", holidays)
        object.__setattr__(self, "timezone", timezone or getattr(rule, "timezone", None))
        zone(self.timezone or "UTC")
        if self._is_empty():
            raise SpecError(
                "recurrence",
                "never occurs: whatever the rule is due at is excluded",
                "제외 조건이 모든 실행 시각을 지워 실행될 수 없습니다",
            )

    @property
    def anchor(self) -> datetime | None:
        return next((one.anchor for one in (self.rule, *self.rules) if one.anchor is not None), None)

    def next_after(self, instant: datetime) -> datetime | None:
        first = self.rule.next_after(instant)
        return None if first is None else next(self.walk(instant, min(first, _AFTER_ALL) + HORIZON), None)

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        return (at for at in self._walk(after, until, _MOST_TAKEN) if at is not None)

    def _walk(self, after: datetime, until: datetime, most: int) -> Iterator[datetime | None]:
        """What is left; None, and no more, after so many instants in a row that other rules took away."""
        out = [_Beside(rule, after, until) for rule in self.rules]
        free_until = after if self.dates or self.holidays else until + TICK
        taken = 0
        is_cut = True
        while is_cut:
            is_cut = False
            for at in self.rule.walk(after, until):
                if at >= free_until:
                    is_cut, free_until = self._day(at)
                    if is_cut:
                        after = free_until - TICK
                        break
                if not any(rule.is_due(at) for rule in out):
                    taken = 0
                    yield at
                elif (taken := taken + 1) > most:
                    yield None
                    return

    def _is_empty(self) -> bool:
        """Whether it is certain that nothing is left from now on; for a rule that is over, until it was."""
        rule, out = self.rule, self.rules
        while isinstance(rule, Excluding):
            out = (*out, *rule.rules)
            rule = rule.rule
        if is_covered(rule, out):
            return True
        first = self.rule.next_after(REFERENCE) or self.rule.next_after(_BEFORE_ALL)
        # An empty walk has seen every instant; where it broke off, it gave None.
        return first is not None and not any(True for _ in self._walk(first - TICK, first + HORIZON, _TRIED))

    def resolved(self, default_zone: str, anchor: datetime) -> "Excluding":
        return Excluding(
            self.rule.resolved(default_zone, anchor),
            self.dates,
            [rule.resolved(default_zone, anchor) for rule in self.rules],
            self.holidays,
            self.timezone or default_zone,
        )

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"kind": self.kind, "rule": self.rule.to_json()}
        if self.dates:
            data["dates"] = list(self.dates)
        if self.rules:
            data["rules"] = [rule.to_json() for rule in self.rules]
        if self.holidays:
            data["holidays"] = self.holidays.to_json()
        return {**data, "timezone": self.timezone} if self.timezone else data

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Excluding":
        holidays, timezone = data.get("holidays"), data.get("timezone")
        if not isinstance(timezone, str | None):
            raise SpecError("timezone", "must be text", "문자열이어야 합니다")
        return cls(
            from_json(data.get("rule")),
            data.get("dates", ()),
            parsed_rules(data),
            None if holidays is None else Holidays.parse(holidays),
            timezone,
        )

    def __str__(self) -> str:
        out = [*self.dates, *map(str, self.rules), *([self.holidays.country] if self.holidays else [])]
        return f"{self.rule} − {', '.join(out)}"

    def _day(self, at: datetime) -> tuple[bool, datetime]:
        """Whether the date of `at` is left out, and the instant up to which that goes for all others."""
        tz = zone(self.timezone or "UTC")
        now = stretch(at.astimezone(UTC), tz)
        day = (at.astimezone(UTC) + now.offset).date()
        last = self._out_until(day)
        return last is not None, min(now.end, _midnight_after(last or day, now.offset))

    def _out_until(self, day: date) -> date | None:
        """The last of the days in a row that are left out from `day` on; None where it isn't."""
        last = None
        for _ in range(_MOST_DAYS):
            if (listed := listed_until(self.dates, day)) is not None:
                last = listed
            elif self.holidays is not None and day in self.holidays:
                last = day
            else:
                break
            day = last + _DAY
        return last


class _Beside:
    """A rule that is asked about one instant after another, each later than the one before, up to `until`."""

    def __init__(self, rule: Recurrence, after: datetime, until: datetime) -> None:
        self._rule, self._until = rule, until
        self._walk = rule.walk(after, until)
        self._due = next(self._walk, None)

    def is_due(self, at: datetime) -> bool:
        for _ in range(_STEPS):
            if self._due is None or self._due >= at:
                return self._due == at
            self._due = next(self._walk, None)
        self._walk = self._rule.walk(at - TICK, self._until)
        self._due = next(self._walk, None)
        return self._due == at


def _midnight_after(day: date, offset: timedelta) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY - offset
