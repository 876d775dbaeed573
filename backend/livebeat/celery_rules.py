"""A rule as Celery's objects and RedBeat's JSON say it, to ours and back.

What RedBeat can't express gets its nearest form, and `is_redbeat_exact` says so.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.schedules import crontab, schedule

from livebeat import clock
from livebeat.errors import SpecError
from livebeat.rules import Cron, Interval, Recurrence, from_json

_CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_redbeat_exact(recurrence: Recurrence, app_zone: str) -> bool:
    """Whether RedBeat's nearest form fires at the same instants: RedBeat knows no zone but the app's."""
    return not isinstance(recurrence, Cron) or recurrence.timezone in {None, app_zone}


def from_celery(rule: Any) -> Recurrence:
    """The rule of a Celery schedule object (`crontab`, `schedule`, seconds or timedelta).

    Raises:
        SpecError: a kind that has no rule here.
    """
    if isinstance(rule, int | float | timedelta):
        rule = schedule(rule)
    if isinstance(rule, crontab):
        return Cron(" ".join(_cron_field(getattr(rule, f"_orig_{name}")) for name in _CRON_FIELDS))
    if isinstance(rule, schedule):
        return Interval(every=rule.run_every)
    raise SpecError("schedule", f"{type(rule).__name__} is not supported; use crontab, schedule or seconds")


def to_celery(recurrence: Recurrence) -> Any:
    """The Celery object nearest to a rule, which RedBeat's encoder can write."""
    if isinstance(recurrence, Cron):
        minute, hour, day, month, weekday = recurrence.expression.split()
        return crontab(minute, hour, day_of_month=day, month_of_year=month, day_of_week=weekday)
    if isinstance(recurrence, Interval):
        return schedule(recurrence.every)
    raise SpecError("recurrence", f"{type(recurrence).__name__} has no form that RedBeat can read")


def from_redbeat(data: Any) -> Recurrence:
    """The rule of the `schedule` in RedBeat's `definition`.

    Raises:
        SpecError: a kind that has no rule here.
    """
    kind = data.get("__type__") if isinstance(data, dict) else None
    if kind == "crontab":
        return Cron(" ".join(_cron_field(data.get(name, "*")) for name in _CRON_FIELDS))
    if kind == "interval":
        every = data.get("every")
        if not isinstance(every, int | float):
            raise SpecError("schedule", f"every is {every!r}; it must be a number of seconds")
        return Interval(seconds=every)
    raise SpecError("schedule", f"RedBeat's {kind!r} schedules are not supported by this version")


def as_left(ours: dict[str, Any], trusted: bool, theirs: Any, last_run_at: datetime | None, zone: str) -> Recurrence:
    """The rule of an entry: `ours` is our JSON beside it, `trusted` if it belongs to the definition that lies there.

    What RedBeat's own code saved wins where it says something else. An interval that a stock beat went on with counts
    from that beat's last run: the slots of our own count may lie anywhere between its runs by then.
    """
    if not trusted:
        written = from_redbeat(theirs)
        kept = from_json(ours["recurrence"]) if ours.get("recurrence") else None
        if kept is None or not _same_in_redbeat(kept, written):
            return written.resolved(zone, last_run_at or _EPOCH)
    else:
        kept = from_json(ours["recurrence"])
    if isinstance(kept, Interval) and last_run_at and _was_run_by_another(ours, last_run_at):
        return kept if kept.has(last_run_at) else Interval(every=kept.every, anchor=last_run_at)
    return kept


def _was_run_by_another(ours: dict[str, Any], last_run_at: datetime) -> bool:
    """Ours is a slot before `next`, or the instant of an edit; a stock beat writes when it sent, and leaves `next`."""
    if ours.get("next") is None or last_run_at.isoformat() == ours.get("at"):
        return False
    return clock.to_epoch(last_run_at) >= float(ours["next"])


def _same_in_redbeat(kept: Recurrence, written: Recurrence) -> bool:
    if isinstance(kept, Cron) and isinstance(written, Cron):
        return kept.expression == written.expression
    return isinstance(kept, Interval) and isinstance(written, Interval) and kept.every == written.every


def _cron_field(value: Any) -> str:
    """One field's text; a field may be a number or any collection of numbers, too."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = ",".join(str(part) for part in value)
    return str(value).replace(" ", "")
