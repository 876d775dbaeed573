"""What is scheduled in a run, stored through the front door: `ScheduleStore` for ours, RedBeat's own entry for stock.

And what is sent by hand beside it, from a thread of its own.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from types import TracebackType
from typing import Self

import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redbeat import RedBeatSchedulerEntry
from redbeat.schedules import rrule

from chaos.app import TASK, Work
from chaos.history import Call, Catchup, Every, Minutes, Schedule, to_ms
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock, send

#: Milliseconds from one burst of slots to the next: the anchors of `several` lie on these.
BURST = 500
#: Seconds from the storing to the anchor, so that no slot falls into the storing itself.
_LEAD = 2
_NOTHING = Work()


def several(
    app: Celery, catchups: Sequence[Catchup] = ("all",), works: Sequence[Work] = (Work(),)
) -> tuple[Schedule, ...]:
    """25 schedules, 13.7 slots a second: every 1, 1.5, 2 and 3 s, every minute; the policies and works take turns."""
    seconds = [1.0] * 4 + [2.0] * 16 + [1.5] * 2
    anchor = _anchor()
    rules: list[Interval | Cron] = [
        Interval(seconds=every, anchor=anchor + timedelta(milliseconds=BURST * number % 2000))
        for number, every in enumerate(seconds)
    ]
    rules += [Interval(seconds=3), Cron("* * * * *", "Asia/Seoul"), Cron("*/2 * * * *", "Europe/Berlin")]
    return tuple(
        _put(app, f"{number:02}", rule, catchups[number % len(catchups)], works[number % len(works)])
        for number, rule in enumerate(rules)
    )


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


def stop_all(app: Celery, schedules: Sequence[Schedule]) -> tuple[Schedule, ...]:
    """Pause every schedule: nothing more becomes due."""
    revisions = []
    for schedule in schedules:
        asked = clock.now()
        ScheduleStore(app).pause(schedule.name)
        revisions.append(Schedule(schedule.name, None, schedule.catchup, to_ms(asked), to_ms(clock.now())))
    return tuple(revisions)


def jobs(seed: int, longest: float = 7.0) -> Iterator[Work]:
    """Jobs without end: most take milliseconds, some up to a second, a few `longest`; some ask for more attempts or fail."""
    chance = random.Random(f"{seed} jobs")
    for number in count():
        kind = chance.random()
        seconds = chance.uniform(0, 0.02)
        if kind < 0.005:
            seconds = chance.uniform(longest / 2, longest)
        elif kind < 0.05:
            seconds = chance.uniform(0.2, 1.0)
        retries = chance.choice((1, 2)) if 0.05 <= kind < 0.08 else 0
        yield Work(f"job-{number:06}", round(seconds, 4), retries, fails=0.08 <= kind < 0.1)


def works(seed: int) -> tuple[Work, ...]:
    """What schedules' runs do; of a number that has no factor in common with that of the schedules."""
    return tuple(replace(work, job="") for work in islice(jobs(seed, 1.0), 23))


class Sender:
    """Sends jobs, so many a second, from the start of the context until `stop`. `calls` is what it did.

    Every eighth asks to be the only one of its kind.
    """

    def __init__(self, app: Celery, works: Iterator[Work], rate: float) -> None:
        self.calls: list[Call] = []
        self._app, self._works, self._rate = app, works, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="chaos-sender", daemon=True)

    def stop(self) -> None:
        """Return once the call in hand is over."""
        self._stop.set()
        self._thread.join(60)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _send_all(self) -> None:
        due = clock.monotonic()
        for number, work in enumerate(self._works):
            due = max(due + 1 / self._rate, clock.monotonic() - 1.0)  # what a pause held up is made good, a little
            if self._stop.wait(max(0.0, due - clock.monotonic())):
                return
            self._send(work, f"unique-{number // 8 % 5}" if number % 8 == 0 else None)

    def _send(self, work: Work, unique: str | None) -> None:
        invoked = clock.now().timestamp() * 1000
        try:
            sent = send(TASK, ("",), asdict(work), app=self._app, unique=unique)
        except (redis.RedisError, OperationalError):
            outcome, run = "info", ""
        else:
            outcome, run = "ok" if sent.accepted else "fail", sent.run_id
        self.calls.append(Call("send", work.job, outcome, invoked, clock.now().timestamp() * 1000, run))


def _anchor() -> datetime:
    return datetime.fromtimestamp(int(clock.now().timestamp()) + _LEAD, UTC)


def _put(app: Celery, name: str, rule: Interval | Cron, catchup: Catchup, work: Work = _NOTHING) -> Schedule:
    kwargs = {} if work == _NOTHING else asdict(work)
    spec = ScheduleSpec(name=name, task=TASK, args=(name,), kwargs=kwargs, recurrence=rule, catchup=catchup)
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
