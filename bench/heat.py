"""What looking ahead costs over 100,000 schedules, from Redis to the answer: the counts of a heat map, the suggestion of a
spread; and what it takes to read them all."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.harness import Bench, Row, interleaved
from bench.million import check_bulk_form, write_bulk
from bench.sample import TASK, make_app
from bench.servers import Site
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore
from livebeat.lookahead import load as load_of
from livebeat.rules import Recurrence

SCHEDULES = 100_000
#: A Monday, and a night in which New York's clocks are set back is in its week.
_START = datetime(2026, 10, 26, tzinfo=UTC)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_ZONES = ("Asia/Seoul", "UTC", "America/New_York", "Europe/Berlin")


def load(bench: Bench) -> None:
    """Schedules as people write them, of a few thousand distinct rules: read whole, and asked in turn for a day, a week,
    a suggestion."""
    with bench.site() as site:
        check_bulk_form(site)
        specs = mixed(SCHEDULES)
        write_bulk(site, specs)
        rules = len({spec.recurrence for spec in specs})
        del specs  # no API process holds them
        asked = _questions(ScheduleStore(make_app(site.url)))
        for run, what in interleaved(bench.runs, list(asked)):
            bench.record("load", run, what, partial(_measured, site, asked[what], rules), n=SCHEDULES)


def _questions(store: ScheduleStore) -> dict[str, Callable[[], int]]:
    return {
        "all of them, in a list": lambda: len(store.list()),
        "a day in 10-minute buckets": lambda: load_of(store, _START, _START + _DAY, timedelta(minutes=10)).total,
        "a week in hours": lambda: load_of(store, _START, _START + _WEEK, timedelta(hours=1)).total,
        "a day and a suggestion": lambda: len(load_of(store, _START, _START + _DAY, timedelta(minutes=10)).spread()),
    }


def _measured(site: Site, ask: Callable[[], int], rules: int) -> Row:
    began, cpu, server_cpu = time.monotonic(), time.process_time(), site.server_cpu_seconds
    found = ask()
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "server_cpu": site.server_cpu_seconds - server_cpu,
        "rules": rules,
        "found": found,
    }


def mixed(n: int) -> list[ScheduleSpec]:
    """Half at round times, the rest anywhere; every tenth an interval since some whole second."""
    chance = random.Random(6)
    return [ScheduleSpec(name=f"schedule-{number:06d}", task=TASK, recurrence=_rule(chance)) for number in range(n)]


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
