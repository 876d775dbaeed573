"""The one write path of schedules, on a real server."""

import json
import threading
from collections.abc import Iterable
from itertools import islice

import pytest
import redis
from celery import Celery
from celery.schedules import crontab
from redbeat import RedBeatSchedulerEntry

from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore
from livebeat.connection import link
from livebeat.errors import NameRefusedError, RevisionConflictError, ScheduleExistsError, ScheduleNotFoundError
from livebeat.store import PAGE
from support.engine import connect, make_app


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


def spec(name: str = "주간 업데이트", **changes: object) -> ScheduleSpec:
    return ScheduleSpec(**{"name": name, "task": "sample.echo", "recurrence": Cron("0 6 * * 1"), **changes})  # type: ignore[arg-type]


def test_redbeat_reads_what_we_write(app: Celery, store: ScheduleStore) -> None:
    written = store.put(spec(args=(1,), kwargs={"a": "b"}, options={"expires": 3600}))
    entry = RedBeatSchedulerEntry.from_key("redbeat:주간 업데이트", app=app)
    assert (entry.task, entry.args, entry.kwargs, entry.enabled) == ("sample.echo", [1], {"a": "b"}, True)
    assert entry.options == {"expires": 3600}
    assert entry.schedule == crontab(minute="0", hour="6", day_of_week="1")
    assert written.next_at is not None
    assert abs(entry.score - written.next_at.timestamp()) <= 1  # RedBeat truncates


def test_definition_and_meta_hold_nothing_of_ours(store: ScheduleStore, redis_url: str) -> None:
    store.put(spec(labels=("x",), description="설명"))
    fields = connect(redis_url).hgetall("redbeat:주간 업데이트")
    assert set(json.loads(fields["definition"])) == {"name", "task", "args", "kwargs", "options", "schedule", "enabled"}
    assert set(json.loads(fields["meta"])) == {"last_run_at"}


def test_what_redbeat_wrote_is_read(app: Celery, store: ScheduleStore) -> None:
    RedBeatSchedulerEntry("임시_테스트", "sample.echo", crontab(hour=16, minute=0, day_of_week=3), app=app).save()
    stored = store.get("임시_테스트")
    assert stored.spec.recurrence == Cron("0 16 * * 3", "Asia/Seoul")
    assert (stored.ours, stored.revision, stored.origin) == (False, 0, "redbeat")


def test_an_unchanged_rule_keeps_its_cadence(store: ScheduleStore) -> None:
    first = store.put(spec(recurrence=Interval(seconds=3600)))
    second = store.put(spec(recurrence=Interval(seconds=3600), description="edited"))
    assert second.next_at == first.next_at
    assert second.spec.recurrence == first.spec.recurrence
    assert (second.revision, second.incarnation) == (2, first.incarnation)


def test_a_paused_schedule_leaves_the_due_range(app: Celery, store: ScheduleStore, redis_url: str) -> None:
    store.put(spec(enabled=False))
    assert connect(redis_url).zscore("redbeat::schedule", "redbeat:주간 업데이트") == -1
    assert RedBeatSchedulerEntry.from_key("redbeat:주간 업데이트", app=app).enabled is False
    assert store.put(spec()).next_at is not None


def test_conflicts_are_told_and_change_nothing(store: ScheduleStore, redis_url: str) -> None:
    first = store.put(spec())
    before = connect(redis_url).hgetall("redbeat:주간 업데이트")
    with pytest.raises(ScheduleExistsError):
        store.put(spec(), create_only=True)
    with pytest.raises(RevisionConflictError):
        store.put(spec(description="x"), expected_revision=first.revision + 1)
    assert connect(redis_url).hgetall("redbeat:주간 업데이트") == before


def test_delete_and_get_of_an_unknown_name(store: ScheduleStore) -> None:
    with pytest.raises(ScheduleNotFoundError):
        store.get("없음")
    with pytest.raises(ScheduleNotFoundError):
        store.delete("없음")


