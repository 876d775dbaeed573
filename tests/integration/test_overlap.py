"""Overlap rules by one beat's hands, at a time that the test moves: what a slot becomes while a run is unfinished."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Interval, LedgerEntry, ScheduleSpec, ScheduleStore, Sent, run_state
from livebeat.connection import link
from livebeat.delivery import Ledger
from livebeat.errors import SpecError, StillRunningError
from support.engine import checked_relay, connect, make_app
from support.moved_time import World
from support.runs import data_of, ended

EVERY = timedelta(seconds=10)
#: A little after a slot.
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


def put(store: ScheduleStore, **changes: Any) -> None:
    rule = changes.pop("recurrence", Interval(seconds=EVERY.total_seconds()))
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=rule, args=("a",), **changes))


def live(client: "redis.Redis", name: str = "a") -> list[str]:
    """The unfinished runs of a schedule."""
    members = client.zrangebylex("livebeat:running", f"[{name}\n", f"({name}\v")
    return [member.split("\n")[1] for member in members]


def told(client: "redis.Redis", kind: str = "slot.skipped") -> list[dict[str, Any]]:
    return [json.loads(values["data"]) for _, values in client.xrange("livebeat:events") if values["type"] == kind]


def entry_of(app: Celery, run_id: str) -> LedgerEntry:
    entry = run_state(app, run_id)
    assert entry is not None
    return entry


def begin(app: Celery, run_id: str) -> None:
    """A worker claims it."""
    assert Ledger(link(app)).claim(entry_of(app, run_id).run, "host:1:x", "w")[0] == "claimed"


def end(app: Celery, run_id: str, event: str = "run.succeeded") -> None:
    """… and ends it."""
    begin(app, run_id)
    entry = entry_of(app, run_id)
    assert Ledger(link(app)).finish(entry.run, "host:1:x", entry.attempt, event, error="as asked")


def first_slot(world: World, client: "redis.Redis") -> str:
    """Up to just after the first slot: the id of its run."""
    world.lead(world.store.get("a").next_at + JUST)  # type: ignore[operator]
    (run,) = live(client)
    return run


def test_skip_passes_over_every_slot_until_the_run_has_ended_and_tells_them_as_one(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, overlap="skip")
    run = first_slot(world, client)
    (first,) = world.slots("a")
    before = world.store.get("a")
    world.lead(world.now + 3 * EVERY)
    assert (live(client), world.slots("a"), told(client)) == ([run], [first], [])
    skipped = world.store.get("a")
    assert (skipped.total_runs, skipped.last_run_at) == (before.total_runs, first + 3 * EVERY)
    end(app, run)
    world.lead(world.now + EVERY)
    assert world.slots("a") == [first, first + 4 * EVERY]
    (range_,) = told(client)
    assert (range_["reason"], range_["count"]) == ("skipped_overlap", 3)
    assert (range_["from"], range_["to"]) == ((first + EVERY).isoformat(), (first + 3 * EVERY).isoformat())
    assert world.store.get("a").skipping is None


def test_a_long_run_is_told_of_about_once_a_minute(world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="skip", recurrence=Interval(seconds=2))
    first_slot(world, client)
    world.lead(world.now + timedelta(minutes=5))
    ranges = told(client)
    assert 4 <= len(ranges) <= 6
    assert sum(range_["count"] for range_ in ranges) >= 115
    for before, after in pairwise(ranges):
        assert after["from"] > before["to"]


def test_catchup_all_with_skip_runs_the_oldest_slot_and_tells_the_others_as_one(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, overlap="skip", catchup="all")
    first = world.store.get("a").next_at
    assert first is not None
    world.now = first + 300 * EVERY + JUST
    while world.dispatcher.run_once(world.now) != ("ok", 0):
        pass
    (run,) = live(client)
    assert entry_of(app, run).run.slot == first.isoformat()
    end(app, run)
    world.lead(world.now + EVERY)
    (range_,) = told(client)
    assert (range_["from"], range_["to"], range_["count"]) == (
        (first + EVERY).isoformat(),
        (first + 300 * EVERY).isoformat(),
        300,
    )


def test_what_was_passed_over_is_told_when_the_schedule_is_deleted(world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="skip")
    first_slot(world, client)
    world.lead(world.now + 2 * EVERY)
    assert told(client) == []
    world.store.delete("a")
    (range_,) = told(client)
    assert range_["count"] == 2


def test_an_edit_of_the_rule_keeps_what_was_not_told_yet(world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="skip")
    first_slot(world, client)
    world.lead(world.now + 2 * EVERY)
    put(world.store, overlap="allow")
    world.lead(world.now + EVERY)
    (range_,) = told(client)
    assert range_["count"] == 2
    assert len(live(client)) == 2


@pytest.mark.parametrize("event", ["run.succeeded", "run.failed", "run.lost", "run.cancelled"])
def test_one_run_waits_and_starts_however_the_one_before_ends(
    app: Celery, world: World, client: "redis.Redis", event: str
) -> None:
    put(world.store, overlap="buffer_one")
    run = first_slot(world, client)
    (first,) = world.slots("a")
    world.lead(world.now + 3 * EVERY)
    (waiting,) = set(live(client)) - {run}
    assert entry_of(app, waiting).state == "waiting"
    assert entry_of(app, waiting).run.slot == (first + EVERY).isoformat()
    assert world.slots("a") == [first]
    assert data_of(client, "run.queued", waiting) == []
    end(app, run, event)
    assert entry_of(app, waiting).state == "queued"
    assert len(data_of(client, "run.queued", waiting)) == 1
    assert client.llen("celery") == 1
    end(app, waiting)
    world.lead(world.now + EVERY)
    assert [range_["count"] for range_ in told(client)] == [2]
    assert first + 4 * EVERY in [each.slot for _, each in world.sent]


def test_the_waiting_run_starts_although_the_one_before_left_no_word(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, overlap="buffer_one")
    run = first_slot(world, client)
    world.lead(world.now + EVERY)
    (waiting,) = set(live(client)) - {run}
    client.delete(f"livebeat:run:{run}")  # somebody's hand
    client.zrem("livebeat:ledger", run)
    client.zadd("livebeat:ledger", {waiting: 1})
    checked_relay(app).run_once()
    assert entry_of(app, waiting).state == "queued"
    assert live(client) == [waiting]


def test_the_relay_leaves_a_waiting_run_alone_while_the_one_before_goes_on(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, overlap="buffer_one")
    run = first_slot(world, client)
    world.lead(world.now + EVERY)
    (waiting,) = set(live(client)) - {run}
    client.zadd("livebeat:ledger", {waiting: 1})
    checked_relay(app).run_once()
    assert entry_of(app, waiting).state == "waiting"
    assert (client.zscore("livebeat:ledger", waiting) or 0) > 1


def test_a_member_without_an_entry_keeps_nothing_from_running(world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="skip")
    client.zadd("livebeat:running", {"a\ngone": 0, "a/b\nother": 0})
    run = first_slot(world, client)
    assert run != "gone"
    assert len(world.slots("a")) == 1
    assert live(client, "a/b") == ["other"]


def test_a_queued_run_gives_way_to_the_next_slot(app: Celery, world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="cancel_previous")
    run = first_slot(world, client)
    world.lead(world.now + EVERY)
    assert ended(client, run) == "run.cancelled"
    (next_run,) = live(client)
    assert entry_of(app, next_run).state == "queued"
    (data,) = data_of(client, "run.cancelled", run)
    assert next_run in data["error"]
    assert {"task", "schedule", "slot", "revision", "kind", "attempt", "parent"} <= data.keys()
    assert (data["schedule"], data["slot"]) == ("a", world.slots("a")[0].isoformat())
    assert Ledger(link(app)).claim(entry_of(app, next_run).run, "host:1:y", "w")[0] == "claimed"


def test_a_running_one_is_told_to_stop_and_the_next_starts_when_it_has(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, overlap="cancel_previous")
    run, ledger = first_slot(world, client), Ledger(link(app))
    begin(app, run)
    assert ledger.renew({run: "host:1:x"}) == ([], [])
    world.lead(world.now + EVERY)
    (second,) = set(live(client)) - {run}
    assert ledger.renew({run: "host:1:x"}) == ([], [run])
    world.lead(world.now + EVERY)
    assert ended(client, second) == "run.cancelled"  # it never began
    (third,) = set(live(client)) - {run}
    assert (entry_of(app, third).state, entry_of(app, run).state) == ("waiting", "running")
    # Its process is stopped: it gives the run back, which is not to run again.
    entry = entry_of(app, run)
    assert ledger.release(entry.run, "host:1:x", entry.attempt, after=3600, error="interrupted")
    assert ledger.claim(entry.run, "host:1:z", "w")[0] == "held"
    checked_relay(app).run_once()
    assert ended(client, run) == "run.cancelled"
    assert entry_of(app, third).state == "queued"


def test_a_cancelled_run_whose_worker_vanished_is_not_given_to_another(
    app: Celery, world: World, client: "redis.Redis"
) -> None:
    put(world.store, overlap="cancel_previous")
    run = first_slot(world, client)
    begin(app, run)
    world.lead(world.now + EVERY)
    client.hset(f"livebeat:run:{run}", "lease_until", 1)
    client.zadd("livebeat:ledger", {run: 1})
    checked_relay(app).run_once()
    assert ended(client, run) == "run.cancelled"
    (after,) = live(client)
    assert entry_of(app, after).state == "queued"


def test_a_trigger_counts_as_a_run(app: Celery, world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="skip")
    run = world.store.trigger("a").run_id
    with pytest.raises(StillRunningError, match=run):
        world.store.trigger("a")
    world.lead(world.now + EVERY + JUST)
    assert live(client) == [run]
    end(app, run)
    assert isinstance(world.store.trigger("a"), Sent)


def test_a_trigger_waits_or_takes_the_place_as_a_slot_would(app: Celery, world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="buffer_one")
    run = first_slot(world, client)
    waiting = world.store.trigger("a").run_id
    assert entry_of(app, waiting).state == "waiting"
    with pytest.raises(StillRunningError, match=waiting):
        world.store.trigger("a")
    end(app, run)
    assert entry_of(app, waiting).state == "queued"
    put(world.store, overlap="cancel_previous")
    in_its_place = world.store.trigger("a").run_id
    assert ended(client, waiting) == "run.cancelled"
    assert live(client) == [in_its_place]


def test_without_the_ledger_every_rule_but_allow_is_refused(app: Celery, world: World, client: "redis.Redis") -> None:
    put(world.store, overlap="skip")
    client.hset("livebeat:plain", "celery", '["old@host"]')
    with pytest.raises(SpecError, match=r"without livebeat\.install") as caught:
        put(world.store, overlap="buffer_one")
    assert "livebeat.install" in caught.value.text("ko")
    put(world.store, overlap="allow")
    client.delete("livebeat:plain")
    put(world.store, overlap="skip")
    client.hset("livebeat:plain", "celery", '["old@host"]')
    world.lead(world.store.get("a").next_at + JUST)  # type: ignore[operator]
    assert client.zscore("redbeat::schedule", "redbeat:a") == -1
    assert "without livebeat.install" in json.loads(client.hget("livebeat:dead", "a") or "{}")["reason"]


@pytest.mark.parametrize(
    ("changes", "field"), [({"overlap": "cancel_previous"}, "overlap"), ({"max_runtime": 30}, "max_runtime")]
)
def test_what_can_stop_no_run_is_refused(
    world: World, client: "redis.Redis", changes: dict[str, Any], field: str
) -> None:
    put(world.store, **changes)
    now = link(world.app).now().timestamp()
    worker = {"at": now, "queues": ["celery"], "received": [], "host": "h", "pid": 1, "version": "1", "pool": "solo"}
    client.hset("livebeat:workers", "w@h", json.dumps(worker))
    with pytest.raises(SpecError, match="prefork") as caught:
        put(world.store, **changes)
    assert caught.value.facts["field"] == field
    world.lead(world.store.get("a").next_at + JUST)  # type: ignore[operator]
    assert "w@h (solo)" in json.loads(client.hget("livebeat:dead", "a") or "{}")["reason"]
    client.hset("livebeat:workers", "w@h", json.dumps({**worker, "pool": "prefork"}))
    put(world.store, **changes)
    assert world.store.get("a").next_at is not None
