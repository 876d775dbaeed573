"""A stored schedule as JSON: the old API's shapes, with more members beside the old ones. Instants are ISO 8601, UTC."""

from datetime import datetime
from typing import Any

from livebeat import Cron, StoredSchedule
from livebeat.rules import describe
from livebeat.seedfile.crontab import cron_to_old_form

NEXT_RUNS = 10


def listed(stored: StoredSchedule) -> dict[str, Any]:
    """An entry of the old map: `task`, `schedule` (a crontab as Celery prints it, another rule in words), `options`, and ours."""
    spec = stored.spec
    return {
        "task": spec.task,
        "schedule": str(spec.recurrence) if isinstance(spec.recurrence, Cron) else describe(spec.recurrence),
        "options": dict(spec.options),
        "args": list(spec.args),
        "kwargs": dict(spec.kwargs),
        "enabled": spec.enabled,
        "description": spec.description,
        "next_run_at": stored.next_at,
        "last_run_at": _last_run_at(stored),
        "problem": stored.problem,
    }


def echoed(stored: StoredSchedule) -> dict[str, Any]:
    """What POST and PUT answer; hour, minute and day are null where the rule is none of that form."""
    spec = stored.spec
    return {"name": spec.name, "task": spec.task, **_old_time(stored), "description": spec.description or None}


def detailed(stored: StoredSchedule, now: datetime) -> dict[str, Any]:
    """One schedule whole, with the instants at which it runs next."""
    rule = stored.spec.recurrence
    return {
        "name": stored.spec.name,
        **listed(stored),
        **_old_time(stored),
        "timezone": getattr(rule, "timezone", None),
        "next_runs": _next_runs(stored, now),
        "total_runs": stored.total_runs,
        "revision": stored.revision,
        "changed_at": stored.changed_at,
        "changed_by": stored.by,
        "origin": stored.origin,
    }


def _last_run_at(stored: StoredSchedule) -> datetime | None:
    """RedBeat's `last_run_at` starts as the creation instant, so it says something only once a run was counted."""
    return stored.last_run_at if stored.total_runs else None


def _old_time(stored: StoredSchedule) -> dict[str, Any]:
    rule = stored.spec.recurrence
    old = cron_to_old_form(rule) if isinstance(rule, Cron) else None
    return old or {"hour": None, "minute": None, "day_of_week": None}


def _next_runs(stored: StoredSchedule, now: datetime) -> list[datetime]:
    found: list[datetime] = []
    instant = stored.next_at
    while instant is not None and len(found) < NEXT_RUNS:
        found.append(instant)
        instant = stored.spec.recurrence.next_after(max(instant, now))
    return found