def test_every_change_is_an_event(app: Celery, store: ScheduleStore, redis_url: str) -> None:
    store.put(spec(), by="kim", origin="api")
    store.put(spec(task="sample.other"), by="lee")
    store.delete("주간 업데이트", by="park")
    entries = [values for _, values in connect(redis_url).xrange(link(app).keys.events)]
    assert [entry["type"] for entry in entries] == ["schedule.created", "schedule.changed", "schedule.deleted"]
    changed = json.loads(entries[1]["data"])
    assert (changed["by"], changed["before"]["task"], changed["spec"]["task"]) == ("lee", "sample.echo", "sample.other")
    assert connect(redis_url).exists("redbeat:주간 업데이트") == 0
    assert connect(redis_url).zcard("redbeat::schedule") == 0


def test_writers_at_once_lose_no_revision(store: ScheduleStore) -> None:
    def edit() -> None:
        store.put(spec(description="x"))

    threads = [threading.Thread(target=edit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("주간 업데이트").revision == 8


def test_reserved_keys_survive_hostile_names(store: ScheduleStore, redis_url: str) -> None:
    store.put(spec())
    for name in (":schedule", ":lock", ":statics"):
        with pytest.raises(NameRefusedError):
            store.put(spec(name))
        with pytest.raises(NameRefusedError):
            store.delete(name)
    assert connect(redis_url).zcard("redbeat::schedule") == 1


def test_stock_takes_over_our_data_without_refiring_an_edit(app: Celery, store: ScheduleStore) -> None:
    """A daily schedule moved to an earlier hour of today must not fire at once, in stock either."""
    store.put(spec(recurrence=Cron("59 23 * * *")))
    store.put(spec(recurrence=Cron("0 0 * * *")))
    due, _ = RedBeatSchedulerEntry.from_key("redbeat:주간 업데이트", app=app).is_due()
    assert not due


def save_bulk(client: "redis.Redis", names: Iterable[str]) -> None:
    """Entries as RedBeat's own code would leave them."""
    pipeline = client.pipeline(transaction=False)
    for position, name in enumerate(names):
        rule = {"__type__": "interval", "every": 60, "relative": False}
        pipeline.hset(f"redbeat:{name}", "definition", json.dumps({"name": name, "task": "t", "schedule": rule}))
        pipeline.zadd("redbeat::schedule", {f"redbeat:{name}": position})
    pipeline.execute()


def test_all_schedules_are_listed_by_name_without_what_is_none(store: ScheduleStore, redis_url: str) -> None:
    client, names = connect(redis_url), [f"{number:04}" for number in range(PAGE * 3)]
    save_bulk(client, reversed(names))
    client.hset("redbeat:bad", "definition", "{")
    client.set("redbeat:text", "no hash")
    client.zadd("redbeat::schedule", {"redbeat:bad": 1, "redbeat:text": 2, "redbeat:gone": 3})
    assert [stored.spec.name for stored in store.list()] == names


def test_schedules_are_read_as_they_are_asked_for(store: ScheduleStore, redis_url: str) -> None:
    client = connect(redis_url)
    save_bulk(client, map(str, range(PAGE * 8)))
    client.config_resetstat()
    next(iter(store))
    assert PAGE / 2 < client.info("commandstats")["cmdstat_hmget"]["calls"] < PAGE * 3


@pytest.mark.parametrize("left", [200, 20])
def test_each_is_read_once_while_others_come_and_go(store: ScheduleStore, redis_url: str, left: int) -> None:
    """Also those whose slots are dispatched meanwhile, and where Redis makes its table of them smaller."""
    client = connect(redis_url)
    stay, go = [f"stay-{number}" for number in range(left)], [f"go-{number}" for number in range(PAGE * 16)]
    save_bulk(client, [*go, *stay])
    reading = iter(store)
    seen = [stored.spec.name for stored in islice(reading, PAGE)]
    client.zrem("redbeat::schedule", *(f"redbeat:{name}" for name in go))
    for position in range(20):
        client.zadd("redbeat::schedule", {f"redbeat:{name}": 10**9 + position for name in stay})
    seen += [stored.spec.name for stored in islice(reading, PAGE)]
    save_bulk(client, [f"new-{number}" for number in range(PAGE * 4)])
    seen += [stored.spec.name for stored in reading]
    assert len(seen) == len(set(seen))
    assert set(stay) <= set(seen)
