"""Every so many seconds, counted from an anchor, so that lateness never adds up."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from livebeat.errors import SpecError
from livebeat.rules.recurrence import Recurrence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINIMUM = timedelta(seconds=0.1)  # RedBeat users have intervals below a second
MAXIMUM = timedelta(days=3660)


@dataclass(frozen=True, init=False)
class Interval(Recurrence):
    """Due at `anchor` + k × `every`, k ≥ 1. Without an anchor the store fills in the creation instant."""

    kind: ClassVar[str] = "interval"

    every: timedelta
    anchor: datetime | None = field(default=None)

    def __init__(self, *, seconds: float = 0, every: timedelta | None = None, anchor: datetime | None = None) -> None:
        length = every if every is not None else timedelta(seconds=seconds)
        if not MINIMUM <= length <= MAXIMUM:
            raise SpecError(
                "every",
                f"must be between 0.1 seconds and 10 years; it is {length.total_seconds():g} seconds",
                f"0.1초 이상 10년 이하여야 합니다 (현재 {length.total_seconds():g}초)",
            )
        if anchor is not None and anchor.tzinfo is None:
            raise SpecError("anchor", "must carry a time zone", "시간대가 있어야 합니다")
        object.__setattr__(self, "every", length)
        object.__setattr__(self, "anchor", anchor.astimezone(UTC) if anchor else None)

    def next_after(self, instant: datetime) -> datetime:
        anchor = self.anchor or _EPOCH
        steps = max((instant - anchor) // self.every + 1, 1)
        return anchor + steps * self.every

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        slot = self.next_after(after)
        while slot <= until:
            yield slot
            slot += self.every

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        anchor = self.anchor or _EPOCH
        steps = (until - anchor) // self.every
        slot = anchor + steps * self.every
        return slot if steps >= 1 and slot > after else None

    def count(self, after: datetime, until: datetime) -> int:
        anchor = self.anchor or _EPOCH
        return max((until - anchor) // self.every, 0) - max((after - anchor) // self.every, 0)

    def has(self, instant: datetime) -> bool:
        """Whether the instant is the anchor or one of its slots."""
        return not (instant - (self.anchor or _EPOCH)) % self.every

    def resolved(self, default_zone: str, anchor: datetime) -> "Interval":
        return self if self.anchor else replace_anchor(self, anchor)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"kind": self.kind, "every": self.every.total_seconds()}
        if self.anchor:
            data["anchor"] = self.anchor.isoformat()
        return data

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Interval":
        every, anchor = data.get("every"), data.get("anchor")
        if not isinstance(every, int | float) or isinstance(every, bool):
            raise SpecError("every", "must be a number of seconds", "초 단위 숫자여야 합니다")
        try:
            return cls(seconds=every, anchor=datetime.fromisoformat(anchor) if anchor else None)
        except (TypeError, ValueError, OverflowError):
            raise SpecError(
                "anchor", "must be an ISO 8601 instant with a zone", "시간대가 있는 ISO 8601 시각이어야 합니다"
            ) from None

    def __str__(self) -> str:
        return f"every {self.every.total_seconds():g} s"


def replace_anchor(interval: Interval, anchor: datetime) -> Interval:
    """The same interval counted from `anchor`."""
    return Interval(every=interval.every, anchor=anchor)
