"""What the leading beat prepares before it is due: used as it is, or not at all."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import schedule
from redbeat import RedBeatSchedulerEntry

from livebeat import Interval, Once, ScheduleSpec, ScheduleStore, clock
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import link
from support.engine import connect, make_app


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def dispatcher(app: Celery, store: ScheduleStore) -> Dispatcher:
    return Dispatcher(link(app), store)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def put(store: ScheduleStore, name: str = "a", **changes: Any) -> datetime:
    """A schedule whose first slot comes in five seconds; returns that slot."""
    spec = {"name": name, "task": "sample.echo", "recurrence": Interval(seconds=5), "kwargs": {"value": 1}, **changes}
    next_at = store.put(ScheduleSpec(**spec)).next_at
    assert next_at is not None
    return next_at


def prepare(dispatcher: Dispatcher) -> None:
    while dispatcher.prepare(clock.now()):
        pass


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("it was prepared, and is read again all the same")


def sent(client: "redis.Redis") -> list[dict[str, Any]]:
    return [json.loads(text)["headers"] for text in reversed(client.lrange("celery", 0, -1))]


def test_what_was_prepared_is_only_sent(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = {name: put(store, name) for name in ("a", "b")}
    prepare(dispatcher)
    monkeypatch.setattr(dispatcher.preparation, "item", never)
    assert client.llen("celery") == 0
    assert dispatcher.run_once(max(slots.values())) == ("ok", 2)
    assert {h["livebeat_schedule"]: h["livebeat_slot"] for h in sent(client)} == {
        name: slot.isoformat() for name, slot in slots.items()
    }
    assert store.get("a").next_at == slots["a"] + timedelta(seconds=5)


def test_an_edit_after_the_preparation_wins(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    slot = put(store)
    prepare(dispatcher)
    put(store, kwargs={"value": 2})
    dispatcher.run_once(slot)  # finds that it is not what was prepared
    dispatcher.run_once(slot)
    assert [h["kwargsrepr"] for h in sent(client)] == ["{'value': 2}"]


def test_a_deleted_schedule_is_not_sent(store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis") -> None:
    slot = put(store)
    prepare(dispatcher)
    store.delete("a")
    dispatcher.run_once(slot)
    assert sent(client) == []


@pytest.mark.parametrize(("catchup", "number"), [("one", 1), ("all", 3), ("none", 1)])
def test_a_beat_that_slept_over_its_slots_decides_anew(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis", catchup: Any, number: int
) -> None:
    slot = put(store, catchup=catchup)
    prepare(dispatcher)
    late = slot + timedelta(seconds=11)
    while dispatcher.run_once(late)[1]:
        pass
    assert len(sent(client)) == number
    assert store.get("a").next_at == slot + timedelta(seconds=15)
    newest = slot + timedelta(seconds=10)
    assert sent(client)[-1]["livebeat_slot"] == newest.isoformat()


def test_an_expiry_counts_from_the_dispatch_and_not_from_the_preparation(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    slot = put(store, options={"expires": 30})
    prepare(dispatcher)
    at = slot + timedelta(seconds=2)
    dispatcher.run_once(at)
    (headers,) = sent(client)
    assert datetime.fromisoformat(headers["expires"]) == at + timedelta(seconds=30)


def test_what_redbeat_saved_is_put_right_before_it_is_due(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    entry = RedBeatSchedulerEntry("theirs", "sample.echo", schedule(5), app=app)
    entry.save()
    client.zadd("redbeat::schedule", {entry.key: clock.to_epoch(clock.now()) + 5})
    prepare(dispatcher)
    stored = store.get("theirs")
    assert stored.ours
    assert stored.next_at is not None
    assert client.zscore("redbeat::schedule", entry.key) == pytest.approx(clock.to_epoch(stored.next_at))
    assert sent(client) == []


def test_a_pause_ends_by_itself_and_makes_up_for_nothing(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store)
    until = clock.now() + timedelta(seconds=8)
    store.pause("a", note="upstream is being moved", until=until)
    prepare(dispatcher)
    dispatcher.run_once(until - timedelta(seconds=1))
    assert not store.get("a").spec.enabled
    dispatcher.run_once(until)
    stored = store.get("a")
    assert stored.spec.enabled
    assert stored.next_at is not None
    assert stored.next_at > until
    assert sent(client) == []
    kinds = [entry["type"] for _, entry in client.xrange("livebeat:events")]
    assert kinds == ["schedule.created", "schedule.paused", "schedule.resumed"]


def test_a_finished_schedule_leaves_the_due_range(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    at = clock.now().replace(microsecond=0) + timedelta(seconds=4)
    put(store, recurrence=Once(at))
    prepare(dispatcher)
    dispatcher.run_once(at)
    assert len(sent(client)) == 1
    assert store.get("a").next_at is None
    assert client.zscore("redbeat::schedule", "redbeat:a") == -1
    assert dispatcher.run_once(at + timedelta(days=400)) == ("ok", 0)


def test_a_server_that_forgot_the_script_is_given_it_again(
    store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    first = put(store)
    dispatcher.run_once(first)
    client.script_flush()
    second = first + timedelta(seconds=5)
    assert dispatcher.run_once(second) == ("ok", 1)  # found out
    assert len(sent(client)) == 1
    dispatcher.run_once(second)
    assert [h["livebeat_slot"] for h in sent(client)] == [first.isoformat(), second.isoformat()]
