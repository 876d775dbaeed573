"""`ScheduleSpec`: one schedule's definition, parsed once, checked once, frozen.

Every way in (REST, file, Python, RedBeat's own data) ends here; what this accepts, the store writes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast, get_args

from livebeat.errors import SpecError
from livebeat.rules import Recurrence, from_json

Catchup = Literal["none", "one", "all"]
_CATCHUPS = get_args(Catchup)

#: Seconds. Every dispatch is late by a little, and the arithmetic of instants ends somewhere.
_SHORTEST_WINDOW, _LONGEST_WINDOW = 1, 10 * 366 * 86_400
MAX_JSON_BYTES = 64 * 1024
MAX_JSON_DEPTH = 32


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec:
    """What is to run, and when.

    `catchup`: which slots missed by a downtime still run: `none`, `one` (the latest, at once) or `all`; never one that
    is older than `catchup_window` seconds by then (None: however old).
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
    catchup_window: float | None = None
    labels: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        for name in ("args", "labels"):
            object.__setattr__(self, name, _tuple(name, getattr(self, name)))
        if not isinstance(self.task, str) or not self.task.strip():
            raise SpecError("task", "must be a task's name", "태스크 이름을 적으세요")
        if not isinstance(self.recurrence, Recurrence):
            raise SpecError(
                "recurrence", "must be a rule such as Cron(…) or Interval(…)", "Cron이나 Interval 규칙이어야 합니다"
            )
        if self.catchup not in _CATCHUPS:
            raise SpecError(
                "catchup", f"{self.catchup!r} is none of none, one, all", f"{self.catchup!r}: none, one, all 중 하나"
            )
        _check_window(self.catchup_window)
        if not isinstance(self.enabled, bool):
            raise SpecError("enabled", "must be true or false", "true 또는 false여야 합니다")
        for name in ("kwargs", "options"):
            _check_object(name, getattr(self, name))
        for name, texts in (("description", [self.description]), ("labels", self.labels)):
            if not all(isinstance(text, str) for text in texts):
                raise SpecError(name, "must be text", "문자열이어야 합니다")
        for name in ("task", "args", "kwargs", "options", "labels", "description"):
            _check_json(name, getattr(self, name))

    @classmethod
    def unchecked(cls, **fields: Any) -> "ScheduleSpec":
        """A spec of every field's value as another spec had it: what the store wrote was checked then."""
        spec = object.__new__(cls)
        spec.__dict__.update(fields)
        return spec

    def with_changes(self, **changes: Any) -> "ScheduleSpec":
        """A copy with some fields replaced, checked like any other."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field (a window only where there is one); `from_json` gives an equal spec."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.catchup_window is None:
            del data["catchup_window"]
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


def _check_window(seconds: Any) -> None:
    if seconds is None:
        return
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not _SHORTEST_WINDOW <= seconds <= _LONGEST_WINDOW:
        raise SpecError(
            "catchup_window",
            "must be a number of seconds, from 1 to ten years; leave it out for no limit",
            "1초 이상 10년 이하의 초 단위 숫자여야 합니다. 제한이 없으면 생략하세요",
        )


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SpecError(name, "must be a list", "목록이어야 합니다")
    return tuple(value)


def _check_object(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise SpecError(name, "must be an object", "객체여야 합니다")


def _check_json(name: str, value: Any) -> None:
    if not value:
        return
    try:
        text = _encode(value)
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise SpecError(name, f"must be plain JSON: {error}", f"JSON으로 표현할 수 있어야 합니다: {error}") from None
    except RecursionError:
        text, size = "[" * (MAX_JSON_DEPTH + 1), 0
    # Nothing is deeper than it has brackets; nearly everything ends here.
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _is_deep(value):
        raise SpecError(name, f"is nested deeper than {MAX_JSON_DEPTH}", f"{MAX_JSON_DEPTH}단계보다 깊습니다")
    if size > MAX_JSON_BYTES:
        raise SpecError(name, "is larger than 64 KiB", "64 KiB보다 큽니다")


def _refuse(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encode = json.JSONEncoder(allow_nan=False, default=_refuse, ensure_ascii=False).encode


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return cast("list[Any]", value) if isinstance(value, list | tuple) else ()
