"""`Backfill`: what is known of one, as it lies in Redis; and what may be asked for."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal, get_args

from livebeat.errors import Language, SpecError
from livebeat.events import encode
from livebeat.spec import ScheduleSpec

Overlap = Literal["allow", "one_at_a_time"]
State = Literal["planned", "running", "finished", "cancelled"]

#: Slots of one backfill.
MOST = 100_000
#: Runs sent a second: where nothing else is said, at most, and at least.
RATE, FASTEST, SLOWEST = 10.0, 1000.0, 0.00001
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """One backfill: `sent` of its `total` slots have been sent, in order, up to `cursor`, and `ended` says how many of
    those runs ended how. It is `finished` when all have; `planned` is a dry run's.

    `spec` is the schedule as it was when it was started (None once it has ended); `why` it was cancelled, in two
    languages.
    """

    id: str
    name: str
    start: datetime
    end: datetime
    total: int
    overlap: Overlap
    rate: float
    spec: ScheduleSpec | None
    incarnation: str
    revision: int
    at: datetime
    by: str
    origin: str
    state: State = "running"
    cursor: datetime | None = None
    sent: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)
    ended_at: datetime | None = None
    why: Mapping[Language, str] = field(default_factory=dict)
    #: Epoch seconds: when the next run may be sent, and when progress was told last.
    free_at: float = 0.0
    told_at: float = 0.0

    @property
    def done(self) -> int:
        """Runs that have ended, however they did."""
        return sum(self.ended.values())

    def slots(self) -> Iterator[datetime]:
        """The slots that are still to be sent, in order."""
        after = self.cursor or self.start - _INSTANT
        return self.spec.rule.walk(after, self.end) if self.spec else iter(())

    def facts(self) -> dict[str, Any]:
        """What events, REST and the shell say of it; instants are ISO 8601."""
        return {
            "id": self.id,
            "name": self.name,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "state": self.state,
            "total": self.total,
            "sent": self.sent,
            "done": self.done,
            "ended": dict(self.ended),
            "overlap": self.overlap,
            "rate": self.rate,
            "revision": self.revision,
            "at": self.at.isoformat(),
            "by": self.by,
            "origin": self.origin,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
        }

    def told(self) -> dict[str, Any]:
        """The data of its events: those facts, and why it was cancelled."""
        return {**self.facts(), "reason": self.why["en"]} if self.why else self.facts()

    def encode(self) -> str:
        """The record as it lies in Redis; `decode` gives an equal backfill."""
        more = {
            "spec": self.spec.to_json() if self.spec else None,
            "incarnation": self.incarnation,
            "cursor": self.cursor.isoformat() if self.cursor else None,
            "why": dict(self.why),
            "free_at": self.free_at,
            "told_at": self.told_at,
        }
        return encode({**self.facts(), **more})

    @classmethod
    def decode(cls, text: str) -> "Backfill | None":
        """The backfill of a record; None where somebody else wrote what lies there."""
        try:
            data = json.loads(text)
            del data["done"]
            for name in ("start", "end", "at", "cursor", "ended_at"):
                data[name] = datetime.fromisoformat(data[name]) if data[name] else None
            return cls(**{**data, "spec": ScheduleSpec.from_json(data["spec"]) if data["spec"] else None})
        except (ValueError, TypeError, KeyError, AttributeError, SpecError):
            return None


def instant(name: str, value: Any) -> datetime:
    """One end of a range, in UTC.

    Raises:
        SpecError: it is none.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise SpecError(name, "must be an instant with a time zone", "시간대가 있는 시각이어야 합니다")
    if not _FIRST <= value <= _LAST:
        raise SpecError(name, "must lie between the years 1970 and 9000", "1970년과 9000년 사이여야 합니다")
    return value.astimezone(UTC)


def check_choices(overlap: Any, rate: Any) -> None:
    """Refuse what is no rule of overlap, or no rate.

    Raises:
        SpecError: what to write instead.
    """
    if overlap is not None and overlap not in get_args(Overlap):
        raise SpecError(
            "overlap",
            f"{overlap!r} is none of allow, one_at_a_time",
            f"{overlap!r}: allow, one_at_a_time 중 하나여야 합니다",
        )
    is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not is_number or not SLOWEST <= rate <= FASTEST:
        raise SpecError(
            "rate",
            f"must be a number of runs a second, from {SLOWEST:.5f} (about one a day) to {FASTEST:g}",
            f"초당 실행 수입니다. {SLOWEST:.5f}(하루에 약 한 번) 이상 {FASTEST:g} 이하의 숫자여야 합니다",
        )


def total(spec: ScheduleSpec, start: datetime, end: datetime) -> int:
    """How many slots of a schedule lie in the range, both ends included.

    Raises:
        SpecError: none, or more than one backfill may have.
    """
    if end < start:
        raise SpecError("end", "lies before the start", "시작보다 이릅니다")
    found = spec.rule.count(start - _INSTANT, end)
    if found is None:
        found = sum(1 for _ in islice(spec.rule.walk(start - _INSTANT, end), MOST + 1))
    if found > MOST:
        raise SpecError(
            "end",
            f"more than {MOST:,} slots lie from {start.isoformat()} to {end.isoformat()}; take a shorter range",
            f"{start.isoformat()}부터 {end.isoformat()}까지 슬롯이 {MOST:,}개를 넘습니다. 기간을 줄이세요",
        )
    if not found:
        raise SpecError(
            "start",
            f"no slot of the schedule lies from {start.isoformat()} to {end.isoformat()}",
            f"{start.isoformat()}부터 {end.isoformat()}까지 이 스케줄의 슬롯이 없습니다",
        )
    return found
