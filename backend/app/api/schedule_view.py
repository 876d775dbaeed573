"""A stored schedule as JSON: the old API's shapes, with more members beside the old ones. Instants are ISO 8601, UTC."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from livebeat import Cron, StoredSchedule
from livebeat.errors import Language
from livebeat.lookahead import Upcoming, upcoming
from livebeat.rules import describe
from livebeat.seedfile.crontab import cron_to_old_form
from livebeat.spec import POLICIES

NEXT_RUNS = 10
#: Of the crontabs that the old form can say: it knows no seconds.
_OLD_FIELDS = 5


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


def detailed(stored: StoredSchedule, now: datetime, zone: str, language: Language) -> dict[str, Any]:
    """One schedule whole: its rule in words too, its policies, and when it runs next, with what the clocks do there.

    `zone` is what a rule without one is read in.
    """
    spec, rule = stored.spec, stored.spec.recurrence
    coming = upcoming(stored, now, NEXT_RUNS, language, zone=zone)
    return {
        "name": spec.name,
        **listed(stored),
        **_old_time(stored),
        "timezone": getattr(rule, "timezone", None),
        "recurrence": rule.to_json(),
        "in_words": describe(spec.rule, language),
        "next_runs": [each.at for each in coming],
        "upcoming": [instant(each) for each in coming],
        **{name: getattr(spec, name) for name in ("catchup", "catchup_window", *POLICIES)},
        "labels": list(spec.labels),
        "pause": asdict(stored.pause) if stored.pause else None,
        "redbeat_exact": stored.redbeat_exact,
        "total_runs": stored.total_runs,
        "revision": stored.revision,
        "changed_at": stored.changed_at,
        "changed_by": stored.by,
        "origin": stored.origin,
    }


def instant(each: Upcoming) -> dict[str, Any]:
    """An instant to come: in UTC, on the rule's own clocks, and what those do there (null where nothing)."""
    return {"at": each.at, "local": each.local, "shift": each.shift}


def _last_run_at(stored: StoredSchedule) -> datetime | None:
    """RedBeat's `last_run_at` starts as the creation instant, so it says something only once a run was counted."""
    return stored.last_run_at if stored.total_runs else None


def _old_time(stored: StoredSchedule) -> dict[str, Any]:
    rule = stored.spec.recurrence
    old = cron_to_old_form(rule) if isinstance(rule, Cron) and len(rule.expression.split()) == _OLD_FIELDS else None
    return old or {"hour": None, "minute": None, "day_of_week": None}
