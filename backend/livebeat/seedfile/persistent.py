"""What a PersistentScheduler kept, as schedules of ours that go on where it stopped.

An entry that can't be expressed is returned with the reason, and never hinders the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, cast

from celery.schedules import crontab
from celery.utils.time import delta_resolution, remaining

from livebeat.cadence import Progress
from livebeat.celery_rules import from_celery
from livebeat.errors import SpecError
from livebeat.rules import Cron, Interval, Recurrence
from livebeat.rules.zone import zone
from livebeat.seedfile.records import Record, Rule
from livebeat.seedfile.shelf import Shelf, read_shelf
from livebeat.spec import ScheduleSpec

#: Values in one entry's arguments and options; a pickle of a few bytes can stand for billions.
MAX_VALUES = 10_000


@dataclass(frozen=True)
class Candidate:
    """A schedule that may come over, or `problem`: why it can't."""

    name: str
    spec: ScheduleSpec | None = None
    progress: Progress | None = None
    problem: SpecError | None = None


def read_persistent(path: Path, app_zone: str) -> list[Candidate]:
    """Every entry of a `celerybeat-schedule` file, by name.

    A crontab keeps the time zone in which that beat worked (`app_zone` where it doesn't say), and an interval counts
    from its last run.

    Raises:
        ImportFileError: the file can't be read.
    """
    shelf = read_shelf(path)
    return [_candidate(str(name), shelf.entries[name], shelf, app_zone) for name in sorted(shelf.entries, key=str)]


def _candidate(name: str, entry: Record, shelf: Shelf, app_zone: str) -> Candidate:
    try:
        return _usable(name, entry, shelf, app_zone)
    except SpecError as error:
        return Candidate(name, problem=error)


def _usable(name: str, entry: Record, shelf: Shelf, app_zone: str) -> Candidate:
    worked_in = shelf.zone or ("UTC" if shelf.utc else app_zone)
    last_run_at = _instant(entry.last_run_at, UTC if shelf.utc else zone(worked_in))
    count = entry.total_run_count
    for part in ("args", "kwargs", "options"):
        _refuse_bombs(part, getattr(entry, part))
    spec = ScheduleSpec(
        name=name,
        task=entry.task,
        recurrence=_recurrence(entry.rule, last_run_at, worked_in),
        args=tuple(entry.args) if isinstance(entry.args, list | tuple) else entry.args or (),
        kwargs=entry.kwargs or {},
        options=entry.options or {},
    )
    return Candidate(name, spec, Progress(last_run_at, count if isinstance(count, int) and count > 0 else 0))


def _instant(value: Any, naive_zone: tzinfo) -> datetime:
    if not isinstance(value, datetime):
        raise SpecError("last_run_at", "is not an instant", "시각이 아닙니다")
    try:
        return (value if value.tzinfo else value.replace(tzinfo=naive_zone)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError) as error:
        raise SpecError("last_run_at", f"is not usable: {error}", f"사용할 수 없습니다: {error}") from None


def _recurrence(rule: Any, last_run_at: datetime, worked_in: str) -> Recurrence:
    if not isinstance(rule, Rule) or rule.kind not in {"crontab", "schedule"}:
        kind = rule.kind if isinstance(rule, Rule) else type(rule).__name__
        raise SpecError(
            "schedule",
            f"{kind} schedules are not supported; use crontab or an interval",
            f"{kind} 스케줄은 지원하지 않습니다. crontab이나 간격을 사용하세요",
        )
    if rule.kind == "crontab":
        return _cron(rule, worked_in)
    every, relative, *_ = (*rule.arguments, None, None)
    if not isinstance(every, timedelta):
        raise SpecError("schedule", "has no length of time", "간격이 없습니다")
    plain = Interval(every=every, anchor=last_run_at)
    return _relative(plain, last_run_at.astimezone(zone(worked_in))) if relative else plain


def _cron(rule: Rule, worked_in: str) -> Cron:
    try:
        found = from_celery(crontab(*rule.arguments[:5]))
    except SpecError:
        raise
    except Exception as error:  # Celery's own check, of whatever lies there
        raise SpecError("schedule", f"is no crontab: {error}", f"crontab이 아닙니다: {error}") from None
    return Cron(cast("Cron", found).expression, worked_in)


def _relative(plain: Interval, last_run_at: datetime) -> Interval:
    """Celery's `relative=True` rounds each slot down to the unit of its length: the same as counting from a full
    unit, where the length is a whole number of units.
    """
    anchor = delta_resolution(last_run_at, plain.every).replace(microsecond=0)
    rounded = Interval(every=plain.every, anchor=anchor.astimezone(UTC))
    last = last_run_at.astimezone(UTC)
    if rounded.next_after(last) != last + remaining(last_run_at, plain.every, last_run_at, relative=True):
        raise SpecError(
            "schedule",
            "relative=True with this length has no rule here; make it a crontab",
            "relative=True와 이 간격의 조합은 표현할 수 없습니다. crontab으로 바꾸세요",
        )
    return rounded


def _refuse_bombs(part: str, value: Any) -> None:
    waiting, seen = [value], 0
    while waiting:
        inside = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise SpecError(part, f"holds more than {MAX_VALUES} values", f"값이 {MAX_VALUES}개보다 많습니다")
        if isinstance(inside, Mapping):
            waiting.extend(inside.values())
        elif isinstance(inside, list | tuple | set | frozenset):
            waiting.extend(inside)
