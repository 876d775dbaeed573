"""Sentry's Crons: each slot's run as a check-in of its schedule's monitor, told by the stream's reader alone.

So there is one place that tells, whichever beat and worker dealt with the run. Sent are the slots of schedules whose
rule Sentry knows: cron and intervals of whole minutes. Everything else has no monitor: seconds, RRULEs, single
instants, a cron that asks for day of month and weekday at once (Celery means both, Sentry either), manual runs.
A run's check-in has the run's id, so that telling it again changes nothing.
"""

import hashlib
import logging
import math
import re
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from celery.utils.time import weekday

from app.core.celery_app import celery_app
from app.core.settings import get_settings
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore
from livebeat.errors import LivebeatError
from livebeat.events import Event
from livebeat.rules import Recurrence

if TYPE_CHECKING:
    from sentry_sdk._types import MonitorConfig, MonitorConfigSchedule

logger = logging.getLogger(__name__)

#: Minutes after its slot until which a run must have been dispatched; a recorder that restarts takes some of them.
MARGIN = 5
_MINUTE = timedelta(minutes=1)
#: A run that somebody called off is no alarm.
_STATUSES = {
    "run.queued": "in_progress",
    "run.started": "in_progress",
    "run.succeeded": "ok",
    "run.cancelled": "ok",
    "run.failed": "error",
    "run.lost": "error",
    "run.expired": "error",
}
_PLAIN = re.compile(r"(?!\d+$)(?!.*-[0-9a-f]{12}$)[a-z0-9_-]{1,50}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_NAME = re.compile(r"[A-Za-z]\w*")


def check_in(events: Iterable[Event]) -> None:
    """Tell Sentry about these events' runs, each run's newest state once; nothing where `SENTRY_CRONS` is off.

    Hands over and returns: what Sentry doesn't take, or can't be told, never holds the stream up.
    """
    settings = get_settings()
    if not settings.sentry_crons or settings.sentry_dsn is None:
        return
    newest = {event.data["run"]: event for event in events if _is_of_a_slot(event)}
    try:
        for event in newest.values():
            _check_in(event)
    except Exception as error:
        logger.warning("Sentry was not told about some of %d runs: %s", len(newest), error)


def monitor(spec: ScheduleSpec) -> "MonitorConfig | None":
    """The schedule as Sentry describes one; None where Sentry knows no such rule."""
    schedule = _schedule(spec.recurrence)
    if schedule is None:
        return None
    config: MonitorConfig = {"schedule": schedule, "checkin_margin": MARGIN, "max_runtime": _longest(spec)}
    if isinstance(spec.recurrence, Cron) and spec.recurrence.timezone:
        config["timezone"] = spec.recurrence.timezone
    return config


def slug(name: str) -> str:
    """The monitor of a schedule: its name where Sentry takes it (`[a-z0-9_-]`, at most 50), else with a hash at its end.

    Two names never share one, short of equal hashes: a name that looks hashed is hashed itself.
    """
    if _PLAIN.fullmatch(name):
        return name
    readable = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:37].rstrip("-") or "schedule"
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _is_of_a_slot(event: Event) -> bool:
    named = all(isinstance(event.data.get(name), str) for name in ("run", "schedule"))
    return named and event.type in _STATUSES and event.data.get("kind") == "schedule"


def _check_in(event: Event) -> None:
    from sentry_sdk.crons import capture_checkin  # where there is no DSN, nothing of the SDK is loaded

    data = event.data
    try:
        config = monitor(ScheduleStore(celery_app).get(data["schedule"]).spec)
        run = uuid.UUID(data["run"])
    except (LivebeatError, ValueError):  # deleted meanwhile, or nothing of ours
        return
    if config is not None:
        capture_checkin(slug(data["schedule"]), run.hex, _STATUSES[event.type], data.get("duration"), config)


def _schedule(rule: Recurrence) -> "MonitorConfigSchedule | None":
    if isinstance(rule, Cron):
        expression = _NAME.sub(lambda found: str(weekday(found[0])), rule.expression)
        return {"type": "crontab", "value": expression} if _is_portable(expression) else None
    if isinstance(rule, Interval) and not rule.every % _MINUTE:
        return {"type": "interval", "value": rule.every // _MINUTE, "unit": "minute"}
    return None


def _is_portable(expression: str) -> bool:
    """Whether it means the same to Sentry: no seconds, not both kinds of day, and no range that runs over the end (22-2)."""
    *times, day, _month, weekdays = expression.split()
    backwards = [found for found in _RANGE.findall(expression) if int(found[0]) > int(found[1])]
    return len(times) == len(("minute", "hour")) and "*" in {day, weekdays} and not backwards


def _longest(spec: ScheduleSpec) -> int:
    """Minutes after which a run counts as hung: its time limit."""
    seconds: float = spec.message_options.get("time_limit") or celery_app.conf.task_time_limit
    return math.ceil(seconds / 60)
