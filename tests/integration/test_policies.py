"""Jitter, start and end, counted runs, failures in a row, by one beat's hands at a time that the test moves."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, StoredSchedule, run_state
from livebeat.beat.failing import pause_failing
from livebeat.connection import link
from livebeat.delivery import Ledger
from livebeat.entry import Raw
from livebeat.errors import SpecError
from support.engine import connect, make_app
from support.moved_time import World
from support.waiting import wait_until

EVERY = timedelta(seconds=10)
JUST = timedelta(seconds=1)


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def world(app: Celery, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(app, monkeypatch)


def put(store: ScheduleStore, **changes: Any) -> StoredSchedule:
    rule = changes.pop("recurrence", Interval(seconds=EVERY.total_seconds()))
    return store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=rule, args=("a",), **changes))


def edit(store: ScheduleStore, **changes: Any) -> StoredSchedule:
    return store.put(store.get("a").spec.with_changes(**changes))


def times(world: World) -> list[tuple[datetime, datetime]]:
    """Of each message: its slot, and when it came."""
    return [(each.slot, at) for at, each in world.sent if each.slot]


def next_of(stored: StoredSchedule) -> datetime:
    assert stored.next_at is not None
    return stored.next_at


def test_jitter_sends_every_slot_by_the_same_stable_part_of_it_later(world: World, client: "redis.Redis") -> None:
    stored = put(world.store, jitter=9.5)
    first, delay = next_of(stored), stored.delay
    assert timedelta(0) <= delay < timedelta(seconds=9.5)
    assert client.zscore("redbeat::schedule", "redbeat:a") == (first + delay).timestamp()
    read = world.store.get("a")
    assert (read.ours, read.next_at, read.delay, read.score) == (True, first, delay, stored.score)
    assert link(world.app).script("walk", ["redbeat::schedule"], [0, 10]) == [0]  # its score is no hint of RedBeat's
    world.lead(first + 5 * EVERY + delay + JUST)
    assert [slot for slot, _ in times(world)] == [first + k * EVERY for k in range(6)]
    for slot, at in times(world):
        assert timedelta(0) <= at - (slot + delay) <= JUST
    assert json.loads(client.hget("redbeat:a", "livebeat") or "{}")["due"] == (first + 6 * EVERY + delay).timestamp()


def test_schedules_of_one_instant_are_spread_over_the_jitter(world: World) -> None:
    delays = set()
    for number in range(50):
        spec = ScheduleSpec(name=f"s{number}", task="sample.echo", recurrence=Cron("0 * * * *"), jitter=600)
        delays.add(world.store.put(spec).delay)
    assert len(delays) == 50
    assert min(delays) < timedelta(seconds=100)
    assert max(delays) > timedelta(seconds=500)


@pytest.mark.parametrize("jitter", [0, 1, 5, 10])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_an_edit_of_the_jitter_loses_and_doubles_no_slot(world: World, jitter: float, part: float) -> None:
    """Also in the middle of the delay of a slot."""
    stored = put(world.store, jitter=10)
    first, delay = next_of(stored), stored.delay
    world.lead(first + EVERY + delay * part)
    edit(world.store, jitter=jitter)
    world.lead(first + 4 * EVERY + EVERY)
    slots = [slot for slot, _ in times(world)]
    assert slots[:4] == [first + k * EVERY for k in range(4)]
    assert all(at >= slot for slot, at in times(world))


def test_a_jitter_longer_than_the_time_between_two_slots_is_refused(world: World) -> None:
    with pytest.raises(SpecError, match="10 seconds apart"):
        put(world.store, jitter=10.5)
    with pytest.raises(SpecError, match="60 seconds apart"):
        put(world.store, recurrence=Cron("0,1 9 * * *"), jitter=61)


def test_catchup_after_a_downtime_counts_slots_also_with_jitter(world: World) -> None:
    stored = put(world.store, jitter=8, catchup="all")
    first = next_of(stored)
    world.now = first + 5 * EVERY + stored.delay + JUST
    world.lead(world.now + JUST)
    assert [slot for slot, _ in times(world)] == [first + k * EVERY for k in range(6)]


def test_a_delayed_dispatch_is_not_late(world: World) -> None:
    """Neither for catch-up `none`, whose grace is half a minute, nor for a window."""
    policies: dict[str, Any] = {"jitter": 690, "catchup": "none", "catchup_window": 5}
    names = [f"s{number}" for number in range(10)]
    stored = [
        world.store.put(
            ScheduleSpec(name=name, task="sample.echo", args=(name,), recurrence=Interval(seconds=700), **policies)
        )
        for name in names
    ]
    assert max(one.delay for one in stored) > timedelta(seconds=60)
    world.lead(world.now + timedelta(seconds=1400))
    for name, one in zip(names, stored, strict=True):
        assert [each.slot for _, each in world.sent if each.name == name] == [next_of(one)]


def test_max_runs_ends_a_schedule_and_more_of_them_let_it_go_on_from_now(world: World, client: "redis.Redis") -> None:
    first = next_of(put(world.store, max_runs=3))
    world.lead(first + 10 * EVERY)
    assert world.slots("a") == [first, first + EVERY, first + 2 * EVERY]
    stored = world.store.get("a")
    assert (stored.next_at, stored.total_runs, stored.spec.enabled) == (None, 3, True)
    assert client.zscore("redbeat::schedule", "redbeat:a") == -1
    assert edit(world.store, description="three").next_at is None
    assert next_of(edit(world.store, max_runs=4)) > link(world.app).now()
    world.store.pause("a")
    assert world.store.resume("a").next_at is not None
    assert edit(world.store, max_runs=2).next_at is None
    world.store.pause("a")
    assert world.store.resume("a").next_at is None


def test_only_slots_from_start_to_end_run(world: World) -> None:
    now = world.now.replace(microsecond=0)
    start, end = now + 3 * EVERY, now + 6 * EVERY
    put(world.store, start=start, end=end)
    world.lead(now + 12 * EVERY)
    slots = world.slots("a")
    assert slots
    assert all(start <= slot <= end for slot in slots)
    assert world.store.get("a").next_at is None
    later = edit(world.store, end=None)
    assert next_of(later) > link(world.app).now()
    assert (next_of(later) - start) % EVERY == timedelta(0)


def test_edits_of_start_and_end_count_from_now_and_run_nothing_twice(world: World, client: "redis.Redis") -> None:
    first = next_of(put(world.store, recurrence=Cron("0 3 * * *", timezone="UTC")))
    day = timedelta(days=1)
    assert next_of(edit(world.store, start=first + JUST)) == first + day
    assert next_of(edit(world.store, start=first - 30 * day)) == first
    assert next_of(edit(world.store, start=None)) == first
    assert edit(world.store, end=first - JUST).next_at is None
    assert next_of(edit(world.store, end=first)) == first
    assert edit(world.store, description="x").next_at == first
    assert edit(world.store, overlap="skip").next_at == first
    assert edit(world.store, overlap="skip").spec.start is None
    assert edit(world.store, max_runs=9).next_at == first
    raw = Raw(*(client.hmget("redbeat:a", "definition", "meta", "livebeat")))
    assert json.loads(raw.livebeat)["policies"] == {"overlap": "skip", "max_runs": 9, "end": first.isoformat()}
    assert "overlap" not in raw.definition + raw.meta


def test_an_overdue_slot_survives_an_edit_of_the_end(world: World) -> None:
    """As an edit of any field but the rule: what is due and not yet dispatched stays due."""
    first = next_of(put(world.store, recurrence=Interval(seconds=0.5)))
    wait_until(lambda: link(world.app).now() >= first, 5, "the slot")
    assert next_of(edit(world.store, end=first + timedelta(days=365))) == first


def fail(app: Celery, store: ScheduleStore, event: str = "run.failed") -> None:
    """One run of the schedule, which ends so."""
    ledger, run = Ledger(link(app)), store.trigger("a").run_id
    entry = run_state(app, run)
    assert entry is not None
    assert ledger.claim(entry.run, "host:1:x", "w") == ("claimed", 1)
    assert ledger.finish(entry.run, "host:1:x", 1, event, error="as asked")


def test_so_many_failures_in_a_row_pause_a_schedule_with_a_note(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    store = world.store
    put(store, pause_after_failures=3)
    for event in ("run.failed", "run.lost", "run.succeeded", "run.failed", "run.cancelled", "run.lost"):
        fail(app, store, event)
        pause_failing(link(app), store)
    assert store.get("a").spec.enabled
    fail(app, store)
    pause_failing(link(app), store)
    paused = store.get("a")
    assert (paused.spec.enabled, paused.next_at) == (False, None)
    assert paused.pause is not None
    assert "3 runs in a row failed" in paused.pause.note
    assert (paused.pause.by, client.exists("livebeat:failures", "livebeat:to-pause")) == ("livebeat", 0)
    store.resume("a")
    fail(app, store)
    pause_failing(link(app), store)
    assert store.get("a").spec.enabled


def test_runs_of_slots_count_too_and_schedules_without_the_policy_do_not(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    first = next_of(put(world.store, pause_after_failures=1))
    world.lead(first + JUST)
    (member,) = client.zrangebylex("livebeat:running", "-", "+")
    entry = run_state(app, member.split("\n")[1])
    assert entry is not None
    ledger = Ledger(link(app))
    ledger.claim(entry.run, "o", "w")
    ledger.finish(entry.run, "o", 1, "run.failed", error="as asked")
    assert client.smembers("livebeat:to-pause") == {"a"}
    edit(world.store, pause_after_failures=None)
    pause_failing(link(app), world.store)
    assert world.store.get("a").spec.enabled
    fail(app, world.store)
    assert not client.exists("livebeat:failures", "livebeat:to-pause")


def test_a_deleted_schedule_leaves_no_failures_to_its_successor(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, pause_after_failures=3)
    fail(app, world.store)
    assert client.hgetall("livebeat:failures") == {"a": "1"}
    world.store.delete("a")
    assert not client.exists("livebeat:failures")


def test_max_runtime_is_the_hard_time_limit_of_the_message(app: Celery, world: World, client: "redis.Redis") -> None:
    first = next_of(put(world.store, max_runtime=30, options={"time_limit": 90, "soft_time_limit": 20}))
    assert json.loads(client.hget("redbeat:a", "definition") or "{}")["options"]["time_limit"] == 90
    world.lead(first + JUST)
    (member,) = client.zrangebylex("livebeat:running", "-", "+")
    text = client.hget(f"livebeat:run:{member.split(chr(10))[1]}", "text")
    assert json.loads(text or "{}")["headers"]["timelimit"] == [30, 20]
    triggered = run_state(app, world.store.trigger("a").run_id)
    assert triggered is not None
    assert json.loads(triggered.text)["headers"]["timelimit"] == [30, 20]
