"""`schedules.json` edited under a running beat: seen within five seconds, and never harmful to anything else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import crontab
from redbeat import RedBeatSchedulerEntry

from livebeat import Cron, ScheduleSpec, ScheduleStore
from livebeat.connection import link
from livebeat.seedfile import Seeding
from livebeat.seedfile.memory import Copy, Memory
from support.beats import OURS, beat
from support.engine import connect, make_app
from support.processes import Running
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
SEEN = 5.0


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "schedules.json"


@pytest.fixture
def running(redis_url: str, tmp_path: Path, path: Path, store: ScheduleStore) -> Iterator[Running]:
    """A beat that has applied a file with `아침` at 6 and `저녁` at 18."""
    write(path, 아침=entry(6), 저녁=entry(18))
    (tmp_path / "conf.json").write_text(json.dumps({"livebeat_seed_file": str(path)}))
    with beat(redis_url, tmp_path, *OURS) as process:
        wait_until(lambda: hours(store) == {"아침": "6", "저녁": "18"}, 30, "the file at the start")
        yield process


def entry(hour: int, **more: Any) -> dict[str, Any]:
    return {"task": "sample.echo", "schedule": {"hour": hour, "minute": 0}, **more}


def write(path: Path, **entries: dict[str, Any]) -> None:
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")


def hours(store: ScheduleStore) -> dict[str, str]:
    """Name → hour of every cron schedule but Celery's own."""
    return {
        stored.spec.name: stored.spec.recurrence.expression.split()[1]
        for stored in store.list()
        if isinstance(stored.spec.recurrence, Cron) and not stored.spec.name.startswith("celery.")
    }


def is_applied(app: Celery, path: Path) -> bool:
    """Whether the beat is through with the file as it is now."""
    mark = Memory(link(app)).mark
    return mark.done and mark.copy.hash == Copy.of(path.read_text(encoding="utf-8"), 0, "", "").hash


def everything(client: "redis.Redis") -> dict[str, Any]:
    return {key: client.hgetall(key) for key in client.keys("redbeat:[^:]*")}


def test_new_changed_broken_and_repaired(
    running: Running, path: Path, store: ScheduleStore, client: "redis.Redis"
) -> None:
    write(path, 아침=entry(7), 저녁=entry(18), 밤=entry(23, description="새 스케줄"))
    wait_until(lambda: hours(store) == {"아침": "7", "저녁": "18", "밤": "23"}, SEEN, "the change")
    running.wait_for_line("Scheduler entry changed: 밤", 10)

    before = everything(client)
    good = path.read_text()
    path.write_text('{\n  "아침": {"task": "sample.echo", "schedule": {"hour": 8, "minute": 0},}\n}')
    wait_until(lambda: "line 2, column" in (client.hget("livebeat:seed", "#problem") or ""), SEEN, "the problem")
    line = running.wait_for_line("line 2, column", 10)
    assert str(path) in line
    assert "Nothing was changed" in line
    assert everything(client) == before
    assert running.output.count("line 2, column") == 1  # said once, not every second

    path.write_text(good.replace("23", "22"))
    wait_until(lambda: hours(store)["밤"] == "22", SEEN, "the repaired file")
    wait_until(lambda: client.hget("livebeat:seed", "#problem") is None, SEEN, "no problem is told any more")


@pytest.mark.parametrize(
    "text",
    [
        '{":lock": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}}}',
        '{"x": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}, "args": 5}}',
        '{"x": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}, "labels": 5}}',
        '{"x": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}, "description": {"a": 1}}}',
        '{"\\ud800": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}}}',
        '{"x": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}, "description": "\\ud800"}}',
        '{"x": ' + "9" * 5000 + "}",
        '{"x": {"task": "t", "schedule": {"hour": "' + "9" * 5000 + '", "minute": 0}}}',
        "[" * 100_000,
        '{"x": {"task": "t", "recurrence": {"kind": "interval", "every": NaN}}}',
        '{"x": {"task": "t", "schedule": {"hour": 6, "minute": 0}, "kwargs": ' + '{"a":' * 400 + "1" + "}" * 402,
    ],
    ids=lambda text: text[:70],
)
def test_no_file_ends_the_beat_or_is_applied_in_part(
    app: Celery, store: ScheduleStore, path: Path, client: "redis.Redis", text: str
) -> None:
    write(path, 아침=entry(6))
    seeding = Seeding(link(app), path)
    seeding.apply_if_changed()
    before = everything(client)
    good = json.dumps({"아침": entry(7), "저녁": entry(18)})[1:-1]
    path.write_text(text if text.startswith("[") else "{" + good + "," + text[1:])
    seeding.apply_if_changed()
    assert everything(client) == before
    assert "schedules.json" in client.hget("livebeat:seed", "#problem")


def test_what_others_made_is_never_deleted_or_overwritten(
    running: Running, app: Celery, path: Path, store: ScheduleStore
) -> None:
    store.put(ScheduleSpec(name="by-rest", task="sample.echo", recurrence=Cron("0 1 * * *")), origin="api")
    RedBeatSchedulerEntry("by-python", "sample.echo", crontab(hour=2, minute=0), app=app).save()
    store.put(store.get("저녁").spec.with_changes(recurrence=Cron("0 19 * * *")), origin="api")
    write(path, 아침=entry(7), 저녁=entry(18), **{"by-rest": entry(9), "by-python": entry(9)})
    wait_until(lambda: is_applied(app, path), SEEN, "the change")
    assert hours(store) == {"아침": "7", "저녁": "19", "by-rest": "1", "by-python": "2"}
    write(path, 아침=entry(8), 저녁=entry(18))
    wait_until(lambda: is_applied(app, path), SEEN, "the next change")
    assert hours(store) == {"아침": "8", "저녁": "19", "by-rest": "1", "by-python": "2"}
    path.unlink()
    running.wait_for_line("can't be read", SEEN)
    assert hours(store) == {"아침": "8", "저녁": "19", "by-rest": "1", "by-python": "2"}


def test_a_file_that_redis_did_not_take_is_tried_again(
    app: Celery, store: ScheduleStore, path: Path, client: "redis.Redis"
) -> None:
    write(path, 아침=entry(6))
    seeding = Seeding(link(app), path)
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(redis.RedisError):
            seeding.apply_if_changed()
    finally:
        client.config_set("maxmemory", "0")
    seeding.apply_if_changed()
    assert hours(store) == {"아침": "6"}
