"""Due slots to messages, by one beat's hands and on a real server; time is moved by moving scores."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry

from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock, run_state
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import Link, link
from livebeat.entry import Raw, decode, encode_ours
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


def put(store: ScheduleStore, name: str = "a", every: float = 60, **changes: Any) -> None:
    recurrence = changes.pop("recurrence", Interval(seconds=every))
    store.put(ScheduleSpec(name=name, task="sample.echo", recurrence=recurrence, **changes))


def make_overdue(at: Link, name: str, seconds: float) -> None:
    """Move a schedule's next slot (and an interval's anchor) back, as a downtime would have left it."""
    key = at.keys.entry(name)
    raw = Raw(*(value or "" for value in at.client.hmget(key, ["definition", "meta", "livebeat"])))
    stored = decode(name, raw, at.zone)
    assert stored.next_at is not None
    data = json.loads(raw.livebeat)
    data["next"] -= seconds
    if "anchor" in data["recurrence"]:
        data["recurrence"]["anchor"] = (stored.spec.recurrence.anchor - timedelta(seconds=seconds)).isoformat()  # type: ignore[attr-defined]
    at.client.hset(key, "livebeat", json.dumps(data))
    at.client.zadd(at.keys.schedule, {key: data["next"]})


def messages(client: "redis.Redis", queue: str = "celery") -> list[dict[str, Any]]:
    return [json.loads(text) for text in reversed(client.lrange(queue, 0, -1))]


def events(client: "redis.Redis", kind: str) -> list[dict[str, Any]]:
    return [json.loads(v["data"]) for _, v in client.xrange("livebeat:events") if v["type"] == kind]


def test_a_due_slot_becomes_one_message_with_everything_beside_it(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store, "이름/1", kwargs={"value": 7}, options={"expires": 60})
    make_overdue(link(app), "이름/1", 70)
    due = store.get("이름/1").next_at
    assert dispatcher.run_once(clock.now()) == ("ok", 1)
    (message,) = messages(client)
    headers = message["headers"]
    assert headers["livebeat_schedule"] == headers["periodic_task_name"] == "이름/1"
    assert headers["livebeat_slot"] == due.isoformat()  # type: ignore[union-attr]
    assert headers["livebeat_run"] == headers["id"]
    entry = run_state(app, headers["id"])
    assert entry is not None
    assert (entry.state, entry.run.schedule, entry.queue) == ("queued", "이름/1", "celery")
    assert client.zscore("livebeat:ledger", headers["id"]) is not None
    assert client.zrange("livebeat:running", 0, -1) == [f"이름/1\n{headers['id']}"]
    assert [event["run"] for event in events(client, "run.queued")] == [headers["id"]]
    stored = store.get("이름/1")
    assert (stored.last_run_at, stored.total_runs) == (due, 1)
    assert stored.next_at is not None
    assert stored.next_at > clock.now() - timedelta(seconds=1)


def test_two_beats_with_the_same_read_dispatch_once(
    app: Celery, store: ScheduleStore, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    make_overdue(link(app), "a", 70)
    one, two = Dispatcher(link(app), store), Dispatcher(link(app), store)
    due = one._due(clock.to_epoch(clock.now()))
    reads = one.preparation.read(due)
    monkeypatch.setattr(two, "_due", lambda until: due)
    monkeypatch.setattr(two.preparation, "read", lambda members: reads)
    one.run_once(clock.now())
    two.run_once(clock.now())
    assert len(messages(client)) == 1


def test_an_edit_between_read_and_script_wins(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    make_overdue(link(app), "a", 70)
    due = dispatcher._due(clock.to_epoch(clock.now()))
    reads = dispatcher.preparation.read(due)
    store.put(ScheduleSpec(name="a", task="sample.other", recurrence=Interval(seconds=60)))
    monkeypatch.setattr(dispatcher, "_due", lambda until: due)
    monkeypatch.setattr(dispatcher.preparation, "read", lambda members: reads)
    dispatcher.run_once(clock.now())
    assert messages(client) == []
    monkeypatch.undo()
    dispatcher.run_once(clock.now())
    assert [message["headers"]["task"] for message in messages(client)] == ["sample.other"]


@pytest.mark.parametrize(("policy", "runs", "skips"), [("all", 6, 0), ("one", 1, 1), ("none", 1, 1)])
def test_catch_up_after_downtime(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis", policy: Any, runs: int, skips: int
) -> None:
    put(store, every=10, catchup=policy)
    make_overdue(link(app), "a", 65)
    while dispatcher.run_once(clock.now())[1]:
        pass
    slots = [message["headers"]["livebeat_slot"] for message in messages(client)]
    assert len(slots) == len(set(slots)) == runs
    assert len(events(client, "slot.skipped")) == skips


def test_none_passes_over_what_is_long_past(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store, every=3600, catchup="none")
    make_overdue(link(app), "a", 3700)
    make_overdue(link(app), "a", 100)
    dispatcher.run_once(clock.now())
    assert messages(client) == []
    (skipped,) = events(client, "slot.skipped")
    assert skipped["reason"] == "skipped_catchup"


def test_a_foreign_beat_holds_everything(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store)
    make_overdue(link(app), "a", 70)
    client.set("redbeat::lock", "a-stock-beats-token")
    assert dispatcher.run_once(clock.now())[0] == "foreign"
    assert messages(client) == []
    client.delete("redbeat::lock")
    assert dispatcher.run_once(clock.now())[0] == "ok"
    assert len(messages(client)) == 1


def test_a_clock_that_stepped_back_holds_everything(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store)
    make_overdue(link(app), "a", 70)
    client.set("livebeat:mark", clock.to_epoch(clock.now()) + 3600)
    assert dispatcher.run_once(clock.now())[0] == "clock"
    assert messages(client) == []


@pytest.mark.parametrize("rule", [schedule(30), crontab(minute="*"), crontab(minute=0, hour=0)])
def test_a_redbeat_save_is_adopted_and_nothing_fires_early(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis", rule: Any
) -> None:
    RedBeatSchedulerEntry("theirs", "sample.echo", rule, app=app).save()
    client.zadd("redbeat::schedule", {"redbeat:theirs": 1})  # RedBeat's scores may lie in the past
    definition = client.hget("redbeat:theirs", "definition")
    dispatcher.run_once(clock.now())
    stored = store.get("theirs")
    assert messages(client) == []
    assert stored.ours
    assert stored.next_at is not None
    assert stored.next_at > clock.now()
    assert client.hget("redbeat:theirs", "definition") == definition


def test_an_outside_save_over_ours_wins_and_keeps_what_it_cannot_say(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store, recurrence=Cron("0 6 * * 1"), labels=("x",), description="설명")
    entry = RedBeatSchedulerEntry.from_key("redbeat:a", app=app)
    entry.task, entry.schedule = "sample.other", schedule(20)
    entry.save()
    client.zadd("redbeat::schedule", {"redbeat:a": 1})
    dispatcher.run_once(clock.now())
    stored = store.get("a")
    assert (stored.spec.task, stored.spec.labels, stored.spec.description) == ("sample.other", ("x",), "설명")
    assert isinstance(stored.spec.recurrence, Interval)
    (event,) = events(client, "schedule.changed")
    assert event["outside"] is True
    assert messages(client) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("definition", "not json"),
        ("definition", '{"name": "bad", "task": "t", "schedule": {"__type__": "martian"}}'),
        ("definition", '{"name": "bad", "task": "t", "schedule": {"__type__": "crontab", "day_of_month": 30, "month_of_year": 2}}'),
        ("definition", '{"name": "bad", "schedule": {"__type__": "interval", "every": 1}}'),
        ("definition", '{"name": "other", "task": "t", "schedule": {"__type__": "interval", "every": 1}}'),
        ("definition", '{"name": "bad", "task": "t", "options": {"queue": "nowhere"}, "schedule": {"__type__": "interval", "every": 1}}'),
        ("meta", "[]"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_set_aside_and_never_stops_the_others(
    redis_url: str, client: "redis.Redis", field: str, value: str
) -> None:
    app = make_app(redis_url, task_create_missing_queues=False)
    store = ScheduleStore(app)
    put(store, "good")
    make_overdue(link(app), "good", 70)
    good = {"name": "bad", "task": "t", "schedule": {"__type__": "interval", "every": 1, "relative": False}}
    client.hset("redbeat:bad", mapping={"definition": json.dumps(good), field: value})
    client.zadd("redbeat::schedule", {"redbeat:bad": 1})
    dispatcher = Dispatcher(link(app), store)
    dispatcher.run_once(clock.now())
    if client.hget("redbeat:bad", "livebeat"):  # readable, so adopted first; what is wrong shows when its slot is due
        make_overdue(link(app), "bad", 70)
        dispatcher.run_once(clock.now())
    assert len(messages(client)) == 1
    assert client.zscore("redbeat::schedule", "redbeat:bad") == -1
    assert events(client, "schedule.quarantined")[-1]["name"] == "bad"


def test_index_members_of_another_kind_are_set_aside(
    app: Celery, store: ScheduleStore, dispatcher: Dispatcher, client: "redis.Redis"
) -> None:
    put(store, "good")
    make_overdue(link(app), "good", 70)
    client.set("redbeat:string", "x")
    client.zadd("redbeat::schedule", {"redbeat:string": 1, "redbeat:gone": 2})
    dispatcher.run_once(clock.now())
    assert len(messages(client)) == 1
    assert client.zrange("redbeat::schedule", 0, 0, withscores=True)[0][1] == -1


def test_a_broker_with_global_key_prefix(redis_url: str, client: "redis.Redis") -> None:
    app = make_app(redis_url, broker_transport_options={"global_keyprefix": "pre:"})
    store = ScheduleStore(app)
    put(store)
    make_overdue(link(app), "a", 70)
    Dispatcher(link(app), store).run_once(clock.now())
    assert len(messages(client, "pre:celery")) == 1


def test_ours_is_written_next_to_an_untouched_definition(app: Celery, store: ScheduleStore) -> None:
    put(store)
    stored = store.get("a")
    assert json.loads(encode_ours(stored, stored.raw.definition))["digest"] == json.loads(stored.raw.livebeat)["digest"]
