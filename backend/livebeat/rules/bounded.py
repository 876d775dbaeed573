"""A rule from one instant to another."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from livebeat.rules.clocks import TICK
from livebeat.rules.interval import Interval, replace_anchor
from livebeat.rules.recurrence import Recurrence


@dataclass(frozen=True)
class Bounded(Recurrence):
    """The instants of `rule` within [start, end]. An interval without an anchor counts from `start`.

    A schedule's own start and end; its JSON is the rule's.
    """

    rule: Recurrence
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and isinstance(self.rule, Interval) and self.rule.anchor is None:
            object.__setattr__(self, "rule", replace_anchor(self.rule, self.start))

    @property
    def anchor(self) -> datetime | None:
        return self.rule.anchor

    def next_after(self, instant: datetime) -> datetime | None:
        found = self.rule.next_after(self._low(instant))
        return found if found is None or self.end is None or found <= self.end else None

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        return self.rule.walk(self._low(after), self._high(until))

    def count(self, after: datetime, until: datetime) -> int | None:
        low, high = self._low(after), self._high(until)
        return self.rule.count(low, high) if low < high else 0

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        low, high = self._low(after), self._high(until)
        return self.rule.latest(low, high) if low < high else None

    def resolved(self, default_zone: str, anchor: datetime) -> "Bounded":
        return Bounded(self.rule.resolved(default_zone, anchor), self.start, self.end)

    def to_json(self) -> dict[str, Any]:
        return self.rule.to_json()

    def __str__(self) -> str:
        return str(self.rule)

    def _low(self, after: datetime) -> datetime:
        return after if self.start is None else max(after, self.start - TICK)

    def _high(self, until: datetime) -> datetime:
        return until if self.end is None else min(until, self.end)
