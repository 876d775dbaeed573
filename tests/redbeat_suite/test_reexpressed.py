"""What RedBeat's tests pin of its scheduler, asked of ours on a real server; README.md says which is which, and why."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import crontab, schedule
from dateutil.rrule import FR, MO
from redbeat import RedBeatSchedulerEntry
from redbeat.decoder import RedBeatJSONEncoder, to_timestamp
from redbeat.schedules import rrule

from launcher.servers.valkey import EmbeddedValkey
from livebeat import Interval, LiveBeatScheduler, ScheduleStore, clock, leader
from livebeat.beat.wake import LONGEST
from livebeat.celery_rules import from_celery, to_celery
from livebeat.connection import link
from livebeat.entry import Raw, decode, encode_definition
from support.engine import connect, make_app

HERE = Path(__file__).parent
NEW_YEAR = clock.from_epoch(1_767_225_600)


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def scheduler(app: Celery) -> Iterator[LiveBeatScheduler]:
    """A beat of ours in this process; it leads with its first tick."""
    made = LiveBeatScheduler(app)
    yield made
    made.close()


def save(app: Celery, name: str, rule: Any, **more: Any) -> RedBeatSchedulerEntry:
    return RedBeatSchedulerEntry(name, "sample.echo", rule, app=app, **more).save()


def queued(client: "redis.Redis") -> list[str]:
    """Names of the schedules whose messages wait."""
    return [json.loads(text)["headers"]["periodic_task_name"] for text in client.lrange("celery", 0, -1)]


def tick(scheduler: LiveBeatScheduler) -> float:
    """One tick; how many seconds it slept."""
    started = clock.monotonic()
    assert scheduler.tick() == 0.0
    return clock.monotonic() - started


# The table.


def test_every_test_of_redbeat_is_in_the_table_once() -> None:
    ours = re.findall(r"^\| `(test_\w+::\S+)` \|", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    theirs = [
        f"{path.stem}::{case.name}::{test.name}"
        for path in sorted((HERE / "upstream").glob("test_*.py"))
        for case in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(case, ast.ClassDef)
        for test in case.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test")
    ]
    assert sorted(ours) == sorted(theirs)
    assert len(theirs) == 85


def test_what_the_table_points_at_is_there() -> None:
    rows = re.findall(r"^\| `test_\S+` \| (.+?) \| ?(.*?) ?\|$", (HERE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {how for how, _ in rows} == {"as is", "re-expressed", "not applicable"}
    for how, where in rows:
        files = re.findall(r"`(\w+\.py)::(\w+)`", where)
        assert bool(files) == (how == "re-expressed"), where
        for file, name in files:
            (found,) = HERE.parent.rglob(file)
            assert f"def {name}(" in found.read_text(encoding="utf-8")
        assert where or how == "as is"


# Entries, where ours say the same in another way.


RULES = [
    schedule(60),
    schedule(0.5),
    schedule(timedelta(days=3)),
    crontab(),
    crontab(minute="*/5", hour="8-18", day_of_week="mon-fri"),
    crontab(minute="0", hour="0", day_of_month="1,15", month_of_year="*/3"),
    rrule("DAILY", dtstart=NEW_YEAR),
    rrule("WEEKLY", dtstart=NEW_YEAR, interval=2, byweekday=[MO, FR], count=7),
    rrule("MONTHLY", dtstart=NEW_YEAR, until=NEW_YEAR + timedelta(days=900), bymonthday=[1, 15], byhour=[6, 18]),
    rrule("YEARLY", dtstart=NEW_YEAR, bymonth=[1], bysetpos=[-1], byweekday=[MO], wkst=6),
    rrule("HOURLY", dtstart=NEW_YEAR, interval=7, byminute=[0, 30], bysecond=[0]),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("args", [[], ["값", 1, None, {"a": [1.5]}]])
def test_what_we_write_is_what_redbeat_wrote_to_the_byte(app: Celery, args: list[Any], rule: Any) -> None:
    entry = save(app, "a", rule, args=args, kwargs={"k": "v"}, options={"queue": "q"}, enabled=not args)
    raw = Raw(link(app).client.hget(entry.key, "definition"))
    assert encode_definition(decode("a", raw, "Asia/Seoul").spec) == raw.definition


def test_basic_save(app: Celery, client: "redis.Redis") -> None:
    entry = save(app, "a", schedule(60))
    store = ScheduleStore(app)
    store.put(store.get("a").spec.with_changes(description="through the store"))
    theirs = {"name": "a", "task": "sample.echo", "args": [], "kwargs": {}, "options": {}, "enabled": True}
    written = json.loads(client.hget("redbeat:a", "definition"))
    assert written == theirs | {"schedule": {"__type__": "interval", "every": 60.0, "relative": False}}
    assert client.zrank("redbeat::schedule", entry.key) == 0
    assert int(client.zscore("redbeat::schedule", entry.key)) == to_timestamp(entry.last_run_at + timedelta(seconds=60))


@pytest.mark.filterwarnings("ignore:Using both 'count' and 'until':DeprecationWarning")
def test_rrule_with_two_ends() -> None:
    """dateutil deprecates it; ours keeps both, and tells RedBeat of `until` alone."""
    rule = rrule("MINUTELY", dtstart=NEW_YEAR, until=NEW_YEAR + timedelta(days=1), count=1)
    ours = from_celery(rule)
    assert "COUNT=1" in str(ours.to_json()["rule"])
    written = json.loads(json.dumps(to_celery(ours), cls=RedBeatJSONEncoder))
    assert written == json.loads(json.dumps(rule, cls=RedBeatJSONEncoder)) | {"count": None}


# The scheduler.


def test_empty_schedule(scheduler: LiveBeatScheduler, client: "redis.Redis") -> None:
    assert scheduler.schedule == {}
    assert 0.5 * LONGEST < max(tick(scheduler) for _ in range(3)) < 2 * LONGEST
    assert queued(client) == []


def test_one_tick_sends_what_is_due_and_nothing_else(
    scheduler: LiveBeatScheduler, app: Celery, client: "redis.Redis"
) -> None:
    for name, ago in (("due", 61), ("up next", 59.9), ("later", 0)):
        save(app, name, schedule(60)).reschedule(clock.now() - timedelta(seconds=ago))
    while not queued(client):
        tick(scheduler)
    assert queued(client) == ["due"]


@pytest.mark.parametrize("just_ran", [False, True])
def test_due_next_is_not_sent_early_and_not_slept_over(
    scheduler: LiveBeatScheduler, app: Celery, client: "redis.Redis", just_ran: bool
) -> None:
    entry = save(app, "next", schedule(1.3))
    if just_ran:
        entry.reschedule()
    made = clock.monotonic()
    while not queued(client):
        tick(scheduler)
    assert 1.1 < clock.monotonic() - made < 1.3 + LONGEST


def test_due_later(scheduler: LiveBeatScheduler, app: Celery, client: "redis.Redis") -> None:
    save(app, "later", schedule(3000))
    assert 0.5 * LONGEST < max(tick(scheduler) for _ in range(3)) < 2 * LONGEST
    assert queued(client) == []


def test_due_now_goes_as_it_was_saved(scheduler: LiveBeatScheduler, app: Celery, client: "redis.Redis") -> None:
    save(app, "now", schedule(60), kwargs={"value": 1}).reschedule(clock.now() - timedelta(seconds=61))
    tick(scheduler)
    (message,) = (json.loads(text) for text in client.lrange("celery", 0, -1))
    headers = message["headers"]
    assert (headers["task"], headers["kwargsrepr"], headers["celery_beat_task"]) == (
        "sample.echo",
        "{'value': 1}",
        True,
    )


def test_old_static_entries_are_removed(redis_url: str, client: "redis.Redis") -> None:
    entry = {"task": "sample.echo", "schedule": 42.0}
    for static in ({"test": entry}, {}):
        app = make_app(redis_url, beat_schedule=static)
        scheduler = LiveBeatScheduler(app)
        scheduler.tick()
        scheduler.close()
        own = {"celery.backend_cleanup"}
        assert {stored.spec.name for stored in ScheduleStore(app).list()} - own == set(static)
        assert client.smembers("redbeat::statics") - own == set(static)


def test_a_static_entry_keeps_when_it_ran(redis_url: str) -> None:
    app = make_app(redis_url, beat_schedule={"a": {"task": "sample.other", "schedule": timedelta(seconds=30)}})
    last = clock.now() - timedelta(seconds=10)
    save(app, "a", schedule(30)).reschedule(last)
    scheduler = LiveBeatScheduler(app)
    scheduler.tick()
    scheduler.close()
    stored = ScheduleStore(app).get("a")
    assert (stored.spec.task, stored.last_run_at) == ("sample.other", last)
    assert isinstance(stored.spec.recurrence, Interval)


# The lock.


def test_acquires_lock(scheduler: LiveBeatScheduler, app: Celery, client: "redis.Redis") -> None:
    """With the first tick, not at `beat_init`: a standby must be able to tick without it."""
    assert scheduler.lock_key is None
    tick(scheduler)
    assert leader(app) == client.get("redbeat::lock")


def test_connection_error_at_the_start_is_waited_out(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "server", durable=False)
    app = make_app(server.client_url)
    scheduler = LiveBeatScheduler(app)
    assert 0 < scheduler.tick() < 5
    with server:
        assert scheduler.tick() == 0.0
        assert str(leader(app)).startswith("livebeat:")
        scheduler.close()
