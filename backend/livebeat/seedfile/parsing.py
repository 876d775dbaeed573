"""The text of `schedules.json` to specs.

Top level: an object of name → entry. An entry has `task` and either the old `schedule`
(`{"hour", "minute", "day_of_week"}`) or a `recurrence`, and any other field of `ScheduleSpec`; the old form also
knows `complex_id` (one argument) and, without `options`, expires after an hour as it always did. `"$schema"` is for
editors.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from celery import Celery

from livebeat.connection import link
from livebeat.delivery import admit
from livebeat.errors import SeedFileError, SpecError
from livebeat.rules import Recurrence
from livebeat.seedfile.crontab import old_form_to_cron
from livebeat.seedfile.places import Places
from livebeat.spec import ScheduleSpec

OLD_OPTIONS = {"expires": 3600}
SCHEMA_KEY = "$schema"
_OLD_FIELDS = frozenset({"schedule", "complex_id", "comment"})
_OLD_RULE = frozenset({"hour", "minute", "day_of_week", "comment"})


def parse(text: str, path: Path) -> dict[str, ScheduleSpec]:
    """Every entry of the file by name.

    Raises:
        SeedFileError: it isn't JSON, or an entry is unusable (with its name and field); says the line and column.
    """
    specs = {}
    for name, entry in _entries(text, path).items():
        try:
            specs[name] = _spec(name, entry)
        except SpecError as error:
            raise unusable(text, path, name, error) from None
    return specs


def check_admissible(app: Celery, specs: Iterable[ScheduleSpec], text: str, path: Path) -> None:
    """Refuse a file that names what this app may not schedule.

    Raises:
        SeedFileError: the first such entry, and why.
    """
    keys = link(app).keys
    for spec in specs:
        try:
            keys.entry(spec.name)
            admit(app, spec)
        except SpecError as error:
            raise unusable(text, path, spec.name, error) from None


def unusable(
    text: str, path: Path, name: str, error: SpecError, kind: type[SeedFileError] = SeedFileError
) -> SeedFileError:
    """The error of a file one of whose entries can't be used."""
    line, column = Places(text).of(name, str(error.facts["field"]))
    return kind(
        path=path,
        reason_en=f"line {line}, column {column}: schedule '{name}', {error.text('en')}.",
        reason_ko=f"{line}행 {column}열: '{name}' 스케줄, {error.text('ko')}.",
    )


def _entries(text: str, path: Path) -> dict[str, Any]:
    try:
        repeated = Places(text).repeated()
    except json.JSONDecodeError as error:
        raise SeedFileError(
            path=path,
            reason_en=f"line {error.lineno}, column {error.colno}: {error.msg}.",
            reason_ko=f"{error.lineno}행 {error.colno}열: {error.msg}.",
        ) from None
    except RecursionError:
        raise SeedFileError(
            path=path, reason_en="it is nested too deeply.", reason_ko="중첩이 너무 깊습니다."
        ) from None
    except ValueError as error:  # a number of thousands of digits
        raise SeedFileError(path=path, reason_en=f"{error}.", reason_ko=f"{error}.") from None
    if repeated is not None:
        key, (first, _), (line, column) = repeated
        raise SeedFileError(
            path=path,
            reason_en=f"line {line}, column {column}: '{key}' is there already, in line {first}; remove one of them.",
            reason_ko=f"{line}행 {column}열: '{key}'이(가) {first}행에 이미 있습니다. 둘 중 하나를 지우세요.",
        )
    data = json.loads(text)
    if not isinstance(data, dict):
        raise SeedFileError(
            path=path,
            reason_en="the top level must be an object of name → schedule.",
            reason_ko="최상위는 이름 → 스케줄 객체여야 합니다.",
        )
    if isinstance(data.get(SCHEMA_KEY), str):
        del data[SCHEMA_KEY]
    return data


def _spec(name: str, entry: Any) -> ScheduleSpec:
    if not isinstance(entry, Mapping):
        raise SpecError("entry", "must be an object", "객체여야 합니다")
    fields: dict[str, Any] = {k: v for k, v in entry.items() if k not in _OLD_FIELDS}
    if "name" in fields:
        raise SpecError("name", "is the entry's key; remove it here", "이름은 항목의 키입니다. 여기서는 빼세요")
    if "schedule" in entry:
        fields["recurrence"] = _old_rule(entry)
        fields.setdefault("options", OLD_OPTIONS)
    else:
        _check_members(fields.get("recurrence"))
    complex_id = entry.get("complex_id")
    if complex_id is not None:
        if isinstance(complex_id, bool) or not isinstance(complex_id, str | int):
            raise SpecError("complex_id", "must be a number or text", "숫자 또는 문자열이어야 합니다")
        fields.setdefault("args", [str(complex_id)])
    return ScheduleSpec.from_json({"description": "", **fields, "name": name})


def _check_members(rule: Any) -> None:
    """A member of a rule that is written wrong would silently be none."""
    kind = Recurrence.kinds.get(rule.get("kind", "")) if isinstance(rule, dict) else None
    if kind is None:
        return  # it will be refused
    known = ["kind", *(field.name for field in dataclasses.fields(kind))]  # type: ignore[arg-type]
    for name, value in rule.items():
        if name not in known:
            raise SpecError(
                name,
                f"is not part of {rule['kind']}; known are {', '.join(known)}",
                f"{rule['kind']}에 없는 항목입니다. 사용 가능: {', '.join(known)}",
            )
        for inner in value if isinstance(value, list) else [value]:
            _check_members(inner)


def _old_rule(entry: Mapping[str, Any]) -> dict[str, Any]:
    old = entry["schedule"]
    if "recurrence" in entry:
        raise SpecError(
            "recurrence",
            "is given beside schedule; keep one of them",
            "schedule과 함께 쓸 수 없습니다. 하나만 남기세요",
        )
    if not isinstance(old, Mapping) or not {"hour", "minute"} <= old.keys():
        raise SpecError("schedule", "must be an object with hour and minute", "hour와 minute이 있는 객체여야 합니다")
    unknown = [field for field in old if field not in _OLD_RULE]
    if unknown:
        raise SpecError(
            unknown[0],
            "is not part of schedule; write hour, minute, day_of_week, or a recurrence instead of it",
            "schedule에 없는 항목입니다. hour, minute, day_of_week을 쓰거나 schedule 대신 recurrence를 쓰세요",
        )
    return old_form_to_cron(old["hour"], old["minute"], old.get("day_of_week")).to_json()
