"""What every rule can do, and its JSON form."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar

from livebeat.errors import SpecError

#: Whether a rule ever occurs is looked for from here on, since no rule reads a clock.
REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)
#: Instants that are counted one by one at most.
COUNTED = 1_000


class Recurrence:
    """A rule: the instants at which something is due. Subclasses are frozen, comparable and cheap to make."""

    kind: ClassVar[str]
    #: Every subclass that has a kind by it, for reading JSON.
    kinds: ClassVar[dict[str, type["Recurrence"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            Recurrence.kinds[cls.kind] = cls

    @property
    def anchor(self) -> datetime | None:
        """The instant that it counts from; None where it counts from none, or that was left open."""
        return None

    def next_after(self, instant: datetime) -> datetime | None:
        """The first due instant strictly after `instant`; None where there is none."""
        raise NotImplementedError

    def resolved(self, default_zone: str, anchor: datetime) -> "Recurrence":
        """The same rule with what it left open filled in: its zone, or the instant that it counts from."""
        raise NotImplementedError

    def going_on(self, kept: "Recurrence | None", default_zone: str, anchor: datetime) -> "Recurrence":
        """The rule resolved; `kept` itself, with the anchor that it has, where that is this rule filled in."""
        if kept is not None and kept.anchor is not None and self.resolved(default_zone, kept.anchor) == kept:
            return kept
        return self.resolved(default_zone, anchor)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `from_json` gives an equal rule."""
        raise NotImplementedError

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Recurrence":
        """The rule of its JSON object.

        Raises:
            SpecError: a member is missing or unusable.
        """
        raise NotImplementedError

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The due instants in (after, until], in order, as they are asked for."""
        instant = self.next_after(after)
        while instant is not None and instant <= until:
            yield instant
            instant = self.next_after(instant)

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """The due instants in (after, until], in order."""
        return list(self.walk(after, until))

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many due instants lie in (after, until]; None where they are more than `COUNTED` and each costs."""
        found = sum(1 for _ in islice(self.walk(after, until), COUNTED + 1))
        return found if found <= COUNTED else None

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last due instant in (after, until]; None where there is none.

        Looks back from `until` in windows that double, so a rule that was due a million times costs no more
        than one that was due twice.
        """
        window = timedelta(minutes=1)
        while True:
            start = max(after, until - window)
            last = None
            for last in self.walk(start, until):  # noqa: B007  only the last one is wanted
                pass
            if last is not None or start == after:
                return last
            window *= 2


def from_json(data: Any) -> Recurrence:
    """The rule of its JSON object, as `to_json` writes it.

    Raises:
        SpecError: it isn't one.
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in Recurrence.kinds:
        known = ", ".join(sorted(Recurrence.kinds))
        raise SpecError(
            "recurrence",
            f"kind {kind!r} is unknown; known are {known}",
            f"kind {kind!r}을(를) 알 수 없습니다. 사용 가능: {known}",
        )
    try:
        return Recurrence.kinds[kind].parse(data)
    except RecursionError:
        raise SpecError(
            "recurrence",
            "is nested too deep; put its rules side by side",
            "중첩이 너무 깊습니다. 규칙을 나란히 적으세요",
        ) from None
