"""What one look at a rule costs: its next instant, beside Celery's and RedBeat's own; and to refuse one that never occurs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.schedules import crontab
from redbeat.schedules import rrule

from bench.harness import Bench, Row, quantile
from bench.servers import RunFailedError
from livebeat.errors import SpecError
from livebeat.rules import Cron, Excluding, Holidays, Interval, Recurrence, RRule, Union

_ZONE = "America/New_York"
_NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
_YEAR_AGO = _NOW - timedelta(days=365)
#: Instants asked about, some minutes apart, and how many looks are timed: one of what takes seconds.
_INSTANTS, _LOOKS, _SLOW_LOOKS = 50, 500, 1

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WALKED = "RedBeat's rrule MINUTELY, a year old"
_WORKDAYS = Cron("0 9 * * 1-5", _ZONE)
_RULES: dict[str, Recurrence] = {
    "cron `*/10 * * * *`": Cron("*/10 * * * *", _ZONE),
    "cron `0 9 * * 1-5`": _WORKDAYS,
    "cron `0 0 29 2 *`": Cron("0 0 29 2 *", _ZONE),
    "cron `*/10 * * * * *`": Cron("*/10 * * * * *", _ZONE),
    "interval 90 s": Interval(seconds=90, anchor=_YEAR_AGO),
    "rrule MINUTELY, a year old": RRule("FREQ=MINUTELY", _YEAR_AGO, _ZONE),
    "rrule MONTHLY 2MO": RRule("FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0", _YEAR_AGO, _ZONE),
    "union of two": Union(_WORKDAYS, Cron("0 12 * * 6", _ZONE)),
    "workdays without holidays": Excluding(_WORKDAYS, holidays=Holidays("US")),
}
#: From an instant that the rule counts from, so that no cache of an earlier one helps.
_REFUSED: dict[str, Callable[[datetime], Recurrence]] = {
    "refused: rrule SECONDLY on 30 February": lambda at: RRule("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", at, _ZONE),
    "refused: rrule DAILY;INTERVAL=7 on another weekday": lambda at: RRule(
        f"FREQ=DAILY;INTERVAL=7;BYDAY={_WEEKDAYS[at.astimezone(ZoneInfo(_ZONE)).weekday() - 1]}", at, _ZONE
    ),
    "refused: rrule SECONDLY;INTERVAL=86400 at another hour": lambda at: RRule(
        "FREQ=SECONDLY;INTERVAL=86400;BYHOUR=10;BYMINUTE=0;BYSECOND=0", at.replace(hour=9), "UTC"
    ),
    "refused: every second, without each second": lambda at: Excluding(
        Interval(seconds=1, anchor=at), rules=[Cron("* * * * * *")]
    ),
    "refused: 25 December, without the holidays": lambda at: Excluding(
        Cron(f"{at.minute} {at.hour} 25 12 *", _ZONE), holidays=Holidays("US")
    ),
}


def rules(bench: Bench) -> None:
    """Microseconds to the next instant, asked about `_INSTANTS` in turn; and to the refusal of what never occurs."""
    for run in range(min(bench.runs, 3)):
        for name, rule in _RULES.items():
            bench.record("rules", run, name, partial(_looked, rule.next_after, _LOOKS), n=0)
        for name, look in _peers().items():
            looks = _SLOW_LOOKS if name == _WALKED else _LOOKS
            bench.record("rules", run, name, partial(_looked, look, looks), n=0)
        for name, make in _REFUSED.items():
            refused = partial(_refused, make, timedelta(minutes=3 * run))
            bench.record("rules", run, name, partial(_looked, refused, _INSTANTS), n=0)


def _looked(look: Callable[[datetime], Any], looks: int) -> Row:
    instants = [_NOW + timedelta(minutes=7 * n) for n in range(_INSTANTS)]
    if looks > _SLOW_LOOKS:
        look(_NOW - timedelta(minutes=5))
    took = []
    for _, instant in zip(range(looks), cycle(instants), strict=False):
        began = time.perf_counter()
        look(instant)
        took.append((time.perf_counter() - began) * 1e6)
    return {"us": median(took), "p99_us": quantile(took, 0.99)}


def _refused(make: Callable[[datetime], Recurrence], later: timedelta, instant: datetime) -> None:
    try:
        make(instant + later)
    except SpecError:
        return
    raise RunFailedError("a rule that never occurs was taken")


def _peers() -> dict[str, Callable[[datetime], Any]]:
    app = Celery("bench", set_as_current=False)
    app.conf.timezone = _ZONE
    now = [_NOW]
    every_ten = crontab("*/10", app=app, nowfun=lambda: now[0])
    workdays = crontab("0", "9", day_of_week="1-5", app=app, nowfun=lambda: now[0])
    minutely = rrule("MINUTELY", dtstart=_YEAR_AGO.astimezone(ZoneInfo(_ZONE)), app=app)

    def celery(rule: Any, instant: datetime) -> Any:
        now[0] = instant
        return rule.remaining_estimate(instant)

    return {
        "Celery's crontab `*/10 * * * *`": partial(celery, every_ten),
        "Celery's crontab `0 9 * * 1-5`": partial(celery, workdays),
        _WALKED: minutely.rrule.after,
    }
