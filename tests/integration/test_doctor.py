"""`livebeat doctor` on databases that RedBeat's own code and others wrote: what it finds, and that it writes nothing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry
from redbeat.schedules import rrule

from launcher.servers.valkey import EmbeddedValkey
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock
from livebeat.doctor import Finding, audit
from support.beats import livebeat
from support.engine import connect, make_app

pytestmark = pytest.mark.timeout(120)
INDEX = "redbeat::schedule"


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    """A server set up as it should be; put back afterwards, since other tests share it."""
    client = connect(redis_url)
    before = {name: client.config_get(name)[name] for name in ("appendonly", "save", "maxmemory", "maxmemory-policy")}
    client.config_set("save", "3600 1")
    yield client
    for name, value in before.items():
        client.config_set(name, value)


def save(app: Celery, name: str, rule: Any = None, *, last_run_at: Any = None, **fields: Any) -> None:
    """As a stock application writes its schedules."""
    entry = RedBeatSchedulerEntry(name, fields.pop("task", "sample.echo"), rule or schedule(60), app=app, **fields)
    entry.save()
    if last_run_at is not None:
        entry.reschedule(last_run_at)


def found(app: Celery) -> dict[str, Finding]:
    return {finding.kind: finding for finding in audit(app).findings if finding.kind != "snapshots-only"}


def names(finding: Finding) -> list[str]:
    return [subject for subject, _ in finding.subjects]


def test_a_sound_database_has_nothing_to_report(app: Celery, client: "redis.Redis") -> None:
    now = clock.now()
    save(app, "never ran")
    save(app, "ran", schedule(60), last_run_at=now)
    save(app, "cron", crontab(minute="*/5"), last_run_at=now)
    save(app, "off", enabled=False, last_run_at=now)
    save(app, "rrule", rrule("DAILY", dtstart=now - timedelta(days=2), byhour=3), last_run_at=now)
    ScheduleStore(app).put(ScheduleSpec(name="ours", task="sample.echo", recurrence=Cron("0 6 * * 1")))
    ScheduleStore(app).put(
        ScheduleSpec(name="ours, off", task="sample.echo", recurrence=Interval(seconds=5), enabled=False)
    )
    assert found(app) == {}
    assert audit(app).schedules == 7


def test_entries_that_are_not_as_they_should_be(app: Celery, client: "redis.Redis") -> None:
    now = clock.now()
    save(app, "good", last_run_at=now)
    client.hset("redbeat:json", "definition", "{")
    client.hset("redbeat:type", "definition", '{"task": "sample.echo", "schedule": {"__type__": "martian"}}')
    client.set("redbeat:string", "x")
    client.zadd(INDEX, dict.fromkeys(["redbeat:json", "redbeat:type", "redbeat:string", "redbeat:gone"], 1))
    client.zadd(INDEX, dict.fromkeys(["redbeat::statics", "redbeat:a\nb"], 1))
    client.hset("redbeat:bytes", "definition", b"\xff")
    client.zadd(INDEX, {"redbeat:bytes": 1, b"redbeat:\xff": 1})
    client.hset(b"redbeat:\xfe", "definition", "{}")
    save(app, "zombie")
    client.zrem(INDEX, "redbeat:zombie")
    save(app, "queue", options={"queue": "unacked"}, last_run_at=now)
    save(app, "elsewhere", task="another.app", last_run_at=now)
    save(app, "keys", last_run_at=now)
    known = json.loads(str(client.hget("redbeat:keys", "definition")))
    client.hset("redbeat:keys", "definition", json.dumps({**known, "priority": 1}))
    kinds = found(app)
    assert {kind: sorted(names(finding)) for kind, finding in kinds.items()} == {
        "unreadable": ["bytes", "json", "string", "type"],
        "orphan": ["\\udcff", "gone"],
        "name": [":statics", "a\nb"],
        "zombie": ["redbeat:zombie", "redbeat:\udcfe"],
        "refused": ["queue"],
        "task": ["elsewhere"],
        "unknown-key": ["keys"],
    }
    assert {kind for kind, finding in kinds.items() if finding.severity == "error"} == {
        "unreadable",
        "name",
        "zombie",
        "refused",
    }
    reasons = {name: detail.text("en") for name, detail in kinds["unreadable"].subjects if detail}
    assert "martian" in reasons["type"]
    assert "WRONGTYPE" in reasons["string"]


def test_queues_that_workers_without_install_consume(app: Celery, client: "redis.Redis") -> None:
    client.hset("livebeat:plain", "celery", '["plain@here"]')
    ((queue, who),) = found(app)["plain-worker"].subjects
    assert queue == "celery"
    assert who is not None
    assert who.text("en") == "plain@here"
    client.delete("livebeat:plain")
    client.set("livebeat:plain", "x")
    assert "plain-worker" not in found(app)


def test_times_that_are_not_as_they_should_be(app: Celery, client: "redis.Redis") -> None:
    now = clock.now()
    save(app, "later", schedule(60), last_run_at=now)
    client.zincrby(INDEX, 600, "redbeat:later")
    save(app, "earlier", schedule(3600), last_run_at=now)
    client.zincrby(INDEX, -1800, "redbeat:earlier")
    save(app, "truncated", schedule(60), last_run_at=now)
    save(app, "again", schedule(60), last_run_at=now - timedelta(seconds=20))  # RedBeat counts the 20 s twice
    save(app, "out of range", schedule(60), last_run_at=now)
    client.zadd(INDEX, {"redbeat:out of range": -1})
    save(app, "late", schedule(60), last_run_at=now - timedelta(hours=1))
    save(app, "off", schedule(60), last_run_at=now - timedelta(hours=1), enabled=False)
    save(app, "over", rrule("DAILY", dtstart=now - timedelta(days=9), count=2), last_run_at=now)
    ScheduleStore(app).put(ScheduleSpec(name="zone", task="sample.echo", recurrence=Cron("0 6 * * *", "Europe/Paris")))
    save(app, "monthly", rrule("MONTHLY", dtstart=now - timedelta(days=99), byweekday=0), last_run_at=now)
    assert {kind: sorted(names(finding)) for kind, finding in found(app).items()} == {
        "late-score": ["later", "out of range"],
        "early-score": ["again", "earlier"],
        "overdue": ["late"],
        "disabled-overdue": ["off"],
        "never": ["over"],
        "inexact": ["zone"],
        "lossy": ["monthly"],
    }


def test_the_lock_and_redbeats_own_keys(app: Celery, client: "redis.Redis") -> None:
    client.set("redbeat::lock", "livebeat:host:1:abc:1")
    assert found(app) == {}
    client.set("redbeat::lock", "theirs", ex=1500)
    (_, detail), *_ = found(app)["foreign-lock"].subjects
    assert detail is not None
    assert "held by theirs; it ends in 1500 s" in detail.text("en")
    client.delete("redbeat::lock")
    for key in ("redbeat::lock", "redbeat::statics", INDEX):
        client.hset(key, "definition", "x")
    assert {"lock-type", "statics-type", "index-type"} <= found(app).keys()


def test_settings_of_a_stock_beat(redis_url: str) -> None:
    app = make_app(redis_url, redbeat_lock_timeout=30, beat_max_loop_interval=5)
    assert names(found(app)["setting"]) == ["redbeat_lock_timeout", "beat_max_loop_interval"]


def test_a_server_that_may_lose_what_it_holds(app: Celery, client: "redis.Redis") -> None:
    assert audit(app).worst in {None, "note"}
    client.config_set("save", "")
    assert found(app)["persistence"].severity == "warning"
    client.config_set("maxmemory-policy", "allkeys-lru")
    assert found(app)["eviction"].severity == "error"
    client.config_set("appendonly", "yes")
    assert "persistence" not in found(app)


def test_a_broker_elsewhere(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "other", durable=False) as other:
        app = make_app(redis_url)
        app.conf.broker_url = other.client_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        assert found(app)["broker"].severity == "error"
    for url in ("memory://", "redis://127.0.0.1:1/0"):
        app = make_app(redis_url)
        app.conf.broker_url = url
        assert found(app)["broker"].severity == "error"


READER = [
    "resetkeys",
    "%R~*",
    "&*",
    "-@all",
    "+@read",
    "+info",
    "+ping",
    "+time",
    "+select",
    "+client|setname",
]


def test_it_only_reads(redis_url: str, app: Celery, client: "redis.Redis") -> None:
    """As a user that may do nothing else; the server itself counts what was called and what was denied."""
    save(app, "good")
    client.hset("redbeat:bad", "definition", "{")
    client.zadd(INDEX, {"redbeat:bad": 1})
    before = {key: client.ttl(key) for key in client.keys("*")}
    client.acl_setuser("reader", enabled=True, nopass=True, reset=True)
    client.execute_command("ACL", "SETUSER", "reader", *READER)
    client.execute_command("ACL", "LOG", "RESET")
    client.config_resetstat()
    try:
        url = redis_url.replace("unix://", "unix://reader@")
        theirs = make_app(url)
        assert {"unreadable"} <= found(theirs).keys()
        called = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
        denied = {entry["object"] for entry in client.execute_command("ACL", "LOG")}
    finally:
        client.acl_deluser("reader")
    assert denied <= {"config|get", "client|setinfo"}
    writing = set(client.execute_command("ACL", "CAT", "write"))
    assert {name for name in called if name.replace("|", " ").split()[0] in writing} == set()
    assert "hmget" in called
    assert {key: client.ttl(key) for key in client.keys("*")} == before


def test_output_stays_small(app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path) -> None:
    client.zadd(INDEX, {f"redbeat:gone-{number:04}\n\x1b[31m": 1 for number in range(3000)})
    done = livebeat(redis_url, tmp_path, "doctor")
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert len(lines) < 40
    assert "… and 2980 more" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\\n" in done.stdout


def test_the_command(redis_url: str, tmp_path: Path, client: "redis.Redis", app: Celery) -> None:
    save(app, "good", last_run_at=clock.now())
    clean = livebeat(redis_url, tmp_path, "doctor")
    assert (clean.returncode, clean.stderr) == (0, "")
    assert "Looked at 1 schedules of redbeat::schedule. Nothing was written." in clean.stdout
    client.zadd(INDEX, {"redbeat:gone": 1})
    warned = livebeat(redis_url, tmp_path, "doctor", "--json")
    assert warned.returncode == 1
    told = json.loads(warned.stdout)
    assert (told["status"], told["schedules"]) == (1, 2)
    (orphan,) = [finding for finding in told["findings"] if finding["kind"] == "orphan"]
    assert set(orphan["what"]) == set(orphan["do"]) == {"en", "ko"}
    client.hset("redbeat:bad", "definition", "{")
    client.zadd(INDEX, {"redbeat:bad": 1})
    assert livebeat(redis_url, tmp_path, "doctor").returncode == 2
    away = livebeat("redis://127.0.0.1:1/0", tmp_path, "doctor")
    assert (away.returncode, away.stdout) == (2, "")
    assert away.stderr.startswith("Redis does not answer: ")
