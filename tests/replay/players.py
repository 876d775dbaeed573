"""Both schedulers on a clock that is moved by hand: RedBeat's own on a real server, and our beat's decisions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import redis
from celery import Celery
from celery.schedules import crontab, schedule
from celery.signals import before_task_publish
from redbeat import RedBeatScheduler, RedBeatSchedulerEntry

from app.core.redis_addresses import to_broker_url
from livebeat import Cron, Interval, ScheduleSpec, StoredSchedule
from livebeat.beat.plan import decide
from livebeat.entry import Raw
from livebeat.rules import Recurrence
from replay.cases import RULES, Case

#: What a tick takes; the clock never stands still.
_TICK = timedelta(milliseconds=1)

#: Name of a rule → the instants at which something was sent.
Sent = dict[str, list[datetime]]


def play_stock(case: Case, redis_url: str, rules: Mapping[str, str | int] = RULES) -> Sent:
    """RedBeat's scheduler ticks, sleeps as long as its tick says, and ticks again; each message is noted as it is sent."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    app = Celery("replay", broker=to_broker_url(redis_url), set_as_current=False)
    app.conf.update(redbeat_redis_url=redis_url, redbeat_redis_options={}, timezone=case.zone, task_ignore_result=True)
    clock = _Clock(case.start)
    app.now = lambda: clock.now.astimezone(case.tz)
    sent: Sent = {name: [] for name in rules}

    def note(body: Any, **_: Any) -> None:
        (name,) = body[0]
        sent[name].append(clock.now)

    for name, rule in rules.items():
        RedBeatSchedulerEntry(name, "replay.task", _celery(rule, app), args=[name], app=app).save()
    scheduler = RedBeatScheduler(app, lazy=True)
    scheduler.lock_key = None  # alone here; its lock lives by the server's clock, which isn't moved
    before_task_publish.connect(note, weak=False)
    try:
        while clock.now < case.end:
            clock.now += timedelta(seconds=max(scheduler.tick(), 0)) + _TICK
    finally:
        before_task_publish.disconnect(note)
        scheduler.close()
        app.close()
    return sent


def play_ours(case: Case, rules: Mapping[str, str | int] = RULES) -> Sent:
    """What our beat decides at each due instant, a moment late as it always is."""
    sent: Sent = {}
    for name, rule in rules.items():
        stored = _stored(name, _ours(rule, case))
        slots = sent[name] = []
        due = stored.spec.recurrence.next_after(case.start)
        while due is not None and due < case.end:
            decision = decide(stored, due, due + _TICK)
            if decision.slot is not None:
                slots.append(decision.slot)
            due = decision.after.next_at
    return sent


class _Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now


def _celery(rule: str | int, app: Celery) -> Any:
    if isinstance(rule, int):
        return schedule(rule, app=app)
    minute, hour, day, month, weekday = rule.split()
    return crontab(minute, hour, day_of_month=day, month_of_year=month, day_of_week=weekday, app=app)


def _ours(rule: str | int, case: Case) -> Recurrence:
    return Interval(seconds=rule, anchor=case.start) if isinstance(rule, int) else Cron(rule, case.zone)


def _stored(name: str, rule: Recurrence) -> StoredSchedule:
    return StoredSchedule(
        spec=ScheduleSpec(name=name, task="replay.task", recurrence=rule),
        revision=1,
        incarnation="replay",
        next_at=None,
        last_run_at=None,
        total_runs=0,
        origin="python",
        by="",
        changed_at=None,
        problem=None,
        ours=True,
        redbeat_exact=True,
        raw=Raw(),
    )
