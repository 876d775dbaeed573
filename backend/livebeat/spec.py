"""`ScheduleSpec`: one schedule's definition, parsed once, checked once, frozen.

Every way in (REST, file, Python, RedBeat's own data) ends here; what this accepts, the store writes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast, get_args

from livebeat.errors import SpecError
from livebeat.rules import Recurrence, from_json

Catchup = Literal["none", "one", "all"]

MAX_JSON_BYTES = 64 * 1024
MAX_JSON_DEPTH = 32


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec:
    """What is to run, and when.

    `catchup`: which slots missed by a downtime still run: `none`, `one` (the latest, at once) or `all`.
    `options` are `apply_async`'s (queue, priority, expires in seconds, time limits …).

    Raises:
        SpecError: a field is unusable; the error names it and says what to write.
    """

    name: str
    task: str
    recurrence: Recurrence
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    catchup: Catchup = "one"
    labels: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", tuple(self.args))
        object.__setattr__(self, "labels", tuple(self.labels))
        if not isinstance(self.task, str) or not self.task.strip():
            raise SpecError("task", "must be a task's name", "태스크 이름을 적으세요")
        if not isinstance(self.recurrence, Recurrence):
            raise SpecError(
                "recurrence", "must be a rule such as Cron(…) or Interval(…)", "Cron이나 Interval 규칙이어야 합니다"
            )
        if self.catchup not in get_args(Catchup):
            raise SpecError(
                "catchup", f"{self.catchup!r} is none of none, one, all", f"{self.catchup!r}: none, one, all 중 하나"
            )
        if not isinstance(self.enabled, bool):
            raise SpecError("enabled", "must be true or false", "true 또는 false여야 합니다")
        for name in ("kwargs", "options"):
            if not isinstance(getattr(self, name), Mapping):
                raise SpecError(name, "must be an object", "객체여야 합니다")
        for name in ("args", "kwargs", "options"):
            _check_json(name, getattr(self, name))

    def with_changes(self, **changes: Any) -> "ScheduleSpec":
        """A copy with some fields replaced, checked like any other."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field; `from_json` gives an equal spec."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **data,
            "recurrence": self.recurrence.to_json(),
            "args": list(self.args),
            "kwargs": dict(self.kwargs),
            "options": dict(self.options),
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ScheduleSpec":
        """The spec of a JSON object.

        Raises:
            SpecError: a field is missing, unknown or unusable.
        """
        known = {f.name for f in fields(cls)}
        for name in data:
            if name not in known:
                raise SpecError(name, "is not a field of a schedule", "스케줄에 없는 항목입니다")
        for name in ("name", "task", "recurrence"):
            if name not in data:
                raise SpecError(name, "is missing", "필수 항목입니다")
        return cls(**{**data, "recurrence": from_json(data["recurrence"])})


def _check_json(name: str, value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False, default=_refuse)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(name, f"must be plain JSON: {error}", f"JSON으로 표현할 수 있어야 합니다: {error}") from None
    if len(text.encode()) > MAX_JSON_BYTES:
        raise SpecError(name, "is larger than 64 KiB", "64 KiB보다 큽니다")
    if _depth(value) > MAX_JSON_DEPTH:
        raise SpecError(name, f"is nested deeper than {MAX_JSON_DEPTH}", f"{MAX_JSON_DEPTH}단계보다 깊습니다")


def _refuse(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _depth(value: Any) -> int:
    inner: Any = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    return 1 + max((_depth(item) for item in cast("list[Any]", inner)), default=0)
