"""A stock RedBeat takes over schedules that we wrote, with all that it can't express, and ours takes them back."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery

from livebeat import Cron, Interval, Once, RRule, ScheduleSpec, ScheduleStore, clock, leader
from livebeat.beat.heartbeat import beats as heartbeats
from livebeat.connection import link
from support.beats import LATE, OURS, STOCK, Sent, Watch, beat, gaps, livebeat
from support.engine import make_app
from support.moved_time import World
from support.processes import Running
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
#: Between two ticks of the stock beats here, and what they round away.
TICK = 1.0
NEW_YORK, SEOUL = ZoneInfo("America/New_York"), ZoneInfo("Asia/Seoul")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def beats() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def watch(redis_url: str) -> Iterator[Watch]:
    with Watch(redis_url) as running:
        yield running


def put(store: ScheduleStore, name: str, rule: Any, **more: Any) -> None:
    store.put(ScheduleSpec(name=name, task="sample.echo", recurrence=rule, args=(name,), **more))


def more(watch: Watch, name: str, count: int, what: str) -> None:
    """Wait for so many further messages of a schedule."""
    seen = len(watch.of(name))
    wait_until(lambda: len(watch.of(name)) >= seen + count, 40, f"{count} messages of {name}: {what}")


def stop(running: Running) -> None:
    running.send(signal.SIGTERM)
    assert running.wait(20) == 0


def instants(sent: list[Sent], start: datetime, every: float) -> list[int]:
    """Which instant of `start` + k × `every` each message is for: a stock beat says nothing, so by its arrival."""
    numbers = [(each.at - start) / timedelta(seconds=every) for each in sent]
    for each, number in zip(sent, numbers, strict=True):
        assert number % 1 * every < (0.001 if each.slot else TICK + 2 * LATE), each
    return [int(number + 1e-6) for number in numbers]


def test_whatever_we_wrote_and_back(
    app: Celery, store: ScheduleStore, redis_url: str, tmp_path: Path, watch: Watch, beats: ExitStack
) -> None:
    start = clock.now().replace(microsecond=0)
    soon, later = start + timedelta(seconds=3), start + timedelta(seconds=13)
    put(store, "every-2s", Interval(seconds=2, anchor=start), labels=("중요",), description="설명", catchup="all")
    put(store, "rrule-3s", RRule("FREQ=SECONDLY;INTERVAL=3", start))
    put(store, "paused", Interval(seconds=1))
    store.pause("paused", note="점검")
    put(store, "soon", Once(soon))
    put(store, "later", Once(later))
    put(store, "zoned", Cron("0 6 * * *", "America/New_York"))
    put(store, "second-monday", RRule("FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0", start))
    put(store, "mixed", RRule("FREQ=MONTHLY;BYDAY=1MO,2TU;BYHOUR=9;BYMINUTE=0;BYSECOND=0", start))
    written = {stored.spec.name: stored for stored in store.list()}

    ours = beats.enter_context(beat(redis_url, tmp_path, *OURS))
    wait_until(lambda: watch.of("soon"), 20, "the one slot of `soon`")
    more(watch, "rrule-3s", 1, "ours")
    stop(ours)
    by_stock = len(watch.sent)
    stock = beats.enter_context(beat(redis_url, tmp_path, *STOCK))
    wait_until(lambda: watch.of("later"), 30, "the one slot of `later`, by a stock beat")
    more(watch, "rrule-3s", 2, "stock RedBeat")
    more(watch, "every-2s", 2, "stock RedBeat")
    stop(stock)
    by_ours = len(watch.sent)
    assert all(sent.slot is None for sent in watch.sent[by_stock:by_ours])
    assert clock.now() > later
    ours = beats.enter_context(beat(redis_url, tmp_path, *OURS))
    more(watch, "every-2s", 3, "ours again")
    more(watch, "rrule-3s", 2, "ours again")
    stop(ours)

    assert all(sent.at <= sent.arrived_at for sent in watch.sent)
    assert watch.of("paused") == watch.of("zoned") == watch.of("second-monday") == watch.of("mixed") == []
    assert [len(watch.of(name)) for name in ("soon", "later")] == [1, 1]
    slots = instants(watch.of("rrule-3s"), start, 3)
    assert slots == sorted(set(slots))
    before = [sent for sent in watch.sent[by_stock:by_ours] if sent.name == "every-2s"]
    after = watch.of("every-2s", since=by_ours)
    assert min(gaps([*before, *after])) > 2 - LATE
    assert gaps(after) == pytest.approx([2.0] * (len(after) - 1), abs=1e-4)
    assert after[0].at - before[-1].at < timedelta(seconds=2 + LATE)
    for name, first in written.items():
        last = store.get(name)
        rule = {"recurrence": first.spec.recurrence} if name == "every-2s" else {}
        assert last.spec.with_changes(**rule) == first.spec
        assert (last.redbeat_exact, last.pause) == (first.redbeat_exact, first.pause)


def test_who_leads_is_told(
    app: Celery, store: ScheduleStore, redis_url: str, tmp_path: Path, watch: Watch, beats: ExitStack
) -> None:
    put(store, "every-1s", Interval(seconds=1))
    stock = beats.enter_context(beat(redis_url, tmp_path, *STOCK))
    more(watch, "every-1s", 1, "stock RedBeat")
    ours = beats.enter_context(beat(redis_url, tmp_path, *OURS))
    (told,) = wait_until(lambda: heartbeats(link(app)), 20, "a heartbeat")
    assert (told.role, told.holds) == ("foreign", "foreign")
    status = livebeat(redis_url, tmp_path, "status")
    assert status.returncode == 3
    assert f"leader: FOREIGN, {leader(app)}." in status.stdout
    assert "HELD (a beat that is not Livebeat's has the lock)" in status.stdout
    stock.send(signal.SIGSTOP)  # it keeps the lock for five seconds
    stopped_at = clock.monotonic()
    wait_until(lambda: clock.monotonic() > stopped_at + 2.5, 5, "slots to be overdue")
    assert all(sent.slot is None for sent in watch.sent)
    stock.send(signal.SIGCONT)
    more(watch, "every-1s", 1, "stock RedBeat, while ours waits")
    assert all(sent.slot is None for sent in watch.sent)

    stop(stock)
    ended_at = clock.monotonic()
    waiting = beats.enter_context(beat(redis_url, tmp_path, *STOCK))
    wait_until(lambda: str(leader(app)).startswith("livebeat:"), 10, "our lead", every=0.01)
    assert clock.monotonic() - ended_at < 2
    waiting.wait_for_line("Acquiring lock", 20)
    by_ours = len(watch.sent)
    more(watch, "every-1s", 3, "ours, while a stock beat waits")
    status = livebeat(redis_url, tmp_path, "status")
    assert "FOREIGN" not in status.stdout
    assert "leader: " in status.stdout
    assert "Acquired lock" not in waiting.output
    assert all(sent.slot for sent in watch.sent[by_ours:])
    ours.send(signal.SIGKILL)
    waiting.wait_for_line("Acquired lock", 20)


# Days, by a clock that is moved.


@pytest.fixture
def world(app: Celery, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(app, monkeypatch)


def days(first: datetime, until: datetime, zone: ZoneInfo, hour: int) -> list[datetime]:
    """Each day's `hour` o'clock in the zone, in (first, until]."""
    day = first.astimezone(zone).replace(hour=hour, minute=0, second=0, microsecond=0)
    found = [(day + timedelta(days=k)).astimezone(UTC) for k in range(400)]
    return [instant for instant in found if first < instant <= until]


def test_a_zone_is_the_apps_for_stock_and_whole_again_for_ours(world: World) -> None:
    begun = world.now
    hour = (
        begun.hour + 2
    ) % 24  # in Seoul seven hours ago, in New York in seven: none between stock's last run and ours
    put(world.store, "zoned", Cron(f"0 {hour} * * *", "America/New_York"))
    world.lead(begun + timedelta(days=2))
    by_stock, since = world.now, len(world.sent)
    assert world.slots("zoned") == days(begun, by_stock, NEW_YORK, hour)
    world.lead_by_stock(by_stock + timedelta(days=2), timedelta(seconds=30))
    by_ours, again = world.now, len(world.sent)
    once, *sent = world.slots("zoned", since=since)
    assert once < by_stock + timedelta(days=1)  # stock misses the hour of the app's zone that ours didn't mean
    assert [at.replace(second=0, microsecond=0) for at in sent] == days(once, by_ours, SEOUL, hour)
    world.lead(by_ours + timedelta(days=3))
    assert world.slots("zoned", since=again) == days(by_ours, world.now, NEW_YORK, hour)
