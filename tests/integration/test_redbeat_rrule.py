"""RRULE and one-off schedules beside RedBeat's own code, on a real server."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from redbeat import RedBeatSchedulerEntry
from redbeat.schedules import rrule

from livebeat import Once, RRule, ScheduleSpec, ScheduleStore, clock
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
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def save(app: Celery, **parts: Any) -> None:
    rule = rrule(**{"app": app, "dtstart": datetime(2026, 1, 31, 0, 30, tzinfo=UTC), **parts})
    RedBeatSchedulerEntry("theirs", "sample.echo", rule, app=app).save()


def stock(app: Celery, name: str) -> RedBeatSchedulerEntry:
    return RedBeatSchedulerEntry.from_key(f"redbeat:{name}", app=app)


def dispatch(app: Celery, store: ScheduleStore) -> None:
    Dispatcher(link(app), store).run_once(clock.now())


def runs(client: "redis.Redis") -> list[str]:
    return [json.loads(text)["headers"]["livebeat_slot"] for text in reversed(client.lrange("celery", 0, -1))]


def make_due(client: "redis.Redis", name: str, at: datetime) -> None:
    """As if its slot had come."""
    key = f"redbeat:{name}"
    data = json.loads(client.hget(key, "livebeat") or "")
    data["next"] = clock.to_epoch(at)
    client.hset(key, "livebeat", json.dumps(data))
    client.zadd("redbeat::schedule", {key: data["next"]})


def test_an_rrule_that_redbeat_saved_is_read_adopted_and_run(
    app: Celery, store: ScheduleStore, client: "redis.Redis"
) -> None:
    save(app, freq="MINUTELY", interval=7)
    expected = RRule("FREQ=MINUTELY;INTERVAL=7", datetime(2026, 1, 31, 0, 30, tzinfo=UTC), "UTC")
    assert store.get("theirs").spec.recurrence == expected
    client.zadd("redbeat::schedule", {"redbeat:theirs": 1})  # RedBeat's scores may lie in the past
    definition = client.hget("redbeat:theirs", "definition")
    dispatch(app, store)
    adopted = store.get("theirs")
    assert runs(client) == []
    assert (adopted.ours, adopted.redbeat_exact) == (True, True)
    assert adopted.next_at == expected.next_after(clock.now())
    slot = expected.next_after(clock.now() - timedelta(minutes=7))
    assert slot is not None
    make_due(client, "theirs", slot)
    dispatch(app, store)
    assert runs(client) == [slot.isoformat()]
    assert store.get("theirs").next_at == expected.next_after(slot)
    assert client.hget("redbeat:theirs", "definition") == definition


def test_what_redbeat_cannot_say_survives_beside_its_form_until_somebody_saves_another(
    app: Celery, store: ScheduleStore
) -> None:
    whole = RRule("FREQ=MONTHLY;BYDAY=2MO,-1FR;BYHOUR=9;BYMINUTE=0", timezone="America/New_York")
    written = store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=whole))
    assert written.redbeat_exact is False
    entry = stock(app, "ours")
    entry.save()  # the same definition, with RedBeat's own score
    assert store.get("ours").spec.recurrence == written.spec.recurrence
    entry.args = ["changed"]
    entry.save()
    assert (store.get("ours").spec.recurrence, store.get("ours").spec.args) == (written.spec.recurrence, ("changed",))
    entry.schedule = rrule("DAILY", dtstart=datetime(2026, 1, 31, tzinfo=UTC), byhour=5, app=app)
    entry.save()
    assert store.get("ours").spec.recurrence == RRule("FREQ=DAILY;BYHOUR=5", datetime(2026, 1, 31, tzinfo=UTC), "UTC")


def test_stock_is_due_when_we_are(app: Celery, store: ScheduleStore) -> None:
    written = store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=RRule("FREQ=MONTHLY;BYDAY=2MO")))
    assert written.next_at is not None
    assert written.redbeat_exact
    assert abs(stock(app, "ours").score - clock.to_epoch(written.next_at)) <= 1  # RedBeat cuts fractions off


def test_an_edit_of_other_fields_keeps_the_start_that_a_rule_counts_from(store: ScheduleStore) -> None:
    rule = RRule("FREQ=DAILY;INTERVAL=3", datetime(2020, 1, 1, 9, tzinfo=UTC))
    first = store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=rule))
    plain = RRule("FREQ=DAILY;INTERVAL=3")
    second = store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=plain, description="edited"))
    assert (second.spec.recurrence, second.next_at) == (first.spec.recurrence, first.next_at)
    other = store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=RRule("FREQ=DAILY;INTERVAL=2")))
    assert other.spec.recurrence.anchor == other.changed_at.replace(microsecond=0)  # type: ignore[union-attr]


def test_one_instant_runs_once_and_is_finished_for_stock_too(
    app: Celery, store: ScheduleStore, client: "redis.Redis"
) -> None:
    at = (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    written = store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=Once(at)))
    assert (written.next_at, written.redbeat_exact) == (at, True)
    assert abs(stock(app, "ours").score - clock.to_epoch(at)) <= 1  # RedBeat cuts fractions off
    past = (clock.now() - timedelta(minutes=1)).replace(microsecond=0)
    client.hset("redbeat:ours", "livebeat", json.dumps(_moved(client, past)))
    make_due(client, "ours", past)
    dispatch(app, store)
    dispatch(app, store)
    assert runs(client) == [past.isoformat()]
    assert store.get("ours").next_at is None
    assert client.zscore("redbeat::schedule", "redbeat:ours") == -1


def test_stock_neither_dies_of_nor_repeats_what_is_finished(app: Celery, store: ScheduleStore) -> None:
    past = clock.now() - timedelta(hours=1)
    assert store.put(ScheduleSpec(name="ours", task="sample.echo", recurrence=Once(past))).next_at is None
    entry = stock(app, "ours")
    assert entry.is_due() == (False, None)
    assert entry.score == -1
    ended = RRule("FREQ=DAILY;COUNT=2", datetime(2020, 1, 1, tzinfo=UTC))
    assert store.put(ScheduleSpec(name="ended", task="sample.echo", recurrence=ended)).next_at is None
    assert stock(app, "ended").is_due() == (False, None)


def _moved(client: "redis.Redis", at: datetime) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(client.hget("redbeat:ours", "livebeat") or "")
    return {**data, "recurrence": Once(at).to_json()}
