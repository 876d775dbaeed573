"""The text of `schedules.json` to specs.

Top level: an object of name → entry. An entry has `task` and either the old `schedule`
(`{"hour", "minute", "day_of_week"}`) or a `recurrence`, and any other field of `ScheduleSpec`; the old form also
knows `complex_id` (one argument) and, without `options`, expires after an hour as it always did.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from livebeat.errors import SeedFileError, SpecError
from livebeat.rules import from_json
from livebeat.seedfile.crontab import old_form_to_cron
from livebeat.spec import ScheduleSpec

OLD_OPTIONS = {"expires": 3600}
_OLD_FIELDS = frozenset({"schedule", "complex_id", "comment"})


def parse(text: str, path: Path) -> dict[str, ScheduleSpec]:
    """Every entry of the file by name.

    Raises:
        SeedFileError: it isn't JSON (with line and column), or an entry is unusable (with its name and field).
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SeedFileError(
            path=path,
            reason_en=f"{where}: {error.msg}.",
            reason_ko=f"{error.lineno}행 {error.colno}열: {error.msg}.",
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a thousand brackets
        raise SeedFileError(path=path, reason_en=f"{error}.", reason_ko=f"{error}.") from None
    if not isinstance(data, dict):
        raise SeedFileError(
            path=path,
            reason_en="the top level must be an object of name → schedule.",
            reason_ko="최상위는 이름 → 스케줄 객체여야 합니다.",
        )
    specs = {}
    for name, entry in data.items():
        try:
            specs[name] = _spec(name, entry)
        except SpecError as error:
            raise unusable(path, name, error) from None
    return specs


def unusable(path: Path, name: str, error: SpecError) -> SeedFileError:
    """The error of a file one of whose entries can't be used."""
    return SeedFileError(
        path=path,
        reason_en=f"schedule '{name}', {error.text('en')}.",
        reason_ko=f"'{name}' 스케줄, {error.text('ko')}.",
    )


def _spec(name: str, entry: Any) -> ScheduleSpec:
    if not isinstance(entry, Mapping):
        raise SpecError("entry", "must be an object", "객체여야 합니다")
    fields: dict[str, Any] = {k: v for k, v in entry.items() if k not in _OLD_FIELDS}
    if "schedule" in entry:
        old = entry["schedule"]
        if not isinstance(old, Mapping) or not {"hour", "minute"} <= old.keys():
            raise SpecError(
                "schedule", "must be an object with hour and minute", "hour와 minute이 있는 객체여야 합니다"
            )
        fields["recurrence"] = old_form_to_cron(old["hour"], old["minute"], old.get("day_of_week")).to_json()
        fields.setdefault("options", OLD_OPTIONS)
    complex_id = entry.get("complex_id")
    if complex_id is not None:
        if isinstance(complex_id, bool) or not isinstance(complex_id, str | int):
            raise SpecError("complex_id", "must be a number or text", "숫자 또는 문자열이어야 합니다")
        fields.setdefault("args", [str(complex_id)])
    if "recurrence" in fields:
        from_json(fields["recurrence"])
    return ScheduleSpec.from_json({"description": "", **fields, "name": name})
