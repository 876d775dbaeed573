"""`ScheduleSpec`: one schedule's definition, parsed once, checked once, frozen.

Every way in (REST, file, Python, RedBeat's own data) ends here; what this accepts, the store writes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

from livebeat.errors import SpecError
from livebeat.rules import Recurrence, from_json
from livebeat.rules.bounded import Bounded

Catchup = Literal["none", "one", "all"]
Overlap = Literal["allow", "skip", "buffer_one", "cancel_previous"]
_CHOICES = {"catchup": get_args(Catchup), "overlap": get_args(Overlap)}

#: Seconds: from, to. Every dispatch is late by a little, and the arithmetic of instants ends somewhere.
_SECONDS = {"catchup_window": (1, 10 * 366 * 86_400), "jitter": (0, 86_400), "max_runtime": (1, 30 * 86_400)}
_COUNTS = ("max_runs", "pause_after_failures")
_INSTANTS = ("start", "end")
#: The policies that came after the first data was written: where one has its default, no JSON says it.
POLICIES: dict[str, Any] = {
    "overlap": "allow", "jitter": 0, "start": None, "end": None, "max_runs": None, "max_runtime": None,
    "pause_after_failures": None,
}  # fmt: skip
MAX_JSON_BYTES = 64 * 1024
MAX_JSON_DEPTH = 32


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec:
    """What is to run, and when.

    `catchup`: which slots missed by a downtime still run: `none`, `one` (the latest, at once) or `all`; never one that
    is older than `catchup_window` seconds by then (None: however old).
    `overlap`: what becomes of a slot while a run of the schedule is unfinished: it runs beside it (`allow`), not at all
    (`skip`), after it, one at most (`buffer_one`), or in its place (`cancel_previous`).
    `jitter`: each slot is dispatched by the same part of so many seconds later.
    `start`, `end`: only slots from the one instant to the other. `max_runs`: so many dispatched slots, and it is finished.
    `max_runtime`: seconds after which a run is stopped. `pause_after_failures`: so many failed or lost runs in a row pause
    it.
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
    overlap: Overlap = "allow"
    jitter: float = 0
    start: datetime | None = None
    end: datetime | None = None
    max_runs: int | None = None
    max_runtime: float | None = None
    pause_after_failures: int | None = None
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
        self._check_policies()
        if not isinstance(self.enabled, bool):
            raise SpecError("enabled", "must be true or false", "true 또는 false여야 합니다")
        for name in ("kwargs", "options"):
            _check_object(name, getattr(self, name))
        for name, texts in (("description", [self.description]), ("labels", self.labels)):
            if not all(isinstance(text, str) for text in texts):
                raise SpecError(name, "must be text", "문자열이어야 합니다")
        for name in ("task", "args", "kwargs", "options", "labels", "description"):
            _check_json(name, getattr(self, name))

    def _check_policies(self) -> None:
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for name, (least, most) in _SECONDS.items():
            _check_seconds(name, getattr(self, name), least, most)
        for name in _COUNTS:
            _check_count(name, getattr(self, name))
        for name in _INSTANTS:
            object.__setattr__(self, name, _utc(name, getattr(self, name)))
        if self.start and self.end and self.end < self.start:
            raise SpecError(
                "end",
                f"{self.end.isoformat()} is before the start, {self.start.isoformat()}: there would be no slot",
                f"{self.end.isoformat()}이(가) 시작 {self.start.isoformat()}보다 앞섭니다. 실행할 시각이 없습니다",
            )

    @property
    def rule(self) -> Recurrence:
        """The recurrence from `start` to `end`: the instants at which it is due."""
        if self.start is None and self.end is None:
            return self.recurrence
        return Bounded(self.recurrence, self.start, self.end)

    @property
    def message_options(self) -> Mapping[str, Any]:
        """`options` with `max_runtime` as the hard time limit, where the options have no shorter one."""
        if self.max_runtime is None:
            return self.options
        own = self.options.get("time_limit")
        limit = min(own, self.max_runtime) if isinstance(own, int | float) else self.max_runtime
        return {**self.options, "time_limit": limit}

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
        """A JSON object (a window, and what `POLICIES` names, only where it isn't the default); `from_json` gives an
        equal spec."""
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in POLICIES}
        if self.catchup_window is None:
            del data["catchup_window"]
        return {
            **data,
            **self.policies_to_json(),
            "recurrence": self.recurrence.to_json(),
            "args": list(self.args),
            "kwargs": dict(self.kwargs),
            "options": dict(self.options),
            "labels": list(self.labels),
        }

    def policies_to_json(self) -> dict[str, Any]:
        """What `POLICIES` names, where it isn't the default."""
        chosen = {name: getattr(self, name) for name, default in POLICIES.items() if getattr(self, name) != default}
        return {name: value.isoformat() if name in _INSTANTS else value for name, value in chosen.items()}

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
        return cls(**{**data, **instants(data), "recurrence": from_json(data["recurrence"])})


def instants(data: Mapping[str, Any]) -> dict[str, datetime]:
    """`start` and `end` of a JSON object, as far as it has them.

    Raises:
        SpecError: one is no instant in ISO 8601.
    """
    return {name: _instant(name, data[name]) for name in _INSTANTS if data.get(name) is not None}


def _instant(name: str, text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise SpecError(
            name,
            f"{text!r} is no instant; write it in ISO 8601 with a time zone, such as 2026-12-24T18:00:00+09:00",
            f"{text!r}은(는) 시각이 아닙니다. 2026-12-24T18:00:00+09:00처럼 시간대가 있는 ISO 8601로 적으세요",
        ) from None


def _utc(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise SpecError(name, "must be an instant with a time zone", "시간대가 있는 시각이어야 합니다")
    return value.astimezone(UTC)


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        known = ", ".join(choices)
        raise SpecError(name, f"{value!r} is none of {known}", f"{value!r}: {known} 중 하나여야 합니다")


def _check_seconds(name: str, seconds: Any, least: float, most: float) -> None:
    if seconds is None and name != "jitter":
        return
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not least <= seconds <= most:
        raise SpecError(
            name,
            f"must be a number of seconds, from {least:,} to {most:,}; leave it out for no limit",
            f"{least:,} 이상 {most:,} 이하의 초 단위 숫자여야 합니다. 제한이 없으면 생략하세요",
        )


def _check_count(name: str, number: Any) -> None:
    if number is None:
        return
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise SpecError(
            name,
            "must be a whole number, 1 or more; leave it out for no limit",
            "1 이상의 정수여야 합니다. 제한이 없으면 생략하세요",
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
