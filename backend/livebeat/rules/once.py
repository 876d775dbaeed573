"""One instant, and then never again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from livebeat.errors import SpecError
from livebeat.rules.recurrence import Recurrence


@dataclass(frozen=True)
class Once(Recurrence):
    """`Once(datetime(2026, 12, 24, 18, tzinfo=UTC))`: due at that instant. Past it the schedule is finished."""

    kind: ClassVar[str] = "once"

    at: datetime

    def __post_init__(self) -> None:
        if not isinstance(self.at, datetime) or self.at.tzinfo is None:
            raise SpecError("at", "must be an instant with a time zone", "시간대가 있는 시각이어야 합니다")
        object.__setattr__(self, "at", self.at.astimezone(UTC))

    def next_after(self, instant: datetime) -> datetime | None:
        return self.at if self.at > instant else None

    def resolved(self, default_zone: str, anchor: datetime) -> "Once":
        return self

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "at": self.at.isoformat()}

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Once":
        try:
            return cls(datetime.fromisoformat(data["at"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise SpecError(
                "at", "must be an ISO 8601 instant with a zone", "시간대가 있는 ISO 8601 시각이어야 합니다"
            ) from None

    def __str__(self) -> str:
        return f"once at {self.at.isoformat()}"
