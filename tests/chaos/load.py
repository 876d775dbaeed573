"""What is scheduled in a run, stored through the front door: `ScheduleStore` for ours, RedBeat's own entry for stock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from celery import Celery
from redbeat import RedBeatSchedulerEntry
from redbeat.schedules import rrule

from chaos.app import TASK
from chaos.history import Catchup, Every, Minutes, Schedule, to_ms
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock

#: Milliseconds from one burst of slots to the next: the anchors of `several` lie on these.
BURST = 500
#: Seconds from the storing to the anchor, so that no slot falls into the storing itself.
_LEAD = 2


def several(app: Celery, catchups: Sequence[Catchup] = ("all",)) -> tuple[Schedule, ...]:
    """25 schedules, 13.7 slots a second: every 1, 1.5, 2 and 3 s, every minute; the policies take turns."""
    seconds = [1.0] * 4 + [2.0] * 16 + [1.5] * 2
    anchor = _anchor()
    rules: list[Interval | Cron] = [
        Interval(seconds=every, anchor=anchor + timedelta(milliseconds=BURST * number % 2000))
        for number, every in enumerate(seconds)
    ]
    rules += [Interval(seconds=3), Cron("* * * * *", "Asia/Seoul"), Cron("*/2 * * * *", "Europe/Berlin")]
    return tuple(_put(app, f"{number:02}", rule, catchups[number % len(catchups)]) for number, rule in enumerate(rules))


def every_tenth(app: Celery) -> tuple[Schedule, ...]:
    """Ten schedules of one second, a tenth apart: at any moment the next slot is at most 100 ms away."""
    anchor = _anchor()
    offsets = (timedelta(milliseconds=100 * number) for number in range(10))
    rules = [Interval(seconds=1, anchor=anchor + offset) for offset in offsets]
    return tuple(_put(app, f"{number:02}", rule, "all") for number, rule in enumerate(rules))


def stock(app: Celery, count: int) -> tuple[Schedule, ...]:
    """So many schedules of one second for RedBeat itself, by RRULE: its intervals drift."""
    anchor = _anchor()
    schedules = []
    for number in range(count):
        asked = clock.now()
        RedBeatSchedulerEntry(
            f"{number:02}",
            TASK,
            rrule("SECONDLY", dtstart=anchor, app=app),
            args=[f"{number:02}"],
            last_run_at=asked,
            app=app,
        ).save()
        rule = Every(1000, to_ms(anchor) - 1000)
        schedules.append(Schedule(f"{number:02}", rule, "one", to_ms(asked), to_ms(clock.now())))
    return tuple(schedules)


def _anchor() -> datetime:
    return datetime.fromtimestamp(int(clock.now().timestamp()) + _LEAD, UTC)


def _put(app: Celery, name: str, rule: Interval | Cron, catchup: Catchup) -> Schedule:
    spec = ScheduleSpec(name=name, task=TASK, args=(name,), recurrence=rule, catchup=catchup)
    asked = clock.now()
    written = ScheduleStore(app).put(spec).spec.recurrence
    return Schedule(name, _known(rule, written), catchup, to_ms(asked), to_ms(clock.now()))


def _known(rule: Interval | Cron, written: object) -> Every | Minutes:
    """The rule as the driver knows it; only an anchor that it left open is taken from the answer."""
    if isinstance(rule, Cron):
        return Minutes(rule.expression, str(rule.timezone))
    anchor = rule.anchor or (written.anchor if isinstance(written, Interval) else None)
    if anchor is None:
        raise AssertionError(f"the store left {rule} without an anchor")
    return Every(round(rule.every.total_seconds() * 1000), to_ms(anchor))
