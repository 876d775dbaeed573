"""Cron in Celery's meaning: day of month *and* day of week must both match; 0 = Sunday. Five fields, or six with the
seconds first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from livebeat.errors import SpecError
from livebeat.rules.clocks import Clocks, Gap, Repeat, Span, check_policies, next_instant, policies_to_json, spans
from livebeat.rules.cron_fields import Fields, fields_of
from livebeat.rules.recurrence import REFERENCE, Recurrence
from livebeat.rules.zone import zone

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Cron(Recurrence):
    """`Cron("30 9 * * 1-5", timezone="Asia/Seoul")`. Without a zone the store fills in the Celery app's.

    A rule with fixed times (no `*` in minute and hour, as in Debian's cron) that a gap swallowed runs once, at the
    gap's end (`gap="next_valid"`), or not at all (`"skip"`); one with a wildcard or step simply has no instants in a
    gap. In a repeat, `repeat` says which passes count: `first` (the default for fixed times), `second`, or `both`
    (that of wildcards).
    """

    kind: ClassVar[str] = "cron"

    expression: str
    timezone: str | None = None
    gap: Gap = "next_valid"
    repeat: Repeat | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", " ".join(self.expression.split()))
        check_policies(self.gap, self.repeat)
        _compiled(self.expression, self.timezone, self.gap, self.repeat)
        if self.has_times and self.gap == "skip" and self.next_after(REFERENCE) is None:
            raise SpecError(
                "gap",
                f"{self.expression!r} never occurs: in {self.timezone} each of its instants lies in a gap (write next_valid)",
                f"{self.expression!r}: {self.timezone}에서는 모든 실행 시각이 시계를 앞당기는 구간에 있어 실행될 수 없습니다 "
                "(next_valid를 사용하세요)",
            )

    @property
    def has_times(self) -> bool:
        """Whether it names times of the day, rather than running all day through."""
        return fields_of(self.expression).fixed

    def next_after(self, instant: datetime) -> datetime | None:
        fields, clocks = _compiled(self.expression, self.timezone, self.gap, self.repeat)
        return next_instant(fields, clocks, instant.astimezone(UTC))

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        after, until = after.astimezone(UTC), until.astimezone(UTC)
        fields, clocks = _compiled(self.expression, self.timezone, self.gap, self.repeat)
        within = fields.within_an_hour()
        for span in spans(fields, clocks, after, until):
            if span.gap_end is not None:
                yield span.gap_end
            yield from _instants(fields, within, span)

    def count(self, after: datetime, until: datetime) -> int:
        """How many due instants lie in (after, until]: by whole days, so years cost little."""
        fields, clocks = _compiled(self.expression, self.timezone, self.gap, self.repeat)
        found = spans(fields, clocks, after.astimezone(UTC), until.astimezone(UTC))
        return sum(fields.number(span.low, span.high) + (span.gap_end is not None) for span in found)

    def resolved(self, default_zone: str, anchor: datetime) -> "Cron":
        return self if self.timezone else replace(self, timezone=default_zone)

    def to_json(self) -> dict[str, Any]:
        data = {"kind": self.kind, "expression": self.expression}
        if self.timezone:
            data["timezone"] = self.timezone
        return {**data, **policies_to_json(self.gap, self.repeat)}

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Cron":
        expression, timezone = data.get("expression"), data.get("timezone")
        if not isinstance(expression, str) or not isinstance(timezone, str | None):
            raise SpecError(
                "cron", "expression and timezone must be text", "expression과 timezone은 문자열이어야 합니다"
            )
        gap, repeat = data.get("gap", "next_valid"), data.get("repeat")
        check_policies(gap, repeat)
        return _parsed(expression, timezone, gap, repeat)

    def __str__(self) -> str:
        """As Celery prints a crontab, and as the old API showed it."""
        return f"<crontab: {self.expression} ({'s/' if len(self.expression.split()) == 6 else ''}m/h/dM/MY/d)>"


def _instants(fields: Fields, within: tuple[timedelta, ...], span: Span) -> Iterator[datetime]:
    for hour in fields.hours_of(span.low, span.high):
        begin = (hour - span.offset).replace(tzinfo=UTC)
        if span.low < hour and hour + _HOUR <= span.high:
            yield from [begin + later for later in within]
        else:
            yield from [begin + later for later in within if span.low < hour + later <= span.high]


@lru_cache(maxsize=65536)
def _parsed(expression: str, timezone: str | None, gap: Gap, repeat: Repeat | None) -> Cron:
    """One object for all the schedules that have the rule."""
    return Cron(expression, timezone, gap, repeat)


@lru_cache(maxsize=65536)
def _compiled(expression: str, timezone: str | None, gap: Gap, repeat: Repeat | None) -> tuple[Fields, Clocks]:
    fields = fields_of(expression)
    default: Repeat = "first" if fields.fixed else "both"
    return fields, Clocks(zone(timezone or "UTC"), fields.fixed and gap == "next_valid", repeat or default)
