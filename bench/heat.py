"""What looking ahead costs over 100,000 schedules: the counts of a heat map, and the suggestion of a spread."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.harness import Bench, Row, interleaved
from livebeat import Cron, Interval, ScheduleSpec, StoredSchedule
from livebeat.entry import Raw
from livebeat.lookahead import load as load_of
from livebeat.lookahead import spread
from livebeat.rules import Recurrence

SCHEDULES = 100_000
#: A Monday, and a night in which New York's clocks are set back is in its week.
_START = datetime(2026, 10, 26, tzinfo=UTC)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_ZONES = ("Asia/Seoul", "UTC", "America/New_York", "Europe/Berlin")


def load(bench: Bench) -> None:
    """Schedules as people write them, of a few thousand distinct rules: asked in turn for a day, a week, a suggestion."""
    schedules = mixed(SCHEDULES)
    rules = len({stored.spec.recurrence for stored in schedules})
    asked: dict[str, Callable[[], int]] = {
        "a day in 10-minute buckets": lambda: load_of(schedules, _START, _START + _DAY, timedelta(minutes=10)).total,
        "a week in hours": lambda: load_of(schedules, _START, _START + _WEEK, timedelta(hours=1)).total,
        "a suggestion for a day": lambda: len(spread(schedules, _START, _START + _DAY)),
    }

    def measure(what: str) -> Row:
        began, cpu = time.monotonic(), time.process_time()
        found = asked[what]()
        return {
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
            "rules": rules,
            "found": found,
        }

    for run, what in interleaved(bench.runs, list(asked)):
        bench.record("load", run, what, partial(measure, what), n=SCHEDULES)


def mixed(n: int) -> list[StoredSchedule]:
    """Half at round times, the rest anywhere; every tenth an interval since some whole second."""
    chance = random.Random(6)
    return [_stored(number, _rule(chance)) for number in range(n)]


def _rule(chance: random.Random) -> Recurrence:
    kind, zone = chance.random(), chance.choice(_ZONES)
    minute, hour = chance.choice((0, 0, 0, 30, chance.randrange(60))), chance.randrange(24)
    if kind < 0.1:
        anchor = _START - timedelta(minutes=chance.randrange(100_000))
        return Interval(seconds=chance.choice((30, 60, 300, 600, 900, 3600, 21_600, 86_400)), anchor=anchor)
    if kind < 0.5:
        return Cron(f"{minute} {hour} * * *", zone)
    if kind < 0.7:
        return Cron(f"{minute} {hour} * * {chance.choice(('1-5', '1', '0', '1,3,5'))}", zone)
    if kind < 0.9:
        return Cron(f"{minute} * * * *", zone)
    if kind < 0.97:
        return Cron(
            f"*/{chance.choice((2, 5, 10, 15, 20))} {chance.choice(('*', f'{hour // 2}-{hour // 2 + 9}'))} * * *", zone
        )
    return Cron(f"{minute} {hour} {chance.randrange(1, 29)} * *", zone)


def _stored(number: int, rule: Recurrence) -> StoredSchedule:
    return StoredSchedule(
        spec=ScheduleSpec(name=f"schedule-{number:06d}", task="bench.work", recurrence=rule),
        revision=1,
        incarnation=f"{number:032x}",
        next_at=_START,
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
