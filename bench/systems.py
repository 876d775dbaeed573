"""The schedulers under test: how each stores a plan by its own means, and how its process is started."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry

from bench import apscheduler_beat
from bench.plan import Planned, write
from bench.sample import TASK, make_app
from bench.servers import Process, Site
from livebeat import Cron, Excluding, Holidays, Interval, Once, RRule, ScheduleSpec, ScheduleStore, Union
from livebeat.rules import Recurrence


@dataclass(frozen=True)
class System:
    """`pace`: schedules a second that `populate` stores at least; `start` starts the scheduler's process."""

    name: str
    label: str
    pace: float
    populate: Callable[[Site, Sequence[Planned]], None]
    start: Callable[[Site], Process]


def spec_of(planned: Planned) -> ScheduleSpec:
    """A planned schedule as the engine takes it."""
    if planned.is_mixed:
        rule = _KINDS[planned.number % len(_KINDS)](planned)
    else:
        rule = Cron(planned.cron) if planned.cron else Interval(seconds=planned.every, anchor=planned.last_run_at)
    return ScheduleSpec(name=planned.name, task=TASK, recurrence=rule, kwargs=planned.arguments)


def _in_new_york(planned: Planned) -> Recurrence:
    at = planned.due_at.astimezone(ZoneInfo("America/New_York"))
    return Cron(
        f"{at.minute},{(at.minute + 5 + planned.number % 50) % 60} {at.hour} * * *", timezone="America/New_York"
    )


def _by_rrule(planned: Planned) -> Recurrence:
    start = planned.due_at - timedelta(days=1 + planned.number % 300)
    return RRule(f"FREQ=DAILY;BYHOUR={planned.due_at.hour};BYMINUTE={planned.due_at.minute};BYSECOND=0", start, "UTC")


#: A rule of each kind that is due when the plan says, and again an hour later at the earliest.
_KINDS: tuple[Callable[[Planned], Recurrence], ...] = (
    lambda one: Cron(one.cron),
    lambda one: Interval(seconds=7200 + one.number, anchor=one.due_at - timedelta(seconds=7200 + one.number)),
    lambda one: Once(one.due_at),
    _by_rrule,
    lambda one: Cron(f"0 {one.cron}"),
    _in_new_york,
    lambda one: Union(Once(one.due_at), Cron(one.cron)),
    lambda one: Excluding(Cron(one.cron), dates=["2030-01-01"], holidays=Holidays("KR"), timezone="UTC"),
)


def _put(site: Site, planned: Sequence[Planned]) -> None:
    store = ScheduleStore(make_app(site.url))
    for one in planned:
        store.put(spec_of(one))


def _save(site: Site, planned: Sequence[Planned]) -> None:
    app = make_app(site.url)
    for one in planned:
        entry = RedBeatSchedulerEntry(one.name, TASK, _celery_schedule(one, app), kwargs=one.arguments, app=app)
        entry.last_run_at = one.last_run_at
        entry.save()


def _celery_schedule(planned: Planned, app: Any) -> Any:
    if not planned.cron:
        return schedule(timedelta(seconds=planned.every), app=app)
    minute, hour, day, month, weekday = planned.cron.split()
    return crontab(minute, hour, weekday, day, month, app=app)


def beat(site: Site, scheduler: str, *options: str, **environ: str) -> Process:
    """`celery beat` with the sample app; many may run at one site."""
    arguments = ("celery", "-A", "bench.process_app", "beat", "-S", scheduler, "--pidfile=", *options)
    return site.start(*arguments, **environ)


def worker(site: Site, queue: str, *options: str, kind: str = "livebeat") -> Process:
    """A real worker on `queue`; of kind `livebeat` with the engine's delivery installed, of any other plain."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING")
    arguments = ("celery", "-A", "bench.process_app", "worker", "-Q", queue, *quiet, *options)
    return site.start(*arguments, BENCH_SYSTEM=kind)


def _livebeat(site: Site) -> Process:
    return beat(site, "livebeat:LiveBeatScheduler", BENCH_SYSTEM="livebeat")


def _migrate_and_insert(site: Site, planned: Sequence[Planned]) -> None:
    file = site.folder / "plan.json"
    write(planned, file)
    site.start("bench.django_beat", str(file), **_DJANGO).wait(600)


_DJANGO = {"DJANGO_SETTINGS_MODULE": "bench.django_settings"}

LIVEBEAT = System("livebeat", "Livebeat", 500, _put, _livebeat)
ADOPTING = System("livebeat-adopting", "Livebeat on RedBeat's data", 500, _save, _livebeat)
REDBEAT = System("redbeat", "RedBeat", 500, _save, lambda site: beat(site, "redbeat.RedBeatScheduler"))
DJANGO = System(
    "django-celery-beat",
    "django-celery-beat, SQLite",
    500,
    _migrate_and_insert,
    lambda site: beat(site, "django_celery_beat.schedulers:DatabaseScheduler", **_DJANGO),
)
APSCHEDULER = System(
    "apscheduler",
    "APScheduler, Redis, no grace limit",
    1000,
    lambda site, planned: apscheduler_beat.populate(site.url, planned),
    lambda site: site.start("bench.apscheduler_beat"),
)
SYSTEMS = {system.name: system for system in (LIVEBEAT, ADOPTING, REDBEAT, DJANGO, APSCHEDULER)}
