"""Several rules as one: due whenever one of them is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any, ClassVar

from livebeat.errors import SpecError
from livebeat.rules.recurrence import Recurrence, from_json

#: A calendar's single events are a rule each.
MOST_RULES = 1_000


@dataclass(frozen=True, init=False)
class Union(Recurrence):
    """`Union(Cron("0 9 * * 1-5"), Cron("0 12 * * 6"))`. An instant at which several are due is one."""

    kind: ClassVar[str] = "union"

    rules: tuple[Recurrence, ...]

    def __init__(self, *rules: Recurrence | Iterable[Recurrence]) -> None:
        given = rules[0] if len(rules) == 1 and not isinstance(rules[0], Recurrence) else rules
        object.__setattr__(self, "rules", checked_rules(given))
        if not self.rules:
            raise SpecError("rules", "must hold one rule at least", "규칙이 하나 이상 있어야 합니다")

    @property
    def anchor(self) -> datetime | None:
        return next((rule.anchor for rule in self.rules if rule.anchor is not None), None)

    def next_after(self, instant: datetime) -> datetime | None:
        return min((at for rule in self.rules if (at := rule.next_after(instant)) is not None), default=None)

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        return (at for at, _ in groupby(merge(*(rule.walk(after, until) for rule in self.rules))))

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        found = (rule.latest(after, until) for rule in self.rules)
        return max((at for at in found if at is not None), default=None)

    def resolved(self, default_zone: str, anchor: datetime) -> "Union":
        return Union(rule.resolved(default_zone, anchor) for rule in self.rules)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "rules": [rule.to_json() for rule in self.rules]}

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Union":
        return cls(parsed_rules(data))

    def __str__(self) -> str:
        return " + ".join(map(str, self.rules))


def checked_rules(rules: Any) -> tuple[Recurrence, ...]:
    """The rules as they came.

    Raises:
        SpecError: one is no rule, or they are too many.
    """
    found = tuple(rules) if isinstance(rules, Iterable) and not isinstance(rules, str) else (rules,)
    if not all(isinstance(rule, Recurrence) for rule in found):
        raise SpecError(
            "rules", "must be rules such as Cron(…) or Interval(…)", "Cron이나 Interval과 같은 규칙이어야 합니다"
        )
    if len(found) > MOST_RULES:
        raise SpecError("rules", f"are more than {MOST_RULES:,}", f"{MOST_RULES:,}개를 넘습니다")
    return found


def parsed_rules(data: dict[str, Any]) -> tuple[Recurrence, ...]:
    """Those of the member `rules`; none where it is missing.

    Raises:
        SpecError: it is no list of rules' JSON objects.
    """
    rules = data.get("rules", [])
    if not isinstance(rules, list):
        raise SpecError("rules", "must be a list of rules", "규칙의 목록이어야 합니다")
    return tuple(from_json(rule) for rule in rules)
