"""Entries of an old `schedules.json` whose day may not have been meant as it was read.

The old system ran 0 as Sunday, while some of its own documents said that 0 is Monday. Where an entry's comment or
description names other days than those on which it runs, or nothing confirms a 0, somebody should look.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from livebeat.errors import Language
from livebeat.rules import Cron
from livebeat.spec import ScheduleSpec

_NAMES: dict[Language, tuple[str, ...]] = {
    "ko": ("일요일", "월요일", "화요일", "수요일", "목요일", "금요일", "토요일"),
    "en": ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
}
_DIFFERS: dict[Language, str] = {
    "en": "runs on {runs}, but its text says {says}; 0 is Sunday here, as it was in the old code",
    "ko": "{runs}에 실행되지만 설명에는 {says}(으)로 적혀 있습니다. 예전 코드와 같이 0은 일요일입니다",
}
_ZERO: dict[Language, str] = {
    "en": "runs on {runs}: 0 is Sunday here, as it was in the old code, but some of its documents said Monday",
    "ko": "{runs}에 실행됩니다. 예전 코드와 같이 0은 일요일이지만, 예전 문서 일부는 월요일이라고 했습니다",
}
_FULL = {name.lower(): day for names in _NAMES.values() for day, name in enumerate(names)}
_FINDER = re.compile("|".join(_FULL), re.IGNORECASE)


def day_doubts(text: str, specs: Iterable[ScheduleSpec], language: Language) -> dict[str, str]:
    """Name → what is doubtful about its day, for the entries of a file that `parse` accepted."""
    entries = json.loads(text)
    found = {}
    for spec in specs:
        runs = _runs_on(spec)
        says = {_FULL[word.lower()] for word in _FINDER.findall(_texts(entries[spec.name]))}
        sentence = _DIFFERS if runs and says and runs != says else _ZERO if 0 in runs and not says else None
        if sentence:
            found[spec.name] = sentence[language].format(runs=_days(runs, language), says=_days(says, language))
    return found


def _days(days: set[int], language: Language) -> str:
    return ", ".join(_NAMES[language][day] for day in sorted(days))


def _runs_on(spec: ScheduleSpec) -> set[int]:
    """The weekdays of a weekly rule; empty for any other."""
    if not isinstance(spec.recurrence, Cron):
        return set()
    day, month, weekday = spec.recurrence.expression.split()[-3:]
    parts = weekday.split(",")
    weekly = (day, month) == ("*", "*") and all(part.isdigit() for part in parts)
    return {int(part) for part in parts} if weekly else set()


def _texts(entry: Any) -> str:
    schedule = entry.get("schedule")
    inner = schedule.get("comment") if isinstance(schedule, dict) else None
    return " ".join(str(text) for text in (entry.get("comment"), entry.get("description"), inner) if text)
